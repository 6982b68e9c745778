"""The demo payroll: a workbook as an HR department would hand it over, with a few awkward rows."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
GIVEN = "伟芳娜敏静磊洋勇艳杰娟涛明超霞平刚桂英文博思远嘉怡子轩欣然"
DEPARTMENTS = ("研发部", "市场部", "人事部", "财务部", "客服部")
PARENTS = ("工号", "姓名", "部门", "邮箱", "应发", None, None, "扣款", None, None, "实发工资")
LEAVES = (None, None, None, None, "基本工资", "绩效", "补贴", "社保", "公积金", "个税", None)
# Local parts by which the sandbox misbehaves on purpose (contracts: the sandbox's rules).
AWKWARD = ("refuse", "defer", "bounce", "away", "stall")
MONEY = '"¥"#,##0.00'


def demo_payroll(employees: int, *, domain: str, awkward: Sequence[str] = AWKWARD) -> bytes:
    """An .xlsx with a title row, a two-row header, `employees` rows, a total and a signature row.

    One address for each of `awkward` misbehaves, near the start.
    """
    rng = random.Random(20261124)  # noqa: S311 - the same payroll every time
    book = Workbook()
    sheet = book.active
    sheet.title = "11月工资表"
    sheet.append(["鸿雁科技有限公司 2026 年 11 月工资表"])
    sheet.merge_cells("A1:K1")
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["A1"].alignment = Alignment(horizontal="center")
    sheet.append(PARENTS)
    sheet.append(LEAVES)
    for merged in ("A2:A3", "B2:B3", "C2:C3", "D2:D3", "E2:G2", "H2:J2", "K2:K3"):
        sheet.merge_cells(merged)
    for number in range(1, employees + 1):
        sheet.append(_employee(number, _local_part(number, employees, awkward), domain, rng))
    last = sheet.max_row
    sheet.append(["合计", None, None, None, *(f"=SUM({c}4:{c}{last})" for c in "EFGHIJK")])
    sheet.append(["制表人：李静", None, None, None, None, None, None, "审核：王伟"])
    for row in sheet.iter_rows(min_row=4, max_row=last, min_col=5, max_col=11):
        for cell in row:
            cell.number_format = MONEY
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def column_names() -> list[str]:
    """The names that a reading gives the columns: merged parents joined to their leaves."""
    names, parent = [], ""
    for above, leaf in zip(PARENTS, LEAVES, strict=True):
        parent = above or parent
        names.append(f"{parent}/{leaf}" if leaf else parent)
    return names


def _local_part(number: int, employees: int, kinds: Sequence[str]) -> str:
    """Each misbehaviour once near the start, so that a small payroll has them too."""
    position = number - 3
    if 0 <= position < 2 * len(kinds) and position % 2 == 0 and number < employees:
        return f"{kinds[position // 2]}-{number:04d}"
    return f"emp{number:04d}"


def _employee(number: int, local: str, domain: str, rng: random.Random) -> list[object]:
    base, bonus, extra = rng.randrange(6000, 22000, 100), rng.randrange(0, 6000, 50), 300
    insurance, fund = round(base * 0.105, 2), round(base * 0.12, 2)
    tax = round(max(0.0, base + bonus - 5000 - insurance - fund) * 0.03, 2)
    net = round(base + bonus + extra - insurance - fund - tax, 2)
    name = rng.choice(SURNAMES) + "".join(rng.sample(GIVEN, rng.choice((1, 2))))
    return [
        f"{number:05d}", name, rng.choice(DEPARTMENTS), f"{local}@{domain}",
        base, bonus, extra, insurance, fund, tax, net,
    ]  # fmt: skip
