"""The month in a payroll's name moves on in the notation that it is written in."""

from __future__ import annotations

import pytest

from campaigns.pipeline.month_names import Month, month_of, moved_on, steps_between, without_months


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026年10月工资条", "2026年11月工资条"),
        ("2026 年 12 月工资条", "2027 年 1 月工资条"),
        ("26年12月", "27年1月"),
        ("12月工资", "1月工资"),
        ("09月工资", "10月工资"),
        ("工资条 2026-10", "工资条 2026-11"),
        ("工资2026/12", "工资2027/01"),
        ("2026.9 工资", "2026.10 工资"),
        ("工资表202612", "工资表202701"),
        ("十月工资条", "十一月工资条"),
        ("十二月工资条", "一月工资条"),
        ("二〇二六年十二月", "二〇二七年一月"),
        ("Payslip October 2026", "Payslip November 2026"),
        ("Payslip Dec 2026", "Payslip Jan 2027"),
        ("MAY 2026", "JUNE 2026"),
        ("10月工资（2026年10月）", "11月工资（2026年11月）"),
        ("工资条", "工资条"),
        ("You may read this", "You may read this"),
        ("10月25日发放", "10月25日发放"),
        ("2026-10-25", "2026-10-25"),
        ("13月薪", "13月薪"),
        ("工号20261099", "工号20261099"),
    ],
)
def test_one_month_on(before, after):
    assert moved_on(before) == after


def test_the_new_workbook_says_how_far():
    assert steps_between("2026年10月工资条", "2026年12月工资表.xlsx") == 2
    assert steps_between("十二月工资条", "1月工资") == 1
    assert steps_between("2026年10月工资条", "工资表.xlsx") == 1
    assert steps_between("2026年10月工资条", "2026年10月第二次.xlsx") == 0
    assert steps_between("2026年10月工资条", "2026年3月.xlsx") == 1
    assert moved_on("2026年10月", 14) == "2027年12月"


def test_a_month_with_its_year_says_more_than_one_without():
    assert month_of("10月工资 2026年10月") == Month(10, 2026)
    assert without_months("2026年10月/奖金") == without_months("2026年11月/奖金")
