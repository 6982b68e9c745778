"""Amounts as cells show them, exactly; and totals against the rows."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.workbooks.amounts import amount, shown
from campaigns.workbooks.column_figures import ColumnFigures, Left, Verdict, check_total


@pytest.mark.parametrize(
    ("text", "value", "places"),
    [
        ("9,533.50", "9533.50", 2),
        ("¥ 1,234.50", "1234.50", 2),
        ("￥(1,234.50)", "-1234.50", 2),
        ("(¥1,234)", "-1234", 0),
        ("-¥3.00", "-3.00", 2),
        ("¥-3.00", "-3.00", 2),
        ("－５", "-5", 0),
        ("-", "0", 0),
        ("¥ -", "0", 0),
        ("12.5%", "0.125", 1),
        ("5,000.00元", "5000.00", 2),
        (".5", "0.5", 1),
    ],
)
def test_it_reads_what_excel_shows(text: str, value: str, places: int) -> None:
    found = amount(text)
    assert found is not None
    assert (found.value, found.places) == (Decimal(value), places)


@pytest.mark.parametrize(
    "text",
    ["", " ", "离职", "1.2.3", "$1,2", "2026-11-24", "6222021234567890123", "(1", "1)", "--5-("],
)
def test_it_refuses_what_is_no_amount(text: str) -> None:
    assert amount(text) is None


@given(st.decimals(-(10**12), 10**12, places=2, allow_nan=False))
def test_what_is_shown_is_read_back(value: Decimal) -> None:
    found = amount(shown(value, 2))
    assert found is not None
    assert found.value == value


def column(*texts: str) -> ColumnFigures:
    made = ColumnFigures()
    for turn, text in enumerate(texts):
        made.add(text, [turn, text])
    return made


def test_sums_are_exact_where_floats_are_not() -> None:
    assert column("0.10", "0.20", "0.30").total == Decimal("0.60")


def test_extremes_are_five_of_each_and_keep_what_the_sheet_shows() -> None:
    made = column("3", "(1.00)", "¥2", "", "7", "5", "5", "离职")
    assert [text for _turn, text in made.largest] == ["7", "5", "5", "3", "¥2"]
    assert [text for _turn, text in made.smallest] == ["(1.00)", "¥2", "3", "5", "5"]
    assert made.is_numeric
    assert made.odd == 1


LEFT = [Left(37, "no address", Decimal("4500.00")), Left(40, "hidden row", Decimal("9.00"), True)]


@pytest.mark.parametrize(
    ("own", "left", "exact", "verdict", "rows"),
    [
        ("300.00", LEFT, False, Verdict.EQUAL, []),
        ("4,800.00", LEFT, False, Verdict.EXPLAINED, [37]),
        ("4,809.00", LEFT, False, Verdict.EXPLAINED, [37, 40]),
        ("300.01", [], False, Verdict.ROUNDED, []),
        ("300.01", [], True, Verdict.DIFFERS, []),
        ("301.00", LEFT, False, Verdict.DIFFERS, [37, 40]),
    ],
)
def test_a_total_is_equal_rounded_explained_or_wrong(
    own: str, left: list[Left], exact: bool, verdict: Verdict, rows: list[int]
) -> None:
    total = amount(own)
    assert total is not None
    checked = check_total(total, column("100.00", "200.00"), left, exact=exact)
    assert checked.verdict is verdict
    assert [one.row for one in checked.left] == rows
