"""DataKey and ContentGrant: what a payslip says is sealed with its workbook's key.

Deleting the key destroys the content everywhere it lies, backups of the rows included; the ledger
of deliveries (address, row number, states, codes) stays readable.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

from accounts.models import Team
from accounts.secrets import SecretField

_NONCE = 12  # bytes; NIST SP 800-38D 8.2.2: random, far below 2**32 messages a key


class ContentDestroyed(Exception):
    """The key is gone, and so is what it sealed."""


def new_key() -> str:
    """256 random bits, base64."""
    return base64.b64encode(AESGCM.generate_key(bit_length=256)).decode("ascii")


class DataKey(models.Model):
    """One key a workbook, wrapped by the master key. `key` is blank once destroyed."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    key = SecretField(default=new_key)
    created_at = models.DateTimeField(auto_now_add=True)
    destroyed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"DataKey {self.pk}"

    def _cipher(self) -> AESGCM:
        if not self.key:
            raise ContentDestroyed
        cached = self.__dict__.get("_aesgcm")
        if cached is None:
            cached = self.__dict__["_aesgcm"] = AESGCM(base64.b64decode(str(self.key)))
        return cached

    def seal(self, data: bytes) -> bytes:
        """Nonce and AES-256-GCM ciphertext."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher().encrypt(nonce, data, None)

    def open(self, sealed: bytes | memoryview) -> bytes:
        """The clear bytes; ContentDestroyed without the key, or when they were tampered with."""
        sealed = bytes(sealed)
        try:
            return self._cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (InvalidTag, ValueError) as error:  # the latter: cut shorter than a nonce
            raise ContentDestroyed from error

    def seal_json(self, value: Any) -> bytes:
        return self.seal(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())

    def open_json(self, sealed: bytes | memoryview) -> Any:
        return json.loads(self.open(sealed))


class ContentGrant(models.Model):
    """Who may read the content of a workbook or a campaign. Nobody else may, superusers included."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    workbook = models.ForeignKey(
        "campaigns.Workbook", models.CASCADE, null=True, blank=True, related_name="grants"
    )
    campaign = models.ForeignKey(
        "campaigns.Campaign", models.CASCADE, null=True, blank=True, related_name="grants"
    )
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    granted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(workbook__isnull=False, campaign__isnull=True)
                | models.Q(workbook__isnull=True, campaign__isnull=False),
                name="grant_on_one_thing",
            ),
            models.UniqueConstraint(fields=["user", "workbook"], name="workbook_grant_once"),
            models.UniqueConstraint(fields=["user", "campaign"], name="campaign_grant_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} → {self.workbook_id or self.campaign_id}"
