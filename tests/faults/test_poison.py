"""F21, F3: a row that cannot be sent fails alone; a database that stumbles fails no row."""

from __future__ import annotations

import threading

import psycopg
import pytest
from django.db import OperationalError, connection

from campaigns.models import Claim, Delivery
from campaigns.pipeline import line, outcome, send, sweep
from campaigns.pipeline.compose import Composer, Draft
from tests import cast
from tests.fakes.scripted_relay import Accepted, ScriptedRelay
from tests.faults import scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("new_ledger")]


def test_a_cell_that_cannot_be_read_fails_its_row_alone_and_is_named(
    server: ScriptedRelay,
) -> None:
    campaign = scene.a_campaign(server, 4)
    row = scene.of(campaign, "p2@example.com").row
    key = campaign.workbook.data_key
    opened = key.open_json(row.sealed)
    opened["values"][5] = None
    row.sealed = key.seal_json(opened)
    row.save()
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 3, "failed": 1}
    failed = scene.of(campaign, "p2@example.com")
    assert (failed.reason, failed.detail) == ("unreadable_cell", f"11月!F{row.number}")


@pytest.mark.parametrize(
    "address",
    ["p2@", "a b@example.com", "x" * 300 + "@example.com", "p\r\n@x.com"],
)
def test_an_address_that_cannot_be_one_fails_its_row_alone(
    server: ScriptedRelay, address: str
) -> None:
    """It should not have passed the pre-flight; nothing may come of it all the same."""
    campaign = scene.a_campaign(server, 3)
    campaign.deliveries.filter(address="p1@example.com").update(address=address)
    scene.run(campaign, 2)
    states = scene.check(campaign, server)
    assert states["accepted"] == 2
    assert states["failed"] == 1
    assert not any("RCPT" in line and "p\r" in line for line in server.commands())


def test_a_row_whose_bytes_were_damaged_fails_alone_without_a_word_of_its_content(
    server: ScriptedRelay, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = scene.a_campaign(server, 3)
    row = scene.of(campaign, "p1@example.com").row
    row.sealed = bytes(row.sealed)[:-3] + b"xyz"
    row.save()
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 2, "failed": 1}
    assert "8205.00" not in caplog.text


@pytest.mark.parametrize(
    ("step", "error"),
    [("draft", RecursionError), ("draft", MemoryError), ("sign", ZeroDivisionError)],
)
def test_whatever_composing_one_row_raises_stops_no_other(
    server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch, step: str, error: type[Exception]
) -> None:
    campaign = scene.a_campaign(server, 4)
    compose = getattr(Composer, step)

    def poisoned(self: Composer, given: Delivery | Draft) -> object:
        delivery = given.delivery if isinstance(given, Draft) else given
        if delivery.address == "p1@example.com":
            raise error("8205.00")
        return compose(self, given)

    monkeypatch.setattr(Composer, step, poisoned)
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 3, "failed": 1}
    assert scene.of(campaign, "p1@example.com").detail == error.__name__


def test_a_database_that_is_away_while_composing_fails_no_row(
    server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message in flight still gets its outcome; the others are freed and sent later."""
    campaign = scene.a_campaign(server, 5)
    compose, asked = Composer.draft, []

    def away(self: Composer, delivery: Delivery) -> object:
        asked.append(delivery)
        if len(asked) == 3:
            raise OperationalError("server closed the connection unexpectedly")
        return compose(self, delivery)

    monkeypatch.setattr(Composer, "draft", away)
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 2, "queued": 3}
    assert not campaign.deliveries.exclude(claim=None).exists()
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 5}


def test_a_bug_in_the_middle_of_a_message_leaves_it_in_doubt_and_nothing_stuck(
    server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = scene.a_campaign(server, 3)

    def broken(*_rest: object) -> object:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(line, "classify", broken)
        with pytest.raises(ZeroDivisionError):
            send.send_batch(campaign.relay_id, "w")
    claim = Claim.objects.get()
    assert claim.ended_at is None, "the sweep has to look at it"
    Claim.objects.update(lease_until=cast.long_ago())
    sweep.sweep()
    assert scene.check(campaign, server) == {"in_doubt": 1, "queued": 2}
    scene.run(campaign)
    assert scene.check(campaign, server) == {"in_doubt": 1, "accepted": 2}


def test_a_commit_whose_answer_is_lost_is_recorded_once(
    server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = scene.a_campaign(server, 4)
    write, written = outcome.write, []

    def unanswered(*given: object, **how: object) -> bool:
        began = write(*given, **how)  # type: ignore[arg-type]
        written.append(given)
        if len(written) in (1, 3):
            raise OperationalError("the connection is closed")
        return began

    monkeypatch.setattr(outcome, "write", unanswered)
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 4}
    assert {delivery.tries.count() for delivery in campaign.deliveries.all()} == {1}
    assert server.connections == 1, "the next envelope was out and its row begun"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server to lose")
def test_connections_that_the_database_ends_one_after_the_other_cost_no_mail(
    server: ScriptedRelay,
) -> None:
    """As an administrator's pg_terminate_backend, or a proxy, in the middle of every third message."""
    campaign = scene.a_campaign(server, 12)
    take = server.take
    name = connection.settings_dict["NAME"]
    parameters = connection.get_connection_params() | {"dbname": name}
    parameters = {
        key: parameters[key] for key in ("dbname", "user", "host", "port") if key in parameters
    }

    def take_and_cut(message: Accepted) -> None:
        take(message)
        if len(server.accepted) % 3:
            return
        with psycopg.connect(**parameters, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = %s AND pid <> pg_backend_pid()",
                [name],
            )

    server.take = take_and_cut  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: _in_thread(campaign.relay_id))
    thread.start()
    thread.join(60)
    connection.close()
    assert scene.check(campaign, server) == {"accepted": 12}
    assert {delivery.tries.count() for delivery in campaign.deliveries.all()} == {1}


def _in_thread(relay_id: int) -> None:
    try:
        for _ in range(12):
            try:
                send.send_batch(relay_id, "w")
            except OperationalError:
                connection.close()
    finally:
        connection.close()
