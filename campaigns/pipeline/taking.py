"""Taking: which of a reading's rows become recipients, where not every row with an address does.

A payroll may take addresses from the contacts (match_addresses), and a repaired file gives only what
failed before (repair). Every other reading passes through untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from campaigns.models import Workbook, WorkbookRow
from campaigns.models.workbook import Purpose
from campaigns.pipeline.match_addresses import Matching
from campaigns.pipeline.repair import Repair
from campaigns.workbooks.left_out import KEPT
from campaigns.workbooks.reader import Reading
from campaigns.workbooks.results import ReadRow

_CHUNK = 500
# Why a row is left out that no contact gives an address to (beside the reader's own codes).
NO_CONTACT = "no contact"


class Taking:
    """Of one reading of one workbook."""

    def __init__(self, workbook: Workbook) -> None:
        choice = workbook.choices.get("match")
        self._workbook = workbook
        is_payroll = workbook.purpose == Purpose.PAYSLIP
        self._matching = Matching(workbook, choice) if choice and is_payroll else None
        self._repairs = is_payroll and workbook.repairs_id is not None
        self._left_out: list[dict[str, Any]] = []

    @property
    def looks_into_rows(self) -> bool:
        """Whether `of` does anything: else rows may be written as they come."""
        return self._matching is not None

    def of(self, rows: Iterable[ReadRow]) -> Iterator[tuple[ReadRow, dict[str, Any]]]:
        """The rows that are written, each with what its sealed content says beside its values."""
        if self._matching is None:
            yield from ((row, {}) for row in rows)
            return
        for row in rows:
            if filled := self._matching.fill(row):
                yield filled[0], {"matched": True} if filled[1] else {}
            elif len(self._left_out) < KEPT:
                left = {"row": row.number, "why": NO_CONTACT, "values": list(row.cells)}
                self._left_out.append(left)

    def settle(self, reading: Reading) -> dict[str, Any]:
        """After the last row: takes out what must not stay; what the findings say of it."""
        findings: dict[str, Any] = {}
        if self._matching is not None:
            self._remove(list(self._matching.ambiguous_rows()))
            findings["match"] = self._matching.findings()
            findings["left_out"] = [*reading.left_out, *self._left_out]
        if self._repairs:
            repair = Repair.of(self._workbook, reading.columns, reading.suggestions)
            if repair is not None:
                self._remove(repair.settle(self._rows()))
                findings["repair"] = repair.findings()
        return findings

    def count(self, read: int) -> int:
        """How many recipients there are, of so many that were read."""
        is_plain = self._matching is None and not self._repairs
        return read if is_plain else self._rows().count()

    def _rows(self) -> Any:
        number = self._workbook.readings_begun
        return WorkbookRow.objects.filter(workbook=self._workbook, reading=number)

    def _remove(self, numbers: Sequence[int]) -> None:
        for start in range(0, len(numbers), _CHUNK):
            self._rows().filter(number__in=numbers[start : start + _CHUNK]).delete()
