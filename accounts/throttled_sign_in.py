"""Sign-in with limits on wrong passwords: by account and network, by account, and by network.

Counted in the database, so that all web processes share them. What is answered never depends on
whether the account exists, and neither does the time that it takes: Django hashes a password for an
unknown user too, and a refused try hashes none for anybody.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from accounts.models.sign_in import SignInFailure

WINDOW = timedelta(minutes=15)
# One person's typing errors; an attack on one account from many places; one place that tries many
# accounts (a whole office may sit behind one address).
BY_BOTH, BY_ACCOUNT, BY_NETWORK = 5, 30, 50


class ThrottledSignInForm(AuthenticationForm):
    """Django's form; a try counts as failed before it is judged, so that parallel tries can't slip by."""

    def clean(self) -> dict[str, Any]:
        typed = self.cleaned_data.get("username")
        if not typed or not self.cleaned_data.get("password"):
            return super().clean()
        attempt = SignInFailure(account=account_key(typed), network=network_of(self.request))
        if is_limited(attempt, 0):
            raise refusal()
        attempt.save()
        if is_limited(attempt, 1):
            raise refusal()
        cleaned = super().clean()
        forget(attempt)
        return cleaned


def refusal() -> ValidationError:
    """The same for every account, known or not."""
    return ValidationError(
        _("登录失败的次数过多，请 %(minutes)d 分钟后再试。"),
        code="throttled",
        params={"minutes": int(WINDOW.total_seconds() // 60)},
    )


def account_key(typed: str) -> str:
    """One key for all spellings of an address."""
    return salted_hmac(
        "accounts.sign_in", typed.strip().lower()[:254], algorithm="sha256"
    ).hexdigest()


def is_limited(attempt: SignInFailure, own: int) -> bool:
    """Whether more tries than allowed were made; `own` is 1 once this one is among them."""
    recent = SignInFailure.objects.filter(at__gt=timezone.now() - WINDOW)
    mine, near = Q(account=attempt.account), Q(network=attempt.network)
    return any(
        recent.filter(where).count() - own >= most
        for where, most in ((mine & near, BY_BOTH), (mine, BY_ACCOUNT), (near, BY_NETWORK))
    )


def forget(attempt: SignInFailure) -> None:
    """After a success: this account's failures from here, and whatever is too old to count."""
    SignInFailure.objects.filter(
        Q(account=attempt.account, network=attempt.network) | Q(at__lt=timezone.now() - WINDOW)
    ).delete()


def network_of(request: HttpRequest) -> str:
    """The client's IPv4 address or IPv6 /64, of which one client has all addresses.

    Behind our proxy it is the last entry of X-Forwarded-For, the only one that the proxy wrote itself.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if settings.SECURE_PROXY_SSL_HEADER:
        address = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-1].strip() or address
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False).network_address)
