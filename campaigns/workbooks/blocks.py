"""A list's people by the hundred, in the very lines that a database takes as contacts.

A block is a line of JSON, {"numbers": [the sheet's rows], "other": {index: [part, address cell, name
cell]}}, and then for each person a line of address, address key, name and attributes (JSON), with tabs
between them and nothing quoted: PostgreSQL's COPY reads those as they are. `other` has only those whose
part is not the first or whose cells show something else than the line. A cell that cannot be read is
null there, and missing in the attributes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, NamedTuple

from campaigns.workbooks.results import Columns, ReadRow

#: So many people a block; a row with several addresses may make it a few more.
PEOPLE = 100
_LONGEST_NAME = 200  # what a contact's name holds
_CONTROLS = re.compile(r"[\x00-\x1f]+")
_NUL = "\\u0000"


class Block(NamedTuple):
    """`number`: the first person's row; `keys`: the address keys, each between two line breaks."""

    number: int
    people: int
    keys: bytes
    content: bytes


class BlockWriter:
    """Gathers recipients into blocks and gives each full one to `put`."""

    def __init__(self, put: Callable[[Block], None]) -> None:
        self._put = put
        self._lines: list[str] = []
        self._keys: list[str] = []
        self._numbers: list[int] = []
        self._other: dict[str, list[Any]] = {}

    def begin(self, columns: Columns) -> Callable[[ReadRow], None]:
        """Who takes the recipients of these columns."""
        names = [name.replace("\0", "") for name in columns.names]
        self._columns = columns
        self._others = [(at, names[at]) for at in columns.others]
        members = (f"{encode_basestring(name)}:".replace("%", "%%") for _, name in self._others)
        self._template = "{" + ",".join(f"{member}%s" for member in members) + "}"
        self._picked = _picker(columns.others)
        return self.take

    def take(self, row: ReadRow) -> None:
        """One more; a row's people are never in two blocks."""
        number, part, email, name, cells = row
        if len(self._numbers) >= PEOPLE and number != self._numbers[-1]:
            self.flush()
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            name = _CONTROLS.sub(" ", name).strip()[:_LONGEST_NAME]
        _, address_at, name_at = self._columns
        address_cell = email if address_at is None else cells[address_at]
        name_cell = name if name_at is None else cells[name_at]
        if part != 1 or address_cell != email or name_cell != name:
            self._other[str(len(self._numbers))] = [part, address_cell, name_cell]
        key = email.lower()
        self._keys.append(key)
        self._numbers.append(number)
        self._lines.append(f"{email}\t{key}\t{name}\t{self._attributes(cells)}\n")

    def _attributes(self, cells: Sequence[str | None]) -> str:
        try:
            text = self._template % tuple(map(encode_basestring, self._picked(cells)))  # type: ignore[arg-type]
        except TypeError:  # a cell that cannot be read
            text = _NUL
        if _NUL not in text:
            return text
        readable = {name: cells[at] for at, name in self._others if cells[at] is not None}
        clean = {name: str(text).replace("\0", "") for name, text in readable.items()}
        return json.dumps(clean, ensure_ascii=False, separators=(",", ":"))

    def flush(self) -> None:
        """What is left, if anything."""
        if not self._numbers:
            return
        content = _head(self._numbers, self._other) + "".join(self._lines)
        keys = "\n".join(["", *self._keys, ""])
        sealable = content.encode("utf-8", "replace")
        self._put(Block(self._numbers[0], len(self._numbers), keys.encode(), sealable))
        self._lines, self._keys, self._numbers, self._other = [], [], [], {}


def _picker(indexes: list[int]) -> Callable[[Sequence[str | None]], Sequence[str | None]]:
    if len(indexes) > 1:
        return itemgetter(*indexes)
    return lambda cells: [cells[at] for at in indexes]


def _head(numbers: list[int], other: dict[str, list[Any]]) -> str:
    head = {"numbers": numbers, "other": other}
    return json.dumps(head, ensure_ascii=False, separators=(",", ":")) + "\n"


class Person(NamedTuple):
    """One line of a block."""

    address: str
    key: str
    name: str
    attributes: str


class Opened:
    """A block's content, taken apart."""

    def __init__(self, content: bytes) -> None:
        head, _, lines = content.partition(b"\n")
        self.lines = lines
        self._head = head

    @property
    def people(self) -> list[Person]:
        return people_in(self.lines)

    def rows(self, columns: Columns) -> Iterator[ReadRow]:
        """The recipients as they were read, but for NUL and a name's line breaks."""
        head = json.loads(self._head)
        for index, (number, person) in enumerate(zip(head["numbers"], self.people, strict=True)):
            found = head["other"].get(str(index))
            part, address, name = found or (1, person.address, person.name)
            own = {columns.address: address, columns.name: name}
            values = json.loads(person.attributes)
            cells = tuple(
                own[at] if at in own else values.get(column)
                for at, column in enumerate(columns.names)
            )
            yield ReadRow(number, part, person.address, person.name, cells)

    def with_people(self, people: Sequence[Person | None]) -> tuple[bytes, bytes]:
        """(keys, content) with these in the places of its own; None leaves one out."""
        head = json.loads(self._head)
        numbers: list[int] = []
        other: dict[str, list[Any]] = {}
        kept: list[Person] = []
        for index, person in enumerate(people):
            if person is not None:
                if (found := head["other"].get(str(index))) is not None:
                    other[str(len(kept))] = found
                numbers.append(head["numbers"][index])
                kept.append(person)
        lines = "".join("\t".join(person) + "\n" for person in kept)
        return keys_of(kept), (_head(numbers, other) + lines).encode("utf-8", "replace")


def people_in(lines: bytes) -> list[Person]:
    """The people of some whole lines."""
    return [Person(*line.split("\t")) for line in lines.decode().split("\n")[:-1]]


def keys_of(people: Sequence[Person]) -> bytes:
    """As `Block.keys` has them."""
    return "\n".join(["", *(person.key for person in people), ""]).encode()
