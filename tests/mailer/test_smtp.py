"""The SMTP client's dialogue, against a relay that logs what it took (RFC 5321, RFC 2920)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.mailer.reply import Outcome, Phase, classify
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.reply_rules import RULES
from campaigns.mailer.smtp import Connection, GoAhead
from campaigns.mailer.smtp_content import lines_are_clean, stuffed
from campaigns.mailer.smtp_errors import ContentFailure, EnvelopeRefused, RelayFailure
from tests.fakes.relay_script import Drop, Rule, Say
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.mailer.relay_client import PAYLOAD, connect, to


@pytest.fixture(params=[True, False], ids=["pipelining", "step by step"])
def relay(request: pytest.FixtureRequest) -> Iterator[ScriptedRelay]:
    with ScriptedRelay(RelayOptions(pipelining=request.param)) as running:
        yield running
        assert running.early_commands == 0


@pytest.fixture
def pipelined() -> Iterator[ScriptedRelay]:
    with ScriptedRelay() as running:
        yield running


def send_all(conn: Connection, recipients: list[str]) -> dict[str, Outcome]:
    """As a worker does it: the next envelope behind each dot."""
    outcomes: dict[str, Outcome] = {}
    envelopes = [to(name) for name in recipients]
    waiting = iter([*envelopes[1:], None])
    conn.start(envelopes[0])
    for envelope in envelopes:
        following = next(waiting)
        go = conn.go_ahead()
        if go.ok:
            payload = PAYLOAD + envelope.rcpt_to.encode() + b"\r\n"
            cause, phase = conn.content(payload, then=following), Phase.CONTENT
        else:
            assert go.refused is not None
            phase, cause = go.refused
            if following is not None:
                conn.start(following)
        outcomes[envelope.rcpt_to] = classify(phase, cause, RULES).outcome
    return outcomes


def test_it_sends_one_message(relay: ScriptedRelay) -> None:
    with connect(relay.port) as conn:
        conn.start(to("li@example.cn"))
        assert conn.go_ahead() == GoAhead(ok=True)
        assert conn.content(PAYLOAD).code == 250
    (message,) = relay.accepted
    assert (message.mail_from, message.rcpt_to) == ("hr@example.cn", ("li@example.cn",))
    assert message.content == PAYLOAD
    assert relay.commands()[-1] == "QUIT"


def test_each_recipient_gets_the_own_message_over_one_connection(relay: ScriptedRelay) -> None:
    names = [f"p{number}@example.cn" for number in range(50)]
    with connect(relay.port) as conn:
        outcomes = send_all(conn, names)
    assert set(outcomes.values()) == {Outcome.ACCEPTED}
    assert relay.connections == 1
    assert [message.rcpt_to[0] for message in relay.accepted] == names
    for message in relay.accepted:
        assert message.content == PAYLOAD + message.rcpt_to[0].encode() + b"\r\n"


def test_f8_one_refused_one_deferred_the_rest_sent(relay: ScriptedRelay) -> None:
    relay.script.add(Rule("rcpt", Say("550 5.1.1 no such user"), "gone@*"))
    relay.script.add(Rule("rcpt", Say("451 4.7.1 greylisted"), "later@*"))
    relay.script.add(Rule("dot", Say("554 5.7.1 no thanks"), "picky@*"))
    relay.script.add(Rule("data", Say("451 4.3.0 not now"), "data@*"))
    relay.script.add(Rule("mail", Say("451 4.3.0 not now"), "*", skip=7))
    names = "a gone b later picky c data d e"
    with connect(relay.port) as conn:
        outcomes = send_all(conn, [f"{name}@example.cn" for name in names.split()])
    assert {name.split("@")[0]: outcome.value for name, outcome in outcomes.items()} == {
        "a": "accepted",
        "gone": "refused",
        "b": "accepted",
        "later": "deferred",
        "picky": "refused",
        "c": "accepted",
        "data": "deferred",
        "d": "deferred",
        "e": "deferred",
    }
    assert [message.rcpt_to[0][0] for message in relay.accepted] == ["a", "b", "c"]
    assert relay.connections == 1


def test_a_round_trip_carries_a_whole_message() -> None:
    with ScriptedRelay(RelayOptions(round_trip=0.03)) as relay, connect(relay.port) as conn:
        started = time.monotonic()
        send_all(conn, [f"p{number}@example.cn" for number in range(10)])
        assert (
            time.monotonic() - started < 0.03 * 14
        )  # 11 and some air; step by step it would be 40
    assert len(relay.accepted) == 10


def test_the_next_envelope_leaves_with_the_dot(pipelined: ScriptedRelay) -> None:
    with connect(pipelined.port) as conn:
        conn.start(to("a@example.cn"))
        assert conn.go_ahead().ok
        conn.content(PAYLOAD, then=to("b@example.cn"))
        deadline = time.monotonic() + 2
        while pipelined.commands()[-1] != "DATA" and time.monotonic() < deadline:
            time.sleep(0.005)
        assert pipelined.commands()[-2:] == ["RCPT TO:<b@example.cn>", "DATA"]
        conn.abandon()


def test_a_bare_dot_ends_data_only_where_every_recipient_was_refused() -> None:
    refuse = Rule("rcpt", Say("550 5.1.1 no such user"), "gone@*")
    with (
        ScriptedRelay(RelayOptions(grant_data_always=True), [refuse]) as relay,
        connect(relay.port) as conn,
    ):
        outcomes = send_all(conn, ["gone@example.cn", "a@example.cn"])
    assert list(outcomes.values()) == [Outcome.REFUSED, Outcome.ACCEPTED]
    assert relay.empty_contents == 1
    assert len(relay.accepted) == 1
    assert "RSET" not in relay.commands()


def test_abandon_after_a_go_ahead_delivers_nothing(relay: ScriptedRelay) -> None:
    conn = connect(relay.port)
    conn.start(to("a@example.cn"))
    assert conn.go_ahead().ok
    conn.abandon()
    assert not conn.is_open
    conn.quit()
    relay.stop()
    assert relay.accepted == []
    assert relay.empty_contents == 0


@pytest.mark.parametrize("going", [True, False])
def test_quit_in_the_middle_of_an_envelope_delivers_nothing(
    relay: ScriptedRelay, going: bool
) -> None:
    with connect(relay.port) as conn:
        conn.start(to("a@example.cn"))
        if going:
            conn.go_ahead()
    relay.stop()
    assert relay.accepted == []
    assert "QUIT" not in relay.commands()


def test_dots_and_a_missing_line_end_arrive_as_they_were(relay: ScriptedRelay) -> None:
    payload = b".\r\n..\r\n.a\r\n\r\n.\r\nend"
    with connect(relay.port) as conn:
        for _ in range(2):
            conn.start(to("a@example.cn"))
            conn.go_ahead()
            conn.content(payload)
    assert [message.content for message in relay.accepted] == [payload + b"\r\n"] * 2


@pytest.mark.parametrize(
    "bad", [b"a\n.\nb\r\n", b"a\r.\rb\r\n", b"a\r\n.\rMAIL\r\n", b"x\n", b"\r"]
)
def test_it_rejects_lone_cr_and_lf_before_a_byte_leaves(relay: ScriptedRelay, bad: bytes) -> None:
    conn = connect(relay.port)
    conn.start(to("a@example.cn"))
    conn.go_ahead()
    with pytest.raises(ContentFailure) as caught:
        conn.content(bad)
    assert (caught.value.kind, caught.value.in_doubt) == (Reason.MALFORMED, False)
    assert not conn.is_open
    relay.stop()
    assert relay.accepted == []


@settings(max_examples=200)
@given(st.lists(st.sampled_from([b"\r\n", b".", b"a", b"\r", b"\n"]), max_size=12).map(b"".join))
def test_no_stuffed_payload_holds_an_end_of_data(payload: bytes) -> None:
    if lines_are_clean(payload):
        body = stuffed(payload)
        assert b"\r\n.\r\n" not in b"\r\n" + body
        plain = (b"\r\n" + body).replace(b"\r\n..", b"\r\n.")[2:]
        assert plain.removesuffix(b"\r\n") == payload.removesuffix(b"\r\n")
    else:
        assert payload.replace(b"\r\n", b"").strip(b"a.")


def test_a_message_of_20_mb_goes_while_the_server_talks_back(pipelined: ScriptedRelay) -> None:
    chatter = b"".join(b"250-%d\r\n" % number for number in range(2000)) + b"250 ok\r\n"
    pipelined.script.add(Rule("content", Say(b""), after=1000))
    pipelined.script.add(Rule("dot", Say(chatter)))
    payload = (b"x" * 998 + b"\r\n") * 20_000
    with connect(pipelined.port) as conn:
        conn.start(to("a@example.cn"))
        conn.go_ahead()
        assert conn.content(payload, then=to("b@example.cn")).code == 250
        assert conn.go_ahead().ok
        conn.abandon()
    assert pipelined.accepted[0].content == payload


# --- what starting the next one meets is told at its own go_ahead


def test_a_next_envelope_that_cannot_go_does_not_spoil_this_reply(relay: ScriptedRelay) -> None:
    with connect(relay.port) as conn:
        conn.start(to("a@example.cn"))
        conn.go_ahead()
        assert conn.content(PAYLOAD, then=to("b@exa mple.cn")).code == 250
        with pytest.raises(EnvelopeRefused) as caught:
            conn.go_ahead()
        assert caught.value.reason is Reason.MALFORMED
        assert send_all(conn, ["c@example.cn"]) == {"c@example.cn": Outcome.ACCEPTED}


def test_421_as_final_reply_closes_and_spares_the_next(relay: ScriptedRelay) -> None:
    relay.script.add(Rule("dot", Say("421 4.3.2 shutting down")))
    conn = connect(relay.port)
    conn.start(to("a@example.cn"))
    conn.go_ahead()
    assert conn.content(PAYLOAD, then=to("b@example.cn")).code == 421
    assert not conn.is_open
    with pytest.raises(RelayFailure) as caught:
        conn.go_ahead()
    verdict = classify(caught.value.phase, caught.value.cause, RULES)
    assert verdict.outcome is Outcome.DEFERRED
    assert not verdict.counts_as_attempt


def test_f6_421_between_mails_burns_nobody(relay: ScriptedRelay) -> None:
    relay.script.add(Rule("mail", Say("421 4.4.2 too many messages"), skip=1))
    conn = connect(relay.port)
    conn.start(to("a@example.cn"))
    conn.go_ahead()
    assert conn.content(PAYLOAD, then=to("b@example.cn")).code == 250
    go = conn.go_ahead()
    assert go.refused is not None
    assert not classify(*go.refused, RULES).counts_as_attempt
    assert not conn.is_open
    assert len(relay.accepted) == 1


def test_a_link_lost_between_mails_does_not_touch_the_last_ones_outcome(
    relay: ScriptedRelay,
) -> None:
    relay.script.add(Rule("mail", Drop(), skip=1))
    conn = connect(relay.port)
    conn.start(to("a@example.cn"))
    conn.go_ahead()
    assert conn.content(PAYLOAD, then=to("b@example.cn")).code == 250
    with pytest.raises(RelayFailure) as caught:
        conn.go_ahead()
    assert (caught.value.phase, caught.value.kind) == (Phase.MAIL, Reason.LOST)


def test_a_refusal_is_kept_although_the_link_breaks_right_after(pipelined: ScriptedRelay) -> None:
    pipelined.options = RelayOptions(grant_data_always=True)
    pipelined.script.add(Rule("rcpt", Say("550 5.1.1 no such user")))
    pipelined.script.add(Rule("data", Drop()))
    conn = connect(pipelined.port)
    conn.start(to("gone@example.cn"))
    go = conn.go_ahead()
    assert go.refused is not None
    assert go.refused[1].code == 550
    assert not conn.is_open


def test_calls_out_of_order_are_bugs_and_send_nothing(relay: ScriptedRelay) -> None:
    with connect(relay.port) as conn:
        with pytest.raises(RuntimeError):
            conn.go_ahead()
        with pytest.raises(RuntimeError):
            conn.content(PAYLOAD)
        conn.start(to("a@example.cn"))
        with pytest.raises(RuntimeError):
            conn.start(to("b@example.cn"))
        conn.abandon()
        with pytest.raises(RuntimeError):
            conn.start(to("c@example.cn"))


def test_a_server_that_answers_before_it_has_the_message_is_not_believed(
    pipelined: ScriptedRelay,
) -> None:
    pipelined.script.add(Rule("data", Say(b"354 go\r\n250 2.0.0 accepted already\r\n")))
    conn = connect(pipelined.port)
    conn.start(to("a@example.cn"))
    assert conn.go_ahead().ok
    time.sleep(0.02)
    with pytest.raises(ContentFailure) as caught:
        conn.content(PAYLOAD)
    assert (caught.value.kind, caught.value.in_doubt) == (Reason.PROTOCOL, False)
