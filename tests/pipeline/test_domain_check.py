"""Domain checks as rows: found by themselves, done once a day, an alarm where something has become worse."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import BounceMailbox, Relay, SigningKey
from campaigns import tasks
from campaigns.domain_texts import TEXTS, sentence
from campaigns.mailer.domain.findings import Code
from campaigns.models import Campaign, DomainCheck
from campaigns.pipeline import domain_check, preflight
from campaigns.pipeline.preflight import WARN
from tests.cast import a_team
from tests.fakes.dns_server import DnsServer, dns_server
from tests.mailer.domain.test_mistakes import MISTAKES, Mistake, label
from tests.mailer.domain.zones import (
    DMARC_NAME,
    DOMAIN,
    KEY_NAME,
    SERVER,
    other_rsa,
    report,
    rsa,
    sound_zone,
)
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def dns(settings: object) -> Iterator[DnsServer]:
    """The sound domain, on a name server that the settings name."""
    with dns_server(sound_zone()) as server:
        settings.DNS_SERVERS = [("127.0.0.1", server.port)]
        yield server


@pytest.fixture
def relay() -> Relay:
    team = a_team()
    SigningKey.objects.create(
        team=team, domain=DOMAIN, selector="s1", private_key="-", public_key=rsa().public
    )
    return Relay.objects.create(
        team=team,
        name="企业邮箱",
        preset="exmail",
        host="smtp.exmail.qq.com",
        from_addresses=[f"hr@{DOMAIN}", f"@{DOMAIN}"],
    )


def checked() -> DomainCheck:
    """As a tick and a worker leave it."""
    domain_check.sync()
    for row_id in domain_check.due():
        domain_check.run(row_id)
    return DomainCheck.objects.get()


def tomorrow() -> None:
    DomainCheck.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def codes(row: DomainCheck) -> set[str]:
    return {finding["code"] for finding in row.findings}


def test_a_sound_domain_is_checked_once_a_day(dns: DnsServer, relay: Relay) -> None:
    row = checked()
    assert (row.domain, row.relay, row.findings) == (DOMAIN, relay, [])
    assert row.facts["dmarc_policy"] == "reject"
    assert row.checked_at is not None
    assert timedelta(hours=23) < row.due_at - timezone.now() < timedelta(hours=25)
    assert domain_check.due() == []


def test_the_task_finds_new_domains_by_itself_and_gives_each_a_worker(
    dns: DnsServer, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    monkeypatch.setattr(tasks.check_domain, "delay", begun.append)
    tasks.check_domains()
    row = DomainCheck.objects.get()
    assert begun == [row.pk]
    tasks.check_domain(row.pk)
    tasks.check_domains()
    assert begun == [row.pk]
    assert tasks.app.conf.beat_schedule["domains"]["task"] == tasks.check_domains.name


def test_asking_anew_starts_a_worker_after_the_commit(
    dns: DnsServer,
    relay: Relay,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    row = checked()
    begun: list[list[int]] = []
    monkeypatch.setattr(tasks.check_domain, "apply_async", lambda ids, **_: begun.append(ids))
    with django_capture_on_commit_callbacks(execute=True):
        domain_check.ask(DomainCheck.objects.all())
    assert begun == [[row.pk]]
    assert domain_check.due() == [row.pk]


def test_every_domain_of_every_relay_has_one_row() -> None:
    team = a_team()
    first = Relay.objects.create(
        team=team, name="a", host="h", from_addresses=["a@x.com", "b@X.com", "@公司.cn", "坏"]
    )
    second = Relay.objects.create(team=team, name="b", host="h", from_addresses=["@x.com"])
    Relay.objects.create(team=team, name="c", host="h", enabled=False, from_addresses=["@y.com"])
    domain_check.sync()
    domain_check.sync()
    pairs = set(DomainCheck.objects.values_list("relay_id", "domain"))
    assert pairs == {
        (first.pk, "x.com"),
        (first.pk, "xn--55qx5d.cn"),
        (second.pk, "x.com"),
    }
    Relay.objects.filter(pk=second.pk).update(from_addresses=["@z.com"])
    domain_check.sync(team)
    assert set(DomainCheck.objects.filter(relay=second).values_list("domain", flat=True)) == {
        "z.com"
    }


def test_the_sync_of_one_team_leaves_the_others_alone(relay: Relay) -> None:
    domain_check.sync()
    domain_check.sync(a_team("乙公司"))
    assert DomainCheck.objects.count() == 1


def test_the_first_check_raises_no_alarm(dns: DnsServer, relay: Relay) -> None:
    del dns.zone[(KEY_NAME, "TXT")]
    row = checked()
    assert codes(row) == {"dkim_missing"}
    assert (row.alarm_at, row.changed_at) == (None, None)


def test_what_has_become_worse_raises_an_alarm_until_it_is_mended(
    dns: DnsServer, relay: Relay
) -> None:
    good = dns.zone[(KEY_NAME, "TXT")]
    assert checked().alarm_at is None
    dns.zone[(KEY_NAME, "TXT")] = [f"v=DKIM1; p={other_rsa()}"]
    tomorrow()
    row = checked()
    assert codes(row) == {"dkim_differs"}
    assert row.alarm_at is not None
    assert list(domain_check.alarms(relay.team)) == [row]
    tomorrow()
    assert checked().alarm_at == row.alarm_at
    dns.zone[(KEY_NAME, "TXT")] = good
    tomorrow()
    row = checked()
    assert (row.alarm_at, row.findings) == (None, [])
    assert row.changed_at is not None


def test_an_alarm_that_a_person_has_seen_is_silent(dns: DnsServer, relay: Relay) -> None:
    checked()
    del dns.zone[(KEY_NAME, "TXT")]
    tomorrow()
    checked()
    domain_check.acknowledge(DomainCheck.objects.all())
    tomorrow()
    row = checked()
    assert (codes(row), row.alarm_at) == ({"dkim_missing"}, None)


def test_silence_of_a_name_server_is_no_change(dns: DnsServer, relay: Relay) -> None:
    dns.zone[(DMARC_NAME, "TXT")] = [f"v=DMARC1; p=block; rua=mailto:d@{DOMAIN}"]
    first = checked()
    assert codes(first) == {"dmarc_syntax"}
    dns.servfail = [DMARC_NAME]
    tomorrow()
    row = checked()
    assert codes(row) == {"dmarc_syntax", "dmarc_unchecked"}
    assert (row.alarm_at, row.changed_at) == (None, None)
    assert row.due_at - timezone.now() < timedelta(hours=2)
    dns.servfail = [DOMAIN]
    tomorrow()
    row = checked()
    assert codes(row) == {"dmarc_syntax", "domain_unchecked"}
    assert row.facts == first.facts
    dns.servfail = []
    tomorrow()
    assert codes(checked()) == {"dmarc_syntax"}
    assert DomainCheck.objects.get(alarm_at=None, changed_at=None)


def test_a_row_under_way_is_not_begun_by_a_second_worker(dns: DnsServer, relay: Relay) -> None:
    domain_check.sync()
    DomainCheck.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    pk = DomainCheck.objects.get().pk
    domain_check.run(pk)
    assert dns.asked == []
    assert domain_check.is_open(DomainCheck.objects.get())
    DomainCheck.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    domain_check.run(pk)
    assert not domain_check.is_open(DomainCheck.objects.get())


def test_a_row_that_is_gone_or_not_due_is_left_alone(dns: DnsServer, relay: Relay) -> None:
    row = checked()
    asked = len(dns.asked)
    domain_check.run(row.pk)
    domain_check.run(999_999)
    assert len(dns.asked) == asked


def test_a_check_that_breaks_off_is_tried_again_later(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(domain_check, "system_resolver", broken)
    row = checked()
    assert (row.checked_at, row.lease_until) == (None, None)
    assert row.due_at > timezone.now()


def test_a_return_path_of_our_own_is_the_envelope_that_is_checked(
    dns: DnsServer, relay: Relay
) -> None:
    mailbox = BounceMailbox.objects.create(
        team=relay.team,
        name="退信",
        address="b@bounce.corp.example.com",
        host="h",
        username="u",
        return_path_pattern="b+{token}@bounce.corp.example.com",
    )
    Relay.objects.filter(pk=relay.pk).update(own_return_path=True, bounce_mailbox=mailbox)
    row = checked()
    assert codes(row) == {"spf_missing", "mx_bounce_missing"}
    assert row.findings[0]["params"]["domain"] == "bounce.corp.example.com"


def test_a_lost_encryption_key_does_not_stop_the_check(
    dns: DnsServer, relay: Relay, settings: object
) -> None:
    Relay.objects.filter(pk=relay.pk).update(secret="geheim")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert checked().findings == []
    assert said(DOMAIN)[0] == 0


def test_the_systems_name_servers_are_asked_without_a_setting(settings: object) -> None:
    settings.DNS_SERVERS = []
    assert domain_check.system_resolver().nameservers is not None
    settings.DNS_SERVERS = [("2400:3200::1", 53), ("127.0.0.1", 5353)]
    resolver = domain_check.system_resolver()
    assert resolver.nameservers == ["2400:3200::1", "127.0.0.1"]
    assert resolver.nameserver_ports["127.0.0.1"] == 5353


# Sentences ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_sentence(code: Code) -> None:
    assert TEXTS[code]


@pytest.mark.parametrize("mistake", MISTAKES, ids=label)
def test_a_sentence_has_all_that_its_finding_brings(mistake: Mistake) -> None:
    found = report(mistake.zone, route=mistake.route, keys=mistake.keys)
    for finding in found.findings:
        text = sentence(finding.as_json())
        assert "原因不明" not in text
        assert "%(" not in text


def test_a_finding_of_another_version_is_named() -> None:
    assert "bimi_missing" in sentence({"code": "bimi_missing", "params": {}})
    assert "spf_missing" in sentence({"code": "spf_missing", "params": {}})


# Pre-flight ---------------------------------------------------------------------------------------


def test_the_pre_flight_warns_of_what_the_last_check_found() -> None:
    scene = Scene()
    campaign: Campaign = scene.payslips()
    grave = {"part": "dkim", "severity": "error", "params": {"name": "s1._domainkey.corp.example"}}
    DomainCheck.objects.create(
        team=scene.team,
        relay=campaign.relay,
        domain="corp.example",
        findings=[
            {**grave, "code": "dkim_differs"},
            {**grave, "code": "dkim_no_key", "severity": "warning"},
            {**grave, "code": "dmarc_none", "severity": "notice"},
            {**grave, "code": "mx_unchecked", "severity": "unchecked"},
        ],
    )
    found = [f for f in preflight.check(campaign) if f.kind == "domain_finding"]
    assert [(f.severity, f.params["dns"]["code"]) for f in found] == [(WARN, "dkim_differs")]
    Campaign.objects.filter(pk=campaign.pk).update(from_address="a@other.example")
    other = Campaign.objects.get(pk=campaign.pk)
    assert not [f for f in preflight.check(other) if f.kind == "domain_finding"]


# The command --------------------------------------------------------------------------------------


def said(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("check_domain", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_that_all_is_well(dns: DnsServer, relay: Relay) -> None:
    status, words = said(DOMAIN)
    assert status == 0
    assert f"{DOMAIN} (甲公司 · 企业邮箱)" in words
    assert "没有发现问题" in words
    assert not DomainCheck.objects.exists()


def test_the_command_names_findings_with_the_record(dns: DnsServer, relay: Relay) -> None:
    dns.zone[(DOMAIN, "TXT")] = [f"v=spf1 ip4:{SERVER} -all"]
    status, words = said(DOMAIN.upper(), "--relay", "企业邮箱")
    assert status == 1
    assert "[错误] SPF" in words
    assert f"TXT  v=spf1 include:spf.mail.qq.com ip4:{SERVER} -all" in words


def test_the_command_takes_a_notice_for_no_fault_and_silence_for_one(
    dns: DnsServer, relay: Relay
) -> None:
    dns.zone[(DMARC_NAME, "TXT")] = ["v=DMARC1; p=reject"]
    assert said(DOMAIN)[0] == 0
    dns.servfail = [DMARC_NAME]
    status, words = said(DOMAIN)
    assert (status, "[未能检查] DMARC" in words) == (1, True)


def test_the_command_checks_a_domain_that_no_relay_has(dns: DnsServer, relay: Relay) -> None:
    Relay.objects.update(enabled=False)
    status, words = said(DOMAIN)
    assert (status, f"{DOMAIN} (不经发信账号)" in words) == (0, True)


@pytest.mark.parametrize("arguments", [("不是 域名",), (DOMAIN, "--relay", "没有")])
def test_the_command_refuses_what_is_not_there(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        said(*arguments)
    assert refused.value.returncode == 2
