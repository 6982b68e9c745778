"""What a payslip campaign has beside every campaign's settings: an encrypted file for each person."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.forms.campaign import CampaignForm, one_line
from campaigns.models import PayslipLayout, Workbook
from campaigns.models.campaign import AttachmentKind

# An ID number is the longest that a rule takes from; fewer than four characters would be guessed.
LONGEST_TAIL, SHORTEST_TAIL = 18, 4
# Days that the page of a payslip stays open; 0 asks for no confirmation.
DAYS = (7, 14, 30, 60, 90)
SETTINGS = ("layout", "subject", "confirm_days")
AUTOMATIC = "new"
ATTACHMENT = ("attachment", "password_column", "password_tail", "password_hint")


class PayslipForm(CampaignForm):
    """The column of the password must be one of the chosen workbook's.

    `layout` is a layout's id, "new" (one made of the workbook's columns) or "" (a template of one's own alone).
    """

    layout = forms.ChoiceField(label=_("排版"), required=False)

    class Meta(CampaignForm.Meta):
        fields = (*CampaignForm.Meta.fields, *SETTINGS[1:], *ATTACHMENT)
        help_texts = {
            **CampaignForm.Meta.help_texts,
            "template": _("一般不用选：排版会生成整封邮件。选了自己的模板，就用它的文字和样式。"),
            "subject": _("锁屏上也会显示，不要写金额。留空则用活动的名称（或模板的主题）。"),
            "confirm_days": _("邮件里有一个链接：员工不用登录就能查看、确认，或写下哪里不对。"),
            "attachment": _("明细写进每个人自己的加密文件（AES-256），正文里不再出现。"),
            "password_column": _("例如身份证号、手机、工号。每个人用自己那一行的值。"),
            "password_tail": _("例如 6 是后六位；0 是整个值。空格和横线不算，字母用大写。"),
            "password_hint": _("告诉员工密码是什么，不要写出密码本身。留空则按上面两项写一句。"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lay_out(kwargs["team"])
        days = [
            (0, _("不需要")),
            *((n, _("需要，链接有效 %(days)s 天") % {"days": n}) for n in DAYS),
        ]
        self.fields["confirm_days"] = forms.TypedChoiceField(
            label=self.fields["confirm_days"].label,
            help_text=self.fields["confirm_days"].help_text,
            choices=days,
            coerce=int,
            empty_value=0,
            required=False,
        )
        choices = [(kind.value, kind.label) for kind in AttachmentKind]
        self.fields["attachment"].widget = forms.RadioSelect(
            choices=choices, attrs={"x-on:change": "pick"}
        )
        self.fields["password_column"].widget.attrs["list"] = "known-columns"
        tail = self.fields["password_tail"]
        tail.required = False
        tail.validators.append(MaxValueValidator(LONGEST_TAIL))
        tail.widget.attrs |= {"min": 0, "max": LONGEST_TAIL}
        self.fields["password_hint"].validators.append(one_line)
        columns = (book.columns for book in self.workbooks.only("columns")[:20])
        self.known_columns = list(dict.fromkeys(c["name"] for row in columns for c in row))

    def _lay_out(self, team: Team) -> None:
        """The layouts to choose from, before the template, which is then a matter of taste."""
        self.layouts = PayslipLayout.objects.filter(team=team).order_by("name")
        field = self.fields["layout"]
        field.choices = [
            (AUTOMATIC, _("按工作簿的列自动排版（之后可以调整）")),
            *((str(row.pk), row.name) for row in self.layouts.only("name")),
            ("", _("不用排版，只用自己的模板")),
        ]
        field.help_text = _("显示哪些列、怎么分组、叫什么：邮件、网页和加密附件都按它。")
        template = self.fields["template"]
        template.required, template.empty_label = False, _("不用：由排版生成邮件")
        self.fields["subject"].validators.append(one_line)
        self.order_fields(["name", "subject", "audience", "layout", "template"])
        if self.instance.pk:
            chosen = self.instance.layout_id
            self.initial["layout"] = str(chosen) if chosen else ""

    @property
    def makes_layout(self) -> bool:
        """Whether a layout is to be made of the chosen workbook's columns."""
        return self.cleaned_data.get("layout") == AUTOMATIC and self.instance.workbook is not None

    def clean_layout(self) -> str:
        value: str = self.cleaned_data["layout"]
        self.instance.layout = (
            self.layouts.filter(pk=int(value)).first() if value.isdecimal() else None
        )
        return value

    @property
    def password_fields(self) -> list[forms.BoundField]:
        """Those that only an attachment needs."""
        return [self[name] for name in ATTACHMENT[1:]]

    def clean_password_tail(self) -> int:
        tail: int | None = self.cleaned_data["password_tail"]
        if tail is None:
            return self._meta.model._meta.get_field("password_tail").default
        if 0 < tail < SHORTEST_TAIL:
            words = _("至少取 %(least)s 位，或填 0 取整个值。")
            raise ValidationError(words, params={"least": SHORTEST_TAIL})
        return tail

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not (cleaned.get("layout") or cleaned.get("template")) and "layout" not in self.errors:
            self.add_error("layout", ValidationError(_("请选择一种排版，或一个自己的模板。")))
        if cleaned.get("attachment"):
            self._check_column(cleaned.get("password_column", ""), self.instance.workbook)
        return cleaned

    def _check_column(self, column: str, workbook: Workbook | None) -> None:
        if not column:
            self.add_error("password_column", ValidationError(_("附件要有密码：请填一列的名称。")))
        elif workbook is not None and all(c["name"] != column for c in workbook.columns):
            names = "、".join(c["name"] for c in workbook.columns[:12])
            words = _("工作簿里没有这一列。它的列有：%(names)s")
            self.add_error("password_column", ValidationError(words, params={"names": names}))
