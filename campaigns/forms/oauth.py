"""The form of an OAuth login: the application at the provider, and its secrets, which are never shown again."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import OAuthFlow, OAuthLogin, OAuthProvider, Team, User
from accounts.secrets import SecretUnreadable
from campaigns.mailer.https import PostFailure, checked

_SECRETS = ("client_secret", "refresh_token")
# What only some providers ask.
_OTHERS = ("authorize_url", "token_url", "scope", "internal_allowed")
_ONLY = {
    OAuthProvider.GOOGLE: (),
    OAuthProvider.MICROSOFT: ("flow", "tenant"),
    OAuthProvider.OTHER: ("flow", *_OTHERS),
}
_LONGEST = 16_000


def _secret(label: Any, help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=_LONGEST,
        help_text=help_text,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
    )


class OAuthLoginForm(forms.ModelForm):
    """Blank keeps a stored secret, except for another token endpoint: else whoever may edit could have it sent to a
    server of his own."""

    client_secret = _secret(
        _("客户端密钥"), _("应用的密钥（client secret）。公开客户端没有密钥，可留空。")
    )
    refresh_token = _secret(
        _("刷新令牌"), _("已经有刷新令牌时粘贴在这里；否则留空，保存后再到服务商那里授权。")
    )

    field_order = (
        "name",
        "flow",
        "tenant",
        "client_id",
        "client_secret",
        "authorize_url",
        "token_url",
        "scope",
        "internal_allowed",
        "refresh_token",
    )

    class Meta:
        model = OAuthLogin
        fields = (
            "name",
            "flow",
            "tenant",
            "client_id",
            "authorize_url",
            "token_url",
            "scope",
            "internal_allowed",
        )
        help_texts = {
            "tenant": _(
                "Azure 里的目录 ID 或域名。留空为任何组织的账号；“应用自己的权限”必须填写。"
            ),
            "client_id": _("在服务商的开发者控制台里登记应用后得到。"),
            "flow": _("“应用自己的权限”须由 Exchange 管理员授予邮箱权限，不需要有人登录。"),
            "scope": _("用空格分开。"),
            "internal_allowed": _("令牌地址在内网时才需要。"),
        }

    def __init__(
        self, *args: Any, team: Team, user: User, provider: str = "", **kwargs: Any
    ) -> None:
        self.team = team
        super().__init__(*args, **kwargs)
        self.provider = OAuthProvider(self.instance.provider if self.instance.pk else provider)
        self.was = {
            "endpoint": (self.instance.tenant, self.instance.token_url, self.instance.client_id),
            **{name: self._stored(name) for name in _SECRETS},
        }
        for name in {"flow", "tenant", *_OTHERS} - set(_ONLY[self.provider]):
            del self.fields[name]
        if not self.instance.pk:
            self.initial["name"] = self.provider.label
        for name in ("authorize_url", "token_url", "scope"):
            if name in self.fields:
                self.fields[name].required = name != "authorize_url"
        if "internal_allowed" in self.fields and not user.is_superuser:
            self.fields["internal_allowed"].disabled = True

    def _stored(self, name: str) -> str:
        try:
            return str(getattr(self.instance, name))
        except SecretUnreadable:
            return ""

    @property
    def stored(self) -> list[str]:
        """Names of the secrets that are stored, for the page to say so."""
        return [name for name in _SECRETS if self.was[name]]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if self.team.oauth_logins.filter(name=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("已经有同名的 OAuth 登录。"))
        return name

    def clean_tenant(self) -> str:
        tenant = self.cleaned_data["tenant"].strip()
        if not all(sign.isascii() and (sign.isalnum() or sign in ".-") for sign in tenant):
            raise ValidationError(_("请填目录 ID（GUID）或域名。"))
        return tenant

    def clean_client_id(self) -> str:
        return _plain(self.cleaned_data["client_id"])

    def clean_client_secret(self) -> str:
        return _plain(self.cleaned_data["client_secret"])

    def clean_refresh_token(self) -> str:
        return _plain(self.cleaned_data["refresh_token"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name in ("authorize_url", "token_url"):
            if data.get(name) and not _is_usable(
                data[name], internal=bool(data["internal_allowed"])
            ):
                self.add_error(name, _("请填以 https:// 开头的完整地址。"))
        if self._left_the_permitted(data):
            self.add_error("token_url", _("这台服务器获准在内网；换成另一台，须由系统管理员操作。"))
        needs_tenant = data.get("flow") == OAuthFlow.CLIENT and "tenant" in self.fields
        if needs_tenant and not data.get("tenant"):
            self.add_error("tenant", _("“应用自己的权限”必须填写租户。"))
        if self._moved(data) and self.was["client_secret"] and not data.get("client_secret"):
            self.add_error("client_secret", _("换了应用或令牌地址，请重新填写客户端密钥。"))
        return data

    def _moved(self, data: dict[str, Any]) -> bool:
        """Whether the secrets would go to somebody else than they were entered for."""
        now = tuple(data.get(name, "") for name in ("tenant", "token_url", "client_id"))
        return bool(self.instance.pk) and now != self.was["endpoint"]

    def _left_the_permitted(self, data: dict[str, Any]) -> bool:
        """The permission to reach a private network was given for one server, not for all of them."""
        field = self.fields.get("internal_allowed")
        if field is None or not field.disabled or not self.instance.internal_allowed:
            return False
        return _server(self.was["endpoint"][1]) != _server(data.get("token_url", ""))

    def save(self, commit: bool = True) -> OAuthLogin:
        moved = self._moved(self.cleaned_data)
        login: OAuthLogin = super().save(commit=False)
        login.team, login.provider = self.team, self.provider
        for name in _SECRETS:
            typed = self.cleaned_data[name]
            if typed or moved:
                setattr(login, name, typed)
        if moved or self.cleaned_data["refresh_token"]:
            login.access_token, login.access_until = "", None
        login.save()
        return login


def _plain(text: str) -> str:
    text = text.strip()
    if any(not sign.isprintable() or sign == " " for sign in text) or not text.isascii():
        raise ValidationError(_("不能有空格、换行或非英文字符。"))
    return text


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _is_usable(url: str, *, internal: bool) -> bool:
    try:
        checked(url, allow_private=internal)
    except PostFailure:
        return False
    return True
