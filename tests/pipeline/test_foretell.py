"""The forecast of campaigns as the rows have them: relays that are away, limited domains, hours, warm-up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import Campaign, CampaignRelay, DomainLimit, SendingHours, WarmUp
from campaigns.pipeline import foretell
from campaigns.pipeline.ledger import ledger
from tests import cast

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def several(
    weights: Sequence[int], count: int = 120, **fields: Any
) -> tuple[Campaign, list[Relay]]:
    """A running payslip campaign; each relay may send ten a minute."""
    ledger.cache_clear()
    cache.clear()
    team = cast.a_team()
    relays = [cast.a_relay(team, name="AB"[at]) for at in range(len(weights))]
    for relay in relays:
        relay.limits.create(team=team, window="minute", amount=10)
    workbook = cast.a_payroll(team, [f"p{number}@example.com" for number in range(count)])
    campaign = cast.a_campaign(relays[0], workbook, **fields)
    for relay, weight in zip(relays, weights, strict=True):
        CampaignRelay.objects.create(team=team, campaign=campaign, relay=relay, weight=weight)
    return cast.launched(campaign), relays


def minutes(campaign: Campaign) -> float:
    cache.clear()
    foretold = foretell.of_running(campaign)
    assert foretold is not None
    assert foretold.seconds is not None
    return foretold.seconds / 60


def test_relays_send_side_by_side() -> None:
    campaign, _relays = several([1, 1])
    assert minutes(campaign) == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize("how", ["disabled", "parked"])
def test_what_waits_for_a_relay_that_is_away_goes_through_the_other(how: str) -> None:
    campaign, (away, _other) = several([1, 1])
    if how == "disabled":
        Relay.objects.filter(pk=away.pk).update(enabled=False)
    else:
        Relay.objects.filter(pk=away.pk).update(parked_until=timezone.now() + timedelta(hours=3))
    assert minutes(campaign) == pytest.approx(11, rel=0.1)
    draft = cast.a_campaign(away, campaign.workbook)
    CampaignRelay.objects.create(team=away.team, campaign=draft, relay=away)
    assert foretell.of_draft(draft, 10).seconds is None or how == "parked"


def test_a_relay_that_may_not_use_the_from_address_takes_nothing_over() -> None:
    campaign, (away, other) = several([1, 1])
    Relay.objects.filter(pk=away.pk).update(enabled=False)
    Relay.objects.filter(pk=other.pk).update(from_addresses=["@other.example"])
    cache.clear()
    foretold = foretell.of_running(campaign)
    assert foretold is not None
    assert foretold.ends_at is None


def test_a_domains_limit_a_warm_up_and_the_hours_count() -> None:
    campaign, (relay, *_) = several([1])
    DomainLimit.objects.create(
        team=relay.team, name="e", domains=["example.com"], minute=5, connections=2
    )
    assert minutes(campaign) == pytest.approx(23, rel=0.1)
    local = timezone.localtime(timezone.now(), relay.team.zone)
    opens = local + timedelta(hours=2)
    hours = SendingHours.objects.create(
        team=relay.team,
        campaign=campaign,
        opens=time(opens.hour, opens.minute),
        closes=time(opens.hour, opens.minute),
        weekdays=list(range(7)),
        zone=relay.team.time_zone,
    )
    assert minutes(campaign) == pytest.approx(23, rel=0.1), "a whole day has no closed hours"
    hours.closes = (opens + timedelta(hours=4)).time()
    hours.save()
    assert minutes(campaign) == pytest.approx(120 + 23, rel=0.1)
    hours.delete()
    WarmUp.objects.create(
        team=relay.team,
        relay=relay,
        starts_on=date(local.year, local.month, local.day),
        first_amount=50,
        factor=2,
        full_amount=10_000,
        zone=relay.team.time_zone,
    )
    midnight = (24 * 60) - (local.hour * 60 + local.minute)
    if midnight > 15:
        assert minutes(campaign) == pytest.approx(midnight + 13, rel=0.1)


def test_what_will_be_given_up_first_is_known() -> None:
    campaign, _relays = several([1])
    until = timezone.now() + timedelta(minutes=5)
    campaign.deliveries.update(deliver_until=until)
    cache.clear()
    foretold = foretell.of_running(campaign)
    assert foretold is not None
    assert foretold.deliver_until == until
    assert foretold.ends_at is not None
    assert foretold.ends_at > until
