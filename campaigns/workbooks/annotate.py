"""Columns beside the rows of somebody's own file, everything else in it left as it was.

In an .xlsx or .xlsm the new cells are spliced into the bytes of the sheet's XML (SpreadsheetML,
ECMA-376 part 1, 18.3.1): formats, formulas with their stored values, charts, macros and other sheets
stay what they were, which no load-and-save keeps. Every other format comes back as an .xlsx of the
texts that it shows.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from zipfile import ZIP_DEFLATED, ZipFile

from campaigns.workbooks.containers import open_bytes
from campaigns.workbooks.export import result_workbook
from campaigns.workbooks.grid import Sheet
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits
from campaigns.workbooks.sheet_parts import NotSpliceable
from campaigns.workbooks.sheet_splice import Columns, splice, styles_with
from campaigns.workbooks.words import OWN_COLUMN
from campaigns.workbooks.xlsx import XlsxSource

_MACROS = b"application/vnd.ms-excel.sheet.macroEnabled"


def annotate(
    data: bytes,
    *,
    sheet: str,
    header_row: int | None,
    headers: Sequence[str],
    rows: Mapping[int, Sequence[str]],
    red: frozenset[int],
    limits: Limits,
) -> tuple[str, bytes]:
    """The suffix and bytes of the file with `headers` in `header_row` and `rows` in their rows.

    Columns that an earlier call added (their heads begin with OWN_COLUMN) are replaced. Raises
    WorkbookRejected for a file that cannot be read (any more), or has no such sheet.
    """
    source = open_bytes(data, limits)
    if sheet not in dict(source.sheets):
        raise WorkbookRejected(RejectKind.UNKNOWN_SHEET, sheet)
    table = source.load(sheet)
    texts = {number: list(cells) for number, cells in rows.items()}
    if header_row is not None:
        texts[header_row] = list(headers)
    earlier = _earlier(table, header_row)
    if isinstance(source, XlsxSource):
        start = max(_width(table, earlier), 1)
        columns = Columns(start, len(headers), earlier, texts, red)
        try:
            return _spliced(source, sheet, columns)
        except NotSpliceable:
            pass
    return ".xlsx", _exported(table, texts, earlier)


def _earlier(table: Sheet, header_row: int | None) -> frozenset[int]:
    """The columns that are ours from an earlier time."""
    row = table.row(header_row) if header_row is not None else None
    texts = row.texts if row else []
    return frozenset(c for c, text in enumerate(texts) if text.startswith(OWN_COLUMN))


def _width(table: Sheet, without: frozenset[int]) -> int:
    """One past the last column that shows anything, or holds what cannot be shown."""
    shown = (
        column
        for row in table.rows
        for column in range(len(row.texts) - 1, -1, -1)
        if row.texts[column] and column not in without
    )
    flawed = (column for _row, column in table.flaws)
    return max(max(shown, default=-1), max(flawed, default=-1)) + 1


def _spliced(source: XlsxSource, sheet: str, columns: Columns) -> tuple[str, bytes]:
    package, part = source.package, source.part_of(sheet)
    styles_part = source.styles_part
    styles = b"".join(package.chunks(styles_part)) if styles_part else b""
    new_styles, first_style = styles_with(styles)
    changed = {part: splice(b"".join(package.chunks(part)), columns, first_style)}
    if first_style is not None and styles_part:
        changed[styles_part] = new_styles
    types = package.find("[Content_Types].xml")
    macros = types is not None and _MACROS in b"".join(package.chunks(types))
    target = io.BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as copy:
        for name in dict.fromkeys(package.names()):
            with copy.open(name, "w") as member:
                for chunk in [changed[name]] if name in changed else package.chunks(name):
                    member.write(chunk)
    return ".xlsm" if macros else ".xlsx", target.getvalue()


def _exported(table: Sheet, texts: Mapping[int, Sequence[str]], earlier: frozenset[int]) -> bytes:
    width = _width(table, earlier)

    def lines() -> Iterator[list[str]]:
        found = {row.number: row for row in table.rows}
        for number in range(1, max([*found, *texts], default=0) + 1):
            row = found.get(number)
            shown = [row.text(c) if row and c not in earlier else "" for c in range(width)]
            yield [*shown, *texts.get(number, ())]

    every = lines()
    target = io.BytesIO()
    result_workbook(every, next(every, []), target)
    return target.getvalue()
