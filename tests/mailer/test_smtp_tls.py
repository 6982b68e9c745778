"""TLS is verified or nothing is sent (F11, RFC 3207, RFC 8314), and user-typed hosts lead nowhere else."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Any

import pytest

from campaigns.mailer.outbound import is_loopback, is_permitted, resolve
from campaigns.mailer.reply import Phase, classify
from campaigns.mailer.reply_reasons import NEEDS_PERSON, Reason
from campaigns.mailer.reply_rules import RULES
from campaigns.mailer.smtp import Connection
from campaigns.mailer.smtp_errors import ContentFailure, RelayFailure
from campaigns.mailer.smtp_settings import RelaySettings, TlsMode
from campaigns.mailer.tls import client_context
from tests.fakes.certificates import Issued, issue
from tests.fakes.relay_script import Drop, Rule, Say, Stall
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.mailer.relay_client import PASSWORD, PAYLOAD, connect, settings, to

MODES = [TlsMode.IMPLICIT, TlsMode.STARTTLS]


def relay_with(mode: TlsMode, issued: Issued | None = None) -> ScriptedRelay:
    options = RelayOptions(tls=mode.value, issued=issued or issue(), accounts={"hr": PASSWORD})
    return ScriptedRelay(options)


def failure(relay: ScriptedRelay, **changes: object) -> RelayFailure:
    with pytest.raises(RelayFailure) as caught:
        connect(relay.port, username="hr", password=PASSWORD, **changes)
    return caught.value


@pytest.mark.parametrize("mode", MODES)
def test_it_sends_over_verified_tls(mode: TlsMode) -> None:
    with relay_with(mode) as relay:
        logged_in = {"username": "hr", "password": PASSWORD}
        with connect(relay.port, tls=mode, ca_pem=issue().ca_pem, **logged_in) as conn:
            conn.start(to("a@example.cn"))
            assert conn.go_ahead().ok
            big = (b"x" * 998 + b"\r\n") * 2000
            assert conn.content(big, then=to("b@example.cn")).code == 250
            assert conn.go_ahead().ok
            assert conn.content(PAYLOAD).code == 250
    assert [message.content for message in relay.accepted] == [big, PAYLOAD]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("issued", "reason"),
    [
        (issue("other.example.cn"), Reason.CERTIFICATE_HOST),
        (issue(expired=True), Reason.CERTIFICATE_EXPIRED),
        (issue(self_signed=True), Reason.CERTIFICATE_UNTRUSTED),
    ],
    ids=["wrong host", "expired", "self-signed"],
)
def test_f11_a_bad_certificate_is_refused_before_the_login(
    mode: TlsMode, issued: Issued, reason: Reason
) -> None:
    with relay_with(mode, issued) as relay:
        caught = failure(relay, tls=mode, ca_pem=issued.ca_pem)
        assert caught.kind is reason
        assert classify(caught.phase, caught.cause, RULES).reason in NEEDS_PERSON
        assert not any("AUTH" in line or "MAIL" in line for line in relay.commands())


@pytest.mark.parametrize("mode", MODES)
def test_an_authority_nobody_named_is_not_trusted(mode: TlsMode) -> None:
    with relay_with(mode) as relay:
        assert failure(relay, tls=mode).kind is Reason.CERTIFICATE_UNTRUSTED


def test_f11_stripped_starttls_sends_nothing_in_plain_text() -> None:
    with ScriptedRelay(RelayOptions(tls="stripped", accounts={"hr": PASSWORD})) as relay:
        caught = failure(relay, tls=TlsMode.STARTTLS)
        assert (caught.phase, caught.kind) == (Phase.STARTTLS, Reason.TLS_MISSING)
        assert [line.split()[0] for line in relay.commands()] == ["EHLO"]


@pytest.mark.parametrize("action", [Say("454 4.7.0 not available"), Say("502 no"), Drop()])
def test_f11_a_refused_starttls_is_not_ignored(action: Say | Drop) -> None:
    with relay_with(TlsMode.STARTTLS) as relay:
        relay.script.add(Rule("starttls", action))
        assert failure(relay, tls=TlsMode.STARTTLS).phase is Phase.STARTTLS
        assert not any("AUTH" in line for line in relay.commands())


def test_plain_text_injected_behind_starttls_ends_the_connection() -> None:
    options = RelayOptions(tls="starttls", inject_after_starttls=b"250 AUTH PLAIN\r\n")
    with ScriptedRelay(options) as relay:
        caught = failure(relay, tls=TlsMode.STARTTLS, ca_pem=issue().ca_pem)
        assert caught.kind is Reason.TLS_INJECTION


def test_capabilities_from_before_tls_are_forgotten() -> None:
    rule = Rule("ehlo", Say("250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN"), first=1)
    options = RelayOptions(tls="starttls", accounts={})
    with ScriptedRelay(options, [rule]) as relay:
        caught = failure(relay, tls=TlsMode.STARTTLS, ca_pem=issue().ca_pem)
        assert caught.kind is Reason.AUTH_UNAVAILABLE


def test_a_plain_server_on_the_tls_port_is_a_tls_failure() -> None:
    with ScriptedRelay() as relay:
        assert failure(relay, tls=TlsMode.IMPLICIT).kind is Reason.TLS_FAILED


def test_a_silent_tls_port_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        quick = settings(port).timeouts
        brief = type(quick)(connect=1, command=0.15, setup=1)
        with pytest.raises(RelayFailure) as caught:
            connect(port, tls=TlsMode.IMPLICIT, timeouts=brief)
    assert caught.value.kind is Reason.TIMED_OUT


def test_an_unreadable_ca_is_named() -> None:
    with relay_with(TlsMode.IMPLICIT) as relay:
        caught = failure(relay, tls=TlsMode.IMPLICIT, ca_pem="not a certificate")
        assert caught.kind is Reason.CA_UNREADABLE


@pytest.mark.parametrize("after", ["dot", "content"])
def test_f5_over_tls_a_drop_in_the_content_is_never_called_accepted(after: str) -> None:
    with relay_with(TlsMode.IMPLICIT) as relay:
        relay.script.add(Rule(after, Drop()))
        logged_in = {"username": "hr", "password": PASSWORD, "ca_pem": issue().ca_pem}
        conn = connect(relay.port, tls=TlsMode.IMPLICIT, **logged_in)
        conn.start(to("a@example.cn"))
        assert conn.go_ahead().ok
        with pytest.raises(RelayFailure) as caught:
            conn.content(PAYLOAD)
        assert caught.value.phase is Phase.CONTENT
        assert relay.accepted == []


class BreaksAfterTheDot(ssl.SSLSocket):
    """The record with the dot goes out whole, but all we see is an error."""

    def send(self, octets: Any, flags: int = 0) -> int:
        sent = super().send(octets, flags)
        if bytes(octets).endswith(b"\r\n.\r\n"):
            raise ConnectionResetError
        return sent


def test_over_tls_doubt_begins_when_the_record_with_the_dot_is_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issued = issue()
    monkeypatch.setattr(client_context(issued.ca_pem), "sslsocket_class", BreaksAfterTheDot)
    with relay_with(TlsMode.IMPLICIT) as relay:
        relay.script.add(Rule("dot", Drop(), accept=True))
        logged_in = {"username": "hr", "password": PASSWORD, "ca_pem": issued.ca_pem}
        conn = connect(relay.port, tls=TlsMode.IMPLICIT, **logged_in)
        conn.start(to("a@example.cn"))
        assert conn.go_ahead().ok
        with pytest.raises(ContentFailure) as caught:
            conn.content(PAYLOAD)
        assert caught.value.in_doubt
    assert len(relay.accepted) == 1


def test_no_context_accepts_less_than_tls_1_2() -> None:
    context = client_context()
    assert context.minimum_version.name == "TLSv1_2"
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"


# --- where a host may lead


FORBIDDEN = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "0.0.0.0",
    "::",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "fe80::1%eth0",
    "fd00::1",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_it_rejects_addresses_that_are_not_public(address: str) -> None:
    assert not is_permitted(address, allow_private=False)


@pytest.mark.parametrize("address", ["223.5.5.5", "2400:3200::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_permitted(address: str) -> None:
    assert is_permitted(address, allow_private=False)
    assert not is_loopback(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "fd00::1", "192.168.1.1"])
def test_a_superuser_may_allow_internal_hosts(address: str) -> None:
    assert is_permitted(address, allow_private=True)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"])
def test_nobody_may_allow_metadata_services(address: str) -> None:
    assert not is_permitted(address, allow_private=True)


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "localhost"])
def test_odd_notations_of_this_machine_are_seen_through(host: str) -> None:
    assert all(is_loopback(address) for address in resolve(host, 25))


def test_a_name_that_cannot_be_encoded_is_unresolved() -> None:
    with pytest.raises(OSError, match="encoded"):
        resolve("a" * 100 + ".cn", 25)


def test_it_connects_to_the_address_that_was_judged_and_asks_once() -> None:
    asked: list[str] = []
    tried: list[str] = []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["10.0.0.9", "223.5.5.5"] if len(asked) == 1 else ["127.0.0.1"]

    def connector(address: str, port: int, seconds: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError

    relay = RelaySettings("rebind.example.cn", 465, TlsMode.IMPLICIT)
    with pytest.raises(RelayFailure) as caught:
        Connection.open(relay, resolver=resolver, connector=connector)
    assert (asked, tried) == (["rebind.example.cn"], ["223.5.5.5"])
    assert caught.value.kind is Reason.UNREACHABLE


def test_a_host_that_leads_inside_is_refused_without_a_connection() -> None:
    with ScriptedRelay() as relay:
        with pytest.raises(RelayFailure) as caught:
            connect(relay.port, allow_private=False)
        assert caught.value.kind is Reason.ADDRESS_FORBIDDEN
        assert relay.connections == 0


def test_plain_text_works_on_loopback_alone() -> None:
    relay = settings(25, tls=TlsMode.NONE)
    with pytest.raises(RelayFailure) as caught:
        Connection.open(relay, resolver=lambda host, port: ["10.0.0.1"])
    assert caught.value.kind is Reason.PLAIN_TEXT_FORBIDDEN


def test_an_unknown_host_is_said_so() -> None:
    with pytest.raises(RelayFailure) as caught:
        Connection.open(settings(25), resolver=lambda host, port: [])
    assert caught.value.kind is Reason.UNRESOLVED


def test_it_speaks_ipv6() -> None:
    with ScriptedRelay(RelayOptions(host="::1")) as relay:
        conn = Connection.open(settings(relay.port), resolver=lambda host, port: ["::1"])
        conn.quit()
        assert relay.connections == 1


def test_a_second_address_is_tried_where_the_first_does_not_answer() -> None:
    with ScriptedRelay() as relay:
        Connection.open(
            settings(relay.port), resolver=lambda host, port: ["::1", "127.0.0.1"]
        ).quit()
        assert relay.connections == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "a\r\nb"},
        {"username": "a\0b"},
        {"password": "a\nb"},
        {"port": 0},
        {"ehlo_name": "a b"},
    ],
)
def test_it_rejects_settings_that_could_change_the_dialogue(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        settings(**{"port": 25, **changes})
    assert "\\" not in str(caught.value)


def test_no_repr_shows_the_password() -> None:
    relay = settings(25, username="hr", password=PASSWORD)
    assert PASSWORD not in repr(relay) + str(relay)


def test_stalling_in_the_tls_login_is_bounded() -> None:
    with relay_with(TlsMode.IMPLICIT) as relay:
        relay.script.add(Rule("auth", Stall()))
        quick = settings(1).timeouts
        brief = type(quick)(connect=1, greeting=1, command=0.15, setup=2)
        caught = failure(relay, tls=TlsMode.IMPLICIT, ca_pem=issue().ca_pem, timeouts=brief)
        assert (caught.phase, caught.kind) == (Phase.AUTH, Reason.TIMED_OUT)
