"""From a file to a Reading: open it by its content, choose the sheet, read that one."""

from __future__ import annotations

from pathlib import Path

from campaigns.workbooks.containers import Source, open_source
from campaigns.workbooks.grid import Tick
from campaigns.workbooks.problems import Problem, ProblemKind, RejectKind, WorkbookRejected
from campaigns.workbooks.results import Choices, Limits, Reading
from campaigns.workbooks.sheet_reading import SheetReading, hidden_names, hidden_sheets, visible


def read(
    path: Path,
    *,
    sheet: str | None = None,
    password: str | None = None,
    choices: Choices | None = None,
    progress: Tick | None = None,
    limits: Limits | None = None,
) -> Reading:
    """Reads a workbook; `progress` hears (done, total): bytes of the sheet, or of several, thousandths of each.

    Raises WorkbookRejected when nothing can be read. Run it in a child process (child.py) where the
    file comes from outside.
    """
    limits = limits or Limits()
    choices = choices or Choices()
    with open_source(path, limits, password) as source:
        if sheet is None:
            return _read_the_one(source, choices, progress)
        if sheet not in dict(source.sheets):
            raise WorkbookRejected(RejectKind.UNKNOWN_SHEET, sheet)
        found = SheetReading(source, source.load(sheet, progress), choices)
        if found.header is None:
            raise WorkbookRejected(RejectKind.EMPTY, f"工作表“{sheet}”里没有数据")
        return found.reading()


def _read_the_one(source: Source, choices: Choices, progress: Tick | None) -> Reading:
    """The only visible sheet with a header and a usable address, or the question which one."""
    usable: SheetReading | None = None
    fallback: SheetReading | None = None
    names = visible(source)
    for at, name in enumerate(names):
        tick = _share(progress, at, len(names))
        found = SheetReading(source, source.load(name, tick), choices)
        if found.usable and usable:
            return _to_choose(source)
        if found.usable:
            usable = found
        elif found.header is not None and found.header.rows and fallback is None:
            fallback = found
    found_one = usable or fallback
    if found_one is None or not found_one.has_data:
        raise WorkbookRejected(RejectKind.EMPTY, "没有找到表头和数据行")
    return found_one.reading()


def _share(progress: Tick | None, at: int, sheets: int) -> Tick | None:
    """The progress of one sheet as its part of them all, so that the bar never goes back."""
    if progress is None or sheets == 1:
        return progress

    def tick(done: int, total: int) -> None:
        progress(at * 1000 + done * 1000 // max(total, 1), sheets * 1000)

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
