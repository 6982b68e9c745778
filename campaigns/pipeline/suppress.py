"""Suppress: an address that is dead, or whose person left, is not mailed again.

What the system finds out by itself is capped by the hour: a server that suddenly calls everybody
unknown must not empty a contact list. What comes above the cap waits for a person, and raises an alarm.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import Team, User
from campaigns.models import Delivery, Feedback, HeldSuppression, Suppression
from campaigns.models.delivery import DeliveryPurpose
from campaigns.models.feedback import FeedbackKind, Proof, SuppressionReason

# Soft bounces that speak of the mailbox itself. Not those about our relay, the message or a busy line.
OF_THE_MAILBOX = ("mailboxfull", "suspend", "filtered", "expired")
# What servers say about an address. A complaint is its person's own word, and is heard at once.
BY_SERVERS = (
    SuppressionReason.HARD_BOUNCE,
    SuppressionReason.REFUSED,
    SuppressionReason.SOFT_BOUNCES,
)
HOUR = timedelta(hours=1)


def suppress_refused(delivery: Delivery) -> bool:
    """A refusal during SMTP that says the address is dead counts like a hard bounce."""
    return suppress(delivery, SuppressionReason.REFUSED)


def suppress_soft(deliveries: Iterable[Delivery]) -> None:
    """Suppresses those whose mailbox bounced softly too often: so many deliveries in so many days.

    Called after their Feedback rows are there.
    """
    for delivery in deliveries:
        team = delivery.team
        if not team.soft_bounces:
            continue
        bounced = Feedback.objects.filter(
            team=team,
            address_key=delivery.address_key,
            kind=FeedbackKind.BOUNCE,
            hard=False,
            reason__in=OF_THE_MAILBOX,
            received_at__gt=timezone.now() - timedelta(days=team.soft_days),
        )
        number = bounced.exclude(proof=Proof.NONE).values("delivery").distinct().count()
        if number >= team.soft_bounces:
            note = f"{number} / {team.soft_days}"
            suppress(delivery, SuppressionReason.SOFT_BOUNCES, note=note)


def suppress(delivery: Delivery, reason: SuppressionReason, *, note: str = "") -> bool:
    """Adds the delivery's address to its team's suppressions; False if it is there already, or if it
    has to wait for a person.

    A test goes to the tester's own address, which nothing of this may suppress.
    """
    if delivery.purpose == DeliveryPurpose.TEST:
        return False
    values = {
        "address": delivery.address,
        "reason": reason,
        "delivery": delivery,
        "note": note[:300],
    }
    who = {"team_id": delivery.team_id, "address_key": delivery.address_key}
    if Suppression.objects.filter(**who, contact_list=None).exists():
        return False
    if reason in BY_SERVERS and _is_full(delivery.team):
        HeldSuppression.objects.get_or_create(**who, defaults=values)
        return False
    _suppression, created = Suppression.objects.get_or_create(
        **who, contact_list=None, defaults=values
    )
    return created


def _is_full(team: Team) -> bool:
    """Whether the hour's number is reached; once something waits, all that follows waits beside it."""
    cap = team.suppressions_per_hour
    if not cap:
        return False
    since = timezone.now() - HOUR
    if HeldSuppression.objects.filter(team=team, created_at__gt=since).exists():
        return True
    recent = Suppression.objects.filter(team=team, created_at__gt=since, reason__in=BY_SERVERS)
    # Never more rows are counted than matter.
    return len(recent.order_by("created_at").values_list("pk", flat=True)[:cap]) >= cap


def accept_held(team: Team, user: User, ids: Iterable[int]) -> int:
    """A person's word that these addresses are dead; how many became suppressions."""
    with transaction.atomic():
        held = list(HeldSuppression.objects.select_for_update().filter(team=team, pk__in=ids))
        rows = [
            Suppression(
                team=team,
                address=row.address,
                address_key=row.address_key,
                reason=row.reason,
                delivery_id=row.delivery_id,
                note=row.note,
                created_by=user,
            )
            for row in held
        ]
        Suppression.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
        HeldSuppression.objects.filter(pk__in=[row.pk for row in held]).delete()
    return len(held)


def drop_held(team: Team, ids: Iterable[int]) -> int:
    """A person's word that the servers were wrong: these addresses stay."""
    number, _by_model = HeldSuppression.objects.filter(team=team, pk__in=ids).delete()
    return number
