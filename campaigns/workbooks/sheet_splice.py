"""New cells in the bytes of a worksheet part, at the places that expat names; nothing is reformatted.

SpreadsheetML, ECMA-376 part 1: rows and cells 18.3.1.73 and 18.3.1.4, columns 18.3.1.13, styles 18.8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from campaigns.workbooks.export import cell_xml, looks_like_formula
from campaigns.workbooks.grid import MAX_COLUMNS
from campaigns.workbooks.problems import column_letter
from campaigns.workbooks.sheet_parts import NotSpliceable, Parts, Row, find_tags, is_empty, tag_end

_SPANS = re.compile(rb"\sspans=(\"[^\"]*\"|'[^']*')")
_COUNT = re.compile(rb"(\scount=)(\"[^\"]*\"|'[^']*')")
_WIDTH = "18"
_FONT = '<{0}font><{0}b/><{0}sz val="11"/><{0}color rgb="FFC00000"/></{0}font>'
# A text, a text that looks like a formula (as if an apostrophe were typed before it), a failure.
_XF = (
    '<{0}xf numFmtId="49" fontId="{1}" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"{2}/>'
)
_TEXT, _QUOTED, _RED = range(3)

Edit = tuple[int, int, bytes]


@dataclass(frozen=True)
class Columns:
    """What is added: `texts` by sheet row, `number` columns from `start` (0-based) on; the cells of
    `earlier` columns go. Rows in `red` have failed."""

    start: int
    number: int
    earlier: frozenset[int]
    texts: Mapping[int, Sequence[str]]
    red: frozenset[int]


def splice(xml: bytes, columns: Columns, first_style: int | None) -> bytes:
    """The sheet with its new cells; raises NotSpliceable, or WorkbookRejected for what is no XML."""
    parts = Parts(xml, columns.earlier)
    start = max(columns.start, parts.filled + 1)
    if start + columns.number > MAX_COLUMNS or not parts.data_at:
        raise NotSpliceable
    edits = [*_dimension(xml, parts, start + columns.number - 1), _widths(parts, start, columns)]
    waiting = dict(columns.texts)
    for row in parts.rows:
        new = _cells(row, waiting.pop(row.number, ()), start, columns, first_style)
        edits += _row(xml, row, new, range(start, start + columns.number), columns.earlier)
    return _joined(xml, edits)


def _joined(xml: bytes, edits: list[Edit]) -> bytes:
    pieces, done = [], 0
    for begin, end, new in sorted(edits, key=lambda edit: edit[:2]):
        pieces += [xml[done:begin], new]
        done = end
    return b"".join([*pieces, xml[done:]])


def _cells(
    row: Row, texts: Sequence[str], start: int, columns: Columns, first_style: int | None
) -> bytes:
    made = []
    for at, text in enumerate(texts):
        style = _QUOTED if looks_like_formula(text) else _TEXT
        style = _RED if row.number in columns.red and style == _TEXT else style
        styled = f' s="{first_style + style}"' if first_style is not None else ""
        reference = f' r="{column_letter(start + at)}{row.number}"'
        made.append(cell_xml(text, reference + styled, row.prefix))
    return "".join(made).encode()


def _row(xml: bytes, row: Row, new: bytes, place: range, earlier: frozenset[int]) -> Iterator[Edit]:
    """Cells of former columns go, and empty ones where new ones come."""
    gone = [c for c in row.cells if c[0] in earlier or (new and c[0] in place)]
    for _column, begin, end in gone:
        yield begin, end, b""
    if not new:
        return
    opened = tag_end(xml, row.begin)
    tag = _SPANS.sub(b"", xml[row.begin : opened])
    if is_empty(xml, row.begin, row.end):
        closing = f"</{row.prefix}row>".encode()
        yield row.begin, opened, tag[:-2].rstrip() + b">" + new + closing
        return
    yield row.begin, opened, tag
    behind = [begin for column, begin, _end in row.cells if column >= place.stop]
    at = min(behind, default=row.end)
    yield at, at, new


def _dimension(xml: bytes, parts: Parts, last: int) -> Iterator[Edit]:
    """Readers that believe the dimension must see the new columns."""
    if parts.dimension is None:
        return
    at, reference = parts.dimension
    first, _colon, corner = reference.partition(":")
    row = re.sub(r"[^0-9]", "", corner or first)
    if row:
        end = tag_end(xml, at)
        wider = re.sub(
            rb"(ref=)(\"[^\"]*\"|'[^']*')",
            f'ref="{first}:{column_letter(last)}{row}"'.encode(),
            xml[at:end],
            count=1,
        )
        yield at, end, wider


def _widths(parts: Parts, start: int, columns: Columns) -> Edit:
    """The new columns can be read, also where everything to the right was hidden."""
    first, last = start + 1, start + columns.number
    pieces: list[tuple[int, dict[str, str]]] = []
    for attributes in parts.columns:
        low, high = int(attributes.get("min", "1")), int(attributes.get("max", "1"))
        for a, b in ((low, min(high, first - 1)), (max(low, last + 1), high)):
            if a <= b:
                pieces.append((a, attributes | {"min": str(a), "max": str(b)}))
    ours = {"min": str(first), "max": str(last), "width": _WIDTH, "customWidth": "1"}
    pieces.append((first, ours))
    pieces.sort(key=lambda piece: piece[0])
    prefix = parts.prefix
    cols = "".join(
        f"<{prefix}col " + " ".join(f"{n}={quoteattr(v)}" for n, v in piece.items()) + "/>"
        for _at, piece in pieces
    )
    begin, end = parts.columns_at or (parts.data_at, parts.data_at)
    return begin, end, f"<{prefix}cols>{cols}</{prefix}cols>".encode()


def styles_with(xml: bytes) -> tuple[bytes, int | None]:
    """The styles part with ours at its end, and the index of the first; None where it has no formats."""
    found = find_tags(xml, ("fonts", "cellXfs"), ("font", "xf"))
    if "fonts" not in found or "cellXfs" not in found:
        return xml, None
    fonts, formats = found["fonts"], found["cellXfs"]
    prefix = formats.prefix
    xfs = "".join(
        [
            _XF.format(prefix, 0, ""),
            _XF.format(prefix, 0, ' quotePrefix="1"'),
            _XF.format(prefix, fonts.children, ' applyFont="1"'),
        ]
    )
    edits: list[Edit] = [
        (fonts.end, fonts.end, _FONT.format(prefix).encode()),
        (formats.end, formats.end, xfs.encode()),
    ]
    for tag, more in ((fonts, 1), (formats, 3)):
        end = tag_end(xml, tag.begin)
        count = f'"{tag.children + more}"'.encode()
        edits.append((tag.begin, end, _COUNT.sub(rb"\1" + count, xml[tag.begin : end])))
    return _joined(xml, edits), formats.children
