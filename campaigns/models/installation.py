"""Installation: how a database is told from its restored copy (docs/adr, restored copies)."""

from __future__ import annotations

from django.db import models


class Installation(models.Model):
    """One row. `fingerprint` is the database's own; `number` grows, and is remembered outside it."""

    mark = models.CharField(max_length=32)
    fingerprint = models.CharField(max_length=200, blank=True)
    timeline = models.PositiveIntegerField(default=0)
    number = models.BigIntegerField(default=0)
    numbered_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.mark
