"""An HTML table that a payroll system saved with the name .xls: each table is a sheet."""

from __future__ import annotations

import re

from lxml import etree, html  # type: ignore[import-untyped]

from campaigns.workbooks.grid import Merge, Sheet, SheetRow, Tick
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits

_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hidden", re.I)
_BREAKS = {"br", "p", "div", "li", "tr"}
_MAX_SPAN = 1_000


class HtmlSource:
    """Entities beyond HTML's own are never expanded; what cannot be a table is refused."""

    def __init__(self, text: str, limits: Limits) -> None:
        if "<!ENTITY" in text[:100_000].upper():
            raise WorkbookRejected(RejectKind.MARKUP)
        self._limits = limits
        parser = html.HTMLParser(
            no_network=True, huge_tree=False, remove_comments=True, encoding="utf-8"
        )
        try:
            root = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
        except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
            raise WorkbookRejected(RejectKind.DAMAGED, "HTML 有错") from error
        tables = [t for t in root.iter("table") if t.find(".//table") is None]
        if not tables:
            raise WorkbookRejected(RejectKind.NOT_A_WORKBOOK, "HTML 里没有表格")
        names = re.findall(r"<x:Name>([^<]{1,31})</x:Name>", text[:100_000])
        if len(names) != len(tables):
            names = [f"Sheet{number}" for number in range(1, len(tables) + 1)]
        self._tables = dict(zip(names, tables, strict=True))
        self.sheets = [(name, _is_hidden(table)) for name, table in self._tables.items()]

    def load(self, name: str, tick: Tick | None = None) -> Sheet:
        table = _Table(name, self._limits)
        rows = list(self._tables[name].iter("tr"))
        for number, tr in enumerate(rows, start=1):
            table.add_row(number, tr)
            if tick:
                tick(number, len(rows))
        return table.sheet


class _Table:
    def __init__(self, name: str, limits: Limits) -> None:
        self.sheet = Sheet(name)
        self._limits = limits
        self._taken: set[tuple[int, int]] = set()
        self._cells = 0

    def add_row(self, number: int, tr: html.HtmlElement) -> None:
        texts: list[str] = []
        column = 0
        for cell in tr.iterchildren("td", "th"):
            while (number, column) in self._taken:
                column += 1
            across, down = _span(cell, "colspan"), _span(cell, "rowspan")
            self._take(number, column, across, down)
            texts.extend([""] * (column - len(texts)))
            texts.append(cell_text(cell))
            for anchor in cell.iter("a"):
                if anchor.get("href", "").lower().startswith("mailto:"):
                    self.sheet.links[number, column] = anchor.get("href")
            if _is_hidden(cell) and number == 1:
                self.sheet.hidden_columns.add(column)
            column += across
        while texts and not texts[-1]:
            texts.pop()
        if len(texts) > self._limits.columns or number > self._limits.rows:
            raise WorkbookRejected(RejectKind.SIZE, "行数或列数过多")
        if texts:
            self.sheet.rows.append(SheetRow(number, texts, hidden=_is_hidden(tr)))

    def _take(self, row: int, column: int, across: int, down: int) -> None:
        if across == down == 1:
            return
        self._cells += across * down
        if self._cells > self._limits.cells // 20:
            raise WorkbookRejected(RejectKind.SIZE, "合并单元格过多")
        self.sheet.merges.append(Merge(row, column, row + down - 1, column + across - 1))
        self._taken.update(
            (r, c) for r in range(row, row + down) for c in range(column, column + across)
        )


def cell_text(cell: html.HtmlElement) -> str:
    """The text as Excel takes it in: blanks and source line breaks are one blank, <br> is a break."""
    parts: list[str] = []

    def walk(element: html.HtmlElement) -> None:
        parts.append(re.sub(r"[ \t\r\n\f]+", " ", element.text or ""))
        for child in element:
            if isinstance(child.tag, str):
                if child.tag in _BREAKS and (child.tag == "br" or "".join(parts).strip()):
                    parts.append("\n")
                if child.tag not in ("script", "style"):
                    walk(child)
            parts.append(re.sub(r"[ \t\r\n\f]+", " ", child.tail or ""))

    walk(cell)
    lines = "".join(parts).split("\n")
    return (
        "\n".join(line.strip(" ") for line in lines).strip("\n").replace("\u00a0", " ").strip(" ")
    )


def _span(cell: html.HtmlElement, attribute: str) -> int:
    text = cell.get(attribute, "1").strip()
    return (
        max(1, min(int(text), _MAX_SPAN))
        if text.isascii() and text.isdigit() and len(text) < 9
        else 1
    )


def _is_hidden(element: html.HtmlElement) -> bool:
    return bool(_HIDDEN.search(element.get("style", ""))) or element.get("hidden") is not None
