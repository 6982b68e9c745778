"""Reading large lists and payrolls, against the libraries that only read cells."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import openpyxl
import python_calamine
import xlsxwriter

from campaigns import workbooks
from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings

PAYSLIPS = 50_000
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


PAYSLIP = (
    "工号", "姓名", "邮箱", "部门", "入职日期", "基本工资", "绩效工资", "补贴", "应发合计", "社保", "公积金", "个税",
    "出勤率", "实发工资",
)  # fmt: skip


def a_payroll(path: Path, rows: int) -> Path:
    """A payroll as Excel saves it: shared texts, and a number format on every number."""
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("10月")
        number, day, money, accounted, share = (
            book.add_format({"num_format": code})
            for code in (
                "000000", 'yyyy"年"m"月"d"日"', "#,##0.00",
                '_ ¥* #,##0.00_ ;_ ¥* -#,##0.00_ ;_ ¥* "-"??_ ;_ @_ ', "0.0%",
            )
        )  # fmt: skip
        sheet.write_row(0, 0, ["某某公司2026年10月工资表"])
        sheet.write_row(1, 0, PAYSLIP)
        for row in range(2, rows + 2):
            sheet.write_number(row, 0, row, number)
            sheet.write_row(row, 1, (f"员工{row}", f"p{row}@corp.example.com", f"部门{row % 40}"))
            sheet.write_number(row, 4, 40_000 + row % 5000, day)
            for column in range(5, 12):
                sheet.write_number(
                    row, column, row * (column + 1) % 30_000 + row % 100 / 100, money
                )
            sheet.write_number(row, 12, row % 101 / 100, share)
            sheet.write_number(row, 13, row * 7 % 30_000 + row % 7 / 100, accounted)
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


def spent(reader: Callable[[Path], int], path: Path, rows: int) -> float:
    """CPU seconds of a whole reading."""
    started = time.process_time()
    assert reader(path) == rows
    return time.process_time() - started


def measure(ground: Ground) -> Findings:
    """20,000 rows (and 100,000) × 12, and 50,000 payslips: CPU seconds of a reading, formats applied."""
    found = Findings()
    for size in (20_000, 100_000) if ground.full else (20_000,):
        path = a_workbook(ground.folder / f"{size}.xlsx", size)
        rows: list[list[str | float]] = []
        for name, reader in READERS.items():
            seconds = spent(reader, path, size)
            rows.append([name.replace("_", " "), seconds, size / seconds])
            found.figures[f"workbook_{size}_{name}_seconds"] = round(seconds, 2)
        found.table(f"A workbook of {size:,} × 12", ["", "CPU s", "rows/s"], rows)
    _payslips(ground, found)
    return found


def _payslips(ground: Ground, found: Findings) -> None:
    """50,000 payslips, every value as Excel shows it; openpyxl only hands out the raw ones."""
    path = a_payroll(ground.folder / "payroll.xlsx", PAYSLIPS)
    theirs = spent(openpyxl_read_only, path, PAYSLIPS + 1)
    seconds = spent(ours, path, PAYSLIPS)
    found.figures["payslip_50k_vs_openpyxl"] = round(seconds / theirs, 2)
    memory = in_a_process(path, "payslip", "--memory")
    assert memory["rows"] == PAYSLIPS
    found.figures["payslip_50k_peak_mb"] = round(max(memory["worker_mb"], memory["child_mb"]))
    found.table(
        f"A payroll of {PAYSLIPS:,} × {len(PAYSLIP)} with number formats",
        ["", "CPU s", "worker MB", "child MB"],
        [
            ["hongyan", seconds, memory["worker_mb"], memory["child_mb"]],
            ["openpyxl read only", theirs, "", ""],
        ],
    )


def in_a_process(path: Path, purpose: str, *flags: str) -> dict[str, float]:
    """What import_process tells of this file."""
    command = [sys.executable, "-m", "tests.benchmarks.import_process", str(path), purpose, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))
