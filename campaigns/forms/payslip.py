"""What a payslip campaign has beside every campaign's settings: an encrypted file for each person."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext_lazy as _

from campaigns.forms.campaign import CampaignForm, one_line
from campaigns.models import Workbook
from campaigns.models.campaign import AttachmentKind

# An ID number is the longest that a rule takes from; fewer than four characters would be guessed.
LONGEST_TAIL, SHORTEST_TAIL = 18, 4
# Days that the page of a payslip stays open; 0 asks for no confirmation.
DAYS = (7, 14, 30, 60, 90)
SETTINGS = ("confirm_days",)
ATTACHMENT = ("attachment", "password_column", "password_tail", "password_hint")


class PayslipForm(CampaignForm):
    """The column of the password must be one of the chosen workbook's."""

    class Meta(CampaignForm.Meta):
        fields = (*CampaignForm.Meta.fields, *SETTINGS, *ATTACHMENT)
        help_texts = {
            **CampaignForm.Meta.help_texts,
            "confirm_days": _("邮件里有一个链接：员工不用登录就能查看、确认，或写下哪里不对。"),
            "attachment": _("明细写进每个人自己的加密文件（AES-256），正文里不再出现。"),
            "password_column": _("例如身份证号、手机、工号。每个人用自己那一行的值。"),
            "password_tail": _("例如 6 是后六位；0 是整个值。空格和横线不算，字母用大写。"),
            "password_hint": _("告诉员工密码是什么，不要写出密码本身。留空则按上面两项写一句。"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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

    @property
    def plain_fields(self) -> list[forms.BoundField]:
        return [bound for bound in self if bound.name not in ATTACHMENT]

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
