"""Encryption of the maildrop's session (RFC 2595, 8314), and where it may lead to."""

from __future__ import annotations

import pytest

from campaigns.mailer.pop3 import Maildrop
from campaigns.mailer.pop3_errors import MaildropFailure, Phase, Problem
from campaigns.mailer.pop3_settings import PopTls
from tests.fakes.certificates import issue
from tests.fakes.scripted_pop3 import ScriptedPop3
from tests.mailer.pop3_client import PASSWORD, open_on, refusal_of, settings

MAIL = b"Subject: a\r\n\r\nb\r\n"


def test_it_speaks_tls_from_the_start_with_a_ca_of_its_own() -> None:
    issued = issue("localhost")
    with ScriptedPop3((MAIL,), tls=issued.server_context(), implicit=True) as server:
        maildrop = open_on(server, tls=PopTls.IMPLICIT, ca_pem=issued.ca_pem)
        assert maildrop.list()[0][1] == "uid1"
        maildrop.quit()


def test_it_starts_tls_before_the_password() -> None:
    issued = issue("localhost")
    with ScriptedPop3((MAIL,), tls=issued.server_context()) as server:
        open_on(server, tls=PopTls.STLS, ca_pem=issued.ca_pem).quit()
    assert server.log[:3] == ["CAPA", "STLS", "CAPA"]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"host": "other.example"}, Problem.CERTIFICATE_HOST),
        ({"expired": True}, Problem.CERTIFICATE_EXPIRED),
        ({"self_signed": True}, Problem.CERTIFICATE_UNTRUSTED),
    ],
)
def test_it_trusts_no_wrong_certificate(wrong: dict[str, object], problem: Problem) -> None:
    issued = issue(**wrong)  # type: ignore[arg-type]
    with ScriptedPop3((MAIL,), tls=issued.server_context()) as server:
        failure = refusal_of(server, tls=PopTls.STLS, ca_pem=issued.ca_pem)
        assert (failure.phase, failure.kind) == (Phase.STLS, problem)
        assert not [line for line in server.log if line.startswith(("AUTH", "PASS"))]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"-ERR no TLS\r\n", Problem.TLS_MISSING),
        (b"+OK\r\n+OK injected\r\n", Problem.TLS_INJECTION),
        (b"+OK\r\n", Problem.TIMED_OUT),
    ],
)
def test_stls_that_is_stripped_or_poisoned_ends_it_before_the_password(
    answer: bytes, problem: Problem
) -> None:
    with ScriptedPop3((MAIL,), answers={"STLS": answer}) as server:
        failure = refusal_of(server, tls=PopTls.STLS)
    assert failure.kind is problem
    assert server.log[-1] in ("STLS", "CAPA")
    assert not [line for line in server.log if PASSWORD in line]


@pytest.mark.parametrize(
    ("address", "allow_private", "problem"),
    [
        ("127.0.0.1", False, Problem.ADDRESS_FORBIDDEN),
        ("::ffff:127.0.0.1", False, Problem.ADDRESS_FORBIDDEN),
        ("10.0.0.1", False, Problem.ADDRESS_FORBIDDEN),
        ("169.254.169.254", True, Problem.ADDRESS_FORBIDDEN),
        ("10.0.0.1", True, Problem.PLAIN_TEXT_FORBIDDEN),
        ("93.184.216.34", False, Problem.PLAIN_TEXT_FORBIDDEN),
    ],
)
def test_it_connects_nowhere_it_may_not(
    address: str, allow_private: bool, problem: Problem
) -> None:
    def refuse_to_connect(*_: object) -> None:
        raise AssertionError("it connected")

    with pytest.raises(MaildropFailure) as caught:
        Maildrop.open(
            settings(995, allow_private=allow_private),
            resolver=lambda host, port: [address],
            connector=refuse_to_connect,  # type: ignore[arg-type]
        )
    assert caught.value.kind is problem


def test_a_name_that_leads_nowhere_says_so() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(MaildropFailure) as caught:
        Maildrop.open(settings(995), resolver=unknown)
    assert caught.value.kind is Problem.UNRESOLVED
