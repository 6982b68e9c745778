"""Connections to a destination's exchanges: which one is asked next, and what encryption is worth."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from campaigns.mailer.direct import DirectSettings, Exchanges, leaving_from, of_domain
from campaigns.mailer.mx import Destination, Exchange
from campaigns.mailer.reply import Outcome, Phase, Scope, Verdict
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp_errors import RelayFailure
from campaigns.mailer.smtp_session import connect_tcp
from campaigns.mailer.smtp_settings import TlsMode
from tests.fakes.certificates import issue
from tests.fakes.relay_script import Drop, Rule, Say
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.mailer.relay_client import PAYLOAD, QUICK, to

NAME = "mail.corp.example.com"
# Addresses of this machine that stand for two exchanges; the connector sends each to its own port.
FIRST, SECOND = "127.0.0.2", "127.0.0.3"


class Town:
    """Two exchanges on one machine, told apart by their addresses."""

    def __init__(self, *relays: ScriptedRelay) -> None:
        self.ports = {
            address: relay.port for address, relay in zip((FIRST, SECOND), relays, strict=False)
        }
        self.asked: list[str] = []

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        self.asked.append(address)
        return connect_tcp("127.0.0.1", self.ports[address], seconds)


def exchanges(town: Town, **changes: Any) -> Exchanges:
    settings = DirectSettings(NAME, allow_private=True, timeouts=QUICK, **changes)
    both = (Exchange("localhost", (FIRST,)), Exchange("b.there.cn", (SECOND,)))
    return Exchanges(
        Destination("there.cn", both[: len(town.ports)]), settings, connector=town.connect
    )


@contextmanager
def server(*rules: Rule, **options: Any) -> Iterator[ScriptedRelay]:
    with ScriptedRelay(RelayOptions(**options), rules) as relay:
        yield relay


@pytest.mark.parametrize(
    "rule",
    [
        Rule("banner", Say("421 4.3.2 busy")),
        Rule("banner", Say("554 5.7.1 not you")),
        Rule("banner", Drop()),
        Rule("ehlo", Say("450 4.7.1 later")),
    ],
    ids=["busy", "unwanted", "gone", "no EHLO"],
)
def test_the_next_exchange_is_asked_where_the_first_one_does_not_talk(rule: Rule) -> None:
    with server(rule) as first, server() as second:
        found = exchanges(Town(first, second))
        with found.open() as line:
            line.start(to("a@there.cn"))
            assert line.go_ahead().ok
            assert line.content(PAYLOAD).code == 250
    assert (len(first.accepted), len(second.accepted)) == (0, 1)


def test_an_exchange_that_talked_badly_is_not_asked_again_in_this_batch() -> None:
    with server(Rule("banner", Say("421 4.3.2 busy"))) as first, server() as second:
        town = Town(first, second)
        found = exchanges(town)
        found.open().quit()
        found.open().quit()
    assert town.asked == [FIRST, SECOND, SECOND]


def test_where_nobody_talks_the_last_ones_words_are_kept() -> None:
    with (
        server(Rule("banner", Drop())) as first,
        server(Rule("banner", Say("554 no"))) as second,
        pytest.raises(RelayFailure) as caught,
    ):
        exchanges(Town(first, second)).open()
    assert caught.value.reply is not None
    assert caught.value.reply.code == 554


def test_it_says_its_own_name() -> None:
    with server() as relay:
        exchanges(Town(relay)).open().quit()
    assert relay.commands()[0] == f"EHLO {NAME}"


def test_a_certificate_of_somebody_else_is_better_than_plain_text() -> None:
    stranger = issue("other.test")
    with server(tls="starttls", issued=stranger) as relay:
        exchanges(Town(relay)).open().quit()
    assert "STARTTLS" in relay.commands()
    assert relay.connections == 1


@pytest.mark.parametrize("answer", [Say("454 4.7.0 not now"), Drop()], ids=["refused", "broken"])
def test_encryption_that_fails_is_given_up_once(answer: Say | Drop) -> None:
    with server(Rule("starttls", answer), tls="starttls") as relay:
        exchanges(Town(relay)).open().quit()
    assert relay.connections == 2
    assert relay.commands().count("STARTTLS") == 1


@pytest.mark.parametrize("tls", ["stripped", "starttls"])
def test_required_encryption_never_falls_back(tls: str) -> None:
    with (
        server(tls=tls, issued=issue("other.test")) as relay,
        pytest.raises(RelayFailure) as caught,
    ):
        exchanges(Town(relay), tls=TlsMode.STARTTLS).open()
    assert relay.connections == 1
    assert caught.value.phase is Phase.STARTTLS


def test_required_encryption_is_verified_by_the_exchanges_name() -> None:
    issued = issue()
    with server(tls="starttls", issued=issued) as relay:
        found = exchanges(Town(relay), tls=TlsMode.STARTTLS, ca_pem=issued.ca_pem)
        found.open().quit()
    assert relay.commands().count("STARTTLS") == 1


def test_mail_leaves_from_the_address_that_was_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with leaving_from("127.0.0.9")("127.0.0.1", port, 2):
            _sock, peer = listener.accept()
            _sock.close()
    assert peer[0] == "127.0.0.9"


@pytest.mark.parametrize(
    "wrong", [{"ehlo_name": "localhost"}, {"ehlo_name": "a b.cn"}, {"tls": TlsMode.NONE}]
)
def test_settings_that_would_be_refused_everywhere_are_refused_here(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"ehlo_name|direct"):
        DirectSettings(**({"ehlo_name": NAME} | wrong))


def test_what_an_exchange_says_of_us_stops_its_domain_and_not_the_relay() -> None:
    blocked = Verdict(Outcome.DEFERRED, Scope.RELAY, Reason.ADDRESS_BLOCKED, timedelta(hours=1))
    assert of_domain(blocked).scope is Scope.DOMAIN
    assert of_domain(blocked).park_for == timedelta(hours=1)
    doubt = Verdict(Outcome.IN_DOUBT, Scope.CONNECTION, Reason.LOST)
    assert of_domain(doubt) == doubt
