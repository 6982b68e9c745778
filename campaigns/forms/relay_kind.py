"""What a relay's form asks of an account, and what of direct sending: two kinds, one form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.field_groups import grouped
from accounts.models import LimitWindow, Relay, RelayKind, TlsMode
from accounts.presets import Preset
from campaigns.mailer.address import AddressFault, domain_of

_ACCOUNT_ONLY = ("host", "port", "username", "secret", "oauth")
_DIRECT_ONLY = ("source_ip", "domain_connections")
_SENDERS = (_("发件地址和退信"), ("from_addresses", "bounce_mailbox", "own_return_path"))
_RATES = tuple(f"limit_{window}" for window in LimitWindow.values)
_TIMES = (
    "connect_timeout",
    "command_timeout",
    "final_dot_timeout",
    "retry_minutes",
    "deliver_hours",
)

ACCOUNT_GROUPS = (
    (_("服务器"), ("name", "host", "port", "tls_mode", "ca_pem", "internal_allowed")),
    (_("登录"), ("username", "secret", "oauth")),
    _SENDERS,
    (_("限速"), (*_RATES, "day_zone", "max_connections", "per_connection", "quota_group")),
    (_("超时与重试"), (*_TIMES, "ehlo_name")),
)
DIRECT_GROUPS = (
    (_("本机"), ("name", "ehlo_name", "source_ip")),
    (_("对方服务器"), ("tls_mode", "ca_pem", "internal_allowed")),
    _SENDERS,
    (
        _("限速"),
        (
            *_RATES,
            "day_zone",
            "max_connections",
            "domain_connections",
            "per_connection",
            "quota_group",
        ),
    ),
    (_("超时与重试"), _TIMES),
)
_DIRECT_TLS = [
    (TlsMode.OPPORTUNISTIC, _("能加密就加密（推荐）")),
    (TlsMode.STARTTLS, _("必须加密，并检查对方的证书")),
]
_ACCOUNT_TLS = [choice for choice in TlsMode.choices if choice[0] != TlsMode.OPPORTUNISTIC]


def is_direct(relay: Relay, preset: Preset | None) -> bool:
    """Of a new relay its preset says so."""
    return relay.is_direct if relay.pk else preset is not None and preset.is_direct


class KindOfRelay(forms.ModelForm):
    """The fields of the other kind are not there at all, so that no post can fill them in."""

    direct: bool

    def keep_own_fields(self) -> None:
        for name in _ACCOUNT_ONLY if self.direct else _DIRECT_ONLY:
            del self.fields[name]
        self.fields["tls_mode"].choices = _DIRECT_TLS if self.direct else _ACCOUNT_TLS
        name = self.fields["ehlo_name"]
        name.required = self.direct
        name.help_text = (
            _(
                "本机对外的完整主机名，例如 mail.example.com：IP 的反向解析要指向它，它要指回这个 IP。"
            )
            if self.direct
            else _("与服务器打招呼时报的主机名。只有自有服务器检查它时才需要填。")
        )
        if self.direct:
            self.fields["tls_mode"].help_text = _(
                "大多数收件方支持加密，但证书常常对不上，因此默认加密而不检查证书；“必须加密”会让一部分邮件送不到。"
            )
            self.fields["internal_allowed"].help_text = _(
                "收件方的服务器在内网时才需要。只有系统管理员可以更改。"
            )
            # There is no login whose own address could stand for all.
            self.fields["from_addresses"].help_text = _("每行一个地址，或以 @ 开头的整个域名。")

    def groups(self) -> Iterator[dict[str, Any]]:
        groups = DIRECT_GROUPS if self.direct else ACCOUNT_GROUPS
        return grouped(self, groups, closed=[groups[-1][0]])

    def clean_ehlo_name(self) -> str:
        name = self.cleaned_data["ehlo_name"].strip().rstrip(".")
        if not name:
            return ""
        try:
            return domain_of(f"x@{name}")
        except AddressFault:
            raise ValidationError(_("请填完整的主机名，例如 mail.example.com。")) from None

    def set_kind(self, relay: Relay) -> None:
        """A direct relay's host is its own name, for the pages and checks that speak of a host."""
        relay.kind = RelayKind.DIRECT if self.direct else RelayKind.ACCOUNT
        if self.direct:
            relay.host = relay.ehlo_name
            relay.port = relay.port if relay.pk else 25
