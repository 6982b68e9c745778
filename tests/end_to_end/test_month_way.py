"""Before a payroll is sent: its totals, the month before and the extremes, in a real Chromium."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from campaigns.quickstart.payroll import demo_payroll
from tests.end_to_end.test_hr_way import PATIENCE, no_sideways_scrolling, page, quickstart
from tests.end_to_end.test_layout_way import launch

__all__ = ["page", "quickstart"]  # fixtures

STAFF = "staff.hongyan.test"
PEOPLE = 6


def payroll(folder: Path, month: int) -> Path:
    """Of six people. In November one is gone, one is new, one has another address, one has none, one is
    paid less than nothing; and the total row counts them all."""
    book = load_workbook(io.BytesIO(demo_payroll(PEOPLE, domain=STAFF, awkward=())))
    sheet = book.worksheets[0]
    total = 4 + PEOPLE
    if month == 11:
        sheet["A5"], sheet["B5"], sheet["D5"] = "00099", "新同事", f"new@{STAFF}"
        sheet["D6"] = f"moved@{STAFF}"
        sheet["D7"] = None
        sheet["K8"] = -120.5
        sheet["K8"].number_format = '"¥"#,##0.00;("¥"#,##0.00)'
    sheet.cell(total, 11, sum(sheet.cell(row, 11).value for row in range(4, total)))
    sheet.cell(total, 11).number_format = "#,##0.00"
    for column in range(5, 11):
        sheet.cell(total, column, None)
        sheet.cell(total, column).value = None
    path = folder / f"2026年{month}月工资表.xlsx"
    book.save(path)
    return path


def uploaded(page: Page, path: Path) -> None:
    page.goto("/workbooks/upload/?purpose=payslip")
    page.set_input_files("input[type=file]", path)
    page.get_by_role("button", name="上传").click()
    expect(page.get_by_role("button", name=re.compile(r"确认这 \d 位"))).to_be_visible(
        timeout=PATIENCE
    )


def confirm(page: Page) -> None:
    page.get_by_role("button", name=re.compile(r"确认这 \d 位")).click()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_hr_looks_at_totals_last_month_and_extremes_before_sending(
    page: Page, tmp_path: Path
) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    uploaded(page, payroll(tmp_path, 10))
    confirm(page)
    page.get_by_role("link", name="新建工资条群发").click()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("没有阻止发送的问题。")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("合计行与各行相加一致")).to_be_visible(timeout=PATIENCE)
    launch(page)
    uploaded(page, payroll(tmp_path, 11))
    totals = page.locator("#totals")
    expect(totals.get_by_text("第 7 行没有邮箱")).to_be_visible(timeout=PATIENCE)
    no_sideways_scrolling(page)
    confirm(page)
    page.get_by_role("button", name="就按这些建好草稿").click(timeout=PATIENCE)
    look_at_last_month(page)
    look_at_extremes(page)
    assert not any("新同事" in url or "%E6%96%B0%E5%90%8C" in url for url in addresses)


def look_at_last_month(page: Page) -> None:
    card = page.locator("#comparison")
    expect(card.get_by_text("上月有，这月没有")).to_be_visible(timeout=PATIENCE)
    # The pre-flight beside it looks again without a reload.
    expect(page.get_by_text("2 人上月有、这月没有")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("1 人的实发是零、负数或空白。")).to_be_visible()
    no_sideways_scrolling(page)
    draft = page.url
    card.get_by_role("link", name="看名单").click()
    expect(page.get_by_text("这月第 7 行有这个人，但没有发送")).to_be_visible()
    expect(page.get_by_text(f"上月 emp0003@{STAFF}")).to_be_visible()
    no_sideways_scrolling(page)
    page.locator(".chips").get_by_role("link", name=re.compile("金额变动大")).click()
    expect(page.get_by_text(re.compile(r"→ \(¥120\.50\)"))).to_be_visible()
    page.get_by_role("link", name="上月的投递").first.click()
    expect(page.get_by_text(f"emp0005@{STAFF}").first).to_be_visible()
    page.goto(draft)


def look_at_extremes(page: Page) -> None:
    page.get_by_role("link", name="预览").first.click()
    extremes = page.locator("#extremes")
    smallest = extremes.locator("ol").nth(1).locator("a").first
    expect(smallest).to_contain_text("(¥120.50)")
    no_sideways_scrolling(page)
    smallest.click()
    expect(page.frame_locator("iframe").first.get_by_text("(¥120.50)")).to_be_visible()
    page.get_by_label("按哪一列").select_option(label="应发/绩效")
    expect(extremes.get_by_text("(¥120.50)")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("按哪一列")).to_have_value("应发/绩效")
    page.get_by_role("searchbox").fill("新同事")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"new@{STAFF}").first).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?at=\d+&view=html$"))
