"""A relay that stops again and again stops for longer each time, until it takes a message again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Relay
from campaigns.mailer.reply import Outcome, Scope, Verdict
from campaigns.mailer.reply_reasons import Reason
from campaigns.models import RelayPark
from campaigns.pipeline.outcome import park
from tests import cast
from tests.fakes.relay_script import Rule, Say
from tests.fakes.scripted_relay import ScriptedRelay
from tests.faults import scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
MINUTE = timedelta(minutes=1)


def stops(relay: Relay, times: int, reason: Reason, asked: timedelta, rule: str = "") -> list[int]:
    """Minutes of each stop, where the relay answers the same as soon as the one before is over."""
    verdict = Verdict(Outcome.DEFERRED, Scope.RELAY, reason, asked, rule=rule)
    for _ in range(times):
        over(relay)
        park(relay, verdict)
    return minutes(relay)


def over(relay: Relay) -> None:
    """As if the stops had begun so much earlier that the last one has just ended."""
    last = relay.parks.order_by("-at").first()
    if last is not None:
        span = last.until - timezone.now()
        for one in relay.parks.all():
            RelayPark.objects.filter(pk=one.pk).update(at=one.at - span, until=one.until - span)
    Relay.objects.filter(pk=relay.pk).update(parked_until=None)


def minutes(relay: Relay) -> list[int]:
    found = [one.until - one.at for one in relay.parks.order_by("at")]
    return [round(span / MINUTE) for span in found]


def test_the_stops_of_a_relay_that_goes_on_refusing_grow_to_a_bound() -> None:
    relay = cast.a_relay(cast.a_team())
    assert stops(relay, 5, Reason.UNREACHABLE, 5 * MINUTE) == [5, 10, 20, 30, 30]


def test_a_providers_limit_is_asked_for_less_and_less_often() -> None:
    relay = cast.a_relay(cast.a_team())
    grown = [60, 120, 240, 360, 360]
    assert stops(relay, 5, Reason.AUTH_LOCKED, 60 * MINUTE, "netease/x") == grown


def test_what_a_team_wrote_itself_is_taken_at_its_word() -> None:
    relay = cast.a_relay(cast.a_team())
    assert stops(relay, 3, Reason.RATE_LIMITED, 15 * MINUTE, "own:1") == [15, 15, 15]


def test_another_cause_and_a_stop_of_yesterday_begin_anew() -> None:
    relay = cast.a_relay(cast.a_team())
    stops(relay, 2, Reason.RATE_LIMITED, 15 * MINUTE)
    stops(relay, 1, Reason.UNREACHABLE, 5 * MINUTE)
    RelayPark.objects.update(at=timezone.now() - 90 * MINUTE, until=timezone.now() - 61 * MINUTE)
    assert stops(relay, 1, Reason.UNREACHABLE, 5 * MINUTE)[-1] == 5


def test_connections_that_meet_the_same_reply_at_once_make_no_longer_stop() -> None:
    relay = cast.a_relay(cast.a_team())
    stops(relay, 1, Reason.RATE_LIMITED, 15 * MINUTE)
    park(relay, Verdict(Outcome.DEFERRED, Scope.RELAY, Reason.RATE_LIMITED, 15 * MINUTE))
    relay.refresh_from_db()
    assert minutes(relay) == [15]
    assert relay.parked_until < timezone.now() + 16 * MINUTE


def test_a_message_that_is_accepted_begins_anew(server: ScriptedRelay, new_ledger: None) -> None:
    server.script.add(Rule("mail", Say("450 4.3.2 try again later"), first=2))
    campaign = scene.a_campaign(server, 2)
    for _ in range(2):
        scene.run(campaign, 2)
        over(campaign.relay)
    scene.run(campaign, 2)
    assert scene.check(campaign, server) == {"accepted": 2}
    assert minutes(campaign.relay) == [5, 10]
    assert stops(campaign.relay, 1, Reason.RELAY_BUSY, 5 * MINUTE)[-1] == 5
