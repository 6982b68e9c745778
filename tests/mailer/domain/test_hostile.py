"""Whatever stands in DNS, the doctor says something and never breaks, and its sentences stay short."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.mailer.domain.dkim_record import check_dkim
from campaigns.mailer.domain.dmarc import check_dmarc
from campaigns.mailer.domain.doctor import Subject, examine
from campaigns.mailer.domain.lookups import Lookups
from campaigns.mailer.domain.spf import Outbound, check_spf
from campaigns.mailer.domain.spf_record import parse_spf
from campaigns.mailer.domain.tag_list import parse_tags
from tests.fakes.dns_server import DnsServer, Zone, dns_server
from tests.mailer.domain.zones import (
    DMARC_NAME,
    DOMAIN,
    EXMAIL,
    KEY_NAME,
    OWN,
    ask,
    codes,
    published,
    rsa,
    sound_zone,
)

SPF_WORDS = st.sampled_from(
    ["v=spf1", " ", "a", "mx", "all", "include:", "redirect=", DOMAIN, "%{i}", "%", "/", "//", ":", "-", "ip4:",
     "1.2.3.4", "ip6:", "::1", "ptr", "exists:", "\x00", "\t", "é", "公司", "999", "exp=", "+", "~", '"']
)  # fmt: skip
TAGS = st.sampled_from(
    ["v=DMARC1", "v=DKIM1", ";", " ", "p=", "none", "reject", "k=rsa", "rua=", "mailto:", "a@b.cn", ",", "!10m", "=",
     "pct=", "9" * 30, "sp=", "psd=y", "t=y", "h=", "s=", "\x00", "公司", '"', "\\", "AAAA", rsa().public]
)  # fmt: skip


class StubResolver(DnsServer):
    """The zone without the sockets, for many examples: the answers come through dnspython all the same."""

    def resolve(self, qname, rdtype, *, lifetime, search):  # type: ignore[no-untyped-def]
        import dns.message
        import dns.name
        import dns.resolver

        query = dns.message.make_query(qname, rdtype)
        response = dns.message.from_wire(self.answer(query.to_wire()).to_wire())
        if response.rcode() == 3:
            raise dns.resolver.NXDOMAIN
        return dns.resolver.Answer(
            dns.name.from_text(qname), dns.rdatatype.from_text(rdtype), 1, response
        )


def told(zone: Zone) -> Lookups:
    return Lookups(StubResolver(dict(zone)), clock=lambda: 0.0)


MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(st.one_of(st.text(max_size=200), st.lists(SPF_WORDS, max_size=25).map("".join)))
def test_spf_garbage_never_raises(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    record = parse_spf(f"v=spf1 {text}")
    assert len(record.faults) <= len(text)
    zone = {(DOMAIN, "TXT"): [text, f"v=spf1 {text}"]}
    result = check_spf(DOMAIN, Outbound("r", ("x.cn",)), told(zone))
    assert result.findings
    assert all(len(str(f.params)) < 3000 for f in result.findings)


@MANY
@given(st.one_of(st.text(max_size=200), st.lists(TAGS, max_size=25).map("".join)))
def test_dkim_and_dmarc_garbage_never_raises(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    parse_tags(text)
    zone = {(KEY_NAME, "TXT"): [text], (DMARC_NAME, "TXT"): [f"v=DMARC1; {text}"]}
    assert check_dkim(DOMAIN, (rsa(),), told(zone)).passes in (True, False)
    assert check_dmarc(DOMAIN, told(zone)).checked


@MANY
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_octets_that_are_no_text_never_raise(strings: list[bytes]) -> None:
    pieces = [string.decode("utf-8", "surrogateescape") for string in strings]
    names = (DOMAIN, KEY_NAME, DMARC_NAME, f"mail.{DOMAIN}")
    zone = {**sound_zone(), **{(name, "TXT"): pieces for name in names}}
    report = examine(Subject(DOMAIN, (rsa(),), OWN), StubResolver(zone), clock=lambda: 0.0)
    assert report.findings


def test_controls_in_a_record_are_not_shown() -> None:
    zone = {(DOMAIN, "TXT"): ["v=spf1 \x1b[2Jevil\x00\u202e -all"]}
    [finding, *_rest] = check_spf(DOMAIN, Outbound(), told(zone)).findings
    assert finding.params["term"] == "?[2Jevil??"


def test_a_record_of_any_length_is_cut_to_be_shown() -> None:
    zone = {(DOMAIN, "TXT"): ["v=spf1 " + "x" * 20_000]}
    [finding, *_rest] = check_spf(DOMAIN, Outbound(), told(zone)).findings
    assert len(str(finding.params["term"])) == 500


def test_a_tree_without_end_is_left_after_some_dozens_of_look_ups() -> None:
    zone: dict[tuple[str, str], list[str]] = dict(sound_zone())  # type: ignore[arg-type]
    for n in range(400):
        zone[(f"t{n}.example.com", "TXT")] = [
            f"v=spf1 include:t{n + 1}.example.com include:t{n + 2}.example.com redirect=t{n + 3}.example.com"
        ]
    zone[(DOMAIN, "TXT")] = ["v=spf1 include:t0.example.com -all"]
    server = StubResolver(zone)  # type: ignore[arg-type]
    found = examine(Subject(DOMAIN, (rsa(),), EXMAIL), server, clock=lambda: 0.0)
    assert "spf_lookups" in codes(found)
    assert len(server.asked) < 80


def test_a_chain_of_redirects_does_not_exhaust_the_stack() -> None:
    zone = {
        (f"r{n}.example.com", "TXT"): [f"v=spf1 redirect=r{n + 1}.example.com"] for n in range(600)
    }
    zone[(DOMAIN, "TXT")] = ["v=spf1 redirect=r0.example.com"]
    result = check_spf(DOMAIN, Outbound(), told(zone))
    assert "spf_lookups" in {finding.code for finding in result.findings}


def test_hundreds_of_records_under_one_name_are_one_finding() -> None:
    with dns_server(
        {**sound_zone(), (KEY_NAME, "TXT"): [f"{n} {published()}" for n in range(100)]}
    ) as server:
        assert codes(ask(server)) == {"dkim_several"}
