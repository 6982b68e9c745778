"""What relays and bounce mailboxes have in common: host, encryption, CA, login and a write-only secret."""

from __future__ import annotations

import ipaddress
from typing import Any

from cryptography import x509
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Team, TlsMode
from accounts.models.user import User
from accounts.secrets import SecretUnreadable
from campaigns.mailer.oauth import may_be_used_at

_LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")
_LONGEST_PEM = 200_000


class ConnectionForm(forms.ModelForm):
    """`secret` is never rendered back, and blank keeps the stored one, except for another host: else
    whoever may edit could have the stored secret sent to a server of his own. It is in no Meta.fields,
    so that it is never among the form's initial values."""

    secret = forms.CharField(
        label=_("授权码或密码"),
        required=False,
        max_length=500,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
    )
    ca_pem = forms.CharField(
        label=_("公司 CA 证书（PEM）"),
        required=False,
        max_length=_LONGEST_PEM,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("只有公司自己的 CA 才需要。填了以后，这里只信任它。"),
    )

    team: Team

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        self.was = {
            "host": self.instance.host,
            "port": self.instance.port,
            "secret": self._stored(),
        }
        if "oauth" in self.fields:
            self.fields["oauth"].queryset = self.team.oauth_logins.order_by("name")
            self.fields["oauth"].empty_label = _("不用，以授权码或密码登录")
            self.fields["oauth"].help_text = _(
                "选了它，就用它的令牌登录，不再用密码；用户名仍是完整的邮箱地址。"
            )
        allowed = self.fields["internal_allowed"]
        allowed.help_text = _("服务器在本机或内网（10.x、192.168.x 等）时才需要。")
        if not user.is_superuser:
            allowed.disabled = True
            allowed.help_text = _("只有系统管理员可以更改。服务器在内网时，请联系系统管理员。")

    def _stored(self) -> str:
        """The stored secret; none where its key is lost, so that a new one can be typed."""
        try:
            return self.instance.secret
        except SecretUnreadable:
            return ""

    @property
    def has_secret(self) -> bool:
        """Whether one is stored, for the page to say so."""
        return bool(self.was["secret"])

    def clean_host(self) -> str:
        host = self.cleaned_data["host"].strip().rstrip(".").lower()
        if any(character.isspace() or ord(character) < 33 for character in host) or "/" in host:
            raise ValidationError(_("请只填主机名，例如 smtp.example.com。"))
        if self.was["host"] and host != self.was["host"]:
            self._check_internal_move()
        return host

    def clean_port(self) -> int:
        port: int = self.cleaned_data["port"]
        if self.was["host"] and port != self.was["port"]:
            self._check_internal_move()
        return port

    def _check_internal_move(self) -> None:
        """The permission to reach a private network was given for one server, not for all of them."""
        if self.instance.internal_allowed and not self.user.is_superuser:
            raise ValidationError(
                _("这台服务器获准在内网；换成另一台，须由系统管理员操作。"), code="internal"
            )

    def clean_username(self) -> str:
        return _without_controls(self.cleaned_data["username"].strip())

    def clean_secret(self) -> str:
        secret = _without_controls(self.cleaned_data["secret"].strip())
        return secret or self.was["secret"]

    def clean_ca_pem(self) -> str:
        pem = self.cleaned_data["ca_pem"].strip()
        if not pem:
            return ""
        if "PRIVATE KEY" in pem:
            raise ValidationError(_("这里面有私钥。请只粘贴证书，并把这把私钥换掉。"))
        try:
            x509.load_pem_x509_certificates(pem.encode())
        except ValueError:
            raise ValidationError(
                _("不是证书。请粘贴以 -----BEGIN CERTIFICATE----- 开头的 PEM 文本。")
            ) from None
        return pem + "\n"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        host = data.get("host", "")
        if data.get("tls_mode") == TlsMode.NONE and host and not _is_loopback(host):
            self.add_error("tls_mode", _("只有本机上的服务器才允许不加密连接。"))
        oauth = data.get("oauth")
        if oauth is not None and host and not may_be_used_at(oauth.provider, host):
            self.add_error("oauth", _("这个 OAuth 登录只能用于它的服务商自己的服务器。"))
        moved = self.was["host"] and host and host != self.was["host"]
        typed = self.data.get(self.add_prefix("secret"), "").strip()
        if oauth is not None:
            # A password that is not used is not kept either.
            self.instance.secret = data["secret"] = ""
        elif moved and self.was["secret"] and not typed:
            self.add_error("secret", _("更换了服务器，请重新填写授权码或密码。"))
        if typed and data.get("secret"):
            self.instance.secret = data["secret"]
        return data


def _without_controls(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValidationError(_("不能有换行或控制字符。"))
    return text


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
