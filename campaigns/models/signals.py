"""The one way in which models ask for work: a signal after commit, which tasks.py listens to."""

from __future__ import annotations

from django.db import transaction
from django.dispatch import Signal

# Sent with kind (a task's name: "tick", "read_workbook" …) and id (or None). Nothing depends on it:
# a tick finds the same work by its rows.
work_waiting = Signal()


def announce(kind: str, row_id: int | None = None) -> None:
    """After this transaction's commit, says that there is work of this kind."""
    transaction.on_commit(lambda: work_waiting.send(sender=None, kind=kind, id=row_id))
