"""What reading a workbook yields: the keys of the contract, and the rows that the importer keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from campaigns.workbooks.problems import Problem

_NULL = "null"


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds; a file beyond them is refused with a sentence."""

    file_bytes: int = 64 << 20
    unzipped_bytes: int = 256 << 20
    ratio: int = 150
    rows: int = 200_000
    columns: int = 1_000
    cells: int = 6_000_000
    cpu_seconds: int = 240
    wall_seconds: int = 300
    memory_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user corrected; rows are Excel's numbers, columns 0-based indexes.

    With a `number_column` people without an address are rows too, with an empty one: somebody else
    knows it by what stands in that column.
    """

    header_rows: tuple[int, int] | None = None
    address_column: int | None = None
    name_column: int | None = None
    skipped: frozenset[int] = frozenset()
    unskipped: frozenset[int] = frozenset()
    number_column: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "header_rows": self.header_rows,
            "address_column": self.address_column,
            "name_column": self.name_column,
            "skipped": sorted(self.skipped),
            "unskipped": sorted(self.unskipped),
            "number_column": self.number_column,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Choices:
        rows = data["header_rows"]
        return cls(
            header_rows=(rows[0], rows[1]) if rows else None,
            address_column=data["address_column"],
            name_column=data["name_column"],
            skipped=frozenset(data["skipped"]),
            unskipped=frozenset(data["unskipped"]),
            number_column=data["number_column"],
        )


class Columns(NamedTuple):
    """A list's columns by name, and which of them are the address and the name (indexes or None)."""

    names: tuple[str, ...]
    address: int | None
    name: int | None

    @property
    def others(self) -> list[int]:
        """The columns that become attributes."""
        return [at for at in range(len(self.names)) if at not in (self.address, self.name)]


class ReadRow(NamedTuple):
    """One recipient: the sheet's row, which address of its cell (from 1), and what each column shows.

    `cells` has a value for every name in `Reading.columns`, None where the cell cannot be read.
    """

    number: int
    part: int
    email: str
    name: str
    cells: tuple[str | None, ...]

    def as_line(self) -> bytes:
        """One line for `SentRow.from_line`; what is no UTF-8 becomes a question mark."""
        texts = [_NULL if cell is None else encode_basestring(cell) for cell in self.cells]
        content = f'{{"name":{encode_basestring(self.name)},"values":[{",".join(texts)}]}}'
        line = f"{self.number}\t{self.part}\t{self.email}\t{content}\n"
        return line.encode("utf-8", "replace")


class SentRow(NamedTuple):
    """A recipient as the child sends it; `content` is the JSON of its name and values, as it is stored.

    {"name": …, "values": [one text a column, null where the cell cannot be read]} in UTF-8.
    """

    number: int
    part: int
    email: str
    content: bytes

    @classmethod
    def from_line(cls, line: bytes) -> SentRow:
        number, part, email, content = line.rstrip(b"\n").split(b"\t", 3)
        return cls(int(number), int(part), email.decode(), content)

    def opened(self) -> ReadRow:
        content = json.loads(self.content)
        values = tuple(content["values"])
        return ReadRow(self.number, self.part, self.email, content["name"], values)


@dataclass(frozen=True, slots=True)
class ColumnTotal:
    """The sheet's own total of a column as it shows it, and the sum of the column's rows."""

    shown: str | None
    computed: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """The contract's keys as attributes, plus what the importer needs.

    `address_column` and `name_column` are indexes into `columns`; `letters` holds the column's
    letter for each. `suggestions` maps a role (address, name, number, id, phone, department, net)
    to a column's name; `first_rows` is that of FirstRows, `left_out` that of
    LeftOut. `recipients` is made from `rows` on demand, to keep memory flat.
    """

    outcome: str
    sheet: str | None
    sheets: list[str]
    hidden: dict[str, list[Any]]
    header_rows: list[int] | None
    columns: list[str]
    rows: list[ReadRow]
    invalid: list[dict[str, Any]]
    duplicates: list[dict[str, Any]]
    skipped_rows: list[dict[str, Any]]
    problems: list[Problem]
    address_column: int | None = None
    name_column: int | None = None
    letters: list[str] = field(default_factory=list)
    suggestions: dict[str, str] = field(default_factory=dict)
    totals: dict[str, ColumnTotal] = field(default_factory=dict)
    first_rows: dict[str, Any] = field(default_factory=dict)
    left_out: list[dict[str, Any]] = field(default_factory=list)

    def fields(self, row: ReadRow) -> dict[str, str]:
        """A row's merge fields: every readable column but the address and the name."""
        apart = (self.address_column, self.name_column)
        return {
            name: cell
            for index, (name, cell) in enumerate(zip(self.columns, row.cells, strict=True))
            if cell is not None and index not in apart
        }

    def iter_recipients(self) -> Iterator[dict[str, Any]]:
        for row in self.rows:
            yield {
                "row": row.number,
                "email": row.email,
                "name": row.name,
                "fields": self.fields(row),
            }

    @property
    def recipients(self) -> list[dict[str, Any]]:
        return list(self.iter_recipients())

    def as_json(self) -> dict[str, Any]:
        """Exactly the keys of `manage.py read_workbook`."""
        return {
            "outcome": self.outcome,
            "sheet": self.sheet,
            "sheets": self.sheets,
            "hidden": self.hidden,
            "header_rows": self.header_rows,
            "columns": self.columns,
            "recipients": self.recipients,
            "invalid": self.invalid,
            "duplicates": self.duplicates,
            "skipped_rows": self.skipped_rows,
            "problems": [
                {key: value for key, value in problem.as_json().items() if key != "params"}
                for problem in self.problems
            ],
        }
