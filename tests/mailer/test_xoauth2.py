"""XOAUTH2 to a relay and to a maildrop: the exact response, and what a refusal says."""

from __future__ import annotations

import base64

import pytest

from campaigns.mailer import xoauth2
from campaigns.mailer.pop3 import Maildrop
from campaigns.mailer.pop3_errors import MaildropFailure, Problem
from campaigns.mailer.pop3_settings import Pop3Settings, PopTls
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp_errors import RelayFailure
from tests.fakes.scripted_pop3 import ScriptedPop3
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.mailer.relay_client import connect

USER = "news@corp.example.com"
# Short ones fit into the command; Microsoft's are some two thousand characters.
TOKENS = ["ya29.short", "eyJ0" + "x" * 2000]


def relay(token: str, mechanisms: str = "PLAIN XOAUTH2") -> ScriptedRelay:
    return ScriptedRelay(RelayOptions(tokens={USER: token}, mechanisms=mechanisms))


def test_the_response_is_what_google_publishes() -> None:
    said = base64.b64decode(xoauth2.response("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3"))
    assert said == b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3\x01\x01"


@pytest.mark.parametrize("token", TOKENS, ids=["short", "long"])
def test_a_token_logs_in(token: str) -> None:
    with relay(token) as server:
        connect(server.port, username=USER, access_token=token).quit()
        longest = max(len(line) for line in server.commands() if line.startswith("AUTH"))
    assert longest <= 510


@pytest.mark.parametrize("token", TOKENS, ids=["short", "long"])
def test_a_refused_token_is_told_with_the_servers_reason_and_without_the_token(token: str) -> None:
    with relay("another") as server, pytest.raises(RelayFailure) as caught:
        connect(server.port, username=USER, access_token=token)
    assert caught.value.kind is Reason.AUTH_REFUSED
    assert caught.value.reply is not None
    assert caught.value.reply.code == 535
    assert "401" in caught.value.reply.text
    assert token not in str(caught.value)
    assert server.commands()[-1] == ""  # the empty answer that the challenge asks for


def test_no_password_is_tried_where_the_server_has_no_xoauth2() -> None:
    with relay("t", "PLAIN LOGIN") as server, pytest.raises(RelayFailure) as caught:
        connect(server.port, username=USER, password="secret", access_token="t")
    assert caught.value.kind is Reason.AUTH_UNAVAILABLE
    assert not any(line.startswith("AUTH") for line in server.commands())


@pytest.mark.parametrize(
    "challenge", [b"", b"!!!", base64.b64encode(b"[1]"), base64.b64encode(b"{" * 5000)]
)
def test_a_challenge_that_says_nothing_is_no_error(challenge: bytes) -> None:
    assert xoauth2.complaint(challenge) == ""


def maildrop(server: ScriptedPop3, token: str) -> Maildrop:
    settings = Pop3Settings(
        "localhost",
        server.port,
        PopTls.NONE,
        USER,
        password="",
        access_token=token,
        allow_private=True,
    )
    return Maildrop.open(settings, resolver=lambda _host, _port: ["127.0.0.1"])


@pytest.mark.parametrize("token", TOKENS, ids=["short", "long"])
def test_a_token_opens_a_maildrop(token: str) -> None:
    good = xoauth2.response(USER, token)
    with ScriptedPop3([b"x"], answers={"AUTH": b"+ \r\n", good.upper(): b"+OK in\r\n"}) as server:
        with maildrop(server, token) as drop:
            assert len(drop.list()) == 1
        assert server.log[1:3] == ["AUTH XOAUTH2", good]


def test_a_maildrop_that_refuses_a_token_says_why() -> None:
    error = base64.b64encode(b'{"status":"400"}')
    answers = {
        "AUTH": b"+ \r\n",
        xoauth2.response(USER, "old").upper(): b"+ " + error + b"\r\n",
        "": b"-ERR [AUTH] Username and password not accepted.\r\n",
    }
    with ScriptedPop3([], answers=answers) as server, pytest.raises(MaildropFailure) as caught:
        maildrop(server, "old")
    assert caught.value.kind in (Problem.AUTH_REFUSED, Problem.AUTH_CODE_NEEDED)
    assert "400" in caught.value.reply
