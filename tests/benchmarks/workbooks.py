"""Reading a large recipient list, against the libraries that only read cells."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import openpyxl
import python_calamine
import xlsxwriter

from campaigns import workbooks
from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings

COLUMNS = (
    "姓名",
    "邮箱",
    "城市",
    "等级",
    "积分",
    "到期积分",
    "顾问",
    "部门",
    "电话",
    "生日",
    "备注",
    "余额",
)


def a_workbook(path: Path, rows: int) -> Path:
    """A list of `rows` people in 12 columns, with texts, numbers and formatted amounts."""
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet("名单")
        amount = book.add_format({"num_format": "#,##0.00"})
        sheet.write_row(0, 0, COLUMNS)
        for row in range(1, rows + 1):
            people = (f"读者{row}", f"reader{row}@mail{row % 50}.example.com", "哈尔滨", "金卡")
            sheet.write_row(row, 0, people)
            sheet.write_row(row, 4, (row % 10_000, row % 100))
            sheet.write_row(row, 6, (f"欧阳{row}", "华东", f"1380000{row:05d}", "1990-01-01", ""))
            sheet.write_number(row, 11, row * 1.25, amount)
    return path


def ours(path: Path) -> int:
    return len(workbooks.read(path).rows)


def calamine(path: Path) -> int:
    return len(python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()) - 1


def openpyxl_read_only(path: Path) -> int:
    book = openpyxl.load_workbook(path, read_only=True)
    return sum(1 for _row in book.active.iter_rows(values_only=True)) - 1


READERS: dict[str, Callable[[Path], int]] = {
    "hongyan": ours,
    "calamine": calamine,
    "openpyxl_read_only": openpyxl_read_only,
}


def measure(ground: Ground) -> Findings:
    """20,000 rows (and 100,000) × 12: CPU seconds of a whole reading, number formats applied."""
    found = Findings()
    for size in (20_000, 100_000) if ground.full else (20_000,):
        path = a_workbook(ground.folder / f"{size}.xlsx", size)
        rows: list[list[str | float]] = []
        for name, reader in READERS.items():
            started = time.process_time()
            assert reader(path) == size
            seconds = time.process_time() - started
            rows.append([name.replace("_", " "), seconds, size / seconds])
            found.figures[f"workbook_{size}_{name}_seconds"] = round(seconds, 2)
        found.table(f"A workbook of {size:,} × 12", ["", "CPU s", "rows/s"], rows)
    return found
