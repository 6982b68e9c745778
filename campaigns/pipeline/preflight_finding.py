"""What a pre-flight says: a code, how grave it is, its parameters, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

BLOCK, WARN, INFO = "block", "warn", "info"
# How many places a finding lists; `total` counts them all.
LISTED = 50


@dataclass(frozen=True)
class Place:
    """A row of the sheet or a contact; `cell` as in "11月工资!D18"; of a bounce `at`, `reason`, and the
    address_key that Campaign.send_anyway takes."""

    row: int | None = None
    cell: str = ""
    address: str = ""
    at: datetime | None = None
    reason: str = ""
    key: str = ""


@dataclass(frozen=True)
class Finding:
    """`kind` is a key of views/findings.py; `fix` the URL's name, and its id, where it is put right;
    `subject` the id of the row that one click settles it for."""

    kind: str
    severity: str
    params: Mapping[str, Any] = field(default_factory=dict)
    where: tuple[Place, ...] = ()
    total: int = 0
    fix: str = ""
    fix_id: int | None = None
    subject: int | None = None


@dataclass
class Collected:
    """Places of one kind: all counted, the first ones listed."""

    listed: list[Place] = field(default_factory=list)
    total: int = 0

    def add(self, place: Place) -> None:
        self.total += 1
        if len(self.listed) < LISTED:
            self.listed.append(place)

    def finding(self, kind: str, severity: str, **rest: Any) -> Finding:
        return Finding(kind, severity, where=tuple(self.listed), total=self.total, **rest)
