"""Outcomes that PostgreSQL has committed but may not have on its disk yet (design.md, Durability).

A newsletter's outcomes are committed asynchronously. If the database server restarts, the last
moments before may be gone: the worker, which still remembers its batch, writes it again. A worker
that is gone too leaves its claim's rows in doubt (sweep.py).
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from campaigns.models import Claim
from campaigns.pipeline.claim import server_started_at
from campaigns.pipeline.message_commit import Values, write_again


class WrittenOutcomes:
    """One claim's. At most a batch of them, so that none has to be told when it is on the disk."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._values: list[Values] = []
        # On it the claim was just made.
        self._connection: Any = connection.connection

    def add(self, values: Values) -> None:
        self._values.append(values)

    def restore(self) -> None:
        """Writes them again if the database server is not the one that they were written to.

        Called before every further write of the batch; costs nothing while the connection stays.
        Raises what the database raises, and may be called again then.
        """
        connection.ensure_connection()
        if connection.connection is self._connection:
            return
        started_at = server_started_at()
        if started_at != self._claim.server_started_at:
            with transaction.atomic():
                for values in self._values:
                    write_again(values)
                Claim.objects.filter(pk=self._claim.pk).update(server_started_at=started_at)
            self._claim.server_started_at = started_at
        self._connection = connection.connection
