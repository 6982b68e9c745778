"""Small workbooks, written as people write them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook

HEADER = ("工号", "姓名", "邮箱", "应发工资", "实发工资")
Row = Sequence[Any]


def xlsx(sheets: dict[str, Sequence[Row]]) -> bytes:
    """An .xlsx with these sheets, each a list of rows."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def people(number: int, *, pay: str = "8000.00") -> list[Row]:
    return [
        (f"G{n:04d}", f"员工{n}", f"p{n}@example.com", "9000.00", pay) for n in range(1, number + 1)
    ]


def payroll(rows: Sequence[Row] | int = 3, *, sheet: str = "11月工资") -> bytes:
    """A title, a header in row 2, and people below."""
    rows = people(rows) if isinstance(rows, int) else rows
    return xlsx({sheet: [("鸿雁科技 11 月工资表",), HEADER, *rows]})


def csv(number: int, *, columns: int = 3) -> bytes:
    """A plain list for an import."""
    extra = "".join(f",栏{n}" for n in range(columns))
    lines = [f"邮箱,姓名{extra}"]
    lines += [
        f"c{n}@example.com,联系人{n}" + "".join(f",值{n}-{c}" for c in range(columns))
        for n in range(number)
    ]
    return "\n".join(lines).encode()
