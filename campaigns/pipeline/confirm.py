"""Confirm: the page of one payslip, which its employee opens by the link in the mail, without sign-in.

The link is signed, and dies with its time, with the content, with a recall, and with a correction of the address. What
it shows stays what was sent. Opened, confirmed, disputed: each by a POST, never by looking (scanners
follow links), and a dispute's words are sealed with the payroll's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campaigns.models import Campaign, Confirmation, Delivery
from campaigns.models.confirmation import ConfirmationState
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.models.template import Kind
from campaigns.pipeline.compose import Composer, links
from campaigns.pipeline.layouts import for_a_page

LONGEST_DISPUTE = 2000
MOST_DISPUTES = 20

# Why a link of ours leads nowhere any more.
EXPIRED, DESTROYED, REPLACED, RECALLED = "expired", "destroyed", "replaced", "recalled"


@dataclass(frozen=True)
class Slip:
    """What the link of one message leads to. `delivery` is the message, `main` the payslip itself;
    `dead` says why the link is over, "" while it lives."""

    delivery: Delivery
    main: Delivery
    confirmation: Confirmation
    dead: str

    @property
    def campaign(self) -> Campaign:
        return self.delivery.campaign

    @property
    def is_test(self) -> bool:
        """A test message shows everything and confirms nothing."""
        return self.delivery.purpose == DeliveryPurpose.TEST

    @property
    def until(self) -> datetime:
        return self.delivery.created_at + timedelta(days=self.campaign.confirm_days)


def slip(token: str) -> Slip | None:
    """What a link is about; None for anything but a link of ours to a payslip that asks for confirmation."""
    ids = links().read_slip(token)
    if ids is None:
        return None
    delivery = (
        Delivery.objects.filter(pk=ids[1], campaign_id=ids[0], campaign__kind=Kind.PAYSLIP)
        .exclude(campaign__confirm_days=0)
        .select_related("campaign__team", "campaign__relay", "campaign__workbook__data_key", "row")
        .first()
    )
    if delivery is None or delivery.campaign.workbook is None:
        return None
    main = main_of(delivery)
    confirmation = Confirmation.objects.filter(delivery=main).first()
    if confirmation is None:
        confirmation = Confirmation(
            team_id=main.team_id, campaign_id=main.campaign_id, delivery=main
        )
    found = Slip(delivery, main, confirmation, "")
    return Slip(delivery, main, confirmation, _dead(found))


def main_of(delivery: Delivery) -> Delivery:
    """The campaign's own delivery to the same recipient: reminders and resends are about it."""
    if delivery.purpose in (DeliveryPurpose.CAMPAIGN, DeliveryPurpose.TEST):
        return delivery
    return Delivery.objects.get(
        campaign=delivery.campaign_id,
        purpose=DeliveryPurpose.CAMPAIGN,
        source_key=delivery.source_key,
        sequence=0,
    )


def _dead(found: Slip) -> str:
    delivery = found.delivery
    if found.campaign.recalled_at is not None:
        return RECALLED
    if found.campaign.workbook.is_destroyed or delivery.row is None:
        return DESTROYED
    if found.until <= timezone.now():
        return EXPIRED
    return REPLACED if _went_elsewhere(delivery) else ""


def _went_elsewhere(delivery: Delivery) -> bool:
    """Whether the slip was sent again to another address: the earlier one was not the employee's."""
    if delivery.purpose == DeliveryPurpose.TEST:
        return False
    later = Delivery.objects.filter(
        campaign=delivery.campaign_id,
        purpose=DeliveryPurpose.RESEND,
        source_key=delivery.source_key,
        pk__gt=delivery.pk,
    )
    return later.exclude(address_key=delivery.address_key).exists()


def html_of(found: Slip) -> str:
    """The message's HTML as it was sent, but for the button that leads here. Raises Unsendable."""
    assert found.campaign.relay is not None  # the constraint campaign_has_relay
    rendered = Composer(found.campaign, found.campaign.relay).render(found.delivery, linked=False)
    return for_a_page(found.campaign, rendered.html)


def open_slip(found: Slip) -> None:
    """The employee asked to see it."""
    _change(found, opened_at=timezone.now())


def confirm(found: Slip) -> None:
    now = timezone.now()
    _change(found, opened_at=now, confirmed_at=now)


def dispute(found: Slip, text: str) -> bool:
    """Keeps the employee's words for HR; False when there are too many already."""
    if found.is_test:
        return True
    key = found.campaign.workbook.data_key
    now = timezone.now()
    with transaction.atomic():
        row = _stored(found)
        said: list[dict[str, str]] = key.open_json(row.sealed_text) if row.sealed_text else []
        if len(said) >= MOST_DISPUTES:
            return False
        said.append({"at": now.isoformat(), "text": text[:LONGEST_DISPUTE]})
        row.sealed_text = key.seal_json(said)
        row.opened_at = row.opened_at or now
        row.disputed_at, row.confirmed_at = now, None
        row.save()
    return True


def disputes(confirmation: Confirmation) -> list[dict[str, Any]]:
    """What the employee wrote, oldest first, for a reader with a grant; [] once it is destroyed."""
    campaign = confirmation.campaign
    if not confirmation.sealed_text or campaign.workbook is None:
        return []
    try:
        said = campaign.workbook.data_key.open_json(confirmation.sealed_text)
    except ContentDestroyed:
        return []
    return [{"at": datetime.fromisoformat(one["at"]), "text": one["text"]} for one in said]


def _change(found: Slip, **moments: datetime) -> None:
    """Sets what was not yet set: a second click changes nothing."""
    if found.is_test:
        return
    with transaction.atomic():
        row = _stored(found)
        for name, moment in moments.items():
            if getattr(row, name) is None:
                setattr(row, name, moment)
        row.save(update_fields=list(moments))


def _stored(found: Slip) -> Confirmation:
    """The row, locked: an employee's phone and computer may act at once."""
    Confirmation.objects.get_or_create(
        delivery=found.main,
        defaults={"team_id": found.main.team_id, "campaign_id": found.main.campaign_id},
    )
    return Confirmation.objects.select_for_update().get(delivery=found.main)


def of(delivery: Delivery) -> Confirmation | None:
    """What the employee of this message did so far, by whichever message of the same slip."""
    rows = Confirmation.objects.filter(delivery=main_of(delivery))
    return rows.select_related("campaign__workbook__data_key").first()


# For HR -------------------------------------------------------------------------------------------


def counts_of(campaign: Campaign) -> dict[str, int]:
    """How many slips are in each ConfirmationState; those that reached nobody are in none."""
    rows = Delivery.objects.filter(campaign=campaign)
    return {state.value: by_state(rows, state).count() for state in ConfirmationState}


def by_state(rows: QuerySet[Delivery], state: str) -> QuerySet[Delivery]:
    """A campaign's own deliveries by what their employees did.

    Unconfirmed are those that reached a server, resends counted, and were neither confirmed nor
    disputed; the opened ones are among them.
    """
    main = rows.filter(purpose=DeliveryPurpose.CAMPAIGN)
    if state == ConfirmationState.WAITING:
        arrived = Delivery.objects.filter(
            campaign=OuterRef("campaign"),
            purpose__in=[DeliveryPurpose.CAMPAIGN, DeliveryPurpose.RESEND],
            source_key=OuterRef("source_key"),
            state=DeliveryState.ACCEPTED,
        )
        answered = Confirmation.objects.filter(delivery=OuterRef("pk")).exclude(
            confirmed_at=None, disputed_at=None
        )
        return main.filter(Exists(arrived), ~Exists(answered))
    return main.filter(_FACTS[ConfirmationState(state)])


_UNCONFIRMED = Q(confirmation__confirmed_at=None)
_FACTS = {
    ConfirmationState.CONFIRMED: Q(confirmation__confirmed_at__isnull=False),
    ConfirmationState.DISPUTED: _UNCONFIRMED & Q(confirmation__disputed_at__isnull=False),
    ConfirmationState.OPENED: _UNCONFIRMED
    & Q(confirmation__disputed_at=None, confirmation__opened_at__isnull=False),
}
