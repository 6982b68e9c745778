"""How much of long work goes into one transaction."""

from __future__ import annotations

from django.db import connection


def chunk_size() -> int:
    """Rows a transaction: on SQLite no write may last over 200 ms, for the other writers wait for it."""
    return 5000 if connection.vendor == "postgresql" else 500
