"""Alerts told: once to each channel that wants it, again while they last, and when they are over."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import BounceMailbox, Relay, Team
from campaigns.models import (
    Alert,
    AlertChannel,
    AlertTelling,
)
from campaigns.pipeline import alert_tell, alert_watch, alerts
from tests import cast
from tests.fakes.relay_script import Rule, Say
from tests.fakes.robot import TOKEN, RobotServer
from tests.fakes.scripted_relay import ScriptedRelay
from tests.pipeline.alerting import EVERYTHING, a_channel, later, login_refused, stopped, tell_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def team() -> Team:
    return cast.a_team()


@pytest.fixture
def robot() -> Iterator[RobotServer]:
    with RobotServer("wecom") as server:
        yield server


# Telling -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "secret"), [("wecom", ""), ("dingtalk", "SEC1"), ("feishu", "k")])
def test_each_robot_hears_of_the_beginning_and_the_end_once(
    team: Team, kind: str, secret: str
) -> None:
    relay = login_refused(team, name="网易")
    with RobotServer(kind, secret) as robot:
        a_channel(team, robot)
        for _ in range(3):
            alert_watch.watch()
            tell_all()
        assert len(robot.told) == 1
        assert "甲公司" in robot.told[0]
        assert "网易" in robot.told[0]
        assert f"https://hongyan.example/relays/{relay.pk}/" in robot.told[0]
        Relay.objects.update(enabled=True, park_reason="")
        alert_watch.watch()
        tell_all()
        assert len(robot.told) == 2
        assert "恢复了" in robot.told[1]
    assert list(AlertTelling.objects.values_list("state", "answer")) == [("sent", 0)] * 2


def test_what_lasts_is_told_again_after_hours(team: Team, robot: RobotServer) -> None:
    a_channel(team, robot)
    login_refused(team)
    alert_watch.watch()
    tell_all()
    later(7)
    alert_watch.watch()
    tell_all()
    assert "还没有解决" in robot.told[1]
    assert Alert.objects.get().told == 2


def test_what_is_over_before_anybody_heard_of_it_is_not_told(
    team: Team, robot: RobotServer
) -> None:
    a_channel(team, robot)
    mailbox = BounceMailbox.objects.create(
        team=team, name="退信", address="b@x.example", host="pop", last_error="timed_out"
    )
    alert_watch.watch()
    BounceMailbox.objects.filter(pk=mailbox.pk).update(last_error="")
    alert_watch.watch()
    tell_all()
    assert robot.asked == 0
    assert not AlertTelling.objects.exists()


def test_a_channel_hears_only_what_it_wants_and_of_its_own_team(
    team: Team, robot: RobotServer
) -> None:
    a_channel(team, robot, events=["dns"])
    a_channel(cast.a_team("别家"), robot)
    a_channel(team, robot, name="停用", enabled=False)
    login_refused(team)
    alert_watch.watch()
    tell_all()
    assert robot.asked == 0


def test_many_alerts_go_as_one_message_and_robots_get_their_pause(
    team: Team, robot: RobotServer
) -> None:
    channel = a_channel(team, robot)
    for number in range(10):
        login_refused(team, name=f"账号{number}")
    alert_watch.watch()
    alert_tell.tell(channel.pk)
    alert_tell.tell(channel.pk)  # within the pause
    assert len(robot.told) == 1
    assert alert_tell.waiting() == []
    tell_all()
    tell_all()
    assert 2 <= len(robot.told) <= 3
    assert sum(text.count("出事了") for text in robot.told) == 10
    assert all(not text.endswith("…") for text in robot.told)


def test_a_failure_is_tried_again_with_growing_pauses_and_then_given_up(
    team: Team, robot: RobotServer
) -> None:
    robot.answer = (200, b'{"errcode": 45009, "errmsg": "api freq out of limit"}')
    a_channel(team, robot)
    login_refused(team)
    alert_watch.watch()
    waits = []
    for _ in range(10):
        AlertTelling.objects.update(due_at=timezone.now())
        before = timezone.now()
        tell_all()
        row = AlertTelling.objects.get()
        waits.append(round((row.due_at - before) / timedelta(minutes=1)))
        if row.state != "waiting":
            break
    assert waits[:5] == [1, 5, 15, 60, 240]
    assert (robot.asked, row.state, row.result, row.answer) == (6, "failed", "robot_busy", 45009)


def test_a_wrong_key_is_not_tried_again(team: Team) -> None:
    with RobotServer("dingtalk", "SEC1") as robot:
        a_channel(team, robot, secret="SEC2")
        login_refused(team)
        alert_watch.watch()
        tell_all()
    row = AlertTelling.objects.get()
    assert (row.state, row.result, row.answer) == ("failed", "robot_signature", 310000)


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"internal_allowed": False}, "address_forbidden"),
        ({"ca_pem": ""}, "certificate_untrusted"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "address_forbidden"),
        ({"url": "https://nowhere.invalid/send"}, "unresolved"),
    ],
)
def test_it_goes_nowhere_else(
    team: Team, robot: RobotServer, fields: dict[str, Any], result: str
) -> None:
    alerts.ask_for_test(a_channel(team, robot, **fields))
    tell_all()
    row = AlertTelling.objects.get()
    assert (row.state, row.result, robot.asked) == ("failed", result, 0)


def test_a_robot_that_drips_is_left(
    team: Team, robot: RobotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot.delay = 0.5
    monkeypatch.setattr(alert_tell, "SECONDS", 0.2)
    alerts.ask_for_test(a_channel(team, robot))
    tell_all()
    assert AlertTelling.objects.get().result == "timed_out"


def test_a_test_is_told_at_once_and_asked_for_once(team: Team, robot: RobotServer) -> None:
    channel = a_channel(team, robot)
    assert alerts.ask_for_test(channel) == alerts.ask_for_test(channel)
    tell_all()
    assert AlertTelling.objects.get().state == "sent"
    assert "测试" in robot.told[0]


def test_the_token_is_in_no_row_and_no_log(
    team: Team, robot: RobotServer, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = a_channel(team, robot)
    alerts.ask_for_test(channel)
    monkeypatch.setattr(alert_tell, "robot_post", _broken)
    tell_all()
    monkeypatch.undo()
    robot.answer = (500, TOKEN.encode())
    tell_all()
    assert TOKEN not in caplog.text
    with connection.cursor() as cursor:
        for table in ("campaigns_alertchannel", "campaigns_alerttelling", "campaigns_alert"):
            cursor.execute(f"SELECT * FROM {table}")
            assert TOKEN not in str(cursor.fetchall())


def _broken(*args: Any, **_rest: Any) -> Any:
    raise RuntimeError(f"quotes {args}")


def test_two_workers_do_not_tell_the_same(team: Team, robot: RobotServer) -> None:
    channel = a_channel(team, robot)
    alerts.ask_for_test(channel)
    AlertChannel.objects.update(busy_until=timezone.now() + timedelta(minutes=1))
    alert_tell.tell(channel.pk)
    assert robot.asked == 0


# By mail -----------------------------------------------------------------------------------------


def a_mail_channel(relay: Relay, **fields: Any) -> AlertChannel:
    given = {
        "name": "邮件",
        "kind": "email",
        "relay": relay,
        "addresses": ["admin@corp.example.com", "b@corp.example.com"],
        "events": EVERYTHING,
    }
    return AlertChannel.objects.create(team=relay.team, **(given | fields))


def test_a_second_relay_carries_it(team: Team, server: ScriptedRelay) -> None:
    cast.a_key(team)
    a_mail_channel(cast.a_relay(team, server.port, name="备用"))
    login_refused(team, name="网易")
    alert_watch.watch()
    tell_all()
    assert [message.rcpt_to for message in server.accepted] == [
        ("admin@corp.example.com",),
        ("b@corp.example.com",),
    ]
    assert b"DKIM-Signature" in server.accepted[0].content
    assert AlertTelling.objects.get().state == "sent"


def test_an_alert_about_a_relay_does_not_go_through_it(team: Team, server: ScriptedRelay) -> None:
    relay = cast.a_relay(team, server.port)
    a_mail_channel(relay)
    stopped(relay, 120)
    readers = cast.a_list(team, ["a@example.com"])
    letter = {"template": cast.a_template(team, "newsletter"), "contact_list": readers}
    cast.a_campaign(relay, **letter, state="running")
    alert_watch.watch()
    later(1)
    alert_watch.watch()
    tell_all()
    kinds_told = set(AlertTelling.objects.values_list("alert__kind", "state", "result"))
    assert kinds_told == {
        ("relay_parked", "skipped", "same_relay"),
        ("no_relay", "skipped", "same_relay"),
    }
    assert server.accepted == []


def test_a_mail_that_is_refused_is_a_failure_in_words(team: Team, server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Say("554 no")))
    alerts.ask_for_test(a_mail_channel(cast.a_relay(team, server.port)))
    tell_all()
    assert AlertTelling.objects.get().result == "mail_refused"
