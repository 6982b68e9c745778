"""A restored copy of the database sends nothing and deletes no mail until a person says so."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from redis import Redis

from accounts.models import BounceMailbox, Team
from campaigns.models import Campaign, Claim, Delivery, Installation
from campaigns.models.campaign import Hold
from campaigns.pipeline import claim, collect, control, restored, work
from tests import cast
from tests.servers import postgres

pytestmark = pytest.mark.django_db(transaction=True)
both = pytest.mark.both_databases


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, settings: object) -> Iterator[Path]:
    """A folder of its own for what is remembered on disk; no Redis unless a test says so."""
    settings.VAR_DIR, settings.REDIS_URL = tmp_path, ""
    restored._redis.cache_clear()
    yield tmp_path / "installation.json"
    restored._redis.cache_clear()


def a_running_campaign() -> Campaign:
    team = cast.a_team()
    workbook = cast.a_payroll(team, ["p1@example.com", "p2@example.com"])
    return cast.launched(cast.a_campaign(cast.a_relay(team), workbook))


def is_off(campaign: Campaign) -> bool:
    """By everything that could reach somebody."""
    campaign.refresh_from_db()
    off = Team.objects.get(pk=campaign.team_id).sending_off_at is not None
    assert off == (campaign.hold_reason == Hold.RESTORED_COPY)
    opened = claim.open_claim(campaign.relay_id, "worker")
    assert off == (opened is None)
    if opened is not None:
        Claim.objects.filter(pk=opened.pk).update(ended_at=timezone.now())
    assert off == (not list(work.relays_with_work()) and not collect.due())
    return off


def grown(number: int) -> None:
    """The number has grown by so much, by ticks ten seconds apart."""
    for _ in range(number):
        Installation.objects.update(numbered_at=timezone.now() - timedelta(minutes=1))
        restored.look(now=True)


def a_mailbox(team: Team) -> BounceMailbox:
    return BounceMailbox.objects.create(team=team, name="退信", host="pop.example", username="b")


@both
def test_the_original_goes_on_however_often_it_is_looked_at(outside: Path) -> None:
    campaign = a_running_campaign()
    a_mailbox(campaign.team)
    grown(3)
    row = Installation.objects.get()
    assert row.number == 3
    assert json.loads(outside.read_text()) == {row.mark: 3}
    assert not is_off(campaign)


@both
def test_a_database_that_is_older_than_its_number_outside_is_a_copy() -> None:
    """Restored in place: everything in it is the original's but its number."""
    campaign = a_running_campaign()
    a_mailbox(campaign.team)
    grown(2)
    then = Installation.objects.get()
    grown(2)
    Installation.objects.filter(pk=then.pk).update(number=then.number)
    restored.look(now=True)
    assert is_off(campaign)
    assert Team.objects.get().sending_off_reason == "older"
    assert Installation.objects.get().mark != then.mark, "it is known by a mark of its own now"
    restored.look(now=True)
    assert control.resume(campaign), "a lifted hold alone sends nothing"
    assert claim.open_claim(campaign.relay_id, "worker") is None


def test_a_flushed_redis_switches_nothing_off_and_one_that_is_away_neither(
    settings: object, outside: Path
) -> None:
    campaign = a_running_campaign()
    a_mailbox(campaign.team)
    settings.REDIS_URL = os.environ["REDIS_URL"]
    client = Redis.from_url(settings.REDIS_URL)
    grown(2)
    key = restored._KEY + Installation.objects.get().mark
    assert client.get(key) == b"2"
    client.delete(key)
    assert not outside.exists(), "with Redis nothing lies beside the code"
    restored.look(now=True)
    assert not is_off(campaign)
    grown(1)
    assert client.get(key) == b"3", "and it remembers again"
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    restored._redis.cache_clear()
    grown(1)
    assert not is_off(campaign)


def test_a_recovery_to_a_point_is_a_copy_but_a_standby_that_lost_nothing_is_not() -> None:
    campaign = a_running_campaign()
    a_mailbox(campaign.team)
    grown(2)
    Installation.objects.update(timeline=7)
    restored.look(now=True)
    assert not is_off(campaign), "the number outside says that nothing is missing"
    Installation.objects.update(timeline=7)
    restored._file().unlink()
    restored.look(now=True)
    assert is_off(campaign)
    assert Team.objects.get().sending_off_reason == "recovered"


@both
def test_a_sqlite_file_without_what_lay_beside_it_is_a_copy(outside: Path) -> None:
    """PostgreSQL knows itself better: there the file is one witness of several."""
    campaign = a_running_campaign()
    a_mailbox(campaign.team)
    grown(2)
    outside.unlink()
    restored.look(now=True)
    assert is_off(campaign) == (connection.vendor == "sqlite")


def test_a_database_made_from_another_one_is_a_copy() -> None:
    """CREATE DATABASE … TEMPLATE, as hosting panels clone."""
    campaign = a_running_campaign()
    a_mailbox(campaign.team)
    grown(2)
    original = connection.settings_dict["NAME"]
    connection.close()
    with admin() as server:
        server.execute(f'CREATE DATABASE "{original}_clone" TEMPLATE "{original}"')
    try:
        assert not is_off(campaign)
        connection.close()
        connection.settings_dict["NAME"] = f"{original}_clone"
        restored.look(now=True)
        assert is_off(campaign)
        assert Team.objects.get().sending_off_reason == "moved"
        connection.close()
        connection.settings_dict["NAME"] = original
        restored.look(now=True)
        assert not is_off(campaign), "the original is not its copy's copy"
    finally:
        connection.close()
        connection.settings_dict["NAME"] = original
        with admin() as server:
            server.execute(f'DROP DATABASE "{original}_clone" WITH (FORCE)')


def test_a_dump_restored_over_its_own_database_is_a_copy_without_any_news_from_outside(
    outside: Path, tmp_path: Path
) -> None:
    """pg_dump --clean and psql into the same database, and everything outside is gone."""
    campaign = a_running_campaign()
    a_mailbox(campaign.team)
    grown(2)
    binaries = postgres.system_binaries() or postgres.wheel_binaries()
    assert binaries is not None
    dump = tmp_path / "dump.sql"
    connection.close()
    url = database_url()
    subprocess.run(
        [binaries / "pg_dump", "--clean", "--if-exists", f"--file={dump}", url], check=True
    )
    outside.unlink()
    command = [binaries / "psql", "-v", "ON_ERROR_STOP=1", "-q", "-o", os.devnull]
    subprocess.run([*command, "-f", dump, url], check=True)
    restored.look(now=True)
    assert is_off(campaign)
    assert Team.objects.get().sending_off_reason == "moved"


def database_url() -> str:
    given = connection.settings_dict
    host = quote(given["HOST"], safe="")
    port = f":{given['PORT']}" if given["PORT"] else ""
    return f"postgres://{given['USER']}@{host}{port}/{given['NAME']}"


def admin() -> psycopg.Connection[tuple[object, ...]]:
    given = connection.settings_dict
    return psycopg.connect(
        host=given["HOST"],
        port=given["PORT"] or None,
        user=given["USER"],
        password=given["PASSWORD"] or None,
        dbname="postgres",
        autocommit=True,
    )


@both
def test_a_copy_is_marked_by_hand_and_switched_on_by_a_person() -> None:
    campaign = a_running_campaign()
    a_mailbox(campaign.team)
    test = control.send_test(campaign, campaign.deliveries.first(), "me@x.example", "me@x.example")
    Delivery.objects.filter(pk=test.pk).update(created_at=timezone.now() - timedelta(days=1))
    call_command("mark_restored")
    assert is_off(campaign)
    team = Team.objects.get()
    assert restored.switch_on(team)
    assert not restored.switch_on(Team.objects.get())
    campaign.refresh_from_db()
    assert campaign.hold_reason == Hold.RESTORED_COPY, "each campaign is a decision of its own"
    assert collect.due()
    test.refresh_from_db()
    assert (test.state, test.reason) == ("cancelled", "restored_copy")
    assert control.resume(campaign)
    assert not is_off(campaign)


@both
def test_a_campaign_that_waits_for_a_second_person_goes_on_waiting_for_him() -> None:
    campaign = a_running_campaign()
    Campaign.objects.update(state="scheduled", hold_reason=Hold.RELEASE_AWAITED)
    restored.mark_copy("by_hand")
    campaign.refresh_from_db()
    assert campaign.hold_reason == Hold.RELEASE_AWAITED
