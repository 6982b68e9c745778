"""Comparison: a draft's payroll beside the month before, made by a worker from both months' rows.

What it found is sealed with this month's key. It holds last month's amounts too, so destroying either
month's content destroys it (pipeline/destroy), and only who may read both months may read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from campaigns.models import Campaign, Comparison, Workbook
from campaigns.models.campaign import CampaignState
from campaigns.models.comparison import Extent
from campaigns.models.content import ContentDestroyed
from campaigns.models.signals import announce
from campaigns.models.template import Kind
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import figures, next_month
from campaigns.pipeline.month_changes import Changes, Person, Wanted, alone, by_address, compare
from campaigns.pipeline.month_people import left_out, of_deliveries, of_workbook, role

LEASE = timedelta(minutes=10)
_MOST_TRIES = 3
# How many earlier campaigns a person may choose among.
OFFERED = 24
# In `counts`: it could not be made. Beside the kinds of month_changes.
FAILED = "failed"
# In `counts`: rows of either month that were damaged and take no part.
UNREAD = "unread"


def ask(
    campaign: Campaign,
    user: User,
    *,
    against: Campaign | None = None,
    automatic: bool = False,
    share: int | None = None,
    columns: Sequence[str] | None = None,
) -> Comparison:
    """Asks a worker for it, in the place of an earlier one. What is not given stays as it was, or is
    taken from the campaign that this one continues; `automatic` forgets what a person had chosen."""
    with transaction.atomic():
        row, made = Comparison.objects.get_or_create(
            campaign=campaign, defaults={"team_id": campaign.team_id, "asked_by": user}
        )
        former = Comparison.objects.filter(campaign=campaign.continues_id).first() if made else None
        if former is not None:
            row.share, row.columns = former.share, former.columns
        if against is not None:
            row.against, row.is_chosen = against, True
        elif automatic:
            row.is_chosen = False
        row.share = row.share if share is None else share
        row.columns = row.columns if columns is None else list(columns)
        row.asked_by, row.asked_at = user, timezone.now()
        row.lease_until, row.ended_at, row.tries = None, None, 0
        row.sealed, row.counts = None, {}
        row.save()
        announce("compare_months", row.pk)
    return row


def choices(campaign: Campaign, user: User) -> QuerySet[Campaign]:
    """What it may be compared with: launched payslips that the user may read, the last one first."""
    rows = Campaign.objects.filter(
        team=campaign.team_id, kind=Kind.PAYSLIP, launched_at__isnull=False, grants__user=user
    )
    rows = rows.exclude(state=CampaignState.DRAFT).exclude(pk=campaign.pk)
    return rows.exclude(workbook=campaign.workbook_id).order_by("-launched_at")


def suggested(campaign: Campaign, user: User) -> Campaign | None:
    """The month before: what the campaign continues, else the last one with nearly its columns. What it
    corrects or completes is the same month, and so is what only completed another one."""
    if campaign.workbook is None:
        return None
    usable = choices(campaign, user).filter(recalled_at=None)
    if campaign.continues_id and (known := usable.filter(pk=campaign.continues_id).first()):
        return known
    family = {campaign.corrects_id, campaign.completes_id}
    for offer in next_month.offers(campaign.workbook, user):
        source = offer.source
        is_whole = source.completes_id is None and source.recalled_at is None
        if is_whole and source.pk not in family:
            return source
    return None


def is_current(row: Comparison, campaign: Campaign) -> bool:
    """Whether it speaks of the file that the campaign sends now."""
    workbook = campaign.workbook
    if workbook is None or row.workbook_id != workbook.pk:
        return False
    return row.reading == workbook.reading and row.ended_at is not None


def opened(row: Comparison, campaign: Campaign) -> dict[str, Any]:
    """What was found; {} where it is not there (any more)."""
    if row.sealed is None or campaign.workbook is None or not is_current(row, campaign):
        return {}
    try:
        found: dict[str, Any] = campaign.workbook.data_key.open_json(row.sealed)
    except ContentDestroyed:
        return {}
    return found


def visible_to(row: Comparison, user: User) -> bool:
    """Both months' content: the campaign's own is asked for before. Last month's is also what completed it."""
    return row.against is None or all(
        campaign.content_visible_to(user) for campaign in _family(row.against)
    )


def _waiting() -> QuerySet[Comparison]:
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    return Comparison.objects.filter(free, ended_at=None)


def waiting() -> list[int]:
    """Those that no living worker makes."""
    return list(_waiting().values_list("pk", flat=True))


def run(comparison_id: int) -> None:
    """Makes one; one that cost several workers their life is given up."""
    until = timezone.now() + LEASE
    taken = _waiting().filter(pk=comparison_id)
    if not taken.update(lease_until=until, tries=F("tries") + 1):
        return
    rows = Comparison.objects.select_related("campaign__workbook__data_key", "asked_by")
    row = rows.select_related("against__workbook__data_key").get(pk=comparison_id)
    workbook = row.campaign.workbook
    if workbook is None or row.tries > _MOST_TRIES or workbook.state not in _READ:
        _end(row, counts={FAILED: 1})
        return
    if workbook.figures_due:
        figures.make(workbook.pk)
        workbook.refresh_from_db(fields=["sealed_figures", "figures_due"])
    if workbook.figures_due:  # another worker is adding up: soon again
        soon = timezone.now() + timedelta(seconds=2)
        mine = Comparison.objects.filter(pk=row.pk, asked_at=row.asked_at)
        mine.update(lease_until=soon, tries=F("tries") - 1)
        return
    try:
        _end(row, **_made(row, workbook))
    except ContentDestroyed:
        _end(row, counts={FAILED: 1})


_READ = (ReadingState.READ, ReadingState.CONFIRMED)


def _end(row: Comparison, **fields: Any) -> None:
    """Not where it was asked for anew, or a month's content was destroyed meanwhile."""
    mine = Comparison.objects.filter(pk=row.pk, asked_at=row.asked_at, ended_at=None)
    mine.update(ended_at=timezone.now(), lease_until=None, **fields)


def _made(row: Comparison, workbook: Workbook) -> dict[str, Any]:
    """The row's fields."""
    against = row.against
    if not row.is_chosen and row.asked_by is not None:
        against = suggested(row.campaign, row.asked_by)
    extent, changes, more = _compared(row, workbook, against)
    unread = sum(len(rows) for rows in more["unread"].values())
    content = {"people": changes.people, "largest": changes.largest, **more}
    return {
        "against": against,
        "workbook": workbook,
        "reading": workbook.reading,
        "extent": extent,
        "counts": dict(changes.counts) | ({UNREAD: unread} if unread else {}),
        "sealed": workbook.data_key.seal_json(content),
    }


def _compared(
    row: Comparison, workbook: Workbook, against: Campaign | None
) -> tuple[Extent, Changes, dict[str, Any]]:
    now = of_workbook(workbook)
    money = [one["name"] for one in workbook.figures.get("columns", ()) if not one["percent"]]
    net = role(workbook, "net")
    unread = {"now": _unread(now), "before": []}
    more: dict[str, Any] = {"choices": money, "net": net, "now": len(now), "unread": unread}
    if against is None:
        return Extent.NOTHING, alone(now, Wanted(net, (), (), row.share)), more
    before, renamed = _before(against, workbook)
    if before is None:
        old = of_deliveries(against)
        more["before"] = len(old)
        return Extent.ADDRESSES, by_address(old, now, Wanted(net, (), (), row.share)), more
    unread["before"] = _unread(before)
    shared = {name for one in before for name in one.values}
    amounts = [name for name in money if name in shared]
    watched = [name for name in row.columns if name in amounts]
    if not watched:
        watched = [name for name in (net, *amounts[-1:]) if name in amounts][:1]
    more |= {"before": len(before), "watched": watched, "choices": amounts, "renamed": renamed}
    wanted = Wanted(net, watched, amounts, row.share)
    return Extent.FULL, compare(before, now, left_out(workbook), wanted), more


def _unread(people: Iterable[Person]) -> list[int]:
    return [one.row for one in people if one.is_unread]


def _before(against: Campaign, workbook: Workbook) -> tuple[list[Any] | None, Mapping[str, str]]:
    """Last month's people, with those whose rows were mended and sent by other campaigns, and which of
    its columns are called otherwise now. None where its content is destroyed."""
    renamed: dict[str, str] = {}
    people = []
    names = [column["name"] for column in workbook.columns]
    for campaign in _family(against):
        book = campaign.workbook
        if book is None or book.is_destroyed:
            if campaign.pk == against.pk:
                return None, {}
            continue
        own = [column["name"] for column in book.columns]
        difference = next_month.compare(own, names)
        renamed |= difference.renamed
        people += of_workbook(book, campaign=campaign, renamed=difference.renamed)
    return people, renamed


def _family(against: Campaign) -> Iterable[Campaign]:
    yield against
    completed = against.completions.filter(launched_at__isnull=False)
    yield from completed.select_related("workbook__data_key").order_by("pk")
