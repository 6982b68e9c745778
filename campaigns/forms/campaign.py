"""A campaign's settings and its launch, as forms. Choices are the team's own rows alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.field_groups import grouped
from accounts.models import Relay, Team
from campaigns.mailer.address import AddressFault, parse_mailbox
from campaigns.models import Campaign, ContactList, MessageTemplate, Workbook
from campaigns.models.campaign import Duplicates, InDoubtPolicy
from campaigns.models.template import Kind

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
LIST, WORKBOOK = "list", "workbook"


def one_line(value: str) -> None:
    """Validator: nothing that could end a header field."""
    if _CONTROL.search(value):
        raise ValidationError(_("不能有换行或控制字符。"))


def clean_address(value: str) -> str:
    """The address alone, its domain in A-labels; the fault in words otherwise."""
    if not value:
        return ""
    try:
        mailbox = parse_mailbox(value)
    except AddressFault as fault:
        raise ValidationError(fault.text) from None
    if mailbox.name:
        raise ValidationError(_("这里只填地址，名称填在“发件人名称”里。"))
    return mailbox.address


_GROUPS = (
    (_("内容和收件人"), ("name", "subject", "audience", "layout", "template")),
    (_("发件人"), ("relay", "from_name", "from_address", "reply_to")),
    (_("遇到这些情况"), ("duplicates", "in_doubt_policy", "confirm_days")),
)


class CampaignForm(forms.ModelForm):
    """`audience` is "list:<id>" or "workbook:<id>"; a payroll is a workbook that its maker may read."""

    audience = forms.ChoiceField(label=_("收件人"))

    class Meta:
        model = Campaign
        fields = (
            "name",
            "template",
            "relay",
            "from_name",
            "from_address",
            "reply_to",
            "duplicates",
            "in_doubt_policy",
        )
        help_texts = {
            "name": _("模板里的 title；默认模板用它作邮件的主题。"),
            "from_name": _("收件人看到的名字，例如“人力资源部”。"),
            "reply_to": _("留空则回复到发件地址。"),
            "duplicates": _("同一个地址出现在几行里时怎么办。没有重复的地址就不用管它。"),
            "in_doubt_policy": _("邮件已传完、没等到服务器的答复时怎么办。"),
        }

    def __init__(
        self, *args: Any, team: Team, kind: str, workbooks: QuerySet[Workbook], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        self.lists = (
            ContactList.objects.filter(team=team).order_by("name")
            if kind == Kind.NEWSLETTER
            else ContactList.objects.none()
        )
        self.workbooks = workbooks
        self.templates = MessageTemplate.objects.filter(team=team, kind=kind).order_by("name")
        self.relays = Relay.objects.filter(team=team, enabled=True).order_by("name")
        self.order_fields(["name", "audience"])
        self.fields["audience"].choices = self._audiences()
        self._choose("template", self.templates, _("选择模板"))
        self._choose("relay", self.relays, _("选择发信账号"))
        self._addresses()
        self.fields["in_doubt_policy"].widget = forms.RadioSelect(choices=InDoubtPolicy.choices)
        if kind == Kind.PAYSLIP:
            self.fields["duplicates"].widget = forms.RadioSelect(choices=Duplicates.choices)
        else:
            del self.fields["duplicates"]
        for name in ("name", "from_name"):
            self.fields[name].validators.append(one_line)
        if self.instance.pk and not self.is_bound:
            self.initial["audience"] = audience_value(self.instance)

    def groups(self) -> Iterator[dict[str, Any]]:
        """Of a payslip's file the page draws the fields apart."""
        return grouped(self, _GROUPS)

    def _choose(self, name: str, rows: QuerySet[Any], label: Any) -> None:
        field = self.fields[name]
        field.queryset, field.required, field.empty_label = rows, True, label

    def _audiences(self) -> list[tuple[str, Any]]:
        lists = [(f"{LIST}:{row.pk}", row.name) for row in self.lists]
        books = [
            (f"{WORKBOOK}:{row.pk}", f"{row.name}（{row.sheet}，{row.row_count}）")
            for row in self.workbooks.only("name", "sheet", "row_count")
        ]
        groups: list[tuple[str, Any]] = [("", _("选择收件人"))]
        groups += [(_("名单"), lists)] if lists else []
        groups += [(_("工作簿"), books)] if books else []
        return groups

    def _addresses(self) -> None:
        """Which addresses each relay lets through, where the address is typed."""
        allowed = [(relay.name, relay.from_addresses) for relay in self.relays]
        known = dict.fromkeys(a for _name, entries in allowed for a in entries if a[:1] != "@")
        self.known_addresses = list(known)
        self.fields["from_address"].widget.attrs["list"] = "known-addresses"
        self.allowed = [(name, "、".join(entries[:6]) or "—") for name, entries in allowed]

    def clean_audience(self) -> str:
        value: str = self.cleaned_data["audience"]
        kind, _colon, number = value.partition(":")
        rows = self.lists if kind == LIST else self.workbooks
        chosen = rows.filter(pk=int(number)).first()
        self.instance.contact_list = chosen if kind == LIST else None
        self.instance.workbook = chosen if kind == WORKBOOK else None
        mends = self.instance.workbook.repairs if kind == WORKBOOK else None
        self.instance.completes = mends if mends and mends.launched_at else None
        return value

    def clean_from_address(self) -> str:
        return clean_address(self.cleaned_data["from_address"])

    def clean_reply_to(self) -> str:
        return clean_address(self.cleaned_data["reply_to"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        relay, address = cleaned.get("relay"), cleaned.get("from_address")
        if relay and address and not relay.may_send_as(address):
            words = _("发信账号“%(relay)s”不能用这个地址。可用的是：%(allowed)s")
            params = {"relay": relay.name, "allowed": "、".join(relay.from_addresses[:8]) or "—"}
            self.add_error("from_address", ValidationError(words, params=params))
        return cleaned


def audience_value(campaign: Campaign) -> str:
    """The choice that stands for a campaign's audience."""
    if campaign.workbook_id:
        return f"{WORKBOOK}:{campaign.workbook_id}"
    return f"{LIST}:{campaign.contact_list_id}" if campaign.contact_list_id else ""


class LaunchForm(forms.Form):
    """Now, or at a wall time of the team's zone, which stays naive: control.instant_of reads it."""

    when = forms.ChoiceField(choices=[("now", _("立即发送")), ("later", _("定时发送"))])
    wall = forms.CharField(required=False, max_length=19)

    def clean_wall(self) -> datetime | None:
        value = self.cleaned_data["wall"].strip()
        if not value:
            return None
        try:
            wall = datetime.fromisoformat(value)
        except ValueError:
            raise ValidationError(_("请填写日期和时间。")) from None
        if wall.tzinfo is not None:
            raise ValidationError(_("请填写日期和时间。"))
        return wall

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("when") == "later" and not cleaned.get("wall") and not self.errors:
            self.add_error("wall", _("请填写日期和时间。"))
        return cleaned


class ResolveForm(forms.Form):
    """What a person decides about a delivery in doubt, and why."""

    decision = forms.ChoiceField(choices=[("resend", _("再发一次")), ("accept", _("视为已提交"))])
    note = forms.CharField(label=_("原因"), max_length=300)
