"""Secrets at rest: MultiFernet over the keys of HONGYAN_ENCRYPTION_KEYS, first key first."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class SecretUnreadable(Exception):
    """No key of HONGYAN_ENCRYPTION_KEYS opens what is stored: a key is missing."""


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The cipher of the keys that are set now (tests change them)."""
    return _cipher(tuple(settings.ENCRYPTION_KEYS))


def encrypt(data: bytes) -> bytes:
    """`data` under the first key."""
    return cipher().encrypt(data)


def decrypt(data: bytes) -> bytes:
    """The clear bytes; raises SecretUnreadable when no key fits."""
    try:
        return cipher().decrypt(data)
    except InvalidToken as error:
        raise SecretUnreadable(
            "HONGYAN_ENCRYPTION_KEYS lacks the key of a stored secret."
        ) from error


class Secret(str):
    """A secret's text, which shows itself to nobody: not in a repr, a log or an error page."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)" if self else "Secret()"


class SecretField(models.TextField):
    """Text that is encrypted in the database and a `Secret` in Python."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if not value:
            return value
        return encrypt(str(value).encode()).decode("ascii")

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if not value:
            return Secret(value or "")
        return Secret(decrypt(value.encode("ascii")).decode())

    def get_lookup(self, lookup_name: str) -> Any:
        """Ciphertexts of one secret differ, so only emptiness can be asked for."""
        if lookup_name not in {"isnull"}:
            raise TypeError("A secret cannot be searched for.")
        return super().get_lookup(lookup_name)

    def value_to_string(self, obj: models.Model) -> str:
        """Never in a fixture or an audit trail."""
        return ""
