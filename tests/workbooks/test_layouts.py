"""Headers, totals, notes, merges, hidden parts: the layouts that HR really sends."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest
from openpyxl.cell.cell import Cell
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from campaigns.workbooks import Choices, RejectKind
from tests.workbooks.making import book, emails, kind_of, reading_of, skipped, texts

HEADER = ["姓名", "邮箱", "实发"]
ZHANG = ["张伟", "zhang@example.com", 10]
LI = ["李娜", "li@example.com", 20]


def test_a_header_of_three_levels_is_joined_by_its_merges(tmp_path: Path) -> None:
    workbook = book(
        ["某公司2026年10月工资表"],
        ["编制单位：财务部", None, None, "2026年10月", None, None, None, "单位：元"],
        ["序号", "姓名", "邮箱", "应发", None, None, "扣款", "实发\n金额"],
        [None, None, None, "固定", None, "浮动", "社保", None],
        [None, None, None, "基本 工资", "岗位", "绩效", None, None],
        [1, *ZHANG[:2], 1, 2, 3, 4, 2],
        merges=["A1:H1", "A3:A5", "B3:B5", "C3:C5", "D3:F3", "D4:E4", "G4:G5", "H3:H5"],
    )
    reading = reading_of(workbook, tmp_path)
    assert reading.header_rows == [3, 4, 5]
    assert reading.columns == [
        "序号", "姓名", "邮箱", "应发/固定/基本工资", "应发/固定/岗位", "应发/浮动/绩效", "扣款/社保", "实发金额",
    ]  # fmt: skip
    assert emails(reading) == [(6, "zhang@example.com")]


def test_a_header_merged_over_two_rows_takes_both(tmp_path: Path) -> None:
    merges = ["A2:A3", "B2:B3", "C2:C3"]
    reading = reading_of(book(["工资表"], HEADER, [], ZHANG, merges=merges), tmp_path)
    assert (reading.header_rows, reading.columns) == ([2, 3], HEADER)
    assert emails(reading) == [(4, "zhang@example.com")]


def test_a_header_whose_merges_were_lost_in_csv_is_joined_too(tmp_path: Path) -> None:
    reading = reading_of(
        "工号,姓名,邮箱,应发项目,,扣款项目,,实发\n,,,基本,绩效,社保,个税,\n1,张,z@example.com,1,2,3,4,5\n",
        tmp_path,
    )
    assert reading.header_rows == [1, 2]
    assert reading.columns[3:] == [
        "应发项目/基本",
        "应发项目/绩效",
        "扣款项目/社保",
        "扣款项目/个税",
        "实发",
    ]


def test_a_person_without_an_address_is_told_not_dropped(tmp_path: Path) -> None:
    reading = reading_of(book(HEADER, ZHANG, ["王芳", None, 5], ["赵丽", "无", 5]), tmp_path)
    assert emails(reading) == [(2, "zhang@example.com")]
    assert [(i["row"], i["column"], i["raw"]) for i in reading.invalid] == [
        (3, "B", ""),
        (4, "B", "无"),
    ]
    assert texts(reading, "no-address") == ["“工资”B3 没有邮箱地址，这一行没有收件人。"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (["合计", None, 30], "total"), (["合 计", None, 30], "total"), (["研发部小计", None, 30], "subtotal"),
        (["总计：", None, 30], "total"), (["共2人", None, 30], "total"), ([None, "合计", 30], "total"),
        (["Total", None, 30], "total"), ([None, None, 30], "total"), (["合计", "cw@example.com", 30], "total"),
        (["制表人：小王", None, "审核：老李"], "signature"), (["审批", None, None], "signature"),
        (["备注：如有疑问请联系 hr@example.com。"], "note"), (["备注：联系", "hr@example.com"], "note"),
        (["说明：以上为税后金额"], "note"), (["注1：保密", None, None], "note"), (HEADER, "repeated header"),
        (["姓 名", "邮箱", "实发"], "repeated header"), (["研发部"], "note"), (["部门合计：研发部", None, 30], "total"), (["小计(研发)", None, 30], "subtotal"), (["平均", None, 15], "note"),
    ],
)  # fmt: skip
def test_a_row_that_is_nobodys_is_skipped_and_listed(
    row: list[object], why: str, tmp_path: Path
) -> None:
    reading = reading_of(book(HEADER, ZHANG, LI, row), tmp_path)
    assert skipped(reading) == [(4, why)]
    assert len(reading.rows) == 2
    assert reading.invalid == []


@pytest.mark.parametrize(
    "row",
    [
        ["注德", "a@example.com", 1], ["何计", "a@example.com", 1], ["总经理", "a@example.com", 1],
        ["Tota Lee", "a@example.com", 1], ["说明白", "a@example.com", 1],
    ],
)  # fmt: skip
def test_a_person_with_an_unlucky_name_is_kept(row: list[object], tmp_path: Path) -> None:
    assert emails(reading_of(book(HEADER, row), tmp_path)) == [(2, "a@example.com")]


def test_a_remark_that_says_total_does_not_make_a_total_row(tmp_path: Path) -> None:
    workbook = book([*HEADER, "备注"], [*ZHANG, "合计"], ["王芳", None, 3, "小计"])
    reading = reading_of(workbook, tmp_path)
    assert emails(reading) == [(2, "zhang@example.com")]
    assert [i["row"] for i in reading.invalid] == [3]


def test_a_total_that_differs_from_its_column_is_told(tmp_path: Path) -> None:
    reading = reading_of(book(HEADER, ZHANG, LI, ["合计", None, 31]), tmp_path)
    assert texts(reading, "total-differs") == ["“工资”C4 的合计 31 与该列各行之和 30 不一致。"]
    right = reading_of(book(HEADER, ZHANG, LI, ["合计", None, 30]), tmp_path)
    assert texts(right, "total-differs") == []
    assert (right.totals["实发"].shown, right.totals["实发"].computed) == ("30", "30")


def test_subtotals_count_their_own_group_and_the_total_all(tmp_path: Path) -> None:
    rows = [HEADER, ZHANG, ["小计", None, 10], LI, ["小计", None, 20], ["合计", None, 30]]
    reading = reading_of(book(*rows), tmp_path)
    assert texts(reading, "total-differs") == []
    assert skipped(reading) == [(3, "subtotal"), (5, "subtotal"), (6, "total")]


def test_payslips_cut_from_a_two_row_header_have_it_above_each(tmp_path: Path) -> None:
    rows: list[list[object]] = []
    merges = []
    for number in range(3):
        top = len(rows) + 2
        rows += [
            ["2026年10月工资条"], ["姓名", "邮箱", "应发", None, "实发"], [None, None, "基本", "绩效", None],
            [f"人{number}", f"p{number}@example.com", 1, 2, 3], [],
        ]  # fmt: skip
        merges += [
            f"A{top - 1}:E{top - 1}",
            f"C{top}:D{top}",
            *(f"{c}{top}:{c}{top + 1}" for c in "ABE"),
        ]
    reading = reading_of(book(*rows, merges=merges), tmp_path)
    assert reading.header_rows == [2, 3]
    assert emails(reading) == [(4, "p0@example.com"), (9, "p1@example.com"), (14, "p2@example.com")]
    assert [row for row, _ in skipped(reading)] == [6, 7, 8, 11, 12, 13]
    assert reading.invalid == []


def test_vertically_merged_cells_are_filled_down(tmp_path: Path) -> None:
    workbook = book(
        ["部门", *HEADER],
        ["研发", *ZHANG],
        [None, *LI],
        ["市场", "丙", "c@example.com", 1],
        merges=["A2:A3"],
    )
    reading = reading_of(workbook, tmp_path)
    assert [r["fields"]["部门"] for r in reading.recipients] == ["研发", "研发", "市场"]


def test_two_people_under_one_merged_address_are_two_recipients(tmp_path: Path) -> None:
    reading = reading_of(book(HEADER, ZHANG, ["李娜", None, 20], merges=["B2:B3"]), tmp_path)
    assert emails(reading) == [(2, "zhang@example.com"), (3, "zhang@example.com")]
    assert reading.duplicates == [{"row": 3, "email": "zhang@example.com", "first_row": 2}]


def test_two_columns_of_one_name_are_both_reachable(tmp_path: Path) -> None:
    reading = reading_of(book([*HEADER, "补贴", "补贴", "补贴"], [*ZHANG, 1, 2, 3]), tmp_path)
    assert reading.columns[3:] == ["补贴", "补贴 (2)", "补贴 (3)"]
    assert reading.recipients[0]["fields"]["补贴 (2)"] == "2"


def test_hidden_rows_and_columns_are_left_out_and_told(tmp_path: Path) -> None:
    workbook = book([*HEADER, "内部评语"], [*ZHANG, "差"], [*LI, "好"])
    sheet = workbook["工资"]
    sheet.column_dimensions["D"].hidden = True
    sheet.column_dimensions["J"].hidden = True
    sheet.row_dimensions[3].hidden = True
    reading = reading_of(workbook, tmp_path)
    assert reading.columns == HEADER
    assert emails(reading) == [(2, "zhang@example.com")]
    assert reading.hidden == {"sheets": [], "rows": [3], "columns": ["D"]}
    assert "差" not in str(reading.as_json())


def test_a_parent_over_a_hidden_column_still_names_the_others(tmp_path: Path) -> None:
    workbook = book(
        ["姓名", "邮箱", "应发", None], [None, None, "基本", "绩效"], ["张", "z@example.com", 1, 2],
        merges=["A1:A2", "B1:B2", "C1:D1"],
    )  # fmt: skip
    workbook["工资"].column_dimensions["C"].hidden = True
    assert reading_of(workbook, tmp_path).columns == ["姓名", "邮箱", "应发/绩效"]


def test_unreadable_cells_of_a_recipient_are_each_named(tmp_path: Path) -> None:
    workbook = book(
        [*HEADER, "卡号", "税率"], ["张伟", "zhang@example.com", "=A1", 6222020200112233445]
    )
    error = workbook["工资"]["E2"]
    assert isinstance(error, Cell)
    error.value, error.data_type = "#DIV/0!", "e"
    reading = reading_of(workbook, tmp_path)
    assert reading.outcome == "import-with-errors"
    assert reading.recipients[0]["fields"] == {}
    assert [(i["column"], i["raw"]) for i in reading.invalid] == [
        ("C", "=A1"), ("D", "6222020200112230000"), ("E", "#DIV/0!"),
    ]  # fmt: skip
    assert "E2" in texts(reading, "error-value")[0]


def test_a_total_row_of_formulas_never_calculated_is_no_error(tmp_path: Path) -> None:
    reading = reading_of(
        book(HEADER, ZHANG, ["合计", None, "=SUM(C2:C2)"], [None, None, "=C2"]), tmp_path
    )
    assert reading.outcome == "import"
    assert skipped(reading) == [(3, "total"), (4, "total")]


def test_a_mailto_link_counts_where_the_text_is_no_address(tmp_path: Path) -> None:
    workbook = book(HEADER, ["张伟", "点这里", 1], ZHANG)
    workbook["工资"]["B2"].hyperlink = "mailto:link@example.com?subject=hi"
    workbook["工资"]["B3"].hyperlink = "mailto:other@example.com"
    assert emails(reading_of(workbook, tmp_path)) == [
        (2, "link@example.com"),
        (3, "zhang@example.com"),
    ]


def test_the_address_column_is_found_by_its_content(tmp_path: Path) -> None:
    reading = reading_of(book(["姓名", "账号", "实发"], ZHANG, LI), tmp_path)
    assert reading.address_column == 1
    assert reading.header_rows == [1]


def test_a_backup_address_is_a_field_like_others(tmp_path: Path) -> None:
    reading = reading_of(
        book(["姓名", "备用邮箱", "邮箱"], ["张", "b@example.com", "a@example.com"]), tmp_path
    )
    assert emails(reading) == [(2, "a@example.com")]
    assert reading.recipients[0]["fields"] == {"备用邮箱": "b@example.com"}


def test_of_a_companys_and_a_plain_mailbox_the_plain_one_is_taken(tmp_path: Path) -> None:
    rows = [
        ["姓名", "个人邮箱", "邮箱"],
        ["张", "p@example.com", "a@example.com"],
        ["李", "q@example.com", None],
    ]
    assert emails(reading_of(book(*rows), tmp_path)) == [(2, "a@example.com")]


def test_a_lone_name_is_a_person_without_an_address(tmp_path: Path) -> None:
    reading = reading_of(book(HEADER, ZHANG, ["王芳"]), tmp_path)
    assert [i["row"] for i in reading.invalid] == [3]


def test_a_hidden_row_of_codes_above_the_header_is_told(tmp_path: Path) -> None:
    workbook = book(["c_name", "c_mail", "c_pay"], HEADER, ZHANG)
    workbook["工资"].row_dimensions[1].hidden = True
    reading = reading_of(workbook, tmp_path)
    assert (reading.header_rows, reading.columns, reading.hidden["rows"]) == ([2], HEADER, [1])


def test_progress_over_several_sheets_never_goes_back(tmp_path: Path) -> None:
    workbook = book(HEADER, ZHANG)
    workbook.create_sheet("说明").append(["x"])
    told: list[float] = []
    reading_of(workbook, tmp_path, progress=lambda done, total: told.append(done / total))
    assert told == sorted(told)
    assert told[-1] == 1


def test_dates_of_a_1904_workbook_are_shown_rightly(tmp_path: Path) -> None:
    workbook = book([*HEADER, "入职"], [*ZHANG, dt.date(2020, 3, 1)])
    workbook.epoch = CALENDAR_MAC_1904
    workbook["工资"]["D2"].number_format = "yyyy/m/d"
    assert reading_of(workbook, tmp_path).recipients[0]["fields"]["入职"] == "2020/3/1"


def test_a_title_that_says_mailbox_is_not_the_header(tmp_path: Path) -> None:
    workbook = book(["邮箱系统导出", "张三"], ["姓名", "邮箱", "实发"], ZHANG)
    reading = reading_of(workbook, tmp_path)
    assert (reading.header_rows, emails(reading)) == ([2], [(3, "zhang@example.com")])


def test_an_unreadable_cell_of_a_person_without_an_address_is_told_too(tmp_path: Path) -> None:
    reading = reading_of(book(HEADER, ZHANG, ["王芳", "无", "=A1"]), tmp_path)
    assert reading.outcome == "import"
    assert [(i["row"], i["column"]) for i in reading.invalid] == [(3, "B"), (3, "C")]


@pytest.mark.parametrize("filler", ["a", " ", "\n", "<", "0", "1,", "合计", "：", "@", ". "])
def test_a_huge_cell_anywhere_is_read_at_once(filler: str, tmp_path: Path) -> None:
    huge = filler * (30_000 // len(filler))
    rows = [
        [huge, "说明"],
        ["姓名", "邮箱", "x" + huge[:30_000]],
        ["张", "z@example.com", "y" + huge],
        [huge, huge, huge],
    ]
    started = time.perf_counter()
    assert emails(reading_of(book(*rows), tmp_path)) == [(3, "z@example.com")]
    assert time.perf_counter() - started < 1


def test_a_list_without_a_header_is_read_and_said_so(tmp_path: Path) -> None:
    reading = reading_of("a@example.com,甲\nb@example.com,乙\n", tmp_path)
    assert emails(reading) == [(1, "a@example.com"), (2, "b@example.com")]
    assert reading.columns == ["列A", "列B"]
    assert texts(reading, "no-header")


def test_a_sheet_without_addresses_beside_one_with_them_is_passed_over(tmp_path: Path) -> None:
    workbook = book(["本表由人事部 hr@example.com 维护"], title="说明")
    for title, rows in (("工资", [HEADER, ZHANG]), ("部门", [["部门", "负责人"], ["研发", "甲"]])):
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(row)
    reading = reading_of(workbook, tmp_path)
    assert (reading.outcome, reading.sheet) == ("import", "工资")


def test_the_user_corrects_header_columns_and_rows(tmp_path: Path) -> None:
    workbook = book(["一月", "二月", "三月"], HEADER, ZHANG, ["合计", "total@example.com", 30], LI)
    choices = Choices(header_rows=(2, 2), skipped=frozenset({5}), unskipped=frozenset({4}))
    reading = reading_of(workbook, tmp_path, choices=choices)
    assert emails(reading) == [(3, "zhang@example.com"), (4, "total@example.com")]
    assert skipped(reading) == [(5, "skipped by hand")]
    assert Choices.from_json(choices.as_json()) == choices
    other = reading_of(workbook, tmp_path, choices=Choices(name_column=2))
    assert other.rows[0].name == "10"


def test_suggestions_name_the_columns_by_what_they_are(tmp_path: Path) -> None:
    workbook = book(
        ["工号", "姓名", "邮箱", "身份证号", "手机", "部门", "实发工资"],
        ["1", "张", "z@example.com", "1", "1", "研发", 1],
    )
    assert reading_of(workbook, tmp_path).suggestions == {
        "address": "邮箱", "name": "姓名", "number": "工号", "id": "身份证号", "phone": "手机",
        "department": "部门", "net": "实发工资",
    }  # fmt: skip


@pytest.mark.parametrize("rows", [[], [HEADER], [["x"]]])
def test_a_sheet_with_no_person_is_empty(rows: list[list[str]], tmp_path: Path) -> None:
    assert kind_of(book(*rows), tmp_path) is RejectKind.EMPTY


def test_an_unknown_sheet_is_named(tmp_path: Path) -> None:
    assert kind_of(book(HEADER, ZHANG), tmp_path, sheet="十三月") is RejectKind.UNKNOWN_SHEET


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("实发\n金额", "实发金额"), ("姓 名", "姓名"), ("Base\nSalary", "Base Salary"), ("Base   Salary", "Base Salary"),
        ("基本工资\r\n（元）", "基本工资（元）"), (" A 组\u00a0", "A 组"),
    ],
)  # fmt: skip
def test_column_names_are_tidied(typed: str, name: str, tmp_path: Path) -> None:
    assert reading_of(book(["甲", "邮箱", typed], ZHANG), tmp_path).columns[2] == name
