"""One sheet sorted into recipients, skipped rows and problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from campaigns.workbooks import words
from campaigns.workbooks.addresses import Cleaned, clean, is_plain, key
from campaigns.workbooks.containers import Source
from campaigns.workbooks.domains import suggest
from campaigns.workbooks.first_rows import FirstRows
from campaigns.workbooks.grid import Flaw, Sheet, SheetRow, Tick
from campaigns.workbooks.header import Header, HeaderFinder
from campaigns.workbooks.left_out import BY_HAND, HIDDEN, NO_ADDRESS, LeftOut
from campaigns.workbooks.problems import (
    REASONS,
    Problem,
    ProblemKind,
    RejectKind,
    WorkbookRejected,
    column_letter,
)
from campaigns.workbooks.results import Choices, Columns, Reading, ReadRow
from campaigns.workbooks.rows import RowSorter, TotalChecker

_ROWS_A_TICK = 500
_WHY = {
    ProblemKind.FORMULA_WITHOUT_VALUE: "formula without a stored value",
    ProblemKind.ERROR_VALUE: "error value",
    ProblemKind.LOST_DIGITS: "a number that lost digits",
    ProblemKind.CANNOT_SHOW: "a number format that cannot be shown",
}


def visible(source: Source) -> list[str]:
    return [name for name, hidden in source.sheets if not hidden]


def hidden_names(source: Source) -> list[str]:
    return [name for name, hidden in source.sheets if hidden]


def hidden_sheets(source: Source, read_sheet: str | None) -> list[Problem]:
    return [
        Problem(None, None, None, ProblemKind.HIDDEN_SHEET, {"name": name})
        for name in hidden_names(source)
        if name != read_sheet
    ]


class SheetReading:
    """One sheet sorted into recipients, skipped rows and problems, the recipients one after another."""

    def __init__(self, source: Source, sheet: Sheet, choices: Choices) -> None:
        self._source = source
        self._sheet = sheet
        self._choices = choices
        self._first: dict[str, int] = {}
        self._duplicates: list[tuple[ReadRow, int]] = []
        self._invalid: list[dict[str, Any]] = []
        self._skipped: list[dict[str, Any]] = []
        self._hidden_rows: list[int] = []
        self._problems: list[Problem] = []
        self._unreadable = False
        self._flawed_rows: set[int] = set()
        self._people = 0
        self._done = 0
        self._cleaned = (0, Cleaned())
        self._first_rows = FirstRows(sheet)
        self._left_out = LeftOut()
        self.header = HeaderFinder(sheet).find(choices)
        self._sorted = self._sort_rows(self.header) if self.header else iter(())
        #: Sorting goes as far as the first recipient; the rest follows as it is asked for.
        self._ahead = next(self._sorted, None)

    @property
    def usable(self) -> bool:
        titled = self.header is not None and bool(self.header.rows)
        return self._ahead is not None and (titled or len(visible(self._source)) == 1)

    @property
    def has_data(self) -> bool:
        return bool(self._ahead or self._people)

    @property
    def columns(self) -> Columns:
        """None at all where there is no header."""
        if self.header is None:
            return Columns((), None, None)
        place = {column: at for at, column in enumerate(self.header.indexes)}
        address, name = (
            None if column is None else place.get(column)
            for column in (self.header.address, self.header.name)
        )
        return Columns(tuple(self.header.names), address, name)

    def rows(self, tick: Tick | None = None) -> Iterator[ReadRow]:
        """The recipients, once; `tick` hears (rows of the sheet done, rows of the sheet)."""
        if self._ahead is None:
            return
        yield self._ahead
        total, told = len(self._sheet.rows), 0
        for row in self._sorted:
            yield row
            if tick and self._done - told >= _ROWS_A_TICK:
                told = self._done
                tick(told, total)

    def _problem(
        self, row: int | None, column: int | None, kind: ProblemKind, **params: str
    ) -> None:
        letter = column_letter(column) if column is not None else None
        self._problems.append(Problem(self._sheet.name, row, letter, kind, params))

    def _sort_rows(self, header: Header) -> Iterator[ReadRow]:
        self._sheet.fill_down(header.first_data_row)
        self._flawed_rows = {number for number, _ in self._sheet.flaws}
        sorter = RowSorter(self._sheet, header, self._addresses)
        self._totals = TotalChecker(header)
        odd = self._flawed_rows | self._choices.skipped | self._choices.unskipped
        for row in self._sheet.rows:
            self._done += 1
            if row.number not in odd and (person := self._plain_person(sorter, header, row)):
                yield person
                continue
            if self._is_blank(row):
                continue
            if row.hidden:
                self._hidden_rows.append(row.number)
                if row.number >= header.first_data_row:
                    self._totals.add_hidden(row)
                    self._left_out.add(row, HIDDEN, header.indexes)
            if row.hidden or row.number < header.first_data_row:
                continue
            why = self._why_skipped(sorter, row)
            if why is None:
                self._people += 1
                self._totals.add(row)
                yield from self._take(header, row)
            else:
                self._skip(row, why)
                if why == BY_HAND:
                    self._left_out.add(row, BY_HAND, header.indexes)

    def _plain_person(self, sorter: RowSorter, header: Header, row: SheetRow) -> ReadRow | None:
        """What most rows are, with an address that stands there as it is; None sends a row the long way."""
        texts, address, number = row.texts, header.address, row.number
        if address is None or len(texts) <= address or number < header.first_data_row:
            return None
        email = texts[address]
        if row.hidden or not is_plain(email) or not sorter.is_no_label(row):
            return None
        self._people += 1
        self._totals.add(row)
        name = row.text(header.name).strip() if header.name is not None else ""
        person = ReadRow(number, 1, email, name, self._cells(header, row))
        self._look(header, person)
        return person

    def _is_blank(self, row: SheetRow) -> bool:
        return row.is_blank() and row.number not in self._flawed_rows

    def _why_skipped(self, sorter: RowSorter, row: SheetRow) -> str | None:
        if row.number in self._choices.unskipped:
            return None
        if row.number in self._choices.skipped:
            return BY_HAND
        return sorter.why_skipped(row)

    def _skip(self, row: SheetRow, why: str) -> None:
        self._skipped.append({"row": row.number, "why": why})
        self._problem(row.number, None, ProblemKind.SKIPPED_ROW, reason=REASONS[why])
        if why in ("total", "subtotal"):
            for column, shown, computed in self._totals.compare(row, why):
                self._problem(
                    row.number, column, ProblemKind.TOTAL_DIFFERS, shown=shown, computed=computed
                )

    def _addresses(self, row: SheetRow) -> Cleaned:
        """The row's usable addresses; asked for twice of each row, so the last answer is kept."""
        if self._cleaned[0] != row.number:
            self._cleaned = row.number, self._clean(row)
        return self._cleaned[1]

    def _clean(self, row: SheetRow) -> Cleaned:
        column = self.header.address if self.header else None
        if column is None:
            return Cleaned()
        text = row.text(column)
        cleaned = clean(text)
        link = self._sheet.links.get((row.number, column))
        if link and not cleaned.emails:
            linked = clean(link)
            return linked if linked.emails else cleaned
        return cleaned

    def _take(self, header: Header, row: SheetRow) -> Iterable[ReadRow]:
        address = header.address
        if address is None and self._choices.number_column is None:
            return ()
        flaw = self._sheet.flaws.get((row.number, address)) if address is not None else None
        if flaw and address is not None:
            self._flawed(row, address, flaw)
            self._left_out.add(row, NO_ADDRESS, header.indexes)
            return ()
        cleaned = self._addresses(row)
        known_elsewhere = not cleaned.rejected and self._choices.number_column is not None
        if address is not None:
            if not cleaned.emails and not cleaned.rejected and not known_elsewhere:
                self._no_address(row, address)
            for raw, why in cleaned.rejected:
                self._reject(row, address, raw, why)
        cells = self._cells(header, row)
        emails = list(cleaned.emails) or ([""] if known_elsewhere else [])
        if not emails:
            why = cleaned.rejected[0][1] if cleaned.rejected else NO_ADDRESS
            self._left_out.add(row, why, header.indexes)
            return ()
        self._unreadable = self._unreadable or None in cells
        return self._recipients(header, row, emails, cells)

    def _cells(self, header: Header, row: SheetRow) -> tuple[str | None, ...]:
        if row.number in self._flawed_rows:
            return tuple(self._readable(row, column) for column in header.indexes)
        texts, width = row.texts, len(row.texts)
        if width == len(header.indexes) == header.indexes[-1] + 1:
            return tuple(texts)
        return tuple([texts[c] if c < width else "" for c in header.indexes])

    def _no_address(self, row: SheetRow, column: int) -> None:
        self._add_invalid(row.number, column, row.text(column), NO_ADDRESS)
        self._problem(row.number, column, ProblemKind.NO_ADDRESS)

    def _reject(self, row: SheetRow, column: int, raw: str, why: str) -> None:
        self._add_invalid(row.number, column, raw, why)
        reason = REASONS[why]
        self._problem(row.number, column, ProblemKind.BAD_ADDRESS, raw=raw, reason=reason)

    def _add_invalid(self, row: int, column: int, raw: str, why: str) -> None:
        self._invalid.append({"row": row, "column": column_letter(column), "raw": raw, "why": why})

    def _flawed(self, row: SheetRow, column: int, flaw: Flaw) -> None:
        self._add_invalid(row.number, column, flaw.raw, _WHY[flaw.kind])
        params = {} if flaw.kind is ProblemKind.FORMULA_WITHOUT_VALUE else {"raw": flaw.raw}
        if flaw.kind is ProblemKind.CANNOT_SHOW:
            params["format"] = flaw.format
        self._problem(row.number, column, flaw.kind, **params)

    def _readable(self, row: SheetRow, column: int) -> str | None:
        """What a cell shows, or None after saying why that cannot be known."""
        flaw = self._sheet.flaws.get((row.number, column))
        if flaw is None:
            return row.text(column)
        self._flawed(row, column, flaw)
        return None

    def _recipients(
        self, header: Header, row: SheetRow, emails: list[str], cells: tuple[str | None, ...]
    ) -> Iterable[ReadRow]:
        name = row.text(header.name).strip() if header.name is not None else ""
        found = []
        for part, email in enumerate(emails, start=1):
            found.append(recipient := ReadRow(row.number, part, email, name, cells))
            self._look(header, recipient)
        return found

    def _look(self, header: Header, person: ReadRow) -> None:
        """For an address that was there before, and a domain that is hardly meant."""
        number, _part, email, _name, _cells = person
        first = self._first.setdefault(key(email), number) if email else number
        if first != number:
            self._duplicates.append((person, first))
        domain = email[email.rfind("@") + 1 :]
        if suggestion := suggest(domain):
            self._problem(
                number,
                header.address,
                ProblemKind.DOMAIN_TYPO,
                domain=domain,
                suggestion=suggestion,
            )

    def reading(self) -> Reading:
        """Everything but the rows, which have all been asked for before."""
        header = self.header
        if header is None:
            raise WorkbookRejected(RejectKind.EMPTY, "没有找到表头和数据行")
        columns = self.columns
        duplicates = self._find_duplicates(header)
        hidden_columns = self._find_hidden(header)
        self._say_what_is_missing(header)
        names = dict(zip(header.indexes, header.names, strict=True))
        totals = self._totals.totals([c for c in names if words.is_summable(names[c])])
        return Reading(
            outcome="import-with-errors" if self._unreadable else "import",
            sheet=self._sheet.name,
            sheets=visible(self._source),
            hidden={
                "sheets": [n for n in hidden_names(self._source) if n != self._sheet.name],
                "rows": self._hidden_rows,
                "columns": hidden_columns,
            },
            header_rows=list(header.rows),
            columns=list(columns.names),
            rows=[],
            invalid=self._invalid,
            duplicates=duplicates,
            skipped_rows=self._skipped,
            problems=self._problems + hidden_sheets(self._source, self._sheet.name),
            address_column=columns.address,
            name_column=columns.name,
            letters=[column_letter(c) for c in header.indexes],
            suggestions=_suggestions(header),
            totals={names[column]: total for column, total in totals.items()},
            first_rows=self._first_rows.as_json({row["row"] for row in self._skipped}),
            left_out=self._left_out.as_json(),
        )

    def _find_duplicates(self, header: Header) -> list[dict[str, Any]]:
        for row, first_row in self._duplicates:
            self._problem(
                row.number, header.address, ProblemKind.DUPLICATE_ADDRESS,
                email=row.email, first_row=str(first_row),
            )  # fmt: skip
        return [
            {"row": row.number, "email": row.email, "first_row": first_row}
            for row, first_row in self._duplicates
        ]

    def _find_hidden(self, header: Header) -> list[str]:
        """The letters of the hidden columns that hold something; says so, and of the hidden rows."""
        hidden: list[str] = []
        if self._sheet.hidden_columns:
            used = {c for row in self._sheet.rows for c, text in enumerate(row.texts) if text}
            hidden = [column_letter(c) for c in sorted(used & self._sheet.hidden_columns)]
        for letter in hidden:
            self._problems.append(
                Problem(self._sheet.name, None, letter, ProblemKind.HIDDEN_COLUMN)
            )
        for row in self._hidden_rows:
            self._problem(row, None, ProblemKind.HIDDEN_ROW)
        return hidden

    def _say_what_is_missing(self, header: Header) -> None:
        if not header.rows:
            self._problem(None, None, ProblemKind.NO_HEADER)
        if header.address is None and self._choices.number_column is None:
            self._problem(None, None, ProblemKind.NO_ADDRESS_COLUMN)


def _suggestions(header: Header) -> dict[str, str]:
    """role → column name; address and name first, then the roles of words.ROLES."""
    names = dict(zip(header.indexes, header.names, strict=True))
    suggested = {}
    if header.address is not None and header.address in names:
        suggested["address"] = names[header.address]
    if header.name is not None:
        suggested["name"] = names[header.name]
    for role, pattern in words.ROLES.items():
        found = next((name for name in header.names if pattern.search(name)), None)
        if found:
            suggested[role] = found
    return suggested
