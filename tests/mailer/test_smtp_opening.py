"""What the client makes of a server's first words: HELO where there is no EHLO (RFC 5321 3.2)."""

from __future__ import annotations

import pytest

from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp_envelope import Capabilities
from campaigns.mailer.smtp_errors import EnvelopeRefused, RelayFailure
from campaigns.mailer.smtp_settings import TlsMode
from tests.mailer.relay_client import canned, connect, to

BANNER, OLD, HELLO = b"220 old.test\r\n", b"502 5.5.1 what?\r\n", b"250 old.test\r\n"


def test_a_server_without_ehlo_is_greeted_with_helo_and_offers_nothing() -> None:
    with canned(BANNER, OLD, HELLO, b"221 bye\r\n") as (port, heard):
        line = connect(port, ehlo_name="us.test")
        assert line.capabilities == Capabilities()
        with pytest.raises(EnvelopeRefused) as refused:
            line.start(to("张三@example.cn", smtputf8=True))
        assert refused.value.reason is Reason.NEEDS_SMTPUTF8
        line.quit()
    assert heard == b"EHLO us.test\r\nHELO us.test\r\nQUIT\r\n"


def test_a_server_that_wants_neither_is_left() -> None:
    refusing = canned(BANNER, OLD, b"554 5.7.1 no\r\n")
    with refusing as (port, _heard), pytest.raises(RelayFailure) as caught:
        connect(port)
    assert caught.value.reply is not None
    assert caught.value.reply.code == 554


def test_a_server_that_is_busy_is_not_asked_again() -> None:
    with canned(BANNER, b"421 4.3.2 later\r\n") as (port, heard), pytest.raises(RelayFailure):
        connect(port)
    assert b"HELO" not in heard


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"username": "u", "password": "p"}, Reason.AUTH_UNAVAILABLE),
        ({"tls": TlsMode.STARTTLS}, Reason.TLS_MISSING),
    ],
)
def test_helo_is_no_way_round_a_login_or_encryption(
    changes: dict[str, object], reason: Reason
) -> None:
    with canned(BANNER, OLD, HELLO) as (port, heard), pytest.raises(RelayFailure) as caught:
        connect(port, **changes)
    assert caught.value.kind is reason
    assert b"AUTH" not in heard
