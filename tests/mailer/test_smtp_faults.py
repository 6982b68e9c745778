"""What the client says when a relay stalls, drops, floods or lies (F5, F6, F9, F10, F13)."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from campaigns.mailer.reply import Outcome, Phase, Scope, classify
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.reply_rules import RULES
from campaigns.mailer.retry import next_try
from campaigns.mailer.smtp import Connection
from campaigns.mailer.smtp_errors import ContentFailure, RelayFailure
from campaigns.mailer.smtp_session import Connector
from tests.fakes.relay_script import Action, Drip, Drop, Reset, Rule, Say, Stall
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.mailer.relay_client import PASSWORD, PAYLOAD, QUICK, canned, connect, to

#: The timeout of the phase under test, so that a stall costs a test no more.
BRIEF = 0.15
HELLO = (b"220 x\r\n", b"250-x\r\n250 PIPELINING\r\n")


def through(kind: type[socket.socket]) -> Connector:
    """A connector that uses this kind of socket."""

    def connector(address: str, port: int, seconds: float) -> socket.socket:
        sock = kind(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(seconds)
        sock.connect((address, port))
        return sock

    return connector


@pytest.fixture
def relay() -> Iterator[ScriptedRelay]:
    with ScriptedRelay() as running:
        yield running


def going(relay: ScriptedRelay, **changes: Any) -> Connection:
    conn = connect(relay.port, **changes)
    conn.start(to("li@example.cn"))
    assert conn.go_ahead().ok
    return conn


def fails_in_content(conn: Connection, payload: bytes = PAYLOAD) -> ContentFailure:
    with pytest.raises(ContentFailure) as caught:
        conn.content(payload, then=to("next@example.cn"))
    assert not conn.is_open
    return caught.value


# --- F5: after the dot


@pytest.mark.parametrize("action", [Drop(), Reset(), Say(b"250 o"), Say("hello?"), Say("999 x")])
def test_f5_no_usable_reply_after_the_dot_is_in_doubt(relay: ScriptedRelay, action: Action) -> None:
    relay.script.add(Rule("dot", action, accept=True))
    relay.script.add(Rule("mail", Drop(), skip=1))
    failure = fails_in_content(going(relay))
    assert failure.in_doubt
    assert classify(failure.phase, failure.cause, RULES).outcome is Outcome.IN_DOUBT
    assert len(relay.accepted) == 1


def test_f9_a_stall_after_the_dot_is_in_doubt(relay: ScriptedRelay) -> None:
    relay.script.add(Rule("dot", Stall()))
    failure = fails_in_content(going(relay, timeouts=replace(QUICK, final_dot=BRIEF)))
    assert (failure.kind, failure.in_doubt) == (Reason.TIMED_OUT, True)


def test_the_final_dot_waits_ten_minutes_by_default() -> None:
    assert type(QUICK)().final_dot == 600


# --- before the dot


@pytest.mark.parametrize("action", [Drop(), Reset()])
def test_a_link_lost_in_the_middle_of_a_big_content_is_deferred(
    relay: ScriptedRelay, action: Action
) -> None:
    relay.script.add(Rule("content", action, after=1000))
    failure = fails_in_content(going(relay), (b"x" * 998 + b"\r\n") * 20_000)
    assert not failure.in_doubt
    assert classify(failure.phase, failure.cause, RULES).outcome is Outcome.DEFERRED


def test_a_server_that_stops_reading_times_out_and_is_deferred(relay: ScriptedRelay) -> None:
    relay.script.add(Rule("content", Stall(), after=1000))
    conn = going(relay, timeouts=replace(QUICK, write=BRIEF, min_rate=10**9))
    failure = fails_in_content(conn, (b"x" * 998 + b"\r\n") * 20_000)
    assert (failure.kind, failure.in_doubt) == (Reason.TIMED_OUT, False)


def test_a_refusal_said_before_hanging_up_in_the_content_is_reported() -> None:
    grant = b"250 a\r\n250 b\r\n354 c\r\n"
    big = (b"x" * 998 + b"\r\n") * 20_000

    class Sluggish(socket.socket):
        """Takes a little of the content and then finds the link broken."""

        def send(self, octets: Any, flags: int = 0, /) -> int:
            if len(octets) < 5000:
                return super().send(octets, flags)
            if len(octets) < len(big):
                time.sleep(0.05)
                raise ConnectionResetError
            return super().send(octets[:2000], flags)

    with canned(*HELLO, grant, b"552 5.3.4 too big for us\r\n") as (port, _):
        conn = connect(port, connector=through(Sluggish))
        conn.start(to("li@example.cn"))
        assert conn.go_ahead().ok
        failure = fails_in_content(conn, big)
    assert not failure.in_doubt
    assert failure.reply is not None
    assert classify(failure.phase, failure.cause, RULES).reason is Reason.TOO_BIG


class Cut(socket.socket):
    """The kernel takes `limit` octets of what begins with the payload, then the link is broken."""

    limit = 0
    broken = False

    def send(self, octets: Any, flags: int = 0, /) -> int:
        if self.broken:
            raise ConnectionResetError
        if bytes(octets[: len(PAYLOAD)]) != PAYLOAD:
            return super().send(octets, flags)
        self.broken = True
        return super().send(octets[: self.limit], flags)


@pytest.mark.parametrize("octets_of_the_dot", [-20, 0, 1, 2])
def test_without_the_whole_dot_nothing_is_in_doubt(
    relay: ScriptedRelay, monkeypatch: pytest.MonkeyPatch, octets_of_the_dot: int
) -> None:
    monkeypatch.setattr(Cut, "limit", len(PAYLOAD) + octets_of_the_dot)
    failure = fails_in_content(going(relay, connector=through(Cut)))
    assert (failure.kind, failure.in_doubt) == (Reason.LOST, False)
    relay.stop()
    assert relay.accepted == []


@pytest.mark.parametrize("octets_of_the_next", [0, 1, 9])
def test_a_link_that_breaks_behind_the_dot_still_yields_the_reply(
    relay: ScriptedRelay, monkeypatch: pytest.MonkeyPatch, octets_of_the_next: int
) -> None:
    monkeypatch.setattr(Cut, "limit", len(PAYLOAD) + 3 + octets_of_the_next)
    conn = going(relay, connector=through(Cut))
    assert conn.content(PAYLOAD, then=to("next@example.cn")).code == 250
    with pytest.raises(RelayFailure) as caught:
        conn.go_ahead()
    assert (caught.value.phase, caught.value.kind) == (Phase.MAIL, Reason.LOST)
    assert not conn.is_open
    assert len(relay.accepted) == 1


def test_a_server_that_grants_what_it_refused_gets_no_dot() -> None:
    with canned(*HELLO, b"451 a\r\n250 b\r\n354 c\r\n") as (port, heard):
        conn = connect(port)
        conn.start(to("li@example.cn"))
        go = conn.go_ahead()
    assert go.refused is not None
    assert go.refused[0] is Phase.MAIL
    assert not conn.is_open
    assert heard.endswith(b"DATA\r\n")


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (Drop(), Reason.LOST),
        (Reset(), Reason.LOST),
        (Stall(), Reason.TIMED_OUT),
        (Drip(b"250 slow, oh so slow\r\n", 0.04), Reason.TIMED_OUT),
        (Say("what"), Reason.PROTOCOL),
        (Say("250-one\r\n251 two"), Reason.PROTOCOL),
    ],
)
def test_f6_f9_trouble_before_data_touches_no_recipient(
    relay: ScriptedRelay, phase: str, action: Action, kind: Reason
) -> None:
    relay.script.add(Rule(phase, action))
    brief = replace(QUICK, command=BRIEF, data_go_ahead=BRIEF)
    conn = connect(relay.port, timeouts=brief)
    conn.start(to("li@example.cn"))
    with pytest.raises(RelayFailure) as caught:
        conn.go_ahead()
    assert caught.value.kind is kind
    verdict = classify(caught.value.phase, caught.value.cause, RULES)
    assert verdict.outcome is Outcome.DEFERRED
    assert not verdict.counts_as_attempt
    assert not conn.is_open
    assert relay.accepted == []


def test_f7_a_greylisted_recipient_is_taken_at_the_next_try_and_nobody_else_waits(
    relay: ScriptedRelay,
) -> None:
    relay.script.add(Rule("rcpt", Say("450 4.2.0 Greylisted, see you later"), "li@*", first=1))
    with connect(relay.port) as conn:
        conn.start(to("li@example.cn"))
        first = conn.go_ahead()
        assert first.refused is not None
        verdict = classify(*first.refused, RULES)
        assert (verdict.outcome, verdict.reason) == (Outcome.DEFERRED, Reason.GREYLISTED)
        assert not verdict.permanent_address
        assert next_try(1, verdict, rng=Random(1)) >= timedelta(minutes=5)
        for name in ("wang@example.cn", "li@example.cn"):
            conn.start(to(name))
            assert conn.go_ahead().ok
            assert conn.content(PAYLOAD).code == 250
    assert [message.rcpt_to[0] for message in relay.accepted] == [
        "wang@example.cn",
        "li@example.cn",
    ]


def test_f9_a_stalled_relay_does_not_hold_up_another(relay: ScriptedRelay) -> None:
    relay.script.add(Rule("rcpt", Stall(), "stall@*"))
    stalled = connect(relay.port)
    stalled.start(to("stall@example.cn"))
    with connect(relay.port) as conn:
        conn.start(to("li@example.cn"))
        assert conn.go_ahead().ok
        assert conn.content(PAYLOAD).code == 250
    stalled.abandon()


# --- opening


@pytest.mark.parametrize("phase", [Phase.GREETING, Phase.EHLO])
@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (Drop(), Reason.LOST),
        (Reset(), Reason.LOST),
        (Stall(), Reason.TIMED_OUT),
        (Drip(b"220 scripted.test ESMTP\r\n", 0.04), Reason.TIMED_OUT),
        (Say("421 4.3.2 too many connections"), Reason.RELAY_REFUSED),
        (Say("554 5.3.2 no"), Reason.RELAY_REFUSED),
        (Say("HTTP/1.1 400 Bad Request"), Reason.PROTOCOL),
    ],
)
def test_f6_f9_trouble_at_opening_is_the_relays(
    relay: ScriptedRelay, phase: Phase, action: Action, kind: Reason
) -> None:
    relay.script.add(Rule("banner" if phase is Phase.GREETING else "ehlo", action))
    with pytest.raises(RelayFailure) as caught:
        connect(relay.port, timeouts=replace(QUICK, greeting=BRIEF, command=BRIEF))
    assert (caught.value.phase, caught.value.kind) == (phase, kind)
    assert caught.value.sentence_zh
    assert not classify(phase, caught.value.cause, RULES).counts_as_attempt


def test_the_whole_setup_has_a_limit_of_its_own(relay: ScriptedRelay) -> None:
    relay.script.add(Rule("banner", Drip(b"220 " + b"x" * 100 + b"\r\n", 0.02)))
    started = time.monotonic()
    with pytest.raises(RelayFailure):
        connect(relay.port, timeouts=replace(QUICK, setup=BRIEF))
    assert time.monotonic() - started < 1


def test_a_closed_port_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(RelayFailure) as caught:
        connect(port)
    assert (caught.value.phase, caught.value.kind) == (Phase.CONNECT, Reason.UNREACHABLE)


# --- F10: the login


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "LOGIN PLAIN", "X-OAUTH2 LOGIN"])
def test_it_logs_in_by_plain_or_login(mechanisms: str) -> None:
    options = RelayOptions(accounts={"hr": PASSWORD}, mechanisms=mechanisms)
    with ScriptedRelay(options) as relay:
        conn = going(relay, username="hr", password=PASSWORD)
        assert conn.content(PAYLOAD).code == 250
        conn.quit()


def test_a_very_long_password_follows_a_challenge() -> None:
    long = "p" * 600
    with ScriptedRelay(RelayOptions(accounts={"hr": long})) as relay:
        with connect(relay.port, username="hr", password=long):
            pass
        assert "AUTH PLAIN" in relay.commands()


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("told", ["", "535 5.7.8 bad", "451 too much fail authentication"])
def test_f10_a_refused_login_parks_the_relay_and_shows_no_password(
    mechanisms: str, told: str
) -> None:
    rules = [Rule("auth", Say(told))] if told else []
    options = RelayOptions(accounts={"hr": "other"}, mechanisms=mechanisms)
    with ScriptedRelay(options, rules) as relay, pytest.raises(RelayFailure) as caught:
        connect(relay.port, username="hr", password=PASSWORD)
    assert caught.value.phase is Phase.AUTH
    verdict = classify(Phase.AUTH, caught.value.cause, RULES)
    assert (verdict.outcome, verdict.scope) == (Outcome.DEFERRED, Scope.RELAY)
    assert verdict.park_for
    assert PASSWORD not in repr(caught.value) + str(caught.value.reply)


def test_f10_a_server_that_echoes_the_login_is_redacted() -> None:
    options = RelayOptions(accounts={"hr": "x"}, mechanisms="PLAIN")
    secret = "AGhyAFMzY3JldC3lt6XotYQ="
    for echoed in (f"535 bad line: AUTH PLAIN {secret}", f"535 {PASSWORD}", f"535 {secret[:15]}"):
        with (
            ScriptedRelay(options, [Rule("auth", Say(echoed))]) as relay,
            pytest.raises(RelayFailure) as caught,
        ):
            connect(relay.port, username="hr", password=PASSWORD)
        shown = f"{caught.value} {caught.value.reply!r}"
        assert "***" in shown
        assert secret[:12] not in shown
        assert PASSWORD not in shown


def test_no_known_mechanism_is_said_so() -> None:
    options = RelayOptions(accounts={"hr": "x"}, mechanisms="XOAUTH2")
    with ScriptedRelay(options) as relay, pytest.raises(RelayFailure) as caught:
        connect(relay.port, username="hr", password="x")
    assert caught.value.kind is Reason.AUTH_UNAVAILABLE


# --- F13: hostile replies


@pytest.mark.parametrize(
    "flood",
    [
        b"250-" + b"x" * 500_000 + b"\r\n250 ok\r\n",
        b"250-flood\r\n" * 50_000,
        b"x" * 500_000,
    ],
)
def test_f13_a_flood_ends_the_connection(relay: ScriptedRelay, flood: bytes) -> None:
    relay.script.add(Rule("mail", Say(flood)))
    conn = connect(relay.port)
    conn.start(to("li@example.cn"))
    with pytest.raises(RelayFailure) as caught:
        conn.go_ahead()
    assert caught.value.kind in (Reason.FLOODED, Reason.PROTOCOL)
    assert not conn.is_open


def test_f13_a_long_multiline_gbk_reply_is_kept_short_and_harmless(relay: ScriptedRelay) -> None:
    line = "550-5.1.1 用户不存在 <script>\x1b[2J\u202e".encode("gb18030")
    relay.script.add(Rule("rcpt", Say((line + b"\r\n") * 300 + b"550 5.1.1 end\r\n")))
    with connect(relay.port) as conn:
        conn.start(to("li@example.cn"))
        go = conn.go_ahead()
    assert go.refused is not None
    reply = go.refused[1]
    assert (reply.code, reply.enhanced, len(reply.text)) == (550, "5.1.1", 1000)
    assert reply.text.startswith("用户不存在 <script> [2J")
    assert classify(*go.refused, RULES).permanent_address
