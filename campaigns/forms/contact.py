"""Forms of contacts and lists: one contact, a list's name, and lines that somebody pasted."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from campaigns.mailer.address import AddressFault, Mailbox, address_key, parse_mailbox
from campaigns.models import Contact, ContactList, Suppression
from campaigns.models.feedback import SuppressionReason

_MOST_LINES = 5000
_MOST_FAULTS = 50
_MOST_ATTRIBUTES = 100


class ContactForm(forms.ModelForm):
    """One contact; attributes are written one a line, as “名称：值”."""

    attributes = forms.CharField(
        label=_("属性"),
        required=False,
        max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("每行一个，写成“城市：杭州”。可以在邮件里作为合并字段使用。"),
    )

    class Meta:
        model = Contact
        fields = ("address", "name", "attributes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.attributes or {}
        self.initial["attributes"] = "\n".join(f"{name}：{value}" for name, value in stored.items())

    def clean_address(self) -> str:
        try:
            address = parse_mailbox(self.cleaned_data["address"]).address
        except AddressFault as fault:
            raise ValidationError(fault.text) from None
        self.instance.address_key = address_key(address)
        same = Contact.objects.filter(
            team=self.instance.team_id, address_key=self.instance.address_key
        )
        if same.exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("团队里已有这个地址的联系人。"))
        erased = Suppression.objects.filter(
            team=self.instance.team_id,
            address_key=self.instance.address_key,
            reason=SuppressionReason.ERASED,
        )
        if self.instance.pk is None and erased.exists():
            raise ValidationError(
                _("此人要求过删除个人数据。本人又同意的话，先把地址移出屏蔽名单。")
            )
        return address

    def clean_attributes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for number, line in enumerate(self.cleaned_data["attributes"].splitlines(), start=1):
            if not line.strip():
                continue
            name, colon, value = line.replace("：", ":", 1).partition(":")
            if not colon or not name.strip():
                raise ValidationError(_("第 %(line)d 行没有冒号。") % {"line": number})
            found[name.strip()] = value.strip()
        if len(found) > _MOST_ATTRIBUTES:
            raise ValidationError(_("最多 %(most)d 个属性。") % {"most": _MOST_ATTRIBUTES})
        return found


class ListForm(forms.ModelForm):
    """A list's name, unique in its team, and whether recipients see it."""

    class Meta:
        model = ContactList
        fields = ("name", "public")
        help_texts = {
            "public": _("勾选后，收件人能在“订阅偏好”页看到这个名单的名称，自己订阅或退订。")
        }

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        same = ContactList.objects.filter(team=self.instance.team_id, name=name)
        if same.exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("团队里已有同名的名单。"))
        return name


class PasteForm(forms.Form):
    """Lines such as “张三 <a@b.cn>”: all of them are right, or all that are wrong are named."""

    lines = forms.CharField(
        label=_("粘贴联系人"),
        max_length=600_000,
        widget=forms.Textarea(
            attrs={"rows": 5, "spellcheck": "false", "placeholder": "张三 <zhangsan@example.com>"}
        ),
        help_text=_("每行一个：地址，或姓名加尖括号里的地址。已退订的人不会因此重新订阅。"),
    )

    def clean_lines(self) -> dict[str, Mailbox]:
        """{address_key: mailbox}; a line given twice counts once."""
        lines = self.cleaned_data["lines"].splitlines()
        if len(lines) > _MOST_LINES:
            raise ValidationError(
                _("一次最多 %(most)d 行；更多请用工作簿导入。") % {"most": _MOST_LINES}
            )
        found: dict[str, Mailbox] = {}
        faults: list[str] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                mailbox = parse_mailbox(line)
            except AddressFault as fault:
                faults.append(
                    _("第 %(number)d 行：%(why)s") % {"number": number, "why": fault.text}
                )
            else:
                found.setdefault(address_key(mailbox.address), mailbox)
        if faults:
            more = len(faults) - _MOST_FAULTS
            shown = faults[:_MOST_FAULTS]
            raise ValidationError(
                [*shown, _("还有 %(more)d 行。") % {"more": more}] if more > 0 else shown
            )
        return found
