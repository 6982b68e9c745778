"""The form that asks for new DKIM keys, and the record that publishes one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import SigningKey, Team
from campaigns.mailer.address import AddressFault, domain_of
from campaigns.mailer.signing import Algorithm as KeyType
from campaigns.mailer.signing import SigningFault, check_names, dns_record

# RFC 1035 3.3: one string of a TXT record holds at most 255 octets.
_STRING_OCTETS = 255


class Kinds(models.TextChoices):
    """What a domain is to be signed with: Ed25519 alone is not known everywhere yet."""

    BOTH = "both", _("RSA-2048 和 Ed25519 两个签名（推荐）")
    RSA = "rsa", _("只用 RSA-2048")
    ED25519 = "ed25519", _("只用 Ed25519")


ALGORITHMS = {
    Kinds.BOTH: (KeyType.RSA, KeyType.ED25519),
    Kinds.RSA: (KeyType.RSA,),
    Kinds.ED25519: (KeyType.ED25519,),
}


class KeyForm(forms.Form):
    """Domain, selector and algorithms of new keys."""

    domain = forms.CharField(
        label=_("域名"), max_length=253, help_text=_("发件地址 @ 后面的部分，例如 example.com。")
    )
    selector = forms.CharField(
        label=_("选择器"),
        max_length=62,
        help_text=_("同一个域名可以有几把密钥，用选择器区分；一般不用改。"),
    )
    algorithm = forms.ChoiceField(
        label=_("算法"),
        choices=Kinds.choices,
        initial=Kinds.BOTH,
        widget=forms.RadioSelect,
        help_text=_("所有邮箱都认 RSA-2048。Ed25519 更短更快，认它的邮箱会用它，其余的用 RSA。"),
    )

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        self.team = team
        super().__init__(*args, **kwargs)
        self.initial.setdefault("selector", f"hy{timezone.now():%Y%m}")

    def clean_domain(self) -> str:
        typed = self.cleaned_data["domain"].strip().rpartition("@")[2]
        try:
            return domain_of(f"x@{typed}")
        except AddressFault as fault:
            raise ValidationError(fault.text) from None

    def clean_selector(self) -> str:
        return self.cleaned_data["selector"].strip().lower()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        domain, selector = data.get("domain"), data.get("selector")
        if not domain or not selector or "algorithm" not in data:
            return data
        try:
            check_names(domain, selector)
        except SigningFault as fault:
            self.add_error("selector" if fault.kind == "selector" else "domain", fault.text)
            return data
        names = [name for name, _algorithm in self.wanted()]
        rows = SigningKey.objects.filter(team=self.team, domain=domain, selector__in=names)
        if rows.exists():
            self.add_error("selector", _("这个域名已有同名的选择器。"))
        return data

    def wanted(self) -> list[tuple[str, KeyType]]:
        """(selector, algorithm) of each key; beside an RSA key the Ed25519 one's name ends with an e."""
        data = self.cleaned_data
        kinds = ALGORITHMS[Kinds(data["algorithm"])]
        return [
            (data["selector"] + ("e" if at else ""), algorithm)
            for at, algorithm in enumerate(kinds)
        ]


def record_value(key: SigningKey) -> str:
    """The TXT value to publish at `key.record_name`."""
    return dns_record(KeyType(key.algorithm), key.public_key)


def record_strings(value: str) -> str:
    """The same value as the quoted strings of a zone file, for DNS panels that want it in pieces."""
    pieces = [value[at : at + _STRING_OCTETS] for at in range(0, len(value), _STRING_OCTETS)]
    return " ".join(f'"{piece}"' for piece in pieces)
