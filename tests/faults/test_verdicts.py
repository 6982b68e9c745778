"""F10 to F13: logins, certificates, throttling and hostile replies mean what they mean, no more."""

from __future__ import annotations

import logging
import re

import pytest
from django.utils import timezone

from campaigns.models import Attempt, Suppression
from tests.fakes.certificates import issue
from tests.fakes.relay_script import Rule, Say
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.faults import scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("new_ledger")]
PASSWORD = "Tr0ub4dor-wrong"


# F10 ----------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once_and_fails_no_row(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedRelay(RelayOptions(accounts={"hr": "right"})) as server:
        campaign = scene.a_campaign(server, 3, relay={"username": "hr", "secret": PASSWORD})
        scene.run(campaign, 3)
        logins = [line for line in server.commands() if line.startswith("AUTH")]
    assert len(logins) == 1
    campaign.relay.refresh_from_db()
    assert not campaign.relay.enabled
    assert campaign.relay.park_reason == "auth_refused"
    assert scene.states(campaign) == {"queued": 3}
    assert PASSWORD not in caplog.text


def test_a_login_that_is_locked_for_a_while_parks_the_relay(server: ScriptedRelay) -> None:
    options = RelayOptions(accounts={"hr": PASSWORD})
    rule = Rule("auth", Say("451 too much fail authentication"))
    with ScriptedRelay(options, [rule]) as locked:
        campaign = scene.a_campaign(locked, 3, relay={"username": "hr", "secret": PASSWORD})
        scene.run(campaign, 2)
        assert locked.connections == 1
    campaign.relay.refresh_from_db()
    assert campaign.relay.enabled
    assert campaign.relay.parked_until > timezone.now()
    assert scene.states(campaign) == {"queued": 3}


# F11 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "trusted"),
    [
        ({"tls": "starttls", "issued": issue(expired=True)}, True),
        ({"tls": "starttls", "issued": issue("other.example.com")}, True),
        ({"tls": "starttls", "issued": issue(self_signed=True)}, False),
        ({"tls": "implicit", "issued": issue(expired=True)}, True),
        ({"tls": "stripped"}, True),
        ({"tls": "starttls", "inject_after_starttls": b"250 injected\r\n"}, True),
    ],
    ids=["expired", "wrong-host", "self-signed", "implicit-expired", "stripped", "injected"],
)
def test_a_relay_that_cannot_prove_itself_gets_neither_login_nor_mail(
    options: dict[str, object], trusted: bool
) -> None:
    with ScriptedRelay(RelayOptions(accounts={"hr": PASSWORD}, **options)) as server:
        mode = "implicit" if options["tls"] == "implicit" else "starttls"
        issued = server.options.issued
        campaign = scene.a_campaign(
            server,
            2,
            relay={
                "host": "localhost",
                "tls_mode": mode,
                "ca_pem": issued.ca_pem if trusted and issued else "",
                "username": "hr",
                "secret": PASSWORD,
            },
        )
        scene.run(campaign, 2)
        said = " ".join(server.commands())
    assert server.accepted == []
    assert "AUTH" not in said
    assert "MAIL" not in said
    campaign.relay.refresh_from_db()
    assert campaign.relay.parked_until > timezone.now()
    assert campaign.relay.park_reason.startswith(("tls", "certificate"))
    assert scene.states(campaign) == {"queued": 2}


# F12 ----------------------------------------------------------------------------------------------

THROTTLED = [
    ("dot", "550 Domain frequency limited"),
    ("dot", "550 Sender frequency limited"),
    ("mail", "550 Connection frequency limited"),
    ("dot", "550 Mailbox unavailable or access denied"),
    ("banner", "421 HL:IFC 163 smtp1"),
    ("banner", "421 HL:ICC 163 smtp1"),
    ("banner", "421 HL:REP 163 smtp1"),
    ("mail", "450 MI:DMC 163 smtp1"),
    ("rcpt", "450 RP:DRC 163 smtp1"),
    ("dot", "451 MI:SFQ 163 smtp1"),
    ("mail", "454 4.7.0 Too many messages"),
    ("mail", "421 4.7.0 Try again later"),
]


@pytest.mark.parametrize(("phase", "reply"), THROTTLED)
def test_a_throttling_reply_waits_and_costs_no_address(
    server: ScriptedRelay, phase: str, reply: str
) -> None:
    server.script.add(Rule(phase, Say(reply), first=1))
    campaign = scene.a_campaign(server, 3)
    scene.run(campaign)
    states = scene.check(campaign, server)
    assert not states["refused"]
    assert not states["failed"]
    for _ in range(4):
        scene.unpark(campaign)
        scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 3}
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("reply", ["451 DT:SPM 163 smtp1", "554 DT:SPM 163 smtp1"])
def test_a_content_verdict_holds_the_campaign_and_refuses_nobody(
    server: ScriptedRelay, reply: str
) -> None:
    server.script.add(Rule("dot", Say(reply)))
    campaign = scene.a_campaign(server, 4)
    scene.run(campaign, 3)
    campaign.refresh_from_db()
    assert campaign.hold_reason == "content_verdict"
    assert Attempt.objects.filter(content_began=True).count() == 1, "it stops at once"
    assert not scene.states(campaign)["refused"]
    assert not Suppression.objects.exists()


# F13 ----------------------------------------------------------------------------------------------

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]")
HOSTILE = {
    "huge": b"550 5.7.1 " + b"x" * 60_000 + b"\r\n",
    "multi-line": b"".join(b"550-5.7.1 line %d\r\n" % n for n in range(900)) + b"550 5.7.1 end\r\n",
    "gbk": "550 5.7.1 内容被拒绝".encode("gb18030") + b"\r\n",
    "no charset": b"550 5.7.1 \xff\xfe\x80\x00\x01\r\n",
    "markup": b"550 5.7.1 <script>alert(1)</script>\x1b[31m\x07\r\n",
    "bare CR": b"550 5.7.1 a\rSubject: forged\r250 ok\r\n",
    "direction": "550 5.7.1 \u202egnirts\u2028x".encode() + b"\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_is_kept_short_and_harmless(server: ScriptedRelay, name: str) -> None:
    server.script.add(Rule("rcpt", Say(HOSTILE[name]), "p1@*"))
    campaign = scene.a_campaign(server, 3)
    scene.run(campaign, 2)
    assert scene.check(campaign, server) == {"accepted": 2, "refused": 1}
    attempt = Attempt.objects.get(delivery__address="p1@example.com")
    text = campaign.workbook.data_key.open(bytes(attempt.sealed_text)).decode()
    assert len(text) <= 1000
    assert not CONTROL.search(text)
    assert attempt.enhanced == "5.7.1"


@pytest.mark.parametrize(
    "flood",
    [b"250-" + b"x" * 200_000, b"250-x\r\n" * 20_000, b"\x00" * 100_000, b"HTTP/1.1 200\r\n"],
)
def test_a_flood_after_the_dot_is_no_answer(server: ScriptedRelay, flood: bytes) -> None:
    server.script.add(Rule("dot", Say(flood), "p1@*", first=1))
    campaign = scene.a_campaign(server, 3)
    scene.run(campaign, 2)
    assert scene.check(campaign, server) == {"accepted": 2, "in_doubt": 1}
