"""Where alerts go: a group's robot, or mail through a relay."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from accounts.models.relay import RelayKind
from accounts.models.user import User
from accounts.secrets import SecretUnreadable
from campaigns.forms.connection import ConnectionForm
from campaigns.mailer.address import AddressFault, parse_mailbox
from campaigns.mailer.https import PostFailure, checked
from campaigns.models import AlertChannel
from campaigns.models.alert import AlertKind, ChannelKind

MAX_ADDRESSES = 10
_URL_HELP = {
    ChannelKind.WECOM: _("企业微信群 → 群机器人 → 添加，复制 Webhook 地址。"),
    ChannelKind.DINGTALK: _(
        "钉钉群设置 → 机器人 → 自定义。安全设置选“加签”，把密钥填在下面；或选“自定义关键词”，填“鸿雁”。"
    ),
    ChannelKind.FEISHU: _(
        "飞书群设置 → 群机器人 → 自定义机器人。建议勾选“签名校验”，把密钥填在下面。"
    ),
}


class AlertChannelForm(forms.ModelForm):
    """Address and secret are never rendered back; blank keeps them, except where the address changes: else
    whoever may edit could have the stored signature key used for a server of his own."""

    url = forms.CharField(
        label=_("机器人的 Webhook 地址"),
        required=False,
        max_length=1000,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
    )
    secret = forms.CharField(
        label=_("签名密钥"),
        required=False,
        max_length=200,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
    )
    relay = forms.ModelChoiceField(
        Relay.objects.none(),
        label=_("经哪个发信账号"),
        help_text=_("请选一个平时不用来群发的：要告警的也许正是群发用的那个账号坏了。"),
    )
    addresses = forms.CharField(
        label=_("收件地址"),
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("每行一个，最多 10 个。"),
    )
    events = forms.MultipleChoiceField(
        label=_("通知哪些事"), choices=AlertKind.choices, widget=forms.CheckboxSelectMultiple
    )
    language = forms.ChoiceField(label=_("语言"), choices=settings.LANGUAGES)

    class Meta:
        model = AlertChannel
        fields = ("name", "relay", "addresses", "events", "language", "ca_pem", "internal_allowed")
        widgets = {"ca_pem": forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})}
        help_texts = {
            "ca_pem": _("只有机器人在公司内网、用公司自己的 CA 时才需要。填了以后，这里只信任它。")
        }

    field_order = [
        *("name", "url", "secret", "relay", "addresses", "events", "language"),
        *("internal_allowed", "ca_pem"),
    ]

    def __init__(self, *args: Any, team: Team, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.team = team
        self.stored = {name: self._stored(name) for name in ("url", "secret")}
        if self.instance.kind == ChannelKind.EMAIL:
            for name in ("url", "secret", "ca_pem", "internal_allowed"):
                del self.fields[name]
            rows = Relay.objects.filter(team=team, kind=RelayKind.ACCOUNT).order_by("name")
            self.fields["relay"].queryset = rows.defer("secret", "ca_pem")
            self.initial["addresses"] = "\n".join(self.instance.addresses)
        else:
            self._for_robot(user)
        if self.instance.pk is None:
            self.initial |= {
                "events": list(AlertKind.values),
                "name": self.instance.get_kind_display(),
            }

    def _for_robot(self, user: User) -> None:
        del self.fields["relay"], self.fields["addresses"]
        self.fields["url"].help_text = _URL_HELP[ChannelKind(self.instance.kind)]
        self.fields["url"].required = not self.stored["url"]
        if self.instance.kind == ChannelKind.WECOM:
            del self.fields["secret"]
        allowed = self.fields["internal_allowed"]
        allowed.help_text = _("机器人在公司内网（私有部署）时才需要，只有系统管理员可以更改。")
        allowed.disabled = not user.is_superuser

    def _stored(self, name: str) -> str:
        try:
            return str(getattr(self.instance, name))
        except SecretUnreadable:
            return ""

    @property
    def has_url(self) -> bool:
        return bool(self.stored["url"])

    @property
    def has_secret(self) -> bool:
        return bool(self.stored["secret"])

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        others = AlertChannel.objects.filter(team=self.team, name=name).exclude(pk=self.instance.pk)
        if others.exists():
            raise ValidationError(_("已有同名的渠道。"))
        return name

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        if not url:
            return self.stored["url"]
        try:
            parts = checked(url, allow_private=False)
        except PostFailure:
            raise ValidationError(
                _("不是可用的 Webhook 地址。请从机器人的设置里复制，以 https:// 开头。")
            ) from None
        if parts.port not in (None, 443) and not self._may_go_inside():
            raise ValidationError(
                _("端口只能是 443。机器人在内网时，请系统管理员勾选“允许内网地址”。")
            )
        return url

    def _may_go_inside(self) -> bool:
        field = self.fields["internal_allowed"]
        return (
            self.instance.internal_allowed
            if field.disabled
            else bool(self._typed("internal_allowed"))
        )

    def _typed(self, name: str) -> str:
        return self.data.get(self.add_prefix(name), "").strip()

    clean_ca_pem = ConnectionForm.clean_ca_pem

    def clean_addresses(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["addresses"].splitlines()]
        found = list(dict.fromkeys(line for line in lines if line))
        if len(found) > MAX_ADDRESSES:
            raise ValidationError(_("最多 10 个地址。"))
        return [self._address(line) for line in found]

    def _address(self, line: str) -> str:
        try:
            return parse_mailbox(line).address
        except AddressFault:
            raise ValidationError(
                _("“%(address)s”不是邮箱地址。"), params={"address": line[:80]}
            ) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        old, new = self.stored["url"], data.get("url", "")
        moved = bool(old and new) and urlsplit(old).netloc != urlsplit(new).netloc
        if moved and self.has_secret and not self._typed("secret") and "secret" in self.fields:
            self.add_error("secret", _("更换了服务器，请重新填写签名密钥。"))
        if moved and self.instance.internal_allowed and self.fields["internal_allowed"].disabled:
            self.add_error("url", _("这台服务器获准在内网；换成另一台，须由系统管理员操作。"))
        return data

    def save(self, commit: bool = True) -> AlertChannel:
        channel: AlertChannel = super().save(commit=False)
        channel.team = self.team
        channel.events = self.cleaned_data["events"]
        if "url" in self.fields:
            channel.url = self.cleaned_data["url"]
        if "secret" in self.fields and self._typed("secret"):
            channel.secret = self.cleaned_data["secret"].strip()
        channel.save()
        return channel
