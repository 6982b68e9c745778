"""A number as Chinese Excel shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.workbooks.formats import BUILTIN, CannotShow, NumberFormats, show_general
from campaigns.workbooks.plain_formats import plain_format

FORMATS = NumberFormats()
ACCOUNTING = '_ "¥"* #,##0.00_ ;_ "¥"* \\-#,##0.00_ ;_ "¥"* "-"??_ ;_ @_ '
BRACKETS = '_(* #,##0.00_);_(* \\(#,##0.00\\);_(* "-"??_);_(@_)'


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("General", 13900139000, "13900139000"),
        ("General", 440301198512120, "440301198512120"),
        ("General", 0.1 + 0.2, "0.3"),
        ("General", 1234.56789012345, "1234.56789"),
        ("General", 1 / 3, "0.333333333"),
        ("@", 123456789012, "123456789012"),
        ("0.00", 1.005, "1.01"),
        ("0.00", 0.285, "0.29"),
        ("0.00", -0.001, "0.00"),
        ("#,##0.00", 1234567.895, "1,234,567.90"),
        ("#,##0.00;[Red](#,##0.00)", -50.5, "(50.50)"),
        ("#,##0.00;[Red](#,##0.00)", -0.005, "(0.01)"),
        ('0;-0;"-"', 0, "-"),
        ("0;-0;;@", 0, ""),
        ("000000", 123, "000123"),
        ("0.0%", 0.955, "95.5%"),
        ('"¥"#,##0.00', -12345.6, "-¥12,345.60"),
        ("[$￥-804]#,##0.00", 5, "￥5.00"),
        (ACCOUNTING, 1234.5, "¥1,234.50"),
        (ACCOUNTING, 0, "¥-"),
        (BRACKETS, -1234.5, "(1,234.50)"),
        (BRACKETS, 0, "-"),
        ('0!.0,"万"', 123456, "12.3万"),
        ('yyyy"年"m"月"d"日"', 43891, "2020年3月1日"),
        ("yyyy/m/d", 60, "1900/2/29"),
        ("[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy", 43891, "2020年3月1日"),
        ("[$-804]aaaa;@", 43891, "星期日"),
        ('"周"aaa', 43892, "周一"),
        ("d-mmm-yy", 43891, "1-Mar-20"),
        ("[$-804]mmmm", 43891, "三月"),
        ("h:mm AM/PM", 0.75, "6:00 PM"),
        ('上午/下午h"时"mm"分"', 0.75, "下午6时00分"),
        ('上午/下午h"时"mm"分"', 0.25, "上午6时00分"),
        ("[h]:mm", 30.0208333333333, "720:30"),
        ("# ?/?", 0.5, "1/2"),
        ('[=1]"男";[=2]"女"', 2, "女"),
        ("0.00;[红色]-0.00", -3, "-3.00"),
        ("G/通用格式", 12.5, "12.5"),
        ('General"元"', 123456789012, "123456789012元"),
        ("[DBNum2][$-804]General", 12345.67, "壹万贰仟叁佰肆拾伍.陆柒"),
        ('[DBNum2]General"元整"', 100010001, "壹亿零壹万零壹元整"),
        ("[DBNum1]General", 10, "一十"),
        ('[DBNum1][$-804]yyyy"年"m"月"d"日"', 45285, "二〇二三年十二月二十五日"),
        ("[DBNum2]0", 12, "壹贰"),
    ],
)
def test_it_shows_a_number_by_its_format(code: str, value: float, shown: str) -> None:
    assert FORMATS.show(code, float(value)) == shown


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("yyyy/m/d", -1), ("yyyy/m/d", 2_958_466), ("[h]:mm", -0.5), ("[$-404]e/m/d", 43891),
        ('[$-130000]yyyy"年"m"月"', 43891), ("[$-30000804]0", 5), ('[=1]"男";[=2]"女"', 3), ("[DBNum3]General", 5),
        ("[DBNum2]#,##0.00", 5), ('[DBNum1]h"时"mm"分"', 0.5), ('0 "a', 3),
    ],
)  # fmt: skip
def test_what_it_would_show_wrongly_it_refuses(code: str, value: float) -> None:
    with pytest.raises(CannotShow):
        FORMATS.show(code, float(value))


def test_dates_of_the_1904_system_are_four_years_later_and_durations_are_not() -> None:
    formats = NumberFormats(date1904=True)
    assert formats.show("yyyy/m/d", 0.0) == "1904/1/1"
    assert formats.show("yyyy/m/d", 42429.0) == "2020/3/1"
    assert formats.show("[h]:mm", 1.25) == "30:00"


def test_ids_without_a_code_are_those_of_chinese_excel() -> None:
    shown = {number: FORMATS.show(BUILTIN[number], 43891.75) for number in (14, 22, 31, 57)}
    assert shown == {14: "2020/3/1", 22: "2020/3/1 18:00", 31: "2020年3月1日", 57: "2020年3月"}


def test_every_built_in_format_can_be_shown() -> None:
    for code in BUILTIN.values():
        assert FORMATS.show(code, 1234.5)


money = st.one_of(
    st.integers(-(10**9), 10**9).map(lambda cents: cents / 100),
    st.floats(-1e9, 1e9).filter(lambda v: v == 0 or abs(v) > 1e-6),
    st.sampled_from([0.0, -0.001, 0.005, -0.005, 1.005, 2.675]),
)
plain_codes = st.builds(
    lambda prefix, digits, suffix, tail: f"{prefix}{digits}{suffix}" + tail.replace("X", digits),
    st.sampled_from(["", '"¥"', "¥", "\\¥", "_ * ", '_ "¥"* ', "[Red]"]),
    st.sampled_from(["0", "0.00", "#,##0", "#,##0.00", "0.0", "0%", "0.00%"]),
    st.sampled_from(["", '"元"', "_ ", "_)", "\\ "]),
    st.sampled_from(["", ";-X", ";(X)", ";[Red]\\-X_ ", ';X;"-"', ';-X;"-"??_ ;_ @_ ', ";-X;;@"]),
)


@given(plain_codes, money)
def test_the_fast_way_shows_what_numfmt_shows(code: str, value: float) -> None:
    fast = plain_format(code)
    assert fast is not None
    assert fast(value) == FORMATS._call(FORMATS._show_number, code, value, "en-US").strip(" ")


@given(st.floats(1e-4, 1e10).map(lambda v: float(f"{v:.12g}")))
def test_general_shows_what_numfmt_shows(value: float) -> None:
    assert show_general(value) == FORMATS._call(FORMATS._show_number, "General", value, "en-US")
