"""The editor of a payslip's layout: one form for everything, so that it works by buttons, without a mouse and without scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.documents.layout import (
    LONGEST_COMPANY,
    LONGEST_LABEL,
    LONGEST_NOTE,
    Accent,
    Column,
    Group,
    Hide,
    Layout,
)
from campaigns.documents.layout_edit import (
    column_moved,
    columns_renamed,
    group_added,
    group_moved,
    group_removed,
)
from campaigns.documents.layout_guess import placed
from campaigns.forms.campaign import one_line
from campaigns.models import PayslipLayout, Workbook

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_STEPS = {"up": -1, "down": 1}

HIDES = [
    (Hide.NEVER.value, _("总是显示")),
    (Hide.EMPTY.value, _("空的不显示")),
    (Hide.ZERO.value, _("空的和零不显示")),
    (Hide.ALWAYS.value, _("不显示")),
]
ACCENTS = [
    (Accent.TEAL.value, _("青")),
    (Accent.BLUE.value, _("蓝")),
    (Accent.GREEN.value, _("绿")),
    (Accent.PURPLE.value, _("紫")),
    (Accent.RED.value, _("红")),
    (Accent.GREY.value, _("灰")),
]


def no_merge_tags(value: str) -> None:
    """Validator: a layout's texts are the same for everybody."""
    if re.search(r"\{[{%#]", value):
        raise ValidationError(_("这里是给所有人看的同一段文字，不能写合并字段。"))


class FrameForm(forms.Form):
    """What stands around the columns: the layout's name, company header, note, colour."""

    name = forms.CharField(label=_("排版的名称"), max_length=100, validators=[one_line])
    company = forms.CharField(
        label=_("公司抬头"),
        max_length=LONGEST_COMPANY,
        required=False,
        validators=[one_line, no_merge_tags],
    )
    accent = forms.ChoiceField(label=_("颜色"), choices=ACCENTS)
    note = forms.CharField(
        label=_("给员工的说明"),
        max_length=LONGEST_NOTE,
        required=False,
        validators=[no_merge_tags],
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("写在明细下面，例如工资的计算期间、找谁咨询。"),
    )

    def __init__(
        self, *args: Any, team: Team, instance: PayslipLayout | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, auto_id="frame-%s", **kwargs)
        self._others = PayslipLayout.objects.filter(team=team)
        if instance is not None:
            self._others = self._others.exclude(pk=instance.pk)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if self._others.filter(name=name).exists():
            raise ValidationError(_("团队里已有同名的排版。"))
        return name

    def clean_note(self) -> str:
        text: str = self.cleaned_data["note"].replace("\r\n", "\n").replace("\r", "\n")
        return _CONTROL.sub("", text)

    def framed(self, layout: Layout) -> Layout:
        """The layout with what was written."""
        said = self.cleaned_data
        return replace(
            layout, company=said["company"], note=said["note"], accent=Accent(said["accent"])
        )


class Changes:
    """What the editor's fields and the pressed button (`do`) say about the columns.

    Fields are numbered as the editor showed them: `group-0`, `label-3`, `hide-3`, `strong-3`, `to-3`;
    `gone-0` decides about the first missing column, `come-0` about the first new one.
    """

    def __init__(
        self, data: Mapping[str, str], *, missing: Sequence[str] = (), unplaced: Sequence[str] = ()
    ) -> None:
        self._data, self._missing, self._unplaced = data, missing, unplaced

    def applied(self, layout: Layout) -> Layout:
        """The fields, then the decisions, then the button. A number that is not there changes nothing."""
        return self._pressed(self._decided(self._written(layout)))

    def _written(self, layout: Layout) -> Layout:
        groups: list[list[Column]] = [[] for _group in layout.groups]
        late: list[tuple[int, Column]] = []
        number = 0
        for at, group in enumerate(layout.groups):
            for column in group.columns:
                changed = self._column(number, column)
                target = self._number(f"to-{number}", at)
                if target == at or not 0 <= target < len(groups):
                    groups[at].append(changed)
                else:
                    late.append((target, changed))
                number += 1
        for target, column in late:
            groups[target].append(column)
        return replace(
            layout,
            groups=tuple(
                Group(self._text(f"group-{at}", group.name), tuple(groups[at]))
                for at, group in enumerate(layout.groups)
            ),
        )

    def _column(self, number: int, column: Column) -> Column:
        if f"hide-{number}" not in self._data:
            return column
        hide = self._data[f"hide-{number}"]
        leaf = column.column.rpartition("/")[2] or column.column
        return replace(
            column,
            label=self._text(f"label-{number}", column.label) or leaf[:LONGEST_LABEL],
            hide=Hide(hide) if hide in set(Hide) else column.hide,
            strong=f"strong-{number}" in self._data,
        )

    def _decided(self, layout: Layout) -> Layout:
        """About columns that are gone, and columns that are new."""
        for number, name in enumerate(self._missing):
            decision, _colon, which = self._data.get(f"gone-{number}", "").partition(":")
            if decision == "drop":
                layout = layout.without([name])
            elif decision == "is" and which.isdecimal() and int(which) < len(self._unplaced):
                layout = columns_renamed(layout, {name: self._unplaced[int(which)]})
        for number, name in enumerate(self._unplaced):
            if name not in layout.names():
                layout = self._come(layout, name, self._data.get(f"come-{number}", ""))
        return layout

    def _come(self, layout: Layout, name: str, decision: str) -> Layout:
        suggested = placed(layout, [name])
        if decision == "hide":
            return _hidden(suggested, name)
        target = int(decision) if decision.isdecimal() and len(decision) < 4 else -1
        if not 0 <= target < len(layout.groups):
            return layout
        column = next(column for column in suggested.columns() if column.column == name)
        groups = list(layout.groups)
        groups[target] = replace(groups[target], columns=(*groups[target].columns, column))
        return replace(layout, groups=tuple(groups))

    def _pressed(self, layout: Layout) -> Layout:
        verb, _dash, number = self._data.get("do", "").partition("-")
        at = int(number) if number.isdecimal() and len(number) < 5 else -1
        if verb in _STEPS and 0 <= at < len(layout.names()):
            return column_moved(layout, at, _STEPS[verb])
        if verb in ("groupup", "groupdown"):
            return group_moved(layout, at, _STEPS[verb.removeprefix("group")])
        if verb == "groupdrop":
            return group_removed(layout, at)
        if verb == "groupadd":
            name = self._text("new-group", "")
            return group_added(layout, name) if name else layout
        if verb == "place":
            return placed(layout, self._unplaced)
        return layout

    def _text(self, field: str, kept: str) -> str:
        if field not in self._data:
            return kept
        return _CONTROL.sub("", self._data[field].replace("\n", " ")).strip()[:LONGEST_LABEL]

    def _number(self, field: str, kept: int) -> int:
        value = self._data.get(field, "")
        return int(value) if value.isdecimal() and len(value) < 4 else kept


def _hidden(layout: Layout, name: str) -> Layout:
    groups = (
        replace(
            group,
            columns=tuple(
                replace(column, hide=Hide.ALWAYS) if column.column == name else column
                for column in group.columns
            ),
        )
        for group in layout.groups
    )
    return replace(layout, groups=tuple(groups))


class NewLayoutForm(forms.Form):
    """From which payroll's columns a new layout is made."""

    workbook = forms.ModelChoiceField(label=_("工作簿"), queryset=Workbook.objects.none())
    name = forms.CharField(label=_("名称"), max_length=90, required=False, validators=[one_line])

    def __init__(self, *args: Any, workbooks: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["workbook"]
        field.queryset, field.empty_label = workbooks, _("选择工作簿")
        self.fields["name"].help_text = _("留空则用工作簿的名称。")


def logo_sentence(kind: str) -> str:
    """Why a picture was not taken."""
    return {
        "size": _now("图片太大：最大 48 KB。"),
        "sides": _now("图片的边长最多 1200 像素。"),
    }.get(kind, _now("这不是能用的图片：请用 PNG 或 JPEG。"))
