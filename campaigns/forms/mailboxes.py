"""The form of a bounce mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.field_groups import grouped
from accounts.models import BounceMailbox, Relay, Team, TlsMode, User
from accounts.models.bounce_mailbox import Leaving, Protocol
from accounts.presets import PRESETS, Preset, preset_of
from campaigns.forms.connection import ConnectionForm
from campaigns.mailer.address import AddressFault
from campaigns.mailer.return_path import ReturnPath
from campaigns.mailer.tokens import Tokens

# Larger than any id will be: a pattern that has room for these has room for all.
_LARGEST = 2**40


GROUPS = (
    (_("服务器"), ("name", "address", "protocol", "host", "port", "tls_mode")),
    (_("登录"), ("username", "secret", "oauth")),
    (_("怎么收取"), ("folders", "leaving", "moved_to", "leave_days", "exclusive")),
    (_("退信地址和内网"), ("return_path_pattern", "ca_pem", "internal_allowed")),
)


class MailboxForm(ConnectionForm):
    """`kept_for_relay` is true after saving a new mailbox whose login is a relay's: it may be
    somebody's own inbox, so it starts by leaving everything where it is."""

    protocol = forms.ChoiceField(
        label=_("协议"),
        choices=Protocol.choices,
        initial=Protocol.POP3,
        required=False,
        widget=forms.RadioSelect(attrs={"x-on:change": "pick"}),
    )
    tls_mode = forms.ChoiceField(
        label=_("加密方式"),
        choices=[
            (TlsMode.IMPLICIT, _("TLS（POP3 995，IMAP 993）")),
            (TlsMode.STARTTLS, _("STARTTLS（POP3 110，IMAP 143）")),
            (TlsMode.NONE, _("不加密（仅限本机）")),
        ],
    )

    field_order = (
        "name",
        "address",
        "protocol",
        "host",
        "port",
        "tls_mode",
        "ca_pem",
        "internal_allowed",
        "username",
        "secret",
        "oauth",
    )
    # What a mailbox by POP3 has no use for.
    imap_only = ("folders", "moved_to")

    class Meta:
        model = BounceMailbox
        fields = (
            "name",
            "address",
            "protocol",
            "host",
            "port",
            "tls_mode",
            "ca_pem",
            "internal_allowed",
            "username",
            "oauth",
            "folders",
            "leaving",
            "moved_to",
            "leave_days",
            "exclusive",
            "return_path_pattern",
        )
        help_texts = {
            "address": _("退信寄到这个地址。"),
            "exclusive": _(
                "勾选后，邮箱里的每一封邮件都会被读取和记录，退信、投诉和自动回复随后从服务器删除。只有专门为退信开的邮箱才能勾选；有人在用的邮箱千万不要勾选。"
            ),
            "leaving": _("不是本系统的邮件，一律留在服务器上，也不保存其内容。"),
            "leave_days": _("0 是读取后马上。在这之前，同事还能在邮箱里看到这些退信。"),
            "folders": _(
                "每行一个，例如 INBOX。留空则读收件箱和垃圾邮件文件夹。只读取，不改已读标记。"
            ),
            "moved_to": _("没有这个文件夹时会自动建立。"),
            "return_path_pattern": _(
                "让每封邮件有自己的退信地址，例如 bounce+{token}@example.com；{token} 由系统填写，服务器须把这些地址都收进本邮箱。留空则统一用上面的地址。"
            ),
        }

    def groups(self) -> Iterator[dict[str, Any]]:
        return grouped(self, GROUPS, closed=[GROUPS[-1][0]])

    def __init__(
        self,
        *args: Any,
        team: Team,
        user: User,
        preset: str = "",
        protocol: str = "",
        **kwargs: Any,
    ) -> None:
        self.team = team
        self.kept_for_relay = False
        super().__init__(*args, user=user, **kwargs)
        known = preset_of(preset)
        if known is not None and self.instance.pk is None:
            self.initial |= _preset_values(known, protocol)
            self.fields["username"].help_text = known.username_hint
            self.fields["secret"].help_text = known.secret_hint
        self.fields["leave_days"].required = False
        self.fields["folders"].widget.attrs["rows"] = 3

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        has_login = data.get("secret") or data.get("oauth")
        if not has_login and not {"secret", "oauth"} & set(self.errors):
            self.add_error("secret", _("请填授权码或密码，或选一个 OAuth 登录。"))
        if data.get("protocol") == Protocol.IMAP:
            self._check_imap(data)
        else:
            self._check_pop3(data)
        return data

    def clean_protocol(self) -> str:
        return self.cleaned_data["protocol"] or self.instance.protocol

    def clean_leave_days(self) -> int:
        return self.cleaned_data["leave_days"] or 0

    def _check_pop3(self, data: dict[str, Any]) -> None:
        if data.get("leaving") == Leaving.OURS_MOVED:
            self.add_error("leaving", _("POP3 没有文件夹，不能移动。请改选，或改用 IMAP。"))
        if data.get("port") in (993, 143):
            self.add_error("port", _("这是 IMAP 的端口。POP3 一般是 995。"))

    def _check_imap(self, data: dict[str, Any]) -> None:
        if data.get("port") in (995, 110):
            self.add_error("port", _("这是 POP3 的端口。IMAP 一般是 993。"))
        known = [one.maildrop for one in PRESETS.values() if one.maildrop]
        right = next((drop.imap_host for drop in known if drop.host == data.get("host")), "")
        if right and right != data.get("host"):
            text = _("这是 POP3 的服务器。这家的 IMAP 服务器是 %(host)s。")
            self.add_error("host", text % {"host": right})
        if data.get("leaving") != Leaving.OURS_MOVED:
            return
        target = (data.get("moved_to") or "").strip()
        read = [name.strip() for name in (data.get("folders") or "").splitlines()]
        if not target:
            self.add_error("moved_to", _("请填要移到的文件夹。"))
        elif target.upper() == "INBOX" or target in read:
            self.add_error("moved_to", _("这个文件夹本身要读取。请填另一个。"))

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        others = BounceMailbox.objects.filter(team=self.team, name=name)
        if others.exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("已经有同名的退信邮箱。"))
        return name

    def clean_return_path_pattern(self) -> str:
        pattern = self.cleaned_data["return_path_pattern"].strip()
        if not pattern:
            return ""
        try:
            ReturnPath(pattern, Tokens([bytes(16)])).make(_LARGEST, _LARGEST)
        except AddressFault as fault:
            raise ValidationError(fault.text) from None
        return pattern

    def save(self, commit: bool = True) -> BounceMailbox:
        mailbox: BounceMailbox = super().save(commit=False)
        mailbox.team = self.team
        if mailbox.pk is None and self._is_a_relays_login(mailbox):
            mailbox.exclusive, mailbox.leaving = False, Leaving.NOTHING_DELETED
            self.kept_for_relay = True
        mailbox.save()
        return mailbox

    def _is_a_relays_login(self, mailbox: BounceMailbox) -> bool:
        logins = {mailbox.username.lower(), mailbox.address.lower()}
        used = Relay.objects.filter(team=self.team).values_list("username", flat=True)
        return any(username.lower() in logins for username in used if username)


def _preset_values(preset: Preset, protocol: str) -> dict[str, Any]:
    """What the form shows first for a new mailbox of that provider."""
    drop = preset.maildrop
    if drop is None:
        is_imap = protocol == Protocol.IMAP
        return {"name": str(preset.label)} | (_imap(port=993) if is_imap else {})
    if protocol == Protocol.IMAP and drop.imap_host:
        return {
            "name": str(preset.label),
            "host": drop.imap_host,
            "tls_mode": TlsMode.IMPLICIT,
            **_imap(port=drop.imap_port),
        }
    return {
        "name": str(preset.label),
        "host": drop.host,
        "port": drop.port,
        "tls_mode": drop.tls_mode,
    }


def _imap(*, port: int) -> dict[str, Any]:
    return {"protocol": Protocol.IMAP, "port": port, "moved_to": str(_("鸿雁已处理"))}
