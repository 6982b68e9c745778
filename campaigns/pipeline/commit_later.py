"""Commits that need not wait for the disk: of work that is begun anew from where its rows say."""

from __future__ import annotations

from django.db import connection


def commit_later() -> None:
    """This transaction's commit may be lost whole with the server's machine, but never in part
    (PostgreSQL, 30.4); one that waits for the disk makes all before it last."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit TO off")
