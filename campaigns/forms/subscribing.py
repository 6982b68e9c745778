"""Forms of subscribing: what a team says of its public form, and what a visitor writes into it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from campaigns.forms.campaign import clean_address, one_line
from campaigns.mailer.address import AddressFault, address_key, parse_mailbox


class SubscribeSettingsForm(forms.Form):
    """Who writes the mail that asks for confirmation, and what the visitor agrees to."""

    relay = forms.ModelChoiceField(label=_("发信账号"), queryset=Relay.objects.none())
    from_name = forms.CharField(label=_("发件人名称"), max_length=100, validators=[one_line])
    from_address = forms.CharField(label=_("发件地址"), max_length=254)
    text = forms.CharField(
        label=_("同意的内容"),
        max_length=500,
        validators=[one_line],
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("例如：“我同意接收产品月报，每月一封，可随时退订。”这句话会原样保存为证明。"),
    )
    enabled = forms.BooleanField(label=_("接受订阅"), required=False)

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["relay"]
        field.queryset = Relay.objects.filter(team=team, enabled=True).order_by("name")

    def clean_from_address(self) -> str:
        return clean_address(self.cleaned_data["from_address"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        relay, address = cleaned.get("relay"), cleaned.get("from_address")
        if relay and address and not may_send(relay, address):
            params = {"relay": relay.name, "allowed": "、".join(relay.from_addresses[:8]) or "—"}
            text = _("“%(relay)s”只能用这些发件地址：%(allowed)s。") % params
            self.add_error("from_address", text)
        return cleaned


def may_send(relay: Relay, address: str) -> bool:
    """Whether the relay lists the address or its domain; one that lists nothing takes any."""
    allowed = [entry.lower() for entry in relay.from_addresses]
    address = address.lower()
    return not allowed or address in allowed or f"@{address.rpartition('@')[2]}" in allowed


class JoinForm(forms.Form):
    """`website` is for machines: a person does not see it."""

    email = forms.CharField(
        label=_("邮箱"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    website = forms.CharField(required=False, max_length=2000)

    def clean_email(self) -> tuple[str, str]:
        """(address, key)."""
        try:
            address = parse_mailbox(self.cleaned_data["email"]).address
            return address, address_key(address)
        except AddressFault as fault:
            raise ValidationError(fault.text) from None
