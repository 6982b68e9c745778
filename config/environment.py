"""Reading settings from the environment: typed, from files where a secret lies in one, failing loudly."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str | None = None) -> str:
    """The variable's text, or what is in the file that NAME_FILE names (a docker secret)."""
    value = os.environ.get(name)
    if value is None and (path := os.environ.get(f"{name}_FILE")):
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: {path}: {error.strerror}") from error
    if value is None:
        if default is None:
            raise ImproperlyConfigured(f"Set {name} (or {name}_FILE). See .env.example.")
        return default
    return value


def flag(name: str, default: bool = False) -> bool:
    """1, true, yes, on or 0, false, no, off; anything else is an error."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false.")


def number(name: str, default: int) -> int:
    """A whole number; anything else is an error."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value!r} is no whole number.") from error


def items(name: str, default: str | None = "") -> list[str]:
    """A list with commas between its items, blanks dropped; without a default it must be set."""
    return [item.strip() for item in text(name, default).split(",") if item.strip()]


def name_servers(name: str) -> list[tuple[str, int]]:
    """IP addresses with commas between them, IPv4 ones with or without a port; anything else is an error."""
    found = []
    for item in items(name):
        host, _colon, port = item.partition(":") if item.count(":") == 1 else (item, "", "53")
        try:
            found.append((str(ipaddress.ip_address(host)), int(port)))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name}: {item!r} is no address of a name server."
            ) from error
    return found
