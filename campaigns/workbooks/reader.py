"""From a file to a Reading: open it by its content, choose the sheet, read that one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from campaigns.workbooks.containers import Source, open_source
from campaigns.workbooks.grid import Tick
from campaigns.workbooks.problems import Problem, ProblemKind, RejectKind, WorkbookRejected
from campaigns.workbooks.results import Choices, Columns, Limits, Reading, ReadRow
from campaigns.workbooks.sheet_reading import SheetReading, hidden_names, hidden_sheets, visible

Take = Callable[[ReadRow], object]
#: Told the columns, it says who takes the recipients.
Taker = Callable[[Columns], Take]
#: Of a thousand, how far the bar has come when the sheet is in memory; its rows are the rest.
_LOADED = 600


def read(
    path: Path,
    *,
    sheet: str | None = None,
    password: str | None = None,
    choices: Choices | None = None,
    progress: Tick | None = None,
    limits: Limits | None = None,
) -> Reading:
    """Reads a workbook whole; see `read_rows`."""
    rows: list[ReadRow] = []
    reading = read_rows(
        path, lambda _columns: rows.append, sheet=sheet, password=password, choices=choices, progress=progress,
        limits=limits,
    )  # fmt: skip
    return replace(reading, rows=rows)


def read_rows(
    path: Path,
    taker: Taker,
    *,
    sheet: str | None = None,
    password: str | None = None,
    choices: Choices | None = None,
    progress: Tick | None = None,
    limits: Limits | None = None,
) -> Reading:
    """Gives each recipient to whom `taker` names and returns what else was found; `progress` hears thousandths.

    Raises WorkbookRejected when nothing can be read. Run it in a child process (child.py) where the
    file comes from outside.
    """
    limits = limits or Limits()
    choices = choices or Choices()
    with open_source(path, limits, password) as source:
        if sheet is None:
            found = _the_one(source, choices, progress)
        elif sheet in dict(source.sheets):
            tick = _part(progress, 0, _LOADED)
            found = SheetReading(source, source.load(sheet, tick), choices)
            if found.header is None:
                raise WorkbookRejected(RejectKind.EMPTY, f"工作表“{sheet}”里没有数据")
        else:
            raise WorkbookRejected(RejectKind.UNKNOWN_SHEET, sheet)
        if found is None:
            return _to_choose(source)
        take = taker(found.columns)
        for row in found.rows(_part(progress, _LOADED, 1000)):
            take(row)
        if progress:
            progress(1000, 1000)
        return found.reading()


def _the_one(source: Source, choices: Choices, progress: Tick | None) -> SheetReading | None:
    """The only visible sheet with a header and a usable address; None if there are several."""
    usable: SheetReading | None = None
    fallback: SheetReading | None = None
    names = visible(source)
    for at, name in enumerate(names):
        ends = at * _LOADED // len(names), (at + 1) * _LOADED // len(names)
        found = SheetReading(source, source.load(name, _part(progress, *ends)), choices)
        if found.usable and usable:
            return None
        if found.usable:
            usable = found
        elif found.header is not None and found.header.rows and fallback is None:
            fallback = found
    found_one = usable or fallback
    if found_one is None or not found_one.has_data:
        raise WorkbookRejected(RejectKind.EMPTY, "没有找到表头和数据行")
    return found_one


def _part(progress: Tick | None, start: int, end: int) -> Tick | None:
    """The progress of one step as its part of a thousand, so that the bar never goes back."""
    if progress is None:
        return None

    def tick(done: int, total: int) -> None:
        progress(start + (end - start) * min(done, total) // max(total, 1), 1000)

    return tick


def _to_choose(source: Source) -> Reading:
    names = visible(source)
    question = Problem(None, None, None, ProblemKind.SHEET_TO_CHOOSE, {"names": "、".join(names)})
    return Reading(
        outcome="choose-sheet",
        sheet=None,
        sheets=names,
        hidden={"sheets": hidden_names(source), "rows": [], "columns": []},
        header_rows=None,
        columns=[],
        rows=[],
        invalid=[],
        duplicates=[],
        skipped_rows=[],
        problems=[question, *hidden_sheets(source, None)],
    )
