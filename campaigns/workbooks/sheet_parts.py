"""Where the rows and cells of a worksheet part stand in its bytes, by expat (XML 1.0)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.sheet_xml import parse_reference

_TAG = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_UTF8 = ("utf-8", "utf8", "us-ascii")


class NotSpliceable(Exception):
    """The part is written in a way that cannot be spliced: another encoding, no room to the right."""


def tag_end(xml: bytes, at: int) -> int:
    """One past the tag that begins here."""
    match = _TAG.match(xml, at)
    if match is None:
        raise WorkbookRejected(RejectKind.DAMAGED, "内部的 XML 有错")
    return match.end()


def end_of(xml: bytes, begin: int, at: int) -> int:
    """One past an element, from where expat says that it ends: of <c/> past the tag already."""
    return at if is_empty(xml, begin, at) else tag_end(xml, at)


def is_empty(xml: bytes, begin: int, at: int) -> bool:
    """Whether the element that begins and ends there is written as one tag."""
    return xml[at - 2 : at] == b"/>" and tag_end(xml, begin) == at


@dataclass
class Row:
    """`begin` is its tag, `end` its end tag (of an empty element: past the tag), in bytes."""

    number: int
    begin: int
    prefix: str
    end: int = 0
    cells: list[tuple[int, int, int]] = field(default_factory=list)  # column, begin, end


@dataclass
class Tag:
    """An element with how many children of the wanted name it has."""

    begin: int
    prefix: str
    end: int = 0
    children: int = 0


def _parse(xml: bytes, start: object, end: object) -> None:
    parser = expat.ParserCreate()

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        if (encoding or "utf-8").lower() not in _UTF8:
            raise NotSpliceable

    def doctype(*_: object) -> None:
        raise WorkbookRejected(RejectKind.MARKUP)

    def began(name: str, attributes: dict[str, str]) -> None:
        prefix, colon, tag = name.rpartition(":")
        start(tag, prefix + colon, attributes, parser.CurrentByteIndex)  # type: ignore[operator]

    def ended(name: str) -> None:
        end(name.rpartition(":")[2], parser.CurrentByteIndex)  # type: ignore[operator]

    parser.XmlDeclHandler = declared
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = began
    parser.EndElementHandler = ended
    if xml[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise NotSpliceable
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise WorkbookRejected(RejectKind.DAMAGED, "内部的 XML 有错") from error


class Parts:
    """Found in one pass; `filled` is the last column (0-based) that holds a value or a formula."""

    def __init__(self, xml: bytes, without: frozenset[int]) -> None:
        self.rows: list[Row] = []
        self.filled = -1
        self.columns: list[dict[str, str]] = []
        self.columns_at: tuple[int, int] | None = None
        self.dimension: tuple[int, str] | None = None
        self.data_at = 0
        self.prefix = ""
        self._xml, self._without = xml, without
        self._row: Row | None = None
        self._cell: tuple[int, int] | None = None
        _parse(xml, self._start, self._end)

    def _start(self, tag: str, prefix: str, attributes: dict[str, str], at: int) -> None:
        if tag == "row":
            last = self.rows[-1].number if self.rows else 0
            given = attributes.get("r", "")
            number = int(given) if given.isdecimal() and len(given) < 8 else last + 1
            self._row = Row(number, at, prefix)
        elif tag == "c" and self._row is not None:
            before = self._row.cells[-1][0] if self._row.cells else -1
            column = parse_reference(attributes["r"])[1] if "r" in attributes else before + 1
            self._cell = column, at
        elif tag in ("v", "f", "is") and self._cell is not None:
            if self._cell[0] not in self._without:
                self.filled = max(self.filled, self._cell[0])
        elif tag == "cols":
            self.columns_at = at, at
        elif tag == "col":
            self.columns.append(attributes)
        elif tag == "sheetData":
            self.data_at, self.prefix = at, prefix
        elif tag == "dimension":
            self.dimension = at, attributes.get("ref", "")

    def _end(self, tag: str, at: int) -> None:
        if tag == "c" and self._cell is not None and self._row is not None:
            column, begin = self._cell
            self._row.cells.append((column, begin, end_of(self._xml, begin, at)))
            self._cell = None
        elif tag == "row" and self._row is not None:
            self._row.end = at
            self.rows.append(self._row)
            self._row = None
        elif tag == "cols" and self.columns_at is not None:
            begin = self.columns_at[0]
            self.columns_at = begin, end_of(self._xml, begin, at)


def find_tags(xml: bytes, names: Sequence[str], children: Sequence[str]) -> dict[str, Tag]:
    """The elements of these names, each with the number of its children of the name beside it."""
    wanted = dict(zip(names, children, strict=True))
    found: dict[str, Tag] = {}
    inside: list[str] = []

    def start(tag: str, prefix: str, _attributes: dict[str, str], at: int) -> None:
        if tag in wanted:
            found[tag] = Tag(at, prefix)
        elif inside and wanted.get(inside[-1]) == tag:
            found[inside[-1]].children += 1
        inside.append(tag)

    def end(tag: str, at: int) -> None:
        inside.pop()
        if tag in wanted:
            found[tag].end = at

    _parse(xml, start, end)
    # An empty element has no place for children.
    return {name: tag for name, tag in found.items() if not is_empty(xml, tag.begin, tag.end)}
