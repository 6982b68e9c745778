"""The database's clock and its way of writing an instant, for statements written by hand."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def database_clock() -> str:
    """SQL for the present instant, also inside a long transaction."""
    if connection.vendor == "postgresql":
        return "clock_timestamp()"
    # Django stores "YYYY-MM-DD HH:MM:SS.ffffff"; three digits compare with six.
    return "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"


def stamp(moment: datetime) -> datetime | str:
    """An aware instant as the backend's parameter (sqlite3's own adapter is deprecated)."""
    return connection.ops.adapt_datetimefield_value(moment)
