"""Whether a relay's limits let a campaign through in time, and how long it will take."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import ceil

from django.utils import timezone

from accounts.models import LimitWindow, Relay
from campaigns.models import Attempt, Campaign
from campaigns.pipeline.preflight_finding import BLOCK, INFO, WARN, Finding

SECONDS = {
    LimitWindow.SECOND: 1,
    LimitWindow.MINUTE: 60,
    LimitWindow.QUARTER_HOUR: 900,
    LimitWindow.HOUR: 3600,
    LimitWindow.DAY: 86_400,
}


def limits(campaign: Campaign, recipients: int) -> Iterator[Finding]:
    """The day's limit, the hours until a delivery is given up, and a forecast."""
    relay = campaign.relay
    if relay is None or not recipients:
        return
    amounts = {limit.window: limit.amount for limit in relay.limits.all()}
    day = amounts.get(LimitWindow.DAY)
    if day is not None:
        params = {"recipients": recipients, "limit": day, "used": used_today(relay)}
        if recipients > day:
            yield Finding("day_limit", BLOCK, params, fix="relays")
        elif recipients + params["used"] > day:
            yield Finding("day_limit_used", WARN, params, fix="relays")
    seconds = forecast(amounts, recipients)
    if seconds > relay.deliver_hours * 3600:
        params = {"seconds": seconds, "hours": relay.deliver_hours}
        yield Finding("too_slow", BLOCK, params, fix="relays")
    elif seconds:
        yield Finding("forecast", INFO, {"seconds": seconds, "recipients": recipients})


def forecast(amounts: dict[str, int], recipients: int) -> int:
    """Seconds that the tightest window needs: a window lets its amount through at once."""
    waits = (
        (ceil(recipients / amount) - 1) * SECONDS[LimitWindow(window)]
        for window, amount in amounts.items()
    )
    return max(waits, default=0)


def used_today(relay: Relay) -> int:
    """Messages whose content began in the last 24 hours, on all rows of the same account."""
    same = Relay.objects.filter(team=relay.team_id, quota_group=relay.quota_group)
    return Attempt.objects.filter(
        relay__in=same.values("pk"),
        started_at__gt=timezone.now() - timedelta(days=1),
        content_began=True,
    ).count()
