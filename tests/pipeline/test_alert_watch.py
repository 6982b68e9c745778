"""Alerts: what the rows show to be wrong is one open row a cause, and closed when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import BounceMailbox, Relay, Team
from campaigns.models import (
    Alert,
    CampaignCount,
    DomainCheck,
    Heartbeat,
    RelayPark,
)
from campaigns.models.alert import AlertKind
from campaigns.models.campaign import CampaignState, Hold
from campaigns.pipeline import alert_watch, alerts
from tests import cast
from tests.fakes.robot import RobotServer
from tests.pipeline.alerting import a_channel, login_refused, stopped, tell_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def kinds() -> list[str]:
    return sorted(Alert.objects.filter(closed_at=None).values_list("kind", flat=True))


@pytest.fixture
def team() -> Team:
    return cast.a_team()


@pytest.fixture
def robot() -> Iterator[RobotServer]:
    with RobotServer("wecom") as server:
        yield server


# What is wrong ------------------------------------------------------------------------------------


def test_a_refused_login_is_an_alert_until_the_relay_is_enabled(team: Team) -> None:
    relay = login_refused(team)
    alert_watch.watch()
    alert_watch.watch()
    (alert,) = Alert.objects.all()
    assert (alert.kind, alert.subject, alert.subject_id, alert.count) == (
        "relay_login",
        "relay",
        relay.pk,
        1,
    )
    Relay.objects.update(enabled=True, park_reason="")
    alert_watch.watch()
    assert kinds() == []
    assert Alert.objects.get().closed_at is not None


def test_a_relay_that_a_person_switched_off_is_none(team: Team) -> None:
    cast.a_relay(team, enabled=False)
    alert_watch.watch()
    assert kinds() == []


def test_a_long_stop_is_an_alert_and_a_short_one_only_if_it_comes_again(team: Team) -> None:
    short, long, often = (cast.a_relay(team, name=name) for name in ("短", "长", "常"))
    stopped(short, 15)
    stopped(long, 120)
    for ago in (200, 150, 100, 50):
        stopped(often, 15, ago)
    alert_watch.watch()
    found = {row.subject_id: row.params["stops"] for row in Alert.objects.all()}
    assert found == {long.pk: 1, often.pk: 4}


def test_a_running_campaign_without_a_relay_a_hold_and_a_doubt_are(team: Team) -> None:
    relay = cast.a_relay(team)
    given = {"state": CampaignState.RUNNING, "template": cast.a_template(team)}
    readers = cast.a_list(team, ["a@example.com"])
    letter = {"template": cast.a_template(team, "newsletter"), "contact_list": readers}
    held = cast.a_campaign(relay, **letter, state="running", hold_reason=Hold.CONTENT_VERDICT)
    away = cast.a_campaign(login_refused(team, name="坏"), **letter, state="running")
    doubtful = cast.a_campaign(
        relay, cast.a_payroll(team, ["b@example.com"]), **given, name="机密人员名单"
    )
    CampaignCount.objects.create(team=team, campaign=doubtful, state="in_doubt", number=3)
    alert_watch.watch()
    found = {row.kind: row for row in Alert.objects.filter(subject="campaign")}
    assert {kind: row.subject_id for kind, row in found.items()} == {
        "campaign_held": held.pk,
        "no_relay": away.pk,
        "in_doubt": doubtful.pk,
    }
    assert found["in_doubt"].params == {"campaign": "", "id": doubtful.pk, "number": 3}


def test_a_release_that_is_awaited_is_none(team: Team) -> None:
    readers = cast.a_list(team, ["a@example.com"])
    letter = {"template": cast.a_template(team, "newsletter"), "contact_list": readers}
    cast.a_campaign(
        cast.a_relay(team), **letter, state="scheduled", hold_reason=Hold.RELEASE_AWAITED
    )
    alert_watch.watch()
    assert kinds() == []


def test_a_mailbox_and_a_domain_are(team: Team) -> None:
    BounceMailbox.objects.create(
        team=team, name="退信", address="b@x.example", host="pop", last_error="auth_refused"
    )
    DomainCheck.objects.create(
        team=team, relay=cast.a_relay(team), domain="x.example", alarm_at=timezone.now()
    )
    alert_watch.watch()
    assert kinds() == ["dns", "mailbox"]


def test_a_gap_in_the_watch_and_a_full_disk_are_told_to_teams_with_a_channel(
    team: Team, robot: RobotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_channel(team, robot, events=["workers", "disk"])
    cast.a_team("没有渠道的")
    Heartbeat.objects.create(name="alerts", at=timezone.now() - timedelta(minutes=30))
    usage = Counter(free=10, total=1000)
    monkeypatch.setattr(alert_watch.shutil, "disk_usage", lambda _: _Usage(**usage))
    alert_watch.watch()
    assert kinds() == ["disk", "workers"]
    assert Alert.objects.get(kind="workers").params == {"minutes": 30}
    tell_all()
    assert "停了 30 分钟" in robot.told[0]
    assert "1%" in robot.told[0]
    alert_watch.watch()
    assert kinds() == ["disk"]


class _Usage:
    def __init__(self, free: int, total: int) -> None:
        self.free, self.total = free, total


def test_the_watch_asks_the_same_number_of_questions_for_many_relays(
    team: Team, django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        login_refused(team, name=f"r{number}")
    alert_watch.watch()
    with django_assert_max_num_queries(24):
        alert_watch.watch()


def test_a_cause_has_one_open_row_whoever_finds_it(team: Team) -> None:
    for number in (1, 2, 3):
        alerts.raise_alert(team.pk, AlertKind.SUPPRESSIONS, params={"number": number})
    alert = Alert.objects.get()
    assert (alert.count, alert.params) == (3, {"number": 3})
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.create(team=team, kind="suppressions")
    assert alerts.close_alert(team.pk, AlertKind.SUPPRESSIONS)
    assert not alerts.close_alert(team.pk, AlertKind.SUPPRESSIONS)
    alerts.raise_alert(team.pk, AlertKind.SUPPRESSIONS)
    assert Alert.objects.count() == 2


def test_what_was_over_long_ago_is_forgotten(team: Team) -> None:
    past = timezone.now() - timedelta(days=200)
    stopped(cast.a_relay(team), 15, ago=200 * 24 * 60)
    Alert.objects.create(team=team, kind="dns", closed_at=past)
    Alert.objects.create(team=team, kind="dns", closed_at=timezone.now())
    alert_watch.watch()
    assert Alert.objects.count() == 1
    assert not RelayPark.objects.exists()
