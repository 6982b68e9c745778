"""Rotate keys: a new DKIM key waits until its record is published, then signs in its predecessor's place.

The predecessor signs no more, and its record stays for a grace time, since mail on its way is still
verified by it (RFC 6376 section 3.6.1; M3AAWG's rotation practices advise the same order).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from string import ascii_lowercase

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import SigningKey, Team
from campaigns.mailer.domain.dkim_record import SigningRecord, check_dkim
from campaigns.mailer.domain.lookups import Lookups
from campaigns.mailer.signing import Algorithm, generate_ed25519, generate_rsa
from campaigns.models import DomainCheck
from campaigns.models.signals import announce
from campaigns.pipeline import domain_check

# How often a record is looked for: often while somebody is likely to be at the DNS panel.
OFTEN, SELDOM = timedelta(minutes=2), timedelta(hours=1)
EAGER = timedelta(days=2)
BATCH = 50


def generate(
    team: Team,
    domain: str,
    algorithm: Algorithm,
    selector: str,
    *,
    replaces: SigningKey | None = None,
) -> SigningKey:
    """A new key that waits for its record. Raises IntegrityError for a selector that is taken."""
    make = generate_ed25519 if algorithm is Algorithm.ED25519 else generate_rsa
    private, public = make()
    return SigningKey.objects.create(
        team=team,
        domain=domain,
        selector=selector,
        algorithm=str(algorithm),
        private_key=private,
        public_key=public,
        active=False,
        waiting=True,
        replaces=replaces,
    )


def rotate(team: Team, domain: str) -> list[SigningKey]:
    """A successor for each of the domain's signing keys that has none waiting yet."""
    with transaction.atomic():
        waiting = SigningKey.objects.filter(replaces=OuterRef("pk"), waiting=True)
        old = SigningKey.objects.select_for_update().filter(
            ~Exists(waiting), team=team, domain=domain, active=True
        )
        taken = set(
            SigningKey.objects.filter(team=team, domain=domain).values_list("selector", flat=True)
        )
        made = []
        for key in old.defer("private_key").order_by("algorithm", "pk"):
            selector = next(
                name for name in selectors(Algorithm(key.algorithm)) if name not in taken
            )
            taken.add(selector)
            made.append(generate(team, domain, Algorithm(key.algorithm), selector, replaces=key))
        return made


def selectors(algorithm: Algorithm) -> Iterator[str]:
    """Names that say when the key was made: hy202611, hy202611b …; hy202611e for Ed25519."""
    month = f"hy{timezone.now():%Y%m}" + ("e" if algorithm is Algorithm.ED25519 else "")
    yield month
    yield from (month + letter for letter in ascii_lowercase[1:])
    yield from (f"{month}{number}" for number in range(2, 1000))


def waiting() -> list[int]:
    """Ids of the keys whose record is to be looked for now."""
    now = timezone.now()
    recent = Q(created_at__gte=now - EAGER, looked_at__lte=now - OFTEN)
    due = Q(looked_at=None) | recent | Q(looked_at__lte=now - SELDOM)
    rows = SigningKey.objects.filter(due, waiting=True).order_by("looked_at")
    return list(rows.values_list("pk", flat=True)[:BATCH])


def look(key_id: int) -> None:
    """Looks for one key's record, and lets the key sign if it is there and right."""
    key = SigningKey.objects.defer("private_key").filter(pk=key_id, waiting=True).first()
    if key is None:
        return
    lookups = Lookups(domain_check.system_resolver(), clock=time.monotonic)
    record = SigningRecord(key.selector, Algorithm(key.algorithm), key.public_key)
    published = check_dkim(key.domain, [record], lookups).passes
    SigningKey.objects.filter(pk=key_id).update(looked_at=timezone.now())
    if published:
        activate(key)


def look_now(keys: Iterable[SigningKey]) -> None:
    """A person says that the record is published."""
    for key in keys:
        if SigningKey.objects.filter(pk=key.pk, waiting=True).update(looked_at=None):
            announce("look_for_record", key.pk)


def activate(key: SigningKey) -> bool:
    """From now on it signs, and the one that it replaces does not; False if it was not waiting."""
    now = timezone.now()
    with transaction.atomic():
        begun = SigningKey.objects.filter(pk=key.pk, active=False).update(
            active=True, waiting=False, signs_since=now, retired_at=None
        )
        if begun and key.replaces_id:
            SigningKey.objects.filter(pk=key.replaces_id, active=True).update(
                active=False, retired_at=now
            )
    if begun:
        domain_check.ask(DomainCheck.objects.filter(team=key.team_id, domain=key.domain))
    return bool(begun)


def retire(key: SigningKey) -> None:
    """It signs no more; its record stays for the grace time."""
    now = timezone.now()
    SigningKey.objects.filter(pk=key.pk, active=True).update(active=False, retired_at=now)
    SigningKey.objects.filter(pk=key.pk, waiting=True).update(waiting=False)
