"""Daily: how many messages were accepted, refused and bounced on each of the last days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from accounts.models import Relay, Team
from campaigns.mailer.reply import Outcome
from campaigns.models import Attempt, Feedback
from campaigns.models.feedback import FeedbackKind

DAYS = 14


@dataclass(frozen=True)
class Day:
    """One calendar day of the team's zone."""

    date: date
    accepted: int
    refused: int
    bounced: int


def days_of(team: Team, count: int = DAYS) -> list[Day]:
    """Oldest first, today last; two queries, bounded by the indexes on time."""
    zone = team.zone
    today = timezone.localdate(timezone=zone)
    dates = [today - timedelta(days=back) for back in reversed(range(count))]
    since = datetime.combine(dates[0], time(), tzinfo=zone)
    attempts = (
        Attempt.objects.filter(
            relay__in=Relay.objects.filter(team=team).values("pk"), started_at__gte=since
        )
        .values_list(TruncDate("started_at", tzinfo=zone))
        .annotate(
            accepted=Count("pk", filter=Q(outcome=Outcome.ACCEPTED)),
            refused=Count("pk", filter=Q(outcome=Outcome.REFUSED)),
        )
        .order_by()
    )
    bounces = (
        Feedback.objects.filter(team=team, received_at__gte=since, kind=FeedbackKind.BOUNCE)
        .exclude(proof="")
        .values_list(TruncDate("received_at", tzinfo=zone))
        .annotate(Count("pk"))
        .order_by()
    )
    sent = {day: (accepted, refused) for day, accepted, refused in attempts}
    back = dict(bounces)
    return [Day(day, *sent.get(day, (0, 0)), back.get(day, 0)) for day in dates]
