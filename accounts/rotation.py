"""Rotating the encryption keys: every stored secret re-encrypted under the first key."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import connection, models

from accounts.secrets import SecretField, SecretUnreadable, cipher

CHUNK = 500


def rotate_secrets() -> tuple[int, int]:
    """Re-encrypts what is not yet under the first key; (re-encrypted, looked at).

    Safe while everything runs, and to run again: a row that somebody changed meanwhile is left
    alone, for it was written under the first key. Raises SecretUnreadable before a row that no key
    opens; what came before it stays rotated.
    """
    changed = seen = 0
    newest = Fernet(settings.ENCRYPTION_KEYS[0])
    for field in secret_fields():
        for pk, stored in _stored(field):
            seen += 1
            if not _opens(newest, stored):
                changed += _replace(field, pk, stored)
    return changed, seen


def secret_fields() -> Iterator[SecretField]:
    """Of every model of every application: a new one is rotated without being listed here."""
    for model in apps.get_models():
        yield from (field for field in model._meta.local_fields if isinstance(field, SecretField))


def _stored(field: SecretField) -> Iterator[tuple[int, str]]:
    """Primary key and ciphertext as it lies in the database, past the field that decrypts."""
    table, key, column = _names(field)
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {key}, {column} FROM {table} WHERE {key} > %s AND {column} <> '' "  # noqa: S608
                f"ORDER BY {key} LIMIT {CHUNK}",
                [last],
            )
            rows = cursor.fetchall()
        if not rows:
            return
        yield from rows
        last = rows[-1][0]


def _opens(key: Fernet, stored: str) -> bool:
    try:
        key.decrypt(stored.encode("ascii"))
    except InvalidToken:
        return False
    return True


def _replace(field: SecretField, pk: int, stored: str) -> int:
    """1, or 0 when the row was written meanwhile."""
    table, key, column = _names(field)
    try:
        fresh = cipher().rotate(stored.encode("ascii")).decode("ascii")
    except InvalidToken as error:
        raise SecretUnreadable(f"{field.model._meta.label} {pk}") from error
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s",  # noqa: S608
            [fresh, pk, stored],
        )
        return cursor.rowcount


def _names(field: models.Field) -> tuple[str, str, str]:
    """Quoted names of the table, its primary key and the field's column."""
    meta = field.model._meta
    assert meta.pk is not None
    names = (meta.db_table, meta.pk.column, field.column)
    table, key, column = (connection.ops.quote_name(str(name)) for name in names)
    return table, key, column
