"""Sheet rows: what a workbook's row gives to one message, opened with the workbook's key."""

from __future__ import annotations

from typing import Any

from campaigns.documents.layout import LayoutFault
from campaigns.mailer.template import Cell
from campaigns.models import Campaign, Delivery, WorkbookRow
from campaigns.models.campaign import Duplicates
from campaigns.pipeline.layouts import drawn_of

# Names under which a row's or contact's address and name can always be written.
ADDRESS_FIELD, NAME_FIELD = "邮箱", "姓名"


class Unsendable(Exception):
    """This delivery cannot be composed. `detail` names the cell or cause, never a cell's content."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class SheetRows:
    """The rows of one campaign's workbook; each is opened once a message."""

    def __init__(self, campaign: Campaign) -> None:
        assert campaign.workbook is not None
        self.campaign, self.workbook = campaign, campaign.workbook
        self.columns: list[dict[str, Any]] = self.workbook.columns
        self.drawn = drawn_of(campaign)

    def of(self, delivery: Delivery) -> list[WorkbookRow]:
        """The rows that go into one message: its own, or all of the address where they are merged."""
        if self.campaign.duplicates == Duplicates.MERGED:
            key = delivery.row.address_key
            if found := list(delivery.row.workbook.rows.filter(address_key=key)):
                return found
        return [delivery.row]

    def name(self, row: WorkbookRow) -> str:
        return str(self.opened(row).get("name") or "")

    def opened(self, row: WorkbookRow) -> dict[str, Any]:
        """The row's sealed JSON; raises ContentDestroyed."""
        opened = row.__dict__.get("_opened")
        if opened is None:
            opened = row._opened = self.workbook.data_key.open_json(row.sealed)
        return opened

    def values(self, row: WorkbookRow) -> dict[str, str]:
        """By column name. Raises Unsendable for a payslip with a cell that cannot be read."""
        opened = self.opened(row)
        unreadable = [
            self.place(row, index) for index, value in enumerate(opened["values"]) if value is None
        ]
        if unreadable and self.campaign.is_payslip:
            raise Unsendable("unreadable_cell", ", ".join(unreadable[:5]))
        names = (column["name"] for column in self.columns)
        values = {
            name: value
            for name, value in zip(names, opened["values"], strict=False)
            if value is not None
        }
        return {ADDRESS_FIELD: row.address, NAME_FIELD: opened.get("name") or "", **values}

    def cells(self, row: WorkbookRow) -> list[Cell]:
        """As the layout says; without one every visible column but address and name, in the sheet's order."""
        if self.drawn is not None:
            return self._laid_out(row)
        left_out = {self.workbook.address_column, self.workbook.name_column}
        values = self.opened(row)["values"]
        return [
            Cell(column["name"], values[index] or "")
            for index, column in enumerate(self.columns)
            if index not in left_out and index < len(values)
        ]

    def _laid_out(self, row: WorkbookRow) -> list[Cell]:
        assert self.drawn is not None
        names = (column["name"] for column in self.columns)
        values = zip(names, self.opened(row)["values"], strict=False)
        try:
            return self.drawn.cells({name: value or "" for name, value in values})
        except LayoutFault as fault:
            raise Unsendable("layout_column", fault.column) from fault

    def table(self, delivery: Delivery) -> list[Cell]:
        """The cells of every row of a message; where there are several, each begins with its number."""
        rows = self.of(delivery)
        cells: list[Cell] = []
        for number, row in enumerate(rows, 1):
            if len(rows) > 1:
                cells.append(Cell(f"第 {number} 份", f"共 {len(rows)} 份"))
            self.values(row)  # raises for a cell that cannot be read, in any of the rows
            cells += self.cells(row)
        return cells

    def index(self, name: str) -> int | None:
        """Of the column with this name; None where there is none."""
        names = [column["name"] for column in self.columns]
        return names.index(name) if name in names else None

    def place(self, row: WorkbookRow, index: int) -> str:
        """A cell as HR finds it: 11月工资!D18."""
        letter = self.columns[index]["letter"] if index < len(self.columns) else "?"
        return f"{self.workbook.sheet}!{letter}{row.number}"
