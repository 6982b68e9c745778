"""Secrets at rest: nothing in the database says them, and their keys can be rotated."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import BounceMailbox, Relay, SigningKey
from accounts.rotation import rotate_secrets, secret_fields
from accounts.secrets import Secret, SecretUnreadable
from campaigns.models import DataKey
from tests import cast

PASSWORDS = ("relay-授权码-7391", "maildrop-授权码-2846")
PRIVATE = "private-half-of-a-key-5520"

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def stored() -> list[str]:
    """One secret of each kind; what must be found nowhere in clear."""
    team = cast.a_team()
    cast.a_relay(team, secret=PASSWORDS[0])
    BounceMailbox.objects.create(
        team=team,
        name="退信",
        address="b@corp.example.com",
        host="pop.example",
        secret=PASSWORDS[1],
    )
    SigningKey.objects.create(
        team=team, domain="corp.example.com", selector="s", private_key=PRIVATE, public_key="p"
    )
    data_key = str(DataKey.objects.create(team=team).key)
    return [*PASSWORDS, PRIVATE, data_key]


def dump() -> Iterator[str]:
    """Every value of every table, as a backup of the database would hold it."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                for value in row:
                    data = bytes(value) if isinstance(value, bytes | memoryview) else None
                    yield data.decode("utf-8", "replace") if data is not None else str(value)


def ciphertexts() -> dict[str, str]:
    found = {}
    for field in secret_fields():
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, {field.column} FROM {field.model._meta.db_table}"
                f" WHERE {field.column} <> ''"
            )
            found |= {f"{field} {pk}": value for pk, value in cursor.fetchall()}
    return found


def test_a_dump_of_the_database_holds_no_secret(stored: list[str]) -> None:
    everything = "\n".join(dump())
    assert "corp.example.com" in everything, "the dump reads the rows"
    for secret in stored:
        for form in (secret, secret.encode().hex(), base64.b64encode(secret.encode()).decode()):
            assert form not in everything


def test_a_secret_shows_itself_in_no_repr_and_no_search(stored: list[str]) -> None:
    relay = Relay.objects.get()
    assert isinstance(relay.secret, Secret)
    assert str(relay.secret) == PASSWORDS[0]
    assert PASSWORDS[0] not in repr(relay.secret)
    with pytest.raises(TypeError, match="cannot be searched"):
        Relay.objects.filter(secret=PASSWORDS[0]).exists()


def test_every_kind_of_secret_is_known_to_the_rotation(stored: list[str]) -> None:
    assert {str(field) for field in secret_fields()} >= {
        "accounts.Relay.secret",
        "accounts.BounceMailbox.secret",
        "accounts.SigningKey.private_key",
        "campaigns.DataKey.key",
    }


def test_rotation_leaves_nothing_under_the_old_key(stored: list[str], settings: Any) -> None:
    old, new = settings.ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [new, old]
    assert rotate_secrets() == (4, 4)
    settings.ENCRYPTION_KEYS = [new]
    assert str(Relay.objects.get().secret) == PASSWORDS[0]
    assert str(BounceMailbox.objects.get().secret) == PASSWORDS[1]
    assert str(SigningKey.objects.get().private_key) == PRIVATE
    assert str(DataKey.objects.get().key) == stored[3]


def test_a_second_rotation_changes_nothing(stored: list[str], settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    rotate_secrets()
    before = ciphertexts()
    assert rotate_secrets() == (0, 4)
    assert ciphertexts() == before


def test_a_secret_that_is_written_meanwhile_stays(
    stored: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accounts import rotation

    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    real = rotation._opens

    def somebody_saves(key: Fernet, text: str) -> bool:
        relay = Relay.objects.get()
        relay.secret = "typed just now"
        relay.save()
        return real(key, text)

    monkeypatch.setattr(rotation, "_opens", somebody_saves)
    rotate_secrets()
    assert str(Relay.objects.get().secret) == "typed just now"


def test_more_secrets_than_one_chunk_are_all_rotated(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.rotation.CHUNK", 2)
    team = cast.a_team()
    DataKey.objects.bulk_create([DataKey(team=team) for _ in range(5)])
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    assert rotate_secrets() == (5, 5)


def test_a_lost_key_is_named_with_the_row_that_needs_it(stored: list[str], settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SecretUnreadable):
        _ = Relay.objects.get().secret
    with pytest.raises(CommandError, match=r"accounts\.\w+ \d+"):
        call_command("rotate_secrets")


def test_the_command_says_what_it_did(
    stored: list[str], settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    call_command("rotate_secrets")
    said = capsys.readouterr().out
    assert "4" in said
    assert not any(secret in said for secret in stored)
