"""Whether the limits and the sending hours let a campaign through in time, and when it will be done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from accounts.models import LimitWindow, Relay
from campaigns.models import Attempt, Campaign
from campaigns.pipeline.foretell import Foretold, of_draft
from campaigns.pipeline.preflight_finding import BLOCK, INFO, WARN, Finding


def limits(campaign: Campaign, recipients: int) -> Iterator[Finding]:
    """The day's limit, the hours until a delivery is given up, and a forecast."""
    relay = campaign.relay
    if relay is None or not recipients:
        return
    yield from _day(campaign, relay, recipients)
    foretold = of_draft(campaign, recipients)
    if foretold.opens_at is not None:
        yield Finding("closed_now", INFO, {"time": foretold.opens_at}, fix="campaign_hours")
    if foretold.unknown_years:
        params = {"years": "、".join(map(str, foretold.unknown_years))}
        yield Finding("holidays_unknown", WARN, params, fix="campaign_hours")
    yield from _end(foretold, recipients)


def _day(campaign: Campaign, relay: Relay, recipients: int) -> Iterator[Finding]:
    """With several relays the day's limit of one says nothing: the forecast does."""
    limit = relay.limits.filter(window=LimitWindow.DAY).first()
    if limit is None or campaign.carriers.exists():
        return
    params = {"recipients": recipients, "limit": limit.amount, "used": used_today(relay)}
    if recipients > limit.amount:
        yield Finding("day_limit", BLOCK, params, fix="relays")
    elif recipients + params["used"] > limit.amount:
        yield Finding("day_limit_used", WARN, params, fix="relays")


def _end(foretold: Foretold, recipients: int) -> Iterator[Finding]:
    seconds, ends = foretold.seconds, foretold.ends_at
    if seconds is None or ends is None:
        yield Finding("never_done", WARN, fix="relays")
        return
    params = {"seconds": seconds, "ends": ends, "deadline": foretold.deliver_until}
    if ends > foretold.deliver_until:
        yield Finding("too_slow", BLOCK, params, fix="relays")
    else:
        yield Finding("forecast", INFO, {**params, "recipients": recipients})


def used_today(relay: Relay) -> int:
    """Messages whose content began in the last 24 hours, on all rows of the same account."""
    same = Relay.objects.filter(team=relay.team_id, quota_group=relay.quota_group)
    return Attempt.objects.filter(
        relay__in=same.values("pk"),
        started_at__gt=timezone.now() - timedelta(days=1),
        content_began=True,
    ).count()
