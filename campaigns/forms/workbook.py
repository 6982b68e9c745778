"""Forms of a workbook: what is uploaded, how it is to be read, and where a list goes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from accounts.models import Right, Team
from campaigns.models import ContactList, Workbook
from campaigns.models.workbook import Purpose

MOST_HEADER_ROWS = 10
MOST_ROWS = 1_048_576  # Excel's own


class UploadForm(forms.Form):
    """A file, and what its rows are for; a purpose that the user has no right for is not offered."""

    purpose = forms.ChoiceField(label=_("用途"), widget=forms.RadioSelect)
    file = forms.FileField(label=_("文件"), max_length=None, required=False)
    repairs = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, rights: frozenset[str], limit: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.too_big = False
        self._limit = limit
        offered = [
            (Purpose.PAYSLIP, _("工资条：每行一位员工，只有您能看到内容"), Right.PAYSLIPS),
            (Purpose.LIST, _("名单：每行一位联系人，团队可见"), Right.NEWSLETTERS),
        ]
        choices = [(value, label) for value, label, right in offered if right in rights]
        purpose, file = self.fields["purpose"], self.fields["file"]
        purpose.choices = choices  # type: ignore[attr-defined]
        purpose.initial = choices[0][0]
        if len(choices) == 1:
            purpose.widget = forms.HiddenInput()
        file.help_text = _("xlsx、xls、ods 或 csv，最大 %(limit)s。") % {
            "limit": filesizeformat(limit)
        }
        file.widget.attrs["required"] = True

    def clean_file(self) -> Any:
        """Empty, missing and too big files each have their own sentence."""
        if self.too_big:
            raise ValidationError(
                _("文件超过了 %(limit)s，没有接收。") % {"limit": filesizeformat(self._limit)}
            )
        file = self.cleaned_data["file"]
        if not file:
            raise ValidationError(_("请选择一个文件。"))
        return file


UploadForm.base_fields["file"].error_messages["empty"] = _("这个文件是空的，没有内容可读。")


class PasswordForm(forms.Form):
    """The password of a protected workbook; what was typed is never shown again."""

    password = forms.CharField(
        label=_("打开密码"),
        max_length=255,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("只用这一次，不会保存，也不会写进日志。"),
    )


class LayoutForm(forms.Form):
    """How the sheet is laid out; what the form leaves empty is found by the reader again."""

    sheet = forms.ChoiceField(label=_("工作表"))
    header_first = forms.IntegerField(
        label=_("表头首行"), min_value=1, max_value=MOST_ROWS, required=False
    )
    header_last = forms.IntegerField(
        label=_("表头末行"), min_value=1, max_value=MOST_ROWS, required=False
    )
    address_column = forms.TypedChoiceField(
        label=_("邮箱列"), required=False, coerce=int, empty_value=None
    )
    name_column = forms.TypedChoiceField(
        label=_("姓名列"), required=False, coerce=int, empty_value=None
    )

    def __init__(self, *args: Any, workbook: Workbook, hidden: list[str], **kwargs: Any) -> None:
        rows = workbook.header_range or [None, None]
        initial = {
            "sheet": workbook.sheet,
            "header_first": rows[0],
            "header_last": rows[1],
            "address_column": workbook.address_column,
            "name_column": workbook.name_column,
        }
        super().__init__(*args, initial=initial, **kwargs)
        self._workbook = workbook
        names = [(name, name) for name in workbook.sheets]
        names += [(name, _("%(name)s（隐藏）") % {"name": name}) for name in hidden]
        columns = [
            (index, f"{column['letter']} · {column['name']}")
            for index, column in enumerate(workbook.columns)
        ]
        self.fields["sheet"].choices = names  # type: ignore[attr-defined]
        for name in ("address_column", "name_column"):
            self.fields[name].choices = [("", _("自动识别")), *columns]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("header_first"), cleaned.get("header_last")
        if (first is None) != (last is None):
            raise ValidationError(_("表头的首行和末行要一起填写，或都留空。"))
        if first is not None and last is not None:
            if last < first:
                raise ValidationError(_("表头的末行不能在首行之前。"))
            if last - first >= MOST_HEADER_ROWS:
                raise ValidationError(_("表头最多 %(most)d 行。") % {"most": MOST_HEADER_ROWS})
        return cleaned

    def choices(self) -> dict[str, Any]:
        """What differs from how the workbook was read; another sheet or header is found anew."""
        cleaned, workbook = self.cleaned_data, self._workbook
        if cleaned["sheet"] != workbook.sheet:
            return {"sheet": cleaned["sheet"]}
        first, last = cleaned["header_first"], cleaned["header_last"]
        rows = [first, last] if first else None
        if rows != (workbook.header_range or None):
            return {"sheet": cleaned["sheet"], "header_rows": rows}
        wanted = {name: cleaned[name] for name in ("address_column", "name_column")}
        return {
            "sheet": cleaned["sheet"],
            **{name: value for name, value in wanted.items() if value != getattr(workbook, name)},
        }


# Stands for the contacts' own name among their attributes.
BY_NAME = "\N{BULLET}name"


class MatchForm(forms.Form):
    """Which column finds the contact, and by what of his."""

    column = forms.TypedChoiceField(label=_("表里的列"), coerce=int)
    attribute = forms.ChoiceField(label=_("等于联系人的"))

    def __init__(
        self, *args: Any, workbook: Workbook, attributes: list[str], number: str, **kwargs: Any
    ) -> None:
        chosen = workbook.choices.get("match") or {}
        names = [column["name"] for column in workbook.columns]
        guess = names.index(number) if number in names else None
        column = chosen.get("column", guess)
        same = names[column] if column is not None and column < len(names) else ""
        by = (chosen["attribute"] or BY_NAME) if chosen else same
        super().__init__(*args, initial={"column": column, "attribute": by}, **kwargs)
        self.fields["column"].choices = list(enumerate(names))  # type: ignore[attr-defined]
        offered = [(name, name) for name in attributes]
        self.fields["attribute"].choices = [*offered, (BY_NAME, _("姓名"))]  # type: ignore[attr-defined]

    def choice(self) -> dict[str, Any]:
        """As Workbook.choices keeps it."""
        by = self.cleaned_data["attribute"]
        return {"column": self.cleaned_data["column"], "attribute": None if by == BY_NAME else by}


class ImportForm(forms.Form):
    """A list of the team, or the name of a new one."""

    contact_list = forms.ModelChoiceField(
        label=_("导入到名单"), queryset=ContactList.objects.none(), required=False
    )
    new_name = forms.CharField(label=_("或新建名单"), max_length=100, required=False)

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._team = team
        field: Any = self.fields["contact_list"]
        field.queryset = ContactList.objects.filter(team=team).order_by("name")
        field.empty_label = _("（请选择）")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool(cleaned.get("contact_list")) == bool(cleaned.get("new_name")):
            raise ValidationError(_("请选择一个名单，或填写新名单的名称，二者选一。"))
        return cleaned

    def target(self) -> ContactList | None:
        """The list; a new one is made. None, with an error, if its name is taken."""
        chosen: ContactList | None = self.cleaned_data["contact_list"]
        if chosen is not None:
            return chosen
        try:
            with transaction.atomic():
                return ContactList.objects.create(
                    team=self._team, name=self.cleaned_data["new_name"]
                )
        except IntegrityError:
            self.add_error("new_name", _("团队里已有同名的名单。"))
            return None
