"""Ending rows that wait: what must not be sent any more, or whose time is over."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.db.models import QuerySet
from django.utils import timezone

from campaigns.models import Campaign, Delivery, ListMember, Suppression
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.models.template import Kind
from campaigns.pipeline.counts import Counts, add


def end_unsendable(deliveries: Sequence[Delivery]) -> tuple[list[Delivery], Counts]:
    """Ends claimed rows whose time is over, or whose person must not be mailed; the others are returned.

    A payslip is never suppressed in silence: its pre-flight names hard-bounced addresses, and HR
    decides. A newsletter obeys the suppression list and the list's unsubscribes at this moment.
    What is asked is asked about these rows alone: joined with the deliveries of a campaign that was
    planned just now, which the database still believes to be few, it would read all of them.
    """
    now = timezone.now()
    counts: Counts = {}
    over = {row.pk for row in deliveries if row.deliver_until <= now}
    left = _without(list(deliveries), over, DeliveryState.EXPIRED, "deliver_until", counts)
    lists = _lists_of_newsletters({row.campaign_id for row in left})
    news = [
        row for row in left if row.campaign_id in lists and row.purpose == DeliveryPurpose.CAMPAIGN
    ]
    suppressed, gone = _suppressed(news, lists), _gone(news, lists)
    left = _without(left, suppressed, DeliveryState.SUPPRESSED, "suppression", counts)
    left = _without(left, gone, DeliveryState.SUPPRESSED, "unsubscribed", counts)
    return left, counts


def _without(
    rows: list[Delivery], ended: Collection[int], state: DeliveryState, reason: str, counts: Counts
) -> list[Delivery]:
    """Ends some of the rows, by their ids; the others are returned."""
    _end([row for row in rows if row.pk in ended], state, reason, counts)
    return [row for row in rows if row.pk not in ended]


def _lists_of_newsletters(campaign_ids: Collection[int]) -> dict[int, int | None]:
    """The list of each of these campaigns that is a newsletter."""
    news = Campaign.objects.filter(pk__in=campaign_ids, kind=Kind.NEWSLETTER)
    return dict(news.values_list("pk", "contact_list_id"))


def _suppressed(news: Sequence[Delivery], lists: Mapping[int, int | None]) -> set[int]:
    """Ids of the rows whose address is suppressed, for all or for their list."""
    if not news:
        return set()
    keys = {row.address_key for row in news}
    entries = Suppression.objects.filter(team=news[0].team_id, address_key__in=keys)
    found = set(entries.values_list("address_key", "contact_list_id"))
    return {
        row.pk
        for row in news
        if (row.address_key, None) in found or (row.address_key, lists[row.campaign_id]) in found
    }


def _gone(news: Sequence[Delivery], lists: Mapping[int, int | None]) -> set[int]:
    """Ids of the rows whose contact is not subscribed to their list any more."""
    if not news:
        return set()
    members = ListMember.objects.filter(
        contact_list__in={found for found in lists.values() if found},
        contact__in={row.contact_id for row in news if row.contact_id},
    ).exclude(status=MemberStatus.SUBSCRIBED)
    found = set(members.values_list("contact_id", "contact_list_id"))
    return {row.pk for row in news if (row.contact_id, lists[row.campaign_id]) in found}


def end_rows(
    rows: QuerySet[Delivery], state: DeliveryState, reason: str, counts: Counts | None = None
) -> None:
    """Ends waiting rows in one state; adds what changes to `counts`."""
    _end(list(rows.only("campaign_id", "state", "purpose")), state, reason, counts)


def _end(
    rows: Sequence[Delivery], state: DeliveryState, reason: str, counts: Counts | None
) -> None:
    for start in range(0, len(rows), 500):
        Delivery.objects.filter(pk__in=[row.pk for row in rows[start : start + 500]]).update(
            state=state, reason=reason, claim=None, changed_at=timezone.now()
        )
    if counts is not None:
        for row in rows:
            if row.purpose != DeliveryPurpose.TEST:
                add(counts, row.campaign_id, row.state, state)
