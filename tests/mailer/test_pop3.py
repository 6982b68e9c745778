"""The POP3 client against servers that stall, drop, lie and refuse, and the texts of real houses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.pop3 import Maildrop
from campaigns.mailer.pop3_errors import MaildropFailure, Phase, Problem, login_problem
from tests.fakes.scripted_pop3 import (
    Answer,
    Drop,
    ScriptedPop3,
    Stall,
    Trickle,
    plain_response,
    stuffed,
)
from tests.mailer.pop3_client import PASSWORD, failure_of, only_v4, open_on, refusal_of, settings

MAIL = b"Subject: a\r\n\r\n.one\r\n..two\r\n.\r\nthree\r\n"


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedPop3]]:
    """Starts scripted servers and stops them at the end."""
    servers: list[ScriptedPop3] = []

    def start(messages: tuple[bytes, ...] = (MAIL,), **answers: Answer) -> ScriptedPop3:
        server = ScriptedPop3(messages, answers=answers).__enter__()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.__exit__(None, None, None)


def test_it_lists_reads_and_undoes_the_dots(serve: Callable[..., ScriptedPop3]) -> None:
    with open_on(serve((MAIL, b"Subject: b\r\n\r\n"))) as maildrop:
        assert maildrop.list() == [(1, "uid1", len(MAIL)), (2, "uid2", 14)]
        assert maildrop.retrieve(1, 10_000) == MAIL
        assert maildrop.top(1, 1) == b"Subject: a\r\n\r\n.one\r\n"


def test_a_message_that_begins_with_a_dot_is_whole(serve: Callable[..., ScriptedPop3]) -> None:
    with open_on(serve((b".\r\n..a\r\n",))) as maildrop:
        assert maildrop.retrieve(1, 100) == b".\r\n..a\r\n"


def test_an_empty_message_and_an_empty_maildrop(serve: Callable[..., ScriptedPop3]) -> None:
    with open_on(serve((b"x\r\n",), RETR=b"+OK\r\n.\r\n")) as maildrop:
        assert maildrop.retrieve(1, 100) == b""
    with open_on(serve(())) as maildrop:
        assert maildrop.list() == []


def test_deletion_takes_effect_at_quit_alone(serve: Callable[..., ScriptedPop3]) -> None:
    server = serve()
    with open_on(server) as maildrop:
        maildrop.list()
        maildrop.delete(1)
    assert list(server.messages) == ["uid1"]
    maildrop = open_on(server)
    maildrop.list()
    maildrop.delete(1)
    maildrop.quit()
    for _ in range(50):
        if not server.messages:
            break
        time.sleep(0.01)
    assert server.messages == {}


def test_it_logs_in_by_plain_where_offered_and_by_user_and_pass_elsewhere(
    serve: Callable[..., ScriptedPop3],
) -> None:
    server = serve()
    open_on(server).quit()
    assert f"AUTH PLAIN {plain_response('bounces@hongyan.example', PASSWORD)}" in server.log
    old = serve(CAPA=b"-ERR what?\r\n")
    open_on(old).quit()
    assert old.log[1:3] == ["USER bounces@hongyan.example", f"PASS {PASSWORD}"]


def test_a_long_password_goes_after_a_continuation(serve: Callable[..., ScriptedPop3]) -> None:
    server = serve(AUTH=b"+ \r\n")
    password = "p" * 300
    open_on(server, password=password).quit()
    assert server.log[1:3] == ["AUTH PLAIN", plain_response("bounces@hongyan.example", password)]


# --- what houses say


@pytest.mark.parametrize(
    ("reply", "host", "problem"),
    [
        ("-ERR Unable to log on", "pop.163.com", Problem.AUTH_CODE_NEEDED),
        ("-ERR 请使用授权码登录", "pop.example.cn", Problem.AUTH_CODE_NEEDED),
        ("-ERR Please use authorized code to login.", "pop.x.cn", Problem.AUTH_CODE_NEEDED),
        (
            "-ERR Login fail. Account is abnormal, service is not open, password is incorrect,"
            " login frequency limited, or system is busy.",
            "pop.qq.com",
            Problem.AUTH_CODE_NEEDED,
        ),
        ("-ERR 用户无权登陆", "pop.126.com", Problem.POP3_OFF),
        ("-ERR Login frequency limited", "pop.exmail.qq.com", Problem.AUTH_LOCKED),
        ("-ERR [IN-USE] maildrop already locked", "pop.example.com", Problem.IN_USE),
        ("-ERR [LOGIN-DELAY] wait", "pop.example.com", Problem.AUTH_LOCKED),
        ("-ERR [SYS/TEMP] later", "pop.163.com", Problem.TEMPORARY),
        ("-ERR [AUTH] Authentication failed.", "pop.example.com", Problem.AUTH_REFUSED),
    ],
)
def test_it_says_why_a_login_was_refused(reply: str, host: str, problem: Problem) -> None:
    assert login_problem(reply, host) is problem


def test_a_refused_login_has_its_sentence_and_never_the_password(
    serve: Callable[..., ScriptedPop3],
) -> None:
    text = f"-ERR 用户无权登陆 {PASSWORD}\r\n".encode("gb18030")
    failure = refusal_of(serve(AUTH=text))
    assert (failure.phase, failure.kind) == (Phase.LOGIN, Problem.POP3_OFF)
    assert failure.reply.startswith("用户无权登陆")
    assert "POP3" in failure.sentence_zh
    assert PASSWORD not in str(failure) + repr(failure) + failure.reply
    assert not failure.is_open


def test_every_problem_has_a_sentence() -> None:
    for problem in Problem:
        assert MaildropFailure(Phase.LOGIN, problem).sentence_zh


def test_the_password_is_in_no_repr() -> None:
    assert PASSWORD not in repr(settings(995))


@pytest.mark.parametrize("field", ["host", "username", "password"])
@pytest.mark.parametrize("bad", ["", "a\r\nDELE 1", "a\0"])
def test_it_rejects_what_could_change_the_dialogue(field: str, bad: str) -> None:
    with pytest.raises(ValueError, match=field):
        settings(995, **{field: bad})


# --- servers that misbehave


def test_a_server_without_uidl_is_refused_clearly(serve: Callable[..., ScriptedPop3]) -> None:
    failure = failure_of(serve(UIDL=b"-ERR unknown\r\n"), lambda m: m.list())
    assert (failure.phase, failure.kind) == (Phase.LIST, Problem.UIDL_MISSING)


@pytest.mark.parametrize(
    ("command", "answer", "problem"),
    [
        ("GREETING", Stall(), Problem.TIMED_OUT),
        ("GREETING", Drop(), Problem.LOST),
        ("GREETING", b"220 smtp.example ESMTP\r\n", Problem.PROTOCOL),
        ("GREETING", b"x" * 20_000, Problem.FLOODED),
        ("GREETING", Trickle(b"+"), Problem.TIMED_OUT),
        ("CAPA", Stall(b"+OK\r\nUSER\r\n"), Problem.TIMED_OUT),
        ("AUTH", Stall(), Problem.TIMED_OUT),
        ("AUTH", Drop(b"+"), Problem.LOST),
    ],
)
def test_no_server_can_hold_the_opening_up(
    serve: Callable[..., ScriptedPop3], command: str, answer: Answer, problem: Problem
) -> None:
    started = time.monotonic()
    failure = refusal_of(serve(**{command: answer}))
    assert failure.kind is problem
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Stall(b"+OK\r\nSubject: a\r\n"), Problem.TIMED_OUT),
        (Drop(b"+OK\r\nSubject: a\r\n"), Problem.LOST),
        (Drop(b"+OK\r\n" + b"x" * 300_000), Problem.FLOODED),
        (b"+OK\r\n" + b"y" * 300_000, Problem.FLOODED),
    ],
)
def test_no_server_can_hold_a_message_up(
    serve: Callable[..., ScriptedPop3], answer: Answer, problem: Problem
) -> None:
    failure = failure_of(serve(RETR=answer), lambda m: m.retrieve(1, 100_000))
    assert (failure.phase, failure.kind) == (Phase.RETRIEVE, problem)
    assert not failure.is_open


def test_the_whole_session_has_an_end(serve: Callable[..., ScriptedPop3]) -> None:
    now = [0.0]
    server = serve()
    maildrop = Maildrop.open(settings(server.port), resolver=only_v4, clock=lambda: now[0])
    now[0] = 6.0
    with pytest.raises(MaildropFailure) as caught:
        maildrop.list()
    assert caught.value.kind is Problem.TIMED_OUT


def test_one_bad_message_leaves_the_others_readable(serve: Callable[..., ScriptedPop3]) -> None:
    server = serve((MAIL, MAIL), TOP=b"-ERR no TOP here\r\n")
    with open_on(server) as maildrop:
        with pytest.raises(MaildropFailure) as caught:
            maildrop.top(1, 5)
        assert caught.value.is_open
        assert maildrop.retrieve(2, 1000) == MAIL


def test_a_message_announced_too_big_is_not_fetched(serve: Callable[..., ScriptedPop3]) -> None:
    server = serve((b"Subject: a\r\n\r\n" + b"x" * 9_000 + b"\r\n",))
    with open_on(server) as maildrop:
        maildrop.list()
        with pytest.raises(MaildropFailure) as caught:
            maildrop.retrieve(1, 1_000)
        assert (caught.value.kind, caught.value.is_open) == (Problem.TOO_BIG, True)
        assert maildrop.top(1, 0).startswith(b"Subject: a")
    assert not [line for line in server.log if line.startswith("RETR")]


def test_octets_that_nobody_asked_for_end_the_session(serve: Callable[..., ScriptedPop3]) -> None:
    def two_answers(maildrop: Maildrop) -> None:
        maildrop.delete(1)
        maildrop.retrieve(1, 1000)

    failure = failure_of(serve(DELE=b"+OK\r\n+OK\r\nforged\r\n.\r\n"), two_answers)
    assert failure.kind is Problem.PROTOCOL


def test_a_drop_at_quit_is_a_failure_and_deletes_nothing_for_certain(
    serve: Callable[..., ScriptedPop3],
) -> None:
    server = serve(QUIT=Drop())
    maildrop = open_on(server)
    maildrop.delete(1)
    with pytest.raises(MaildropFailure) as caught:
        maildrop.quit()
    assert (caught.value.phase, caught.value.kind) == (Phase.QUIT, Problem.LOST)
    assert list(server.messages) == ["uid1"]


@pytest.mark.parametrize(
    "listing", [b"+OK\r\n1 10\r\n2 20\r\n.\r\n", b"+OK\r\nx y\r\n1\r\n1 a\r\n.\r\n"]
)
def test_a_listing_that_disagrees_with_its_uidl_is_refused_or_tolerated(
    serve: Callable[..., ScriptedPop3], listing: bytes
) -> None:
    server = serve(LIST=listing)
    with open_on(server) as maildrop:
        if b"2 20" in listing:
            with pytest.raises(MaildropFailure) as caught:
                maildrop.list()
            assert caught.value.kind is Problem.PROTOCOL
        else:
            assert maildrop.list() == [(1, "uid1", 0)]


@given(st.binary(max_size=400))
def test_any_message_comes_back_as_it_was(body: bytes) -> None:
    message = body.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
    wire = _wire_with(stuffed(message))
    assert wire.block(1.0, 10_000) == message


def _wire_with(octets: bytes):  # type: ignore[no-untyped-def]
    """A wire that has received these octets already."""
    import socket

    from campaigns.mailer.pop3_wire import PopWire

    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(octets)
    wire = PopWire(ours, time.monotonic, time.monotonic() + 5)
    wire._receive(time.monotonic() + 1)
    ours.close()
    return wire
