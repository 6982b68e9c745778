"""Rows of a worksheet that are all written alike, taken out of its XML without a parser of XML.

A list of 100,000 people repeats one row: the same columns, styles and kinds of value. The first such
row teaches a regular expression that takes the next ones in one step each. It matches nothing but the
plainest SpreadsheetML (ECMA-376 part 1, 18.3.1.4 and 18.3.1.73); whatever else stands in the part is
handed on untouched to the real parser, so that what is cut out can only be whole, plain rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: A text without what XML forbids or rewrites, and without the two signs that begin something else.
_TEXT = r"[^<&\x00-\x08\x0b-\x1f]"
_ATTRIBUTES = r'(?: [a-zA-Z0-9:]+="[^"<>&\x00-\x1f]*")*'
_ROW = re.compile(rf'<row r="[0-9]{{1,7}}"{_ATTRIBUTES}>(.*)</row>\Z', re.S)
#: A formula beside its stored value changes nothing, unless it is a hyperlink.
_FORMULA = rf"(?:<f{_ATTRIBUTES}(?:/>|>(?![^<]*[Hh][Yy][Pp][Ee][Rr]){_TEXT}*</f>))?"
_INLINE = rf'<is><t(?: xml:space="preserve")?>({_TEXT}*)</t></is>'
_CELL = re.compile(
    rf'<c r="([A-Z]{{1,3}})[0-9]{{1,7}}"({_ATTRIBUTES})(?:/>|>(?:{_FORMULA}<v>{_TEXT}+</v>|{_INLINE})</c>)'
)
_STYLE = re.compile(r' s="[0-9]{1,6}"')
_ATTRIBUTE = re.compile(r' ([a-zA-Z0-9:]+)="([^"]*)"')
_END = "</row>"
_END_BYTES = b"</row>"
_MOST_COLUMNS = 200
_MOST_SHAPES = 8
#: A lesson costs as much as parsing some twenty rows: more of them must have been worth it.
_TRUSTED_LESSONS = 16
_ROWS_A_LESSON = 50
#: A sheet of which most rows are left to the parser is left to it altogether.
_TRUSTED_MISSES = 100
#: A row longer than this is not waited for.
_LONGEST_ROW = 1 << 20


@dataclass(frozen=True, slots=True)
class Kind:
    """How a column's cells are written: their attributes as they stand, and what they mean."""

    attributes: str
    #: The t attribute; "inlineStr" for whatever has an <is>.
    type: str

    @property
    def is_text(self) -> bool:
        """Whether it shows the same in any style."""
        return self.type in ("s", "inlineStr")


class Column(NamedTuple):
    """Where a match's groups("") have a column's value and style; "" stands there for an empty cell."""

    column: int
    type: str
    value: int
    style: int


@dataclass(slots=True, eq=False)
class Shape:
    """The first group is the row's number, the last one empty; texts have no style, and 0 for its place."""

    match: Callable[[str, int], re.Match[str] | None]
    columns: tuple[Column, ...]


Taken = tuple[Shape, re.Match[str]]
Take = Callable[[Shape, re.Match[str]], None]


class RowShapes:
    """The shapes that one sheet has shown, the last one used first."""

    def __init__(self, column_of: Callable[[str], int]) -> None:
        self._column_of = column_of
        self._shapes: list[Shape] = []
        self._known: dict[str, Kind] = {}
        self._lessons = 0
        self._taken = self._missed = 0

    def split(self, text: str, take: Take) -> Iterator[str]:
        """Gives the rows of known shape in `text`, which ends behind a row, to `take`, and yields whatever
        lies between them."""
        at = done = 0
        if self._missed > _TRUSTED_MISSES + self._taken:
            yield text
            return
        while (start := text.find("<row ", at)) >= 0:
            taken = self._match(text, start)
            if taken is None:
                self._missed += 1
                at = text.find(_END, start) + len(_END)
                continue
            if done < start:
                yield text[done:start]
            shape, match = taken
            following: re.Match[str] | None = match
            while following is not None:  # most follow each other without anything between them
                take(shape, following)
                at = following.end()
                following = shape.match(text, at)
                self._taken += following is not None
            done = at
        if done < len(text):
            yield text[done:]

    def _match(self, text: str, start: int) -> Taken | None:
        for at, shape in enumerate(self._shapes):
            if match := shape.match(text, start):
                self._taken += 1
                if at:
                    self._shapes.insert(0, self._shapes.pop(at))
                return shape, match
        if self._lessons >= _TRUSTED_LESSONS + self._taken // _ROWS_A_LESSON:
            return None
        self._lessons += 1
        learnt = self._learn(text[start : text.find(_END, start) + len(_END)])
        if learnt is None or not (match := learnt.match(text, start)):
            return None
        self._shapes.insert(0, learnt)
        del self._shapes[_MOST_SHAPES:]
        return learnt, match

    def _learn(self, row: str) -> Shape | None:
        """The shape of a row, with the columns that earlier rows had; None if it is not a plain one."""
        whole = _ROW.match(row)
        if whole is None:
            return None
        at, last = whole.start(1), -1
        while at < whole.end(1):
            cell = _CELL.match(row, at)
            if cell is None or self._column_of(cell[1]) <= last:
                return None
            at, last = cell.end(), self._column_of(cell[1])
            if not cell[0].endswith("/>"):
                self._known[cell[1]] = _kind(cell[2], inline=cell[3] is not None)
        return self._shape()

    def _shape(self) -> Shape | None:
        ordered = sorted((self._column_of(letters), letters) for letters in self._known)
        if not 0 < len(ordered) <= _MOST_COLUMNS:
            return None
        cells = "".join(_pattern(letters, self._known[letters]) for _, letters in ordered)
        columns, at = [], 1
        for column, letters in ordered:
            kind = self._known[letters]
            style = 0 if kind.is_text else at
            at += 1 if kind.is_text else 2
            columns.append(Column(column, kind.type, at - 1, style))
        pattern = re.compile(
            rf'<row r="([0-9]{{1,7}})"(?![^<>]*(?:hidden| ht="0")){_ATTRIBUTES}>{cells}</row>()'
        )
        return Shape(pattern.match, tuple(columns))


def _kind(attributes: str, *, inline: bool) -> Kind:
    given = dict(_ATTRIBUTE.findall(attributes))
    return Kind(attributes, "inlineStr" if inline else given.get("t", "n"))


def _pattern(letters: str, kind: Kind) -> str:
    """A cell of this kind in any style, or an empty one, or none; the style is a group if it matters."""
    text = "[0-9]{1,9}" if kind.type == "s" else f"{_TEXT}+"
    value = _INLINE if kind.type == "inlineStr" else rf"{_FORMULA}<v>({text})</v>"
    style = "" if _STYLE.search(kind.attributes) else ' s="0"'
    before, _, after = _STYLE.sub("\0", style + kind.attributes, count=1).partition("\0")
    number = "[0-9]{1,6}" if kind.is_text else "([0-9]{1,6})"
    attributes = rf'{re.escape(before)}(?: s="{number}")?{re.escape(after)}'
    return rf'(?:<c r="{letters}[0-9]{{1,7}}"(?:{attributes}>{value}</c>|{_ATTRIBUTES}/>))?'


class PlainRows:
    """A filter of a worksheet's XML: takes the plain rows out and lets everything else through."""

    def __init__(self, shapes: RowShapes, take: Take) -> None:
        self._shapes = shapes
        self._take = take

    def __call__(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """`chunks` without the rows that `take` was given, in the order of the file."""
        kept, begun = b"", False
        for chunk in chunks:
            kept += chunk
            if not begun and len(kept) > 100:
                begun = True
                if not is_utf8(kept):
                    break
            cut = kept.rfind(_END_BYTES) + len(_END_BYTES)
            if cut < len(_END_BYTES):
                if len(kept) > _LONGEST_ROW:
                    break
                continue
            rows, kept = kept[:cut], kept[cut:]
            text = decoded(rows)
            if text is None:
                kept = rows + kept
                break
            for part in self._shapes.split(text, self._take):
                yield part.encode()
        yield kept
        yield from chunks


def is_utf8(start: bytes) -> bool:
    """XML is UTF-8 unless it says or shows otherwise (XML 1.0, appendix F)."""
    start = start.removeprefix(b"\xef\xbb\xbf")
    declared = re.match(rb"<\?xml[^>]*encoding=[\"']([^\"']*)", start)
    return start.startswith(b"<") and (not declared or declared[1].lower() == b"utf-8")


def decoded(piece: bytes) -> str | None:
    """The text of a piece, or None where a comment, CDATA, an instruction or a broken sign makes it doubtful."""
    # The single sign first: it is found much faster, and a list has hardly any.
    if (b"!" in piece and b"<!" in piece) or (b"?" in piece and piece.rfind(b"<?") > 3):
        return None
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        return None
    return None if "\ufffe" in text or "\uffff" in text else text
