"""A sound domain gets a clear report; each of these mistakes, put into its zone alone, is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from campaigns.mailer.domain.dkim_record import SigningRecord
from campaigns.mailer.domain.doctor import Route
from campaigns.mailer.domain.findings import Code
from campaigns.mailer.signing import Algorithm
from tests.mailer.domain.zones import (
    DIRECT,
    DMARC_NAME,
    DOMAIN,
    EXMAIL,
    KEY_NAME,
    OWN,
    SERVER,
    codes,
    ed25519,
    other_rsa,
    published,
    report,
    rsa,
    short_rsa,
)

SPF, MX = (DOMAIN, "TXT"), (DOMAIN, "MX")
DKIM, DMARC = (KEY_NAME, "TXT"), (DMARC_NAME, "TXT")
PTR = ("44.33.22.11.in-addr.arpa", "PTR")
QQ = "include:spf.mail.qq.com"
CHAIN = {
    (f"i{n}.example.com", "TXT"): [f"v=spf1 include:i{n + 1}.example.com -all"] for n in range(10)
} | {("i10.example.com", "TXT"): ["v=spf1 -all"]}
BOUNCES = "bounces.example.com"
APART = Route("自有服务器", f"mail.{DOMAIN}", "own", return_domain="bounces.example.net")
BELOW = Route("自有服务器", f"mail.{DOMAIN}", "own", return_domain=f"bounce.{DOMAIN}")


@dataclass(frozen=True)
class Mistake:
    """`also`: what follows from it by necessity, beside the code itself."""

    code: str
    zone: dict[tuple[str, str], Sequence[Any]]
    also: set[str] = field(default_factory=set)
    route: Route | None = EXMAIL
    keys: Sequence[SigningRecord] | None = None
    name: str = ""


def spf(code: str, record: str, *also: str, name: str = "", **rest: Any) -> Mistake:
    zone = {SPF: [record], **rest.pop("more", {})}
    return Mistake(code, zone, set(also), name=name, **rest)


def dkim(code: str, *records: str, name: str = "", **rest: Any) -> Mistake:
    return Mistake(code, {DKIM: list(records)}, name=name, **rest)


def dmarc(code: str, *records: str, name: str = "", **rest: Any) -> Mistake:
    zone = {DMARC: list(records), **rest.pop("more", {})}
    return Mistake(code, zone, name=name, **rest)


RUA = f"rua=mailto:dmarc@{DOMAIN}"
MISTAKES = [
    spf("spf_missing", "some-site-verification=1"),
    Mistake("spf_several", {SPF: [f"v=spf1 {QQ} -all", "v=spf1 mx -all"]}),
    spf("spf_version", f"v=spf1; {QQ} -all"),
    spf("spf_version", f"spf1 {QQ} -all", name="version without v="),
    spf("spf_syntax", f"v=spf1 {QQ} ipv4:1.2.3.4 -all"),
    spf("spf_syntax", f"v=spf1 {QQ} ip4:1.2.3.456 -all", name="an address that is none"),
    spf("spf_syntax", "v=spf1 include: spf.mail.qq.com -all", name="a blank after the colon"),
    spf("spf_syntax", f"v=spf1 {QQ} redirect=a.cn redirect=b.cn", name="two redirects"),
    spf("spf_syntax", f"v=spf1,{QQ},-all".replace(",", " ，"), name="Chinese commas"),
    spf("spf_plus_all", f"v=spf1 {QQ} +all"),
    spf("spf_plus_all", f"v=spf1 {QQ} all", name="a bare all"),
    spf("spf_no_all", f"v=spf1 {QQ}"),
    spf("spf_no_all", f"v=spf1 {QQ} ?all", name="neutral"),
    spf("spf_lookups", f"v=spf1 {QQ} include:i0.example.com -all", more=CHAIN),
    spf("spf_loop", f"v=spf1 {QQ} include:{DOMAIN} -all"),
    spf(
        "spf_loop",
        f"v=spf1 {QQ} include:a.example.com -all",
        more={
            ("a.example.com", "TXT"): ["v=spf1 include:b.example.com -all"],
            ("b.example.com", "TXT"): ["v=spf1 redirect=a.example.com"],
        },
        name="a loop further down",
    ),
    spf("spf_voids", f"v=spf1 a:x.example.com a:y.example.com mx:z.example.com {QQ} -all"),
    spf("spf_include_missing", f"v=spf1 {QQ} include:gone.example.com -all"),
    spf(
        "spf_include_broken",
        f"v=spf1 {QQ} include:bad.example.com -all",
        more={("bad.example.com", "TXT"): ["v=spf1 ip4:nowhere -all"]},
    ),
    spf(
        "spf_many_mx",
        f"v=spf1 {QQ} mx:many.example.com -all",
        more={
            ("many.example.com", "MX"): [f"{n} mail.{DOMAIN}." for n in range(1, 2)]
            + [f"{n} m{n}.example.com." for n in range(2, 13)],
            **{(f"m{n}.example.com", "A"): ["11.22.33.9"] for n in range(2, 13)},
        },
    ),
    spf("spf_ptr", f"v=spf1 {QQ} ptr -all"),
    spf("spf_after_all", f"v=spf1 {QQ} ~all ip4:{SERVER}"),
    spf("spf_after_all", f"v=spf1 ~all {QQ}", "spf_relay_missing", name="the relay after all"),
    spf("spf_redirect_ignored", f"v=spf1 {QQ} redirect=spf.mail.qq.com -all"),
    spf("spf_relay_missing", f"v=spf1 ip4:{SERVER} -all"),
    spf("spf_relay_missing", f"v=spf1 -{QQ} ~all", name="included with a minus"),
    spf("spf_address_missing", f"v=spf1 {QQ} -all", route=OWN),
    Mistake("spf_outbound_unknown", {}, route=Route("内网服务器", "10.1.2.3", "own")),
    Mistake("dkim_no_key", {}, {"dmarc_dkim_unaligned"}, keys=()),
    Mistake("dkim_missing", {DKIM: []}),
    Mistake("dkim_doubled", {DKIM: [], (f"{KEY_NAME}.{DOMAIN}", "TXT"): [published()]}),
    dkim("dkim_several", published(), f"v=DKIM1; p={other_rsa()}"),
    dkim("dkim_split", published()[200:], published()[:200]),
    dkim("dkim_quoted", published()[:200] + '" "' + published()[200:]),
    dkim("dkim_syntax", "v=DKIM1; k=rsa; p=不是base64"),
    dkim("dkim_syntax", f"v=DKIM2; p={rsa().public}", name="another version"),
    dkim("dkim_syntax", f"k=rsa; p={rsa().public}; v=DKIM1", name="v= at the end"),
    dkim("dkim_syntax", rsa().public, name="the bare key"),
    dkim("dkim_revoked", "v=DKIM1; k=rsa; p="),
    dkim("dkim_key_type", published(ed25519())),
    dkim("dkim_differs", f"v=DKIM1; k=rsa; p={other_rsa()}"),
    dkim("dkim_hash", f"v=DKIM1; h=sha1; p={rsa().public}"),
    dkim("dkim_service", f"v=DKIM1; s=tlsrpt; p={rsa().public}"),
    dkim("dkim_testing", f"v=DKIM1; t=y:s; p={rsa().public}"),
    dkim("dkim_short", published(short_rsa()), keys=(short_rsa(),)),
    dmarc("dmarc_missing"),
    dmarc("dmarc_doubled", more={(f"{DMARC_NAME}.{DOMAIN}", "TXT"): ["v=DMARC1; p=none"]}),
    dmarc("dmarc_several", f"v=DMARC1; p=none; {RUA}", f"v=DMARC1; p=reject; {RUA}"),
    dmarc("dmarc_syntax", f"v=DMARC1; p=block; {RUA}"),
    dmarc("dmarc_syntax", f"v=DMARC1 p=reject {RUA}", name="no semicolons"),
    dmarc("dmarc_syntax", f"v=dmarc1; p=reject; {RUA}", name="small letters"),
    dmarc("dmarc_syntax", f"v=DMARC1; {RUA}", name="no policy"),
    dmarc("dmarc_syntax", f"v=DMARC1; p=reject; pct=all; {RUA}", name="not a percentage"),
    dmarc("dmarc_none", f"v=DMARC1; p=none; {RUA}"),
    dmarc("dmarc_partial", f"v=DMARC1; p=reject; pct=20; {RUA}"),
    dmarc("dmarc_rua_missing", "v=DMARC1; p=reject"),
    dmarc("dmarc_rua_unauthorised", "v=DMARC1; p=reject; rua=mailto:d@reports.example.org"),
    Mistake(
        "dmarc_spf_unaligned",
        {
            ("bounces.example.net", "TXT"): [f"v=spf1 ip4:{SERVER} -all"],
            ("bounces.example.net", "MX"): [f"10 mail.{DOMAIN}."],
        },
        route=APART,
    ),
    Mistake(
        "dmarc_spf_unaligned",
        {},
        route=Route("SES", "email-smtp.us-east-1.amazonaws.com", "ses"),
        name="a provider that rewrites the envelope",
    ),
    Mistake(
        "dmarc_spf_unaligned",
        {
            DMARC: [f"v=DMARC1; p=reject; aspf=s; {RUA}"],
            (f"bounce.{DOMAIN}", "TXT"): [f"v=spf1 ip4:{SERVER} -all"],
            (f"bounce.{DOMAIN}", "MX"): [f"10 mail.{DOMAIN}."],
        },
        route=BELOW,
        name="strict alignment",
    ),
    Mistake("dmarc_dkim_unaligned", {}, {"dkim_no_key"}, keys=()),
    Mistake(
        "dmarc_fails",
        {SPF: [f"v=spf1 ip4:{SERVER} -all"], DKIM: []},
        {"spf_relay_missing", "dkim_missing"},
    ),
    Mistake(
        "mx_bounce_missing",
        {(f"bounce.{DOMAIN}", "TXT"): [f"v=spf1 ip4:{SERVER} -all"]},
        route=BELOW,
    ),
    Mistake("mx_bounce_missing", {MX: []}, name="the from-domain takes the bounces itself"),
    Mistake(
        "mx_missing",
        {
            MX: [],
            (f"bounce.{DOMAIN}", "TXT"): [f"v=spf1 ip4:{SERVER} -all"],
            (f"bounce.{DOMAIN}", "MX"): [f"10 mail.{DOMAIN}."],
        },
        route=BELOW,
    ),
    Mistake("mx_fallback", {MX: [], (DOMAIN, "A"): [SERVER]}),
    Mistake("mx_null", {MX: ["0 ."]}),
    Mistake(
        "mx_alias",
        {MX: [f"10 mx.{DOMAIN}."], (f"mx.{DOMAIN}", "CNAME"): [f"mail.{DOMAIN}."]},
    ),
    Mistake("mx_address", {MX: [f"10 {SERVER}."]}),
    Mistake("mx_unresolved", {MX: [f"10 gone.{DOMAIN}."]}),
    Mistake("mx_private", {MX: [f"10 inner.{DOMAIN}."], (f"inner.{DOMAIN}", "A"): ["192.168.1.9"]}),
    Mistake("ptr_missing", {PTR: []}, route=OWN),
    Mistake("ptr_unconfirmed", {PTR: ["11-22-33-44.pool.example.net."]}, route=OWN),
    Mistake(
        "ptr_other_name",
        {PTR: ["out.example.net."], ("out.example.net", "A"): [SERVER]},
        route=OWN,
    ),
    Mistake(
        "ptr_ehlo_other",
        {PTR: ["out.example.net."], ("out.example.net", "A"): [SERVER]},
        route=DIRECT,
    ),
    Mistake(
        "ptr_ehlo_unresolved",
        {},
        route=replace(DIRECT, host=f"out.{DOMAIN}", source=""),
        also={"spf_outbound_unknown"},
    ),
    Mistake(
        "ptr_ehlo_elsewhere",
        {(f"out.{DOMAIN}", "A"): ["11.22.33.45"], PTR: [f"out.{DOMAIN}.", f"mail.{DOMAIN}."]},
        route=replace(DIRECT, host=f"out.{DOMAIN}"),
        also={"ptr_ehlo_other"},
    ),
]


def label(mistake: Mistake) -> str:
    return f"{mistake.code}: {mistake.name}" if mistake.name else mistake.code


@pytest.mark.parametrize(
    "route", [EXMAIL, OWN, DIRECT, None], ids=["provider", "own", "direct", "no relay"]
)
def test_a_sound_domain_is_clear(route: Route | None) -> None:
    found = report({}, route=route)
    assert codes(found) == set()
    assert found.facts["spf_lookups"] == 2
    assert found.facts["spf_tree"] == [
        f"ip4:{SERVER}",
        "include:spf.mail.qq.com",
        "  ip4:101.226.139.0/25",
        "  include:more.mail.qq.com",
        "    ip4:112.90.142.0/24",
        "    -all",
        "  -all",
        "-all",
    ]


@pytest.mark.parametrize("mistake", MISTAKES, ids=label)
def test_a_mistake_is_named_and_nothing_else_is(mistake: Mistake) -> None:
    found = report(mistake.zone, route=mistake.route, keys=mistake.keys)
    assert codes(found) == {mistake.code} | mistake.also


def many(count: int, code: str) -> tuple[str, dict[tuple[str, str], Sequence[Any]]]:
    """A record that needs exactly so many look-ups, voids or exchanges beside the two look-ups of Exmail."""
    hosts = {(f"h{n}.example.com", "A"): ["11.22.33.9"] for n in range(count)}
    if code == "spf_lookups":
        return " ".join(f"a:h{n}.example.com" for n in range(count - 2)), dict(hosts)
    if code == "spf_voids":
        return " ".join(f"a:gone{n}.example.com" for n in range(count)), {}
    exchanges = {("many.example.com", "MX"): [f"1 h{n}.example.com." for n in range(count)]}
    return "mx:many.example.com", {**hosts, **exchanges}


@pytest.mark.parametrize(
    ("code", "most"), [("spf_lookups", 10), ("spf_voids", 2), ("spf_many_mx", 10)]
)
def test_a_limit_may_be_reached_but_not_passed(code: str, most: int) -> None:
    for count, expected in ((most, set()), (most + 1, {code})):
        terms, zone = many(count, code)
        assert codes(report({SPF: [f"v=spf1 {QQ} {terms} -all"], **zone})) == expected


def test_every_code_is_some_mistake_of_these_tests() -> None:
    elsewhere = {"domain_reserved", "domain_missing", "domain_providers", "domain_foreign"}
    named = {code for mistake in MISTAKES for code in {mistake.code} | mistake.also}
    unchecked = {code for code in Code if code.endswith("_unchecked")}
    assert named | elsewhere | unchecked == set(Code)


def test_two_keys_are_both_looked_up_and_one_good_one_is_enough() -> None:
    found = report({SPF: [f"v=spf1 ip4:{SERVER} -all"]}, keys=(rsa(), ed25519()))
    assert codes(found) == {"spf_relay_missing", "dkim_missing"}
    [missing] = [finding for finding in found.findings if finding.code == "dkim_missing"]
    assert missing.record is not None
    assert missing.record.name == f"s2._domainkey.{DOMAIN}"
    assert missing.record.value == published(ed25519())
    assert ed25519().algorithm is Algorithm.ED25519
