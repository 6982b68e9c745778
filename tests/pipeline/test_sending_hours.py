"""Sending hours on the rows: nothing begins outside of them, and nothing expires for them in silence."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from campaigns.models import Campaign, SendingHours
from campaigns.pipeline import (
    claim,
    control,
    message_commit,
    plan,
    preflight,
    send,
    sending_hours,
    work,
)
from campaigns.pipeline.preflight_finding import BLOCK
from tests import cast
from tests.fakes.scripted_relay import ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def around(opens: timedelta, closes: timedelta) -> dict[str, object]:
    """Hours by UTC's clock, so far from now; on every day."""
    now = datetime.now(UTC)
    return {
        "opens": (now + opens).time(),
        "closes": (now + closes).time(),
        "weekdays": list(range(7)),
        "zone": "UTC",
    }


OPEN = (timedelta(hours=-2), timedelta(hours=2))
CLOSED = (timedelta(hours=2), timedelta(hours=4))


def drafted(server: ScriptedRelay) -> Campaign:
    team = cast.a_team()
    cast.a_key(team)
    people = [f"p{number}@corp.cn" for number in range(3)]
    return cast.a_campaign(cast.a_relay(team, server.port), cast.a_payroll(team, people))


def hours(campaign: Campaign, when: tuple[timedelta, timedelta], **fields: object) -> SendingHours:
    """The campaign's own; of the team's with `default=True`."""
    owner = None if fields.pop("default", False) else campaign
    values = {"campaign": owner, **around(*when), **fields}
    row = SendingHours.objects.create(team=campaign.team, **values)
    sending_hours.changed(row)
    return row


def started(campaign: Campaign) -> Campaign:
    """As ticks do it."""
    assert control.launch(campaign, None)
    sending_hours.refresh()
    for campaign_id in plan.start_due():
        plan.plan(campaign_id)
    campaign.refresh_from_db()
    return campaign


def test_nothing_is_sent_before_the_hours_open_and_then_all_is(server: ScriptedRelay) -> None:
    campaign = drafted(server)
    row = hours(campaign, CLOSED)
    started(campaign)
    assert list(work.relays_with_work()) == []
    send.send_batch(campaign.relay_id, "w")
    assert server.accepted == []
    untils = set(campaign.deliveries.values_list("deliver_until", flat=True))
    opens = campaign.sends_from
    assert opens is not None
    assert untils == {opens + timedelta(hours=campaign.relay.deliver_hours)}, "waiting is no age"
    SendingHours.objects.filter(pk=row.pk).update(**around(*OPEN))
    row.refresh_from_db()
    sending_hours.changed(row)
    send.send_batch(campaign.relay_id, "w")
    assert len(server.accepted) == 3


def test_a_message_that_was_claimed_before_the_close_does_not_begin_after_it(
    server: ScriptedRelay,
) -> None:
    campaign = drafted(server)
    hours(campaign, OPEN)
    started(campaign)
    mine = claim.open_claim(campaign.relay_id, "w")
    assert mine is not None
    first, second, _third = claim.take(mine, campaign.relay, 10)[0]
    assert claim.begin(mine, first)
    Campaign.objects.filter(pk=campaign.pk).update(
        sends_until=timezone.now() - timedelta(seconds=1)
    )
    assert not claim.begin(mine, second)
    assert message_commit.write([], [(mine, second)], mine, durable=True) == set()


def test_a_tick_moves_on_hours_that_have_passed(server: ScriptedRelay) -> None:
    campaign = started(drafted(server))
    assert campaign.sends_from is None
    hours(campaign, OPEN)
    campaign.refresh_from_db()
    opens, closes = campaign.sends_from, campaign.sends_until
    assert opens is not None
    assert closes is not None
    sending_hours.refresh(closes + timedelta(seconds=1))
    campaign.refresh_from_db()
    assert campaign.sends_from == opens + timedelta(days=1)


def test_a_default_binds_newsletters_and_payslips_where_it_says_so(server: ScriptedRelay) -> None:
    payslips = drafted(server)
    default = hours(payslips, CLOSED, default=True)
    assert sending_hours.hours_of(payslips) is None
    newsletter = cast.a_campaign(payslips.relay, contact_list=cast.a_list(payslips.team, []))
    assert sending_hours.hours_of(newsletter) is not None
    default.payslips = True
    default.save()
    assert sending_hours.hours_of(payslips) is not None
    hours(payslips, OPEN, any_time=True)
    assert sending_hours.hours_of(payslips) is None, "its own row, which says: at any time"


def test_taking_the_hours_away_lets_everything_go(server: ScriptedRelay) -> None:
    campaign = drafted(server)
    row = hours(campaign, CLOSED)
    started(campaign)
    sending_hours.remove(row)
    send.send_batch(campaign.relay_id, "w")
    assert len(server.accepted) == 3


def test_a_test_message_does_not_wait_for_the_hours(server: ScriptedRelay) -> None:
    campaign = drafted(server)
    hours(campaign, CLOSED)
    started(campaign)
    control.send_test(campaign, campaign.deliveries.all()[0], "me@corp.cn", "me@corp.cn")
    send.send_batch(campaign.relay_id, "w")
    assert [message.rcpt_to[0] for message in server.accepted] == ["me@corp.cn"]


def test_the_preflight_says_when_it_opens_what_is_unknown_and_what_would_expire(
    server: ScriptedRelay,
) -> None:
    campaign = drafted(server)
    row = hours(campaign, CLOSED)
    found = {one.kind: one for one in preflight.check(campaign)}
    assert found["closed_now"].params["time"] > timezone.now()
    assert found["forecast"].params["ends"] > found["closed_now"].params["time"]
    campaign.relay.limits.create(team=campaign.team, window="hour", amount=1)
    campaign.relay.deliver_hours = 1
    campaign.relay.save()
    found = {one.kind: one for one in preflight.check(campaign)}
    assert found["too_slow"].severity == BLOCK
    SendingHours.objects.filter(pk=row.pk).update(weekdays=[])
    assert "never_done" in {one.kind for one in preflight.check(campaign)}


def test_equal_times_are_a_whole_day(server: ScriptedRelay) -> None:
    campaign = drafted(server)
    hours(campaign, OPEN, opens=time(0), closes=time(0))
    campaign.refresh_from_db()
    assert campaign.sends_until is not None
    assert campaign.sends_from is not None
    assert campaign.sends_until - campaign.sends_from == timedelta(days=1)
