"""Match: a payroll without addresses takes them from the contacts, by staff number or by name.

Nothing is guessed. A number that two contacts have, or that stands in two people's rows, blocks the
workbook; who is not found is listed. A found address is written into the row, so a confirmed workbook
and what is launched from it stay as they were seen, whatever becomes of the contact.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import CharField, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from accounts.models import Team
from campaigns.models import Contact, Workbook
from campaigns.workbooks.results import ReadRow

_BLANK = re.compile(r"\s+")
# Contacts that are looked at to offer their attributes.
_SAMPLE = 500
# How many places of one kind are kept for the page.
LISTED = 1000


def folded(text: str | None) -> str:
    """As two people would agree that it is the same: width, case and blanks apart."""
    return _BLANK.sub("", unicodedata.normalize("NFKC", text or "")).casefold()


class Known(NamedTuple):
    """A contact in the address book."""

    address: str
    name: str


def attributes(team: Team) -> list[str]:
    """What the team's contacts have, the commonest first, to be chosen from."""
    found: Counter[str] = Counter()
    rows = Contact.objects.filter(team=team).order_by("-pk").values_list("attributes", flat=True)
    for given in rows[:_SAMPLE]:
        found.update(name for name, value in given.items() if value)
    return [name for name, _number in found.most_common(100)]


def _contacts(team_id: int, attribute: str | None) -> QuerySet[Contact, tuple[str, str, str]]:
    rows = Contact.objects.filter(team=team_id)
    if attribute is None:
        return rows.exclude(name="").values_list("name", "address", "name")
    value = Cast(KeyTextTransform(attribute, "attributes"), CharField())
    given = rows.filter(attributes__has_key=attribute).annotate(wanted=value)
    return given.exclude(wanted=None).values_list("wanted", "address", "name")


def address_book(team_id: int, attribute: str | None) -> dict[str, list[Known]]:
    """The team's contacts by the folded value of an attribute, or (None) by their name."""
    book: dict[str, list[Known]] = defaultdict(list)
    rows = _contacts(team_id, attribute)
    for value, address, name in rows.iterator(chunk_size=5000):
        if key := folded(value):
            book[key].append(Known(address, name))
    return dict(book)


@dataclass
class _Person:
    """The rows of one number: their numbers and names, and which took their address from the book."""

    rows: list[int] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    matched: list[int] = field(default_factory=list)


class Matching:
    """One reading's rows on their way into the database."""

    def __init__(self, workbook: Workbook, choice: dict[str, Any]) -> None:
        self._column: int = choice["column"]
        self._attribute: str | None = choice["attribute"]
        self._book = address_book(workbook.team_id, self._attribute)
        self._people: dict[str, _Person] = defaultdict(_Person)
        self._unmatched: list[dict[str, Any]] = []
        self._ambiguous: list[dict[str, Any]] = []
        self._differs: list[dict[str, Any]] = []
        self._matched = 0

    def fill(self, row: ReadRow) -> tuple[ReadRow, bool] | None:
        """The row with its address, and whether that is the book's; None where there is none."""
        cell = row.cells[self._column] if self._column < len(row.cells) else None
        number = folded(cell)
        person = self._people[number]
        person.rows.append(row.number)
        person.names.add(folded(row.name))
        if row.email:
            return row, False
        known = self._book.get(number, []) if number else []
        if len(known) == 1:
            self._compare(row, known[0])
            person.matched.append(row.number)
            self._matched += 1
            return ReadRow(row.number, row.part, known[0].address, row.name, row.cells), True
        if known:
            where = sorted(one.address for one in known)[:5]
            self._ambiguous.append({"row": row.number, "why": "contacts", "contacts": where})
        else:
            why = "unknown" if number else "empty"
            self._unmatched.append({"row": row.number, "why": why, "number": cell or ""})
        return None

    def _compare(self, row: ReadRow, known: Known) -> None:
        """A number that leads to somebody of another name may lead to the wrong person."""
        if known.name and row.name and folded(known.name) != folded(row.name):
            self._differs.append({"row": row.number, "name": row.name, "contact": known.name})

    def ambiguous_rows(self) -> Iterator[int]:
        """Sheet rows that took an address by a number which is several people's; after all rows."""
        for number, person in self._people.items():
            several = len(person.names - {""}) > 1
            if self._attribute is None:  # the same name twice may be two people
                several = len(set(person.rows)) > 1
            if number and several and person.matched:
                for row in person.matched:
                    others = [other for other in person.rows if other != row][:5]
                    self._ambiguous.append({"row": row, "why": "rows", "rows": others})
                    self._matched -= 1
                    yield row

    def findings(self) -> dict[str, Any]:
        """For the page and the pre-flight; after `ambiguous_rows`."""
        return {
            "attribute": self._attribute,
            "column": self._column,
            "matched": self._matched,
            "unmatched_count": len(self._unmatched),
            "unmatched": self._unmatched[:LISTED],
            "ambiguous_count": len(self._ambiguous),
            "ambiguous": sorted(self._ambiguous, key=lambda one: one["row"])[:LISTED],
            "differs_count": len(self._differs),
            "differs": self._differs[:LISTED],
        }


def is_ambiguous(findings: dict[str, Any]) -> bool:
    """Whether a reading must not be confirmed: somebody's number leads to several people."""
    return bool((findings.get("match") or {}).get("ambiguous_count"))
