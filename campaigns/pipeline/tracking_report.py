"""What a newsletter's opens and clicks add up to; people and machines apart, never more than was counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from campaigns.mailer.hits import Visitor
from campaigns.models import Campaign, Contact, HitCount, RecipientHit
from campaigns.models.tracking import OPEN, Tracking

# What is drawn: by the hour for so long, then by the day, and no more days than fit.
BY_HOUR = timedelta(hours=72)
MOST_DAYS = 90
PEOPLE, MACHINES = "people", "machines"
# How many of a contact's messages its page lists.
LISTED = 20


@dataclass
class Figures:
    """`recipients` are different ones, where the campaign tracks individuals; else None."""

    people: int = 0
    machines: int = 0
    recipients: int | None = None

    def add(self, visitor: str, number: int) -> None:
        if visitor == Visitor.PERSON:
            self.people += number
        else:
            self.machines += number


@dataclass
class Link:
    number: int
    target: str
    figures: Figures


@dataclass
class Moment:
    """An hour or a day of the team's zone, by its first instant."""

    at: datetime
    opens: int = 0
    clicks: int = 0
    machines: int = 0


@dataclass
class Report:
    opens: Figures
    clicks: Figures
    links: list[Link]
    by_hour: bool = True
    moments: list[Moment] = field(default_factory=list)
    machines: dict[str, int] = field(default_factory=dict)


def report_of(campaign: Campaign) -> Report:
    """Four queries, whatever came."""
    rows = list(
        HitCount.objects.filter(campaign=campaign).values_list("link", "hour", "visitor", "number")
    )
    figures: defaultdict[int, Figures] = defaultdict(Figures)
    machines: Counter[str] = Counter()
    for link, _hour, visitor, number in rows:
        figures[link].add(visitor, number)
        if visitor != Visitor.PERSON:
            machines[visitor] += number
    report = Report(figures[OPEN], _clicks(figures), _links(campaign, figures))
    report.machines = dict(machines.most_common())
    if campaign.tracking == Tracking.INDIVIDUAL:
        _add_recipients(campaign, report)
    report.by_hour, report.moments = _moments(campaign, rows)
    return report


def _clicks(figures: dict[int, Figures]) -> Figures:
    clicks = [one for link, one in figures.items() if link != OPEN]
    return Figures(sum(one.people for one in clicks), sum(one.machines for one in clicks))


def _links(campaign: Campaign, figures: dict[int, Figures]) -> list[Link]:
    return [
        Link(number, target, figures.get(number, Figures()))
        for number, target in enumerate(campaign.frozen_links, start=1)
    ]


def _add_recipients(campaign: Campaign, report: Report) -> None:
    """Different recipients: of a link by its rows, of all links together by their messages."""
    rows = RecipientHit.objects.filter(campaign=campaign, people__gt=0)
    by_link = dict(rows.values_list("link").annotate(Count("pk")).order_by())
    clicked = rows.exclude(link=OPEN).aggregate(n=Count("delivery", distinct=True))["n"]
    report.opens.recipients, report.clicks.recipients = by_link.get(OPEN, 0), clicked
    for link in report.links:
        link.figures.recipients = by_link.get(link.number, 0)


def _moments(
    campaign: Campaign, rows: Iterable[tuple[int, datetime, str, int]]
) -> tuple[bool, list[Moment]]:
    found = sorted(rows, key=lambda row: row[1])
    if not found:
        return True, []
    zone = campaign.team.zone
    by_hour = found[-1][1] - found[0][1] < BY_HOUR
    moments: dict[datetime, Moment] = {}
    for link, hour, visitor, number in found:
        local = hour.astimezone(zone)
        at = local if by_hour else local.replace(hour=0, minute=0)
        moment = moments.setdefault(at, Moment(at))
        if visitor != Visitor.PERSON:
            moment.machines += number
        elif link == OPEN:
            moment.opens += number
        else:
            moment.clicks += number
    return by_hour, _without_gaps(moments, by_hour=by_hour)[-MOST_DAYS:]


def _without_gaps(moments: dict[datetime, Moment], *, by_hour: bool) -> list[Moment]:
    """Hours and days in which nothing came are part of the picture; days keep their local midnight."""
    step = timedelta(hours=1) if by_hour else timedelta(days=1)
    at, last = min(moments), max(moments)
    found = []
    while at <= last:
        found.append(moments.get(at) or Moment(at))
        at = at + step
    return found


def rows_of(campaign: Campaign, link: int, state: str) -> QuerySet[RecipientHit]:
    """The recipients behind a number of the report: all, PEOPLE, or MACHINES alone."""
    rows = RecipientHit.objects.filter(campaign=campaign, link=link)
    if state in (PEOPLE, MACHINES):
        rows = rows.filter(people__gt=0) if state == PEOPLE else rows.filter(people=0)
    return rows.select_related("delivery").only(
        *("people", "machines", "first_at", "last_at", "delivery__address", "delivery__state")
    )


def of_contact(contact: Contact) -> list[RecipientHit]:
    """The last ones of what was sent to a contact, with their campaigns' names and links."""
    mine = Q(delivery__contact=contact) | Q(delivery__address_key=contact.address_key)
    rows = RecipientHit.objects.filter(mine, team=contact.team_id).select_related("campaign")
    return list(
        rows.only(
            *("link", "people", "machines", "first_at", "last_at", "delivery"),
            *("campaign__name", "campaign__frozen_links"),
        ).order_by("-pk")[:LISTED]
    )
