"""Changing DKIM keys: the new one signs once its record is published, the old one leaves with a grace time."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import SigningKey, Team
from accounts.models.signing_key import GRACE, KeyStage
from campaigns import tasks
from campaigns.mailer.domain.lookups import Limits, Lookups
from campaigns.mailer.signing import Algorithm, dns_record
from campaigns.models import DomainCheck
from campaigns.pipeline import rotate_keys
from campaigns.pipeline.compose import signers
from tests.cast import a_key, a_relay, a_team
from tests.fakes.dns_server import DnsServer, dns_server

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
DOMAIN = "corp.example.com"


@pytest.fixture
def dns(settings: object) -> Iterator[DnsServer]:
    with dns_server({}) as server:
        settings.DNS_SERVERS = [("127.0.0.1", server.port)]
        yield server


@pytest.fixture
def team() -> Team:
    return a_team()


def publish(dns: DnsServer, key: SigningKey, value: str | None = None) -> None:
    text = value or dns_record(Algorithm(key.algorithm), key.public_key)
    dns.zone[(key.record_name, "TXT")] = [text]


def stages(team: Team) -> dict[str, KeyStage]:
    return {key.selector: key.stage for key in SigningKey.objects.filter(team=team)}


def test_the_new_key_takes_over_when_its_record_is_there(dns: DnsServer, team: Team) -> None:
    old = a_key(team, DOMAIN)
    (new,) = rotate_keys.rotate(team, DOMAIN)
    rotate_keys.look(new.pk)
    assert stages(team) == {old.selector: KeyStage.SIGNING, new.selector: KeyStage.WAITING}
    publish(dns, new)
    rotate_keys.look(new.pk)
    assert stages(team) == {old.selector: KeyStage.GRACE, new.selector: KeyStage.SIGNING}
    SigningKey.objects.filter(pk=old.pk).update(retired_at=timezone.now() - GRACE)
    assert stages(team)[old.selector] == KeyStage.RETIRED


@pytest.mark.parametrize("value", ["v=DKIM1; k=ed25519; p=", "v=DKIM1; k=rsa; p=AAAA", "hello"])
def test_another_record_is_not_the_keys(dns: DnsServer, team: Team, value: str) -> None:
    a_key(team, DOMAIN)
    (new,) = rotate_keys.rotate(team, DOMAIN)
    publish(dns, new, value)
    rotate_keys.look(new.pk)
    assert stages(team)[new.selector] == KeyStage.WAITING


def test_both_algorithms_change_and_both_sign(dns: DnsServer, team: Team) -> None:
    for selector, algorithm in (("a", Algorithm.RSA), ("ae", Algorithm.ED25519)):
        rotate_keys.activate(rotate_keys.generate(team, DOMAIN, algorithm, selector))
    made = rotate_keys.rotate(team, DOMAIN)
    assert {key.algorithm for key in made} == {"rsa", "ed25519"}
    for key in made:
        publish(dns, key)
        rotate_keys.look(key.pk)
    assert len(signers(team.pk, DOMAIN)) == 2
    assert [stages(team)[name] for name in ("a", "ae")] == [KeyStage.GRACE, KeyStage.GRACE]


def test_a_second_rotation_while_one_waits_makes_nothing(team: Team) -> None:
    a_key(team, DOMAIN)
    assert len(rotate_keys.rotate(team, DOMAIN)) == 1
    assert rotate_keys.rotate(team, DOMAIN) == []


def test_selectors_of_one_month_differ(team: Team) -> None:
    a_key(team, DOMAIN)
    names = set()
    for _ in range(3):
        (new,) = rotate_keys.rotate(team, DOMAIN)
        rotate_keys.activate(new)
        names.add(new.selector)
    assert len(names) == 3
    assert all(name.startswith(f"hy{timezone.now():%Y%m}e") for name in names)


def test_a_waiting_key_signs_nothing(team: Team) -> None:
    rotate_keys.generate(team, DOMAIN, Algorithm.ED25519, "s1")
    assert signers(team.pk, DOMAIN) == []


def test_another_teams_keys_stay_as_they_are(team: Team) -> None:
    foreign = a_key(a_team("乙公司"), DOMAIN)
    assert rotate_keys.rotate(team, DOMAIN) == []
    foreign.refresh_from_db()
    assert foreign.active


def test_records_are_looked_for_often_at_first_and_seldom_later(team: Team) -> None:
    key = rotate_keys.generate(team, DOMAIN, Algorithm.ED25519, "s1")
    assert rotate_keys.waiting() == [key.pk]
    now = timezone.now()
    rows = SigningKey.objects.filter(pk=key.pk)
    rows.update(looked_at=now)
    assert rotate_keys.waiting() == []
    rows.update(looked_at=now - rotate_keys.OFTEN)
    assert rotate_keys.waiting() == [key.pk]
    rows.update(created_at=now - timedelta(days=3))
    assert rotate_keys.waiting() == []
    rows.update(looked_at=now - rotate_keys.SELDOM)
    assert rotate_keys.waiting() == [key.pk]


def test_the_tick_looks_and_the_domain_is_checked_anew(
    dns: DnsServer, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = a_relay(team)
    key = rotate_keys.generate(team, DOMAIN, Algorithm.ED25519, "s1")
    publish(dns, key)
    later = timezone.now() + timedelta(hours=9)
    DomainCheck.objects.create(team=team, relay=relay, domain=DOMAIN, due_at=later)
    monkeypatch.setattr(tasks.look_for_record, "delay", tasks.look_for_record)
    tasks.check_domains()
    assert stages(team) == {"s1": KeyStage.SIGNING}
    assert DomainCheck.objects.get().due_at <= timezone.now()


def test_a_name_server_that_is_away_changes_nothing(
    settings: object, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DNS_SERVERS = [("127.0.0.1", 1)]
    hasty = functools.partial(Lookups, limits=Limits(query_seconds=0.3))
    monkeypatch.setattr(rotate_keys, "Lookups", hasty)
    key = rotate_keys.generate(team, DOMAIN, Algorithm.ED25519, "s1")
    rotate_keys.look(key.pk)
    assert stages(team) == {"s1": KeyStage.WAITING}
