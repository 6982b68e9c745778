"""SignInFailure: wrong passwords of the last minutes, which all web processes count together.

Those of protected workbooks (campaigns/pipeline/unlock.py) are counted here too, apart from all accounts.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class SignInFailure(models.Model):
    """`account` is a keyed hash: people type passwords into the wrong field. Rows live minutes."""

    account = models.CharField(max_length=64)
    network = models.CharField(max_length=45)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["account", "at"]),
            models.Index(fields=["network", "at"]),
            models.Index(fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.at:%H:%M:%S}"
