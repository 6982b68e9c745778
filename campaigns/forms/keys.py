"""The form that generates a DKIM key; the private half is made here and never shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Algorithm, SigningKey, Team
from campaigns.mailer.address import AddressFault, domain_of
from campaigns.mailer.signing import Algorithm as KeyType
from campaigns.mailer.signing import (
    Signer,
    SigningFault,
    dns_record,
    generate_ed25519,
    generate_rsa,
)

# RFC 1035 3.3: one string of a TXT record holds at most 255 octets.
_STRING_OCTETS = 255


class KeyForm(forms.ModelForm):
    """Domain, selector and algorithm of a new key."""

    class Meta:
        model = SigningKey
        fields = ("domain", "selector", "algorithm")
        widgets = {"algorithm": forms.RadioSelect}
        help_texts = {
            "domain": _("发件地址 @ 后面的部分，例如 example.com。"),
            "selector": _("同一个域名可以有几把密钥，用选择器区分；一般不用改。"),
            "algorithm": _(
                "所有邮箱都认 RSA-2048。Ed25519 更短，但不少邮箱还不认，只宜与 RSA 同时使用。"
            ),
        }

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
        if not domain or not selector:
            return data
        private, self.instance.public_key = _generate(data.get("algorithm", Algorithm.RSA))
        self.instance.private_key = private
        try:
            Signer(domain, selector, private, KeyType(data.get("algorithm", Algorithm.RSA)))
        except SigningFault as fault:
            self.add_error("selector" if fault.kind == "selector" else "domain", fault.text)
        if SigningKey.objects.filter(team=self.team, domain=domain, selector=selector).exists():
            self.add_error("selector", _("这个域名已有同名的选择器。"))
        return data

    def save(self, commit: bool = True) -> SigningKey:
        key: SigningKey = super().save(commit=False)
        key.team = self.team
        key.save()
        return key


def _generate(algorithm: str) -> tuple[str, str]:
    return generate_ed25519() if algorithm == Algorithm.ED25519 else generate_rsa()


def record_value(key: SigningKey) -> str:
    """The TXT value to publish at `key.record_name`."""
    return dns_record(KeyType(key.algorithm), key.public_key)


def record_strings(value: str) -> str:
    """The same value as the quoted strings of a zone file, for DNS panels that want it in pieces."""
    pieces = [value[at : at + _STRING_OCTETS] for at in range(0, len(value), _STRING_OCTETS)]
    return " ".join(f'"{piece}"' for piece in pieces)
