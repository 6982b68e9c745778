"""The form of a relay: connection, senders, bounces and its limits, in groups."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import LimitWindow, Relay, RelayLimit, Team, User
from accounts.models.team import known_time_zone
from accounts.presets import Preset, preset_of, quota_group
from campaigns.forms.connection import ConnectionForm
from campaigns.forms.relay_kind import KindOfRelay, is_direct
from campaigns.mailer.address import AddressFault, address_key

_MOST_ADDRESSES = 200


class RelayForm(KindOfRelay, ConnectionForm):
    """A new relay takes its first values from a preset; the team's mailboxes alone may be chosen."""

    from_addresses = forms.CharField(
        label=_("可用的发件地址"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_(
            "每行一个地址，或以 @ 开头的整个域名（@example.com）。留空则只用登录邮箱本身。"
        ),
    )
    day_zone = forms.CharField(
        label=_("“每天”从哪个时区的零点算起"),
        required=False,
        max_length=64,
        validators=[known_time_zone],
        help_text=_("留空：滚动的 24 小时（更稳妥）。否则填时区名，例如 Asia/Shanghai。"),
    )
    retry_minutes = forms.CharField(
        label=_("重试间隔（分钟）"),
        max_length=200,
        help_text=_("服务器暂时不收时，依次等这么久再试，用逗号分开。"),
    )

    class Meta:
        model = Relay
        fields = (
            "name",
            "host",
            "port",
            "tls_mode",
            "ca_pem",
            "internal_allowed",
            "username",
            "oauth",
            "ehlo_name",
            "source_ip",
            "from_addresses",
            "bounce_mailbox",
            "own_return_path",
            "quota_group",
            "max_connections",
            "domain_connections",
            "per_connection",
            "connect_timeout",
            "command_timeout",
            "final_dot_timeout",
            "deliver_hours",
        )
        labels = {
            "connect_timeout": _("连接超时（秒）"),
            "command_timeout": _("命令超时（秒）"),
            "final_dot_timeout": _("等待最终答复（秒）"),
        }
        help_texts = {
            "own_return_path": _(
                "退信寄到“退信邮箱”，并能对上每一封。163、126、QQ 等只认登录邮箱作退信地址，勾选会被拒收；自有服务器一般可以。"
            ),
            "bounce_mailbox": _("退信回到哪个邮箱。没有的话，请先在“退信邮箱”里添加。"),
            "quota_group": _("同一个配额组的账号合并计数。留空则自动填写。"),
            "per_connection": _("发够这么多封就重新连接。留空为不限。"),
            "max_connections": _("同时打开的连接。服务商不明说时请用 1。"),
            "domain_connections": _("同时连往同一个收件域名的连接；太多会被对方限制。"),
            "source_ip": _("本机有几个公网 IP 时，填从哪一个发出。留空由系统决定。"),
            "final_dot_timeout": _(
                "邮件传完后等这么久；太短会让本已收下的邮件变成“待确认”。标准是 600 秒。"
            ),
            "deliver_hours": _("超过这么久还没发出，就放弃。"),
        }

    def __init__(self, *args: Any, team: Team, user: User, preset: str = "", **kwargs: Any) -> None:
        self.team = team
        self.preset = preset_of(kwargs["instance"].preset if kwargs.get("instance") else preset)
        super().__init__(*args, user=user, **kwargs)
        self.direct = is_direct(self.instance, self.preset)
        self.keep_own_fields()
        self.fields["bounce_mailbox"].queryset = team.bounce_mailboxes.order_by("name")
        self.fields["bounce_mailbox"].empty_label = _("不收退信")
        self.fields["quota_group"].required = False
        self._limit_fields()
        self._first_values()
        if self.preset is not None and not self.direct:
            self.fields["username"].help_text = self.preset.username_hint
            self.fields["secret"].help_text = self.preset.secret_hint

    def _limit_fields(self) -> None:
        for window in LimitWindow:
            self.fields[f"limit_{window}"] = forms.IntegerField(
                label=_("%(window)s最多（封）") % {"window": window.label},
                required=False,
                min_value=1,
                max_value=10_000_000,
                widget=forms.NumberInput(attrs={"placeholder": _("不限")}),
            )

    def _first_values(self) -> None:
        relay = self.instance
        seconds = relay.retry_seconds
        self.initial["retry_minutes"] = ", ".join(f"{value / 60:g}" for value in seconds)
        self.initial["from_addresses"] = "\n".join(relay.from_addresses)
        if relay.pk:
            for limit in relay.limits.all():
                self.initial[f"limit_{limit.window}"] = limit.amount
                if limit.window == LimitWindow.DAY:
                    self.initial["day_zone"] = limit.zone
            if relay.quota_group == self._automatic_group():
                self.initial["quota_group"] = ""
        elif self.preset is not None:
            self.initial |= _preset_values(self.preset)

    def _automatic_group(self) -> str:
        relay = self.instance
        return quota_group(relay.preset, relay.host, relay.username)

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        others = Relay.objects.filter(team=self.team, name=name).exclude(pk=self.instance.pk)
        if others.exists():
            raise ValidationError(_("已经有同名的发信账号。"))
        return name

    def clean_from_addresses(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["from_addresses"].splitlines()]
        entries = [line for line in lines if line]
        if len(entries) > _MOST_ADDRESSES:
            raise ValidationError(_("最多 %(most)d 行。") % {"most": _MOST_ADDRESSES})
        return list(dict.fromkeys(_entry(line) for line in entries))

    def clean_retry_minutes(self) -> list[int]:
        words = self.cleaned_data["retry_minutes"].replace("，", ",").replace("、", ",").split(",")
        try:
            seconds = [round(float(word) * 60) for word in words if word.strip()]
        except (ValueError, OverflowError):
            raise ValidationError(_("请填数字，用逗号分开，例如 5, 15, 30。")) from None
        if not 1 <= len(seconds) <= 20 or not all(1 <= value <= 7 * 86400 for value in seconds):
            raise ValidationError(_("请填 1 到 20 个间隔，每个不超过 7 天。"))
        return seconds

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        username = data.get("username", "")
        if not data.get("from_addresses") and "from_addresses" not in self.errors:
            try:
                data["from_addresses"] = [_entry(username)]
            except ValidationError:
                self.add_error("from_addresses", _("请至少填写一个发件地址。"))
        has_login = data.get("secret") or data.get("oauth")
        if username and not has_login and not {"secret", "oauth"} & set(self.errors):
            self.add_error("secret", _("填了用户名，就要填授权码或密码，或选一个 OAuth 登录。"))
        if data.get("own_return_path") and not data.get("bounce_mailbox"):
            self.add_error("bounce_mailbox", _("要自定义退信地址，请先选择退信邮箱。"))
        return data

    def save(self, commit: bool = True) -> Relay:
        """The relay and its limits, together."""
        relay: Relay = super().save(commit=False)
        relay.team = self.team
        relay.preset = self.preset.code if self.preset else ""
        self.set_kind(relay)
        if {"host", "username"} & set(self.changed_data):
            relay.copies_settled_at = relay.copies_settled_by = (
                None  # another account keeps its own
            )
        relay.retry_seconds = self.cleaned_data["retry_minutes"]
        relay.quota_group = self.cleaned_data["quota_group"].strip() or self._automatic_group()
        with transaction.atomic():
            relay.save()
            self._save_limits(relay)
        return relay

    def _save_limits(self, relay: Relay) -> None:
        relay.limits.all().delete()
        RelayLimit.objects.bulk_create(
            RelayLimit(
                team=self.team,
                relay=relay,
                window=window,
                amount=amount,
                zone=self.cleaned_data["day_zone"] if window == LimitWindow.DAY else "",
            )
            for window in LimitWindow
            if (amount := self.cleaned_data[f"limit_{window}"])
        )


def _preset_values(preset: Preset) -> dict[str, Any]:
    """What the form shows first for a new relay of that provider."""
    return {
        "name": str(preset.label),
        "host": preset.host,
        "port": preset.port,
        "tls_mode": preset.tls_mode,
        "max_connections": preset.max_connections,
        "per_connection": preset.per_connection,
        "deliver_hours": preset.deliver_hours,
        "own_return_path": preset.own_return_path,
        **{f"limit_{window}": amount for window, amount in preset.limits.items()},
    }


def _entry(line: str) -> str:
    """An address, or "@" and a domain, in the spelling that is compared. Raises ValidationError."""
    try:
        if line.startswith("@"):
            return address_key(f"x{line}")[1:]
        return address_key(line)
    except AddressFault as fault:
        raise ValidationError(
            _("“%(line)s”：%(why)s") % {"line": line[:80], "why": fault.text}
        ) from None
