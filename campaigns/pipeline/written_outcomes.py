"""Outcomes that PostgreSQL has committed but may not have on its disk yet (design.md, Durability).

A newsletter's outcomes are committed asynchronously. If the database server restarts, the last
moments before may be gone: the worker, which still remembers them, writes them again. A worker
that is gone too leaves its claims' rows in doubt (sweep.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, transaction

from campaigns.models import Claim
from campaigns.pipeline.claim import server_started_at
from campaigns.pipeline.message_commit import Values, write_again


class WrittenOutcomes:
    """Those of one batch, whose claims these are; its list may grow."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self._claims = claims
        self._values: list[Values] = []
        # On it the first claim was just made.
        self._connection: Any = connection.connection

    def add(self, values: Iterable[Values]) -> None:
        self._values.extend(values)

    def on_disk(self) -> None:
        """After a commit that waited for the disk: what was committed before it is there too.

        Only on the connection that all of it was written to; elsewhere `restore` comes first.
        """
        if connection.connection is self._connection:
            self._values.clear()

    def restore(self) -> None:
        """Writes them again if the database server is not the one that they were written to.

        Called before every further write of the batch; costs nothing while the connection stays.
        Raises what the database raises, and may be called again then.
        """
        connection.ensure_connection()
        if connection.connection is self._connection:
            return
        started_at = server_started_at()
        old = [claim for claim in self._claims if claim.server_started_at != started_at]
        if old:
            with transaction.atomic():
                write_again(self._values)
                Claim.objects.filter(pk__in=[claim.pk for claim in old]).update(
                    server_started_at=started_at
                )
            for claim in old:
                claim.server_started_at = started_at
        self._connection = connection.connection
