"""A layout guesses well, hides by rule, keeps every value as it was, and says which column it lacks."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.documents import layout_edit as edit
from campaigns.documents.layout import (
    PALETTES,
    Accent,
    Column,
    Group,
    Hide,
    Layout,
    LayoutFault,
    from_json,
    is_zero,
)
from campaigns.documents.layout_guess import Part, guess, part_of, placed
from campaigns.documents.logo import LogoFault, inspect
from campaigns.documents.payslip_pdf import payslip_pdf
from campaigns.documents.slip import Line, Slip
from tests.documents.reading import pdf_text

NAMES = ["序号", "工号", "姓名", "部门", "邮箱", "身份证号", "应发/基本工资", "应发/绩效", "应发合计",
         "扣款/社保", "扣款/个税", "单位社保", "出勤天数", "实发工资", "备注"]  # fmt: skip


def groups(layout: Layout) -> dict[str, list[str]]:
    return {group.name: [column.column for column in group.columns] for group in layout.groups}


class TestTheGuess:
    def test_it_sorts_a_payroll_into_the_groups_that_hr_expects(self):
        assert groups(guess(NAMES)) == {
            "个人信息": ["序号", "工号", "姓名", "部门", "邮箱", "身份证号"],
            "考勤": ["出勤天数"],
            "应发": ["应发/基本工资", "应发/绩效", "应发合计"],
            "扣款": ["扣款/社保", "扣款/个税"],
            "实发": ["实发工资"],
            "公司承担": ["单位社保"],
            "其他": ["备注"],
        }

    def test_net_pay_stands_out_and_is_never_hidden(self):
        net = [column for column in guess(NAMES).columns() if column.strong]
        assert [(column.column, column.hide) for column in net] == [("实发工资", Hide.NEVER)]

    def test_what_is_nobody_elses_business_is_hidden_with_address_and_name(self):
        hidden = [
            c.column
            for c in guess(NAMES, hidden=["姓名", "邮箱"]).columns()
            if c.hide == Hide.ALWAYS
        ]
        assert hidden == ["序号", "姓名", "邮箱", "身份证号"]

    @pytest.mark.parametrize(
        ("name", "part"),
        [
            ("代扣代缴/养老保险", Part.DEDUCTION), ("社保/单位部分", Part.EMPLOYER), ("社保/个人部分", Part.DEDUCTION),
            ("税前工资", Part.GROSS), ("加班费", Part.GROSS), ("加班小时", Part.TIME), ("Net Pay", Part.NET),
            ("Income Tax", Part.DEDUCTION), ("Department", Part.PERSON), ("Blah", Part.OTHER), ("收入/实发金额", Part.NET),
        ],
    )  # fmt: skip
    def test_a_column_goes_by_its_parent_and_then_by_its_own_words(self, name, part):
        assert part_of(name) == part

    def test_headings_are_english_where_the_columns_are(self):
        assert list(groups(guess(["Name", "Basic Salary", "Income Tax", "Net Pay"]))) == [
            "Employee", "Earnings", "Deductions", "Net pay",
        ]  # fmt: skip

    @given(st.lists(st.text(max_size=12), max_size=30))
    def test_every_column_is_in_it_exactly_once(self, names):
        assert sorted(guess(names).names()) == sorted(set(names))

    def test_a_new_column_joins_the_group_that_is_about_the_same(self):
        layout = placed(guess(NAMES), ["扣款/工会费", "车补", "其它", "工号"])
        assert groups(layout)["扣款"][-1] == "扣款/工会费"
        assert groups(layout)["应发"][-1] == "车补"
        assert groups(layout)["其他"][-1] == "其它"
        assert layout.names().count("工号") == 1


ROW = {"a": "8,000.00", "b": "¥0.00", "c": "", "d": "秘密"}


def one(name: str, hide: Hide) -> Layout:
    return Layout((Group("组", (Column(name, "名", hide),)),))


class TestWhatIsShown:
    @pytest.mark.parametrize(
        ("name", "shown_under"),
        [
            ("a", {Hide.NEVER, Hide.EMPTY, Hide.ZERO}),
            ("b", {Hide.NEVER, Hide.EMPTY}),
            ("c", {Hide.NEVER}),
        ],
    )
    def test_a_column_is_hidden_by_its_rule(self, name, shown_under):
        assert {hide for hide in Hide if one(name, hide).arranged(ROW)} == shown_under

    @pytest.mark.parametrize(
        "text", ["0", "0.00", "¥0.00", "￥ -", "-", "—", "(0.00)", "0%", "0:00", "0元"]
    )
    def test_what_excel_shows_for_nothing_is_zero(self, text):
        assert is_zero(text)

    @pytest.mark.parametrize("text", ["", " ", "0.01", "-0.5", "00123", "A0", "1:00", "无"])
    def test_anything_else_is_not(self, text):
        assert not is_zero(text)

    @given(st.text(max_size=30))
    def test_values_are_the_sheets_own_character_by_character(self, value):
        assert one("a", Hide.NEVER).arranged({"a": value}) == [("a", Line("名", value, "组"))]

    def test_a_column_that_the_row_lacks_is_named(self):
        with pytest.raises(LayoutFault, match="“z”") as fault:
            one("z", Hide.ZERO).arranged(ROW)
        assert fault.value.column == "z"

    def test_one_that_nobody_sees_may_be_lacking(self):
        assert one("z", Hide.ALWAYS).arranged(ROW) == []

    def test_differences_to_a_workbook_are_named_both_ways(self):
        layout = Layout((Group("", (Column("a", "a"), Column("z", "z"))),))
        assert (layout.missing(ROW), layout.unplaced(ROW)) == (["z"], ["b", "c", "d"])


LAYOUT = Layout(
    (Group("一", (Column("a", "a"), Column("b", "b"))), Group("二", (Column("x/c", "c"),)))
)


class TestChanges:
    @pytest.mark.parametrize(
        ("at", "step", "expected"),
        [
            (0, 1, {"一": ["b", "a"], "二": ["x/c"]}),
            (1, 1, {"一": ["a"], "二": ["b", "x/c"]}),
            (2, -1, {"一": ["a", "b", "x/c"], "二": []}),
            (0, -1, {"一": ["a", "b"], "二": ["x/c"]}),
        ],
    )
    def test_a_column_moves_by_one_and_over_into_the_next_group(self, at, step, expected):
        assert groups(edit.column_moved(LAYOUT, at, step)) == expected

    def test_groups_move_and_a_removed_ones_columns_stay(self):
        assert list(groups(edit.group_moved(LAYOUT, 0, 1))) == ["二", "一"]
        assert groups(edit.group_removed(LAYOUT, 1)) == {"一": ["a", "b", "x/c"]}
        assert groups(edit.group_removed(LAYOUT, 0)) == {"二": ["a", "b", "x/c"]}
        assert edit.group_removed(Layout((Group("一"),)), 0).groups

    def test_a_renamed_column_keeps_its_place_and_hrs_own_label(self):
        own = Layout((Group("一", (Column("a", "我的"), Column("x/c", "c"))),))
        renamed = edit.columns_renamed(own, {"a": "A", "x/c": "x/d"})
        assert [(c.column, c.label) for c in renamed.columns()] == [("A", "我的"), ("x/d", "d")]

    @given(st.integers(0, 2), st.integers(0, 3), st.sampled_from([-1, 1]))
    def test_no_move_loses_a_column(self, at, target, step):
        for moved in (edit.column_moved(LAYOUT, at, step), edit.column_put(LAYOUT, at, target)):
            assert sorted(moved.names()) == ["a", "b", "x/c"]

    def test_it_is_the_same_after_the_database(self):
        layout = Layout(LAYOUT.groups, "公司", "说明\n二", Accent.RED)
        assert from_json(layout.as_json()) == layout


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("accent", Accent)
def test_every_colour_is_legible_in_light_and_dark(accent):
    palette = PALETTES[accent]
    assert _contrast(palette.strong, "#ffffff") >= 4.5
    assert _contrast(palette.soft, "#1f2933") >= 7
    assert _contrast(palette.dark, "#e6eaef") >= 7


def png(width: int = 2, height: int = 1) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress((b"\0" + b"\x80\x40\x20" * min(width, 2000)) * min(height, 2000))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


class TestTheLogo:
    def test_a_small_png_is_taken_with_its_size_and_drawn_in_the_pdf(self):
        logo = inspect(png())
        assert (logo.media_type, logo.width, logo.height) == ("image/png", 2, 1)
        slip = Slip("工资条", "张三", [Line("实发", "1.00")], logo=png(), soft="#f9e8ea")
        assert "实发 1.00" in pdf_text(payslip_pdf(slip, "123456"), "123456")

    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            (b"<svg onload=alert(1)>", "format"), (b"", "format"), (png()[:30], "format"), (b"\xff\xd8\xff", "format"),
            (png(60000, 60000), "sides"), (png() + b"\0" * 50_000, "size"),
        ],
    )  # fmt: skip
    def test_anything_else_is_refused(self, data, kind):
        with pytest.raises(LogoFault) as fault:
            inspect(data)
        assert fault.value.kind == kind
