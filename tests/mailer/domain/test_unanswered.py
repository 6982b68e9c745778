"""No answer is reported as no answer, and never as a missing record."""

from __future__ import annotations

import socket
import time

import dns.resolver
import pytest

from campaigns.mailer.domain.doctor import Route, Subject, examine
from campaigns.mailer.domain.findings import Severity
from campaigns.mailer.domain.lookups import Limits, Lookups, Unanswered
from tests.fakes.dns_server import dns_server
from tests.mailer.domain.zones import (
    DMARC_NAME,
    DOMAIN,
    EXMAIL,
    KEY_NAME,
    OWN,
    codes,
    report,
    sound_zone,
)

PLACES = [
    (DOMAIN, "domain_unchecked", EXMAIL),
    ("more.mail.qq.com", "spf_unchecked", EXMAIL),
    (KEY_NAME, "dkim_unchecked", EXMAIL),
    (DMARC_NAME, "dmarc_unchecked", EXMAIL),
    (f"mail.{DOMAIN}", "mx_unchecked", EXMAIL),
    ("44.33.22.11.in-addr.arpa", "ptr_unchecked", OWN),
]


@pytest.mark.parametrize(("name", "code", "route"), PLACES)
def test_a_server_that_fails_leaves_its_part_unchecked(name: str, code: str, route: Route) -> None:
    found = report({}, route=route, servfail=[name])
    assert codes(found) == {code}
    assert found.findings[0].severity is Severity.UNCHECKED
    assert found.findings[0].params["reason"] == "servers"


@pytest.mark.parametrize(("name", "code", "route"), PLACES)
def test_a_server_that_is_silent_leaves_its_part_unchecked(
    name: str, code: str, route: Route
) -> None:
    found = report({}, route=route, silent=[name])
    assert codes(found) == {code}
    assert found.findings[0].params["reason"] == "timeout"


def test_the_rest_is_judged_all_the_same() -> None:
    found = report({(KEY_NAME, "TXT"): []}, servfail=[DMARC_NAME])
    assert codes(found) == {"dmarc_unchecked", "dkim_missing"}


def test_an_unknown_spf_and_a_missing_key_are_no_failure_of_dmarc() -> None:
    found = report({(KEY_NAME, "TXT"): []}, servfail=["spf.mail.qq.com"])
    assert codes(found) == {"spf_unchecked", "dkim_missing"}


def test_a_server_of_ones_own_that_does_not_resolve_is_unchecked() -> None:
    found = report({}, route=Route("r", "smtp.elsewhere.example.net", "own"), servfail=[])
    assert codes(found) == {"spf_outbound_unknown"}
    found = report(
        {}, route=Route("r", "smtp.elsewhere.net", "own"), servfail=["smtp.elsewhere.net"]
    )
    assert codes(found) == {"spf_unchecked"}


def test_no_server_at_all_is_unchecked() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], taken.getsockname()[1]
        found = examine(
            Subject(DOMAIN), resolver, clock=time.monotonic, limits=Limits(query_seconds=0.1)
        )
    assert codes(found) == {"domain_unchecked"}


def test_all_look_ups_together_have_a_limit() -> None:
    ticks = iter(range(0, 10_000, 20))
    with dns_server(sound_zone()) as server:
        found = examine(Subject(DOMAIN), server.resolver(), clock=lambda: float(next(ticks)))
    assert any(finding.params.get("reason") == "deadline" for finding in found.findings)
    assert len(server.asked) <= 2


def test_the_number_of_look_ups_has_a_limit_and_each_is_asked_once() -> None:
    with dns_server({}) as server:
        lookups = Lookups(server.resolver(), clock=time.monotonic, limits=Limits(queries=2))
        for _again in range(3):
            assert lookups.texts("a.example.com") == ()
            assert not lookups.find("B.example.com.", "TXT").exists
        with pytest.raises(Unanswered, match="many"):
            lookups.texts("c.example.com")
    assert server.asked == [("a.example.com", "TXT"), ("b.example.com", "TXT")]


def test_a_long_answer_comes_by_tcp() -> None:
    long = "v=spf1 " + " ".join(f"ip4:1.2.{n}.0/24" for n in range(200)) + " -all"
    with dns_server({("a.example.com", "TXT"): [long]}) as server:
        lookups = Lookups(server.resolver(), clock=time.monotonic)
        assert lookups.texts("a.example.com") == (long,)
    assert len(server.asked) == 2


@pytest.mark.parametrize("name", ["a..b", "x" * 70 + ".cn", ".", "a." * 130 + "cn", "\\", "ü.cn"])
def test_a_name_that_cannot_exist_has_no_records(name: str) -> None:
    with dns_server({}) as server:
        lookups = Lookups(server.resolver(), clock=time.monotonic)
        assert lookups.find(name, "A").records == ()
