"""The record to publish: it mends what was found, as the doctor itself says when it is published."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest

from accounts.presets import FREE_MAIL_DOMAINS as FREE_MAIL_OF_PRESETS
from accounts.presets import PRESETS
from campaigns.mailer.domain import providers
from campaigns.mailer.domain.doctor import Report, Route, Subject, examine
from campaigns.mailer.domain.findings import Record
from campaigns.mailer.domain.providers import FREE_MAIL_DOMAINS, provider_of
from campaigns.mailer.domain.spf_record import nearly_spf, parse_spf, spf_texts
from tests.fakes.dns_server import dns_server
from tests.mailer.domain.test_mistakes import MISTAKES, Mistake, label
from tests.mailer.domain.zones import (
    DOMAIN,
    EXMAIL,
    OWN,
    SERVER,
    ask,
    codes,
    ed25519,
    report,
    sound_zone,
)

SPF = (DOMAIN, "TXT")
# What only an administrator can write: the host of an MX, where the record is another domain's.
BY_HAND = {"mx_missing", "mx_bounce_missing", "mx_fallback"}


def record_of(found: Report, code: str) -> Record:
    [record] = {finding.record for finding in found.findings if finding.code == code}
    assert record is not None
    return record


@pytest.mark.parametrize("mistake", [m for m in MISTAKES if m.code not in BY_HAND], ids=label)
def test_publishing_the_record_mends_the_mistake(mistake: Mistake) -> None:
    found = report(mistake.zone, route=mistake.route, keys=mistake.keys)
    records = [f.record for f in found.findings if f.code == mistake.code and f.record]
    for record in records:
        mended = {**mistake.zone, (record.name, record.type): [record.value]}
        after = codes(report(mended, route=mistake.route, keys=mistake.keys))
        assert mistake.code not in after
        assert after <= codes(found) | {"dmarc_none"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("v=spf1 mx -all", "v=spf1 include:spf.mail.qq.com mx -all"),
        ("v=spf1 mx ~all", "v=spf1 include:spf.mail.qq.com mx ~all"),
        ("v=spf1 redirect=more.mail.qq.com", "v=spf1 include:spf.mail.qq.com redirect=more.mail.qq.com"),
    ],
)  # fmt: skip
def test_a_missing_include_is_put_in_front_of_what_is_there(before: str, after: str) -> None:
    assert record_of(report({SPF: [before]}), "spf_relay_missing").value == after


def test_all_faults_of_one_record_are_mended_by_one_and_the_same() -> None:
    found = report({SPF: ["v=spf1 mx ptr redirect=x.example.com ?all ip4:11.22.33.9"]})
    spf = {"spf_no_all", "spf_ptr", "spf_after_all", "spf_redirect_ignored", "spf_relay_missing"}
    assert codes(found) == spf
    [record] = {finding.record for finding in found.findings}
    assert record is not None
    assert record.value == "v=spf1 include:spf.mail.qq.com mx ip4:11.22.33.9 ~all"
    assert codes(report({SPF: [record.value]})) == set()


def test_a_long_record_is_proposed_whole_and_an_endless_one_not_at_all() -> None:
    networks = " ".join(f"ip4:11.22.{n}.0/24" for n in range(60))
    assert (
        networks in record_of(report({SPF: [f"v=spf1 {networks} -all"]}), "spf_relay_missing").value
    )
    endless = "v=spf1 " + " ".join(f"ip4:11.22.{n}.0/24" for n in range(200)) + " -all"
    [finding] = report({SPF: [endless]}).findings
    assert finding.record is None


def test_two_records_become_one_with_everything_in_it() -> None:
    found = report({SPF: ["v=spf1 ip4:11.22.33.9 ~all", "v=spf1 include:spf.mail.qq.com -all"]})
    assert (
        record_of(found, "spf_several").value
        == "v=spf1 include:spf.mail.qq.com ip4:11.22.33.9 -all"
    )


def test_no_record_at_all_gets_one_for_this_relay() -> None:
    found = report({SPF: []}, route=OWN)
    assert record_of(found, "spf_missing").value == f"v=spf1 ip4:{SERVER} ~all"


def test_a_reverse_name_is_asked_for_by_its_own_name() -> None:
    found = report({("44.33.22.11.in-addr.arpa", "PTR"): []}, route=OWN)
    record = record_of(found, "ptr_missing")
    assert record == Record("PTR", "44.33.22.11.in-addr.arpa", f"mail.{DOMAIN}.")


def test_a_stranger_who_takes_reports_has_to_say_so() -> None:
    policy = {(f"_dmarc.{DOMAIN}", "TXT"): ["v=DMARC1; p=reject; rua=mailto:a@x.example.org"]}
    record = record_of(report(policy), "dmarc_rua_unauthorised")
    assert record.name == f"{DOMAIN}._report._dmarc.x.example.org"
    assert codes(report({**policy, (record.name, "TXT"): [record.value]})) == set()


# Domains ------------------------------------------------------------------------------------------


def test_a_domain_that_does_not_exist_is_one_finding() -> None:
    assert codes(report({}, domain="nowhere.example.com")) == {"domain_missing"}


@pytest.mark.parametrize("domain", ["corp.example", "mail.localhost", "x.test", "a.local"])
def test_a_reserved_name_is_asked_of_nobody(domain: str) -> None:
    with dns_server({}) as server:
        assert codes(ask(server, domain=domain)) == {"domain_reserved"}
    assert server.asked == []


def test_a_free_mail_domain_is_its_providers_business() -> None:
    netease = Route("163", "smtp.163.com", "163")
    assert codes(report({}, domain="163.com", route=netease)) == {"domain_providers"}
    assert codes(report({}, domain="163.com", route=EXMAIL)) == {"domain_foreign"}
    assert codes(report({}, domain="163.com", route=None)) == {"domain_providers"}


@pytest.mark.parametrize(
    ("domain", "preset", "host", "code"),
    [
        ("sina.com", "", "smtp.sina.com", "domain_providers"),
        ("yahoo.com", "own", "smtp.mail.yahoo.com.", "domain_providers"),
        ("icloud.com", "", "smtp.mail.me.com", "domain_providers"),
        ("yeah.net", "163", "smtp.yeah.net", "domain_providers"),
        ("qq.com", "exmail", "smtp.exmail.qq.com", "domain_foreign"),
        ("sina.com", "own", "smtp.notsina.com", "domain_foreign"),
        ("gmail.com", "office365", "smtp.office365.com", "domain_foreign"),
    ],
)
def test_whose_server_it_is_tells_the_host(domain: str, preset: str, host: str, code: str) -> None:
    assert codes(report({}, domain=domain, route=Route("r", host, preset))) == {code}


def test_free_mail_domains_are_those_of_the_presets() -> None:
    assert FREE_MAIL_DOMAINS == FREE_MAIL_OF_PRESETS


@pytest.mark.parametrize("code", sorted(set(PRESETS) - {"own", "direct"}))
def test_every_preset_has_its_includes_and_is_known_by_its_host(code: str) -> None:
    known = provider_of(code, "")
    assert known is not None
    assert known.includes
    assert provider_of("", PRESETS[code].host) == known


def test_a_server_that_nobody_knows_is_ones_own() -> None:
    assert provider_of("own", "mail.corp.example.com") is None
    assert provider_of("", "smtp.qq.com.evil.example") is None


def test_an_idn_domain_is_checked_by_its_a_labels() -> None:
    domain = "xn--55qx5d.xn--fiqs8s"
    zone = {
        **sound_zone(),
        (domain, "TXT"): ["v=spf1 include:spf.mail.qq.com -all"],
        (domain, "MX"): [f"10 mail.{DOMAIN}."],
        (f"_dmarc.{domain}", "TXT"): [f"v=DMARC1; p=reject; rua=mailto:d@{domain}"],
    }
    with dns_server(zone) as server:
        assert codes(ask(server, domain=domain)) == {"dkim_missing"}


# Policies and alignment ---------------------------------------------------------------------------


def test_a_subdomain_lives_under_its_organisations_policy() -> None:
    zone = {
        ("news." + DOMAIN, "TXT"): ["v=spf1 include:spf.mail.qq.com -all"],
        ("news." + DOMAIN, "MX"): [f"10 mail.{DOMAIN}."],
        (f"_dmarc.{DOMAIN}", "TXT"): [f"v=DMARC1; p=reject; sp=quarantine; rua=mailto:d@{DOMAIN}"],
    }
    found = report(zone, domain=f"news.{DOMAIN}")
    assert found.facts["dmarc_at"] == DOMAIN
    assert found.facts["dmarc_policy"] == "quarantine"


def test_a_bounce_subdomain_is_aligned_where_it_is_relaxed() -> None:
    zone = {
        ("bounce." + DOMAIN, "TXT"): [f"v=spf1 ip4:{SERVER} -all"],
        ("bounce." + DOMAIN, "MX"): [f"10 mail.{DOMAIN}."],
    }
    route = dataclasses.replace(OWN, return_domain=f"bounce.{DOMAIN}")
    assert codes(report(zone, route=route)) == set()


@pytest.mark.parametrize(("mark", "is_aligned"), [("y", False), ("n", True)])
def test_a_public_suffix_that_says_so_is_no_organisation(mark: str, is_aligned: bool) -> None:
    zone = {
        ("_dmarc.hosting.example.com", "TXT"): [f"v=DMARC1; p=none; psd={mark}"],
        ("a.hosting.example.com", "TXT"): ["v=spf1 include:spf.mail.qq.com -all"],
        ("a.hosting.example.com", "MX"): [f"10 mail.{DOMAIN}."],
        ("b.hosting.example.com", "TXT"): [f"v=spf1 ip4:{SERVER} -all"],
        ("b.hosting.example.com", "MX"): [f"10 mail.{DOMAIN}."],
    }
    route = dataclasses.replace(OWN, return_domain="b.hosting.example.com")
    found = codes(report(zone, domain="a.hosting.example.com", route=route, keys=(ed25519(),)))
    assert ("dmarc_spf_unaligned" in found) is not is_aligned


def test_without_a_relay_nothing_is_said_of_alignment() -> None:
    found = report({}, route=None, keys=())
    assert codes(found) == {"dkim_no_key"}


# Addresses of one's own ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        f"v=spf1 ip4:{SERVER} -all",
        "v=spf1 ip4:11.22.0.0/16 -all",
        "v=spf1 mx -all",
        f"v=spf1 a:mail.{DOMAIN} -all",
        f"v=spf1 a:mail.{DOMAIN}/24//64 -all",
        "v=spf1 -ip4:11.22.33.9 mx/24 -all",
        "v=spf1 include:inner.example.com -all",
        "v=spf1 redirect=inner.example.com",
        "v=spf1 ?exists:%{i}.list.example.com mx -all",
    ],
)
def test_a_server_is_found_in_whatever_way_it_is_named(record: str) -> None:
    inner = {("inner.example.com", "TXT"): [f"v=spf1 ip4:{SERVER} -all"]}
    assert codes(report({SPF: [record], **inner}, route=OWN)) == set()


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 ip4:11.22.33.45 -all",
        f"v=spf1 -ip4:{SERVER} ip4:{SERVER} ~all",
        f"v=spf1 ~a:mail.{DOMAIN} mx -all",
        "v=spf1 ip6:2400::/12 include:inner.example.com -all",
    ],
)
def test_a_server_that_does_not_pass_is_missed(record: str) -> None:
    inner = {("inner.example.com", "TXT"): [f"v=spf1 -ip4:{SERVER} -all"]}
    assert codes(report({SPF: [record], **inner}, route=OWN)) == {"spf_address_missing"}


def test_an_ipv6_server_is_asked_about_as_well() -> None:
    zone = {
        (f"mail.{DOMAIN}", "AAAA"): ["2400:3200::1"],
        ("1." + "0." * 23 + "0.0.2.3.0.0.4.2.ip6.arpa", "PTR"): [f"mail.{DOMAIN}."],
    }
    found = report(zone, route=OWN)
    assert codes(found) == {"spf_address_missing"}
    assert "ip6:2400:3200::1" in record_of(found, "spf_address_missing").value


# One record ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "term",
    [
        "a", "a/24", "a//64", "a/24//64", "a:x.cn/24", "mx", "mx:_x.y-z.cn", "ptr", "ptr:x.cn", "ip4:1.2.3.4",
        "ip4:1.2.3.0/24", "ip6:2400::/12", "-include:x.cn", "?exists:%{ir}.%{v}._spf.%{d2}", "exp=e.%{d}",
        "redirect=x.cn", "unknown=%{i}", "include=x.cn", "~ALL",
    ],
)  # fmt: skip
def test_it_reads_every_kind_of_term(term: str) -> None:
    assert parse_spf(f"v=spf1 {term}").faults == ()


@pytest.mark.parametrize(
    "term",
    [
        "a:", "a/33", "a//129", "a/x", "mx:nodot", "ptr/24", "ip4", "ip4:x.cn", "ip4:1.2.3.0/40", "ip6:1.2.3.4",
        "include", "include:", "include:公司.cn", "exists:%{q}.cn", "all:x.cn", "-redirect=x.cn",
        "redirect=", "unknown=%", "ip:1.2.3.4", "+", "-", "spf.mail.qq.com", "include:1.2.3.4", "a\tmx",
    ],
)  # fmt: skip
def test_it_names_a_term_that_is_none(term: str) -> None:
    assert parse_spf(f"v=spf1 {term}").faults == (term,)


def test_networks_may_have_host_bits() -> None:
    [term] = parse_spf("v=spf1 ip4:10.1.2.3/8").terms
    assert term.network == ipaddress.ip_network("10.0.0.0/8")


def test_only_spf_is_taken_for_spf() -> None:
    texts = ["v=spf1", "V=SPF1 -all", "v=spf10 -all", "spf2.0/pra -all", "v=spf1;-all", "hello"]
    assert spf_texts(texts) == texts[:2]
    assert nearly_spf(texts) == ["v=spf10 -all", "v=spf1;-all"]


def test_codes_of_providers_are_said_once() -> None:
    names = [provider.code for provider in providers.PROVIDERS]
    assert len(names) == len(set(names))


def test_a_report_does_not_depend_on_capital_letters() -> None:
    zone = {SPF: [f"V=SPF1 IP4:{SERVER} INCLUDE:SPF.Mail.QQ.com -ALL"]}
    assert codes(report(zone)) == set()
    assert codes(report(zone, route=OWN)) == set()


def test_an_examination_costs_few_queries() -> None:
    with dns_server(sound_zone()) as server:
        subject = Subject(DOMAIN, (), EXMAIL)
        examine(subject, server.resolver(), clock=lambda: 0.0)
    assert len(server.asked) == len(set(server.asked)) <= 12
