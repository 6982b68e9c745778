"""A payslip laid out without HTML, and next month by one click, in a real Chromium at desk and phone widths."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from campaigns.documents.layout_guess import guess
from campaigns.mailer.template import Renderer
from campaigns.pipeline.layouts import Drawn
from campaigns.quickstart.payroll import demo_payroll
from tests.documents.test_layout import png
from tests.end_to_end.test_hr_way import (
    PATIENCE,
    no_sideways_scrolling,
    page,
    quickstart,
)

__all__ = ["page", "quickstart"]  # fixtures

STAFF = "staff.hongyan.test"


def payroll(folder: Path, month: int, *, changed: bool = False) -> Path:
    """Of three people; changed, as payroll systems do it: a column renamed, another one new."""
    book = load_workbook(io.BytesIO(demo_payroll(3, domain=STAFF, awkward=())))
    sheet = book.worksheets[0]
    sheet.title = "工资表"
    if changed:
        sheet["F3"] = "绩效工资"
        sheet["L2"], sheet["L4"], sheet["L5"], sheet["L6"] = "餐补", "200.00", "200.00", "0.00"
    path = folder / f"2026年{month}月工资表.xlsx"
    book.save(path)
    return path


def uploaded(page: Page, path: Path) -> None:
    page.goto("/workbooks/upload/?purpose=payslip")
    page.set_input_files("input[type=file]", path)
    page.get_by_role("button", name="上传").click()
    page.get_by_role("button", name="确认这 3 位").click(timeout=PATIENCE)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_hr_lays_a_payslip_out_sends_it_and_does_next_month_by_one_click(
    page: Page, tmp_path: Path
) -> None:
    uploaded(page, payroll(tmp_path, 10))
    page.get_by_role("link", name="新建工资条群发").click()
    page.get_by_label("排版", exact=True).select_option(
        label="按工作簿的列自动排版（之后可以调整）"
    )
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("没有阻止发送的问题。")).to_be_visible(timeout=PATIENCE)
    campaign = page.url
    page.locator("dd a", has_text="2026年10月工资表").click()
    lay_out(page)
    page.goto(campaign)
    launch(page)
    look_at_the_mail(page)
    do_next_month(page, payroll(tmp_path, 11, changed=True))


def lay_out(page: Page) -> None:
    """Every act by keyboard or by a button that a thumb hits; the preview follows each of them."""
    slip = page.frame_locator("#layout-preview iframe")
    expect(slip.get_by_text("应发", exact=True)).to_be_visible()
    label = page.get_by_label("“应发/绩效”显示为")
    label.fill("绩效奖金")
    label.press("Tab")
    expect(slip.get_by_text("绩效奖金")).to_be_visible()
    up = page.get_by_role("button", name="“应发/绩效”上移")
    up.focus()
    page.keyboard.press("Enter")
    expect(slip.locator(".label").nth(2)).to_have_text("绩效奖金")
    page.get_by_label("“部门”什么时候不显示").select_option(label="不显示")
    expect(slip.get_by_text("部门")).to_have_count(0)
    page.get_by_role("button", name="撤销").click()
    expect(slip.get_by_text("部门")).to_be_visible()
    page.get_by_label("公司抬头").fill("鸿雁科技")
    page.get_by_label("给员工的说明").fill("有疑问请在三天内联系 <人事部>。\n第二行")
    page.get_by_role("button", name="保存").click()
    expect(slip.get_by_text("有疑问请在三天内联系 <人事部>。")).to_be_visible()
    expect(slip.get_by_text("鸿雁科技")).to_be_visible()
    page.get_by_label("“扣款/个税”在哪一组").select_option(label="应发")
    expect(
        slip.locator("tr", has_text="扣款").locator("xpath=following-sibling::tr[3]")
    ).to_contain_text("实发")
    page.get_by_role("button", name="撤销").click()
    expect(page.get_by_label("“扣款/个税”在哪一组")).to_have_value("2")
    for button in page.locator(".layout-buttons button").all()[:6]:
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 32
    no_sideways_scrolling(page)


def launch(page: Page) -> None:
    page.get_by_role("button", name="启动…").click()
    page.locator("dialog[open]").get_by_role("button", name="启动").click()
    expect(page.get_by_text("已有结果 100%")).to_be_visible(timeout=60_000)


def look_at_the_mail(page: Page) -> None:
    """As it arrived: HR's order and labels, and no wider than a phone."""
    page.goto("/sandbox/?q=emp0001")
    page.get_by_role("link", name=re.compile("2026年10月工资表")).first.click()
    page.locator("iframe").first.scroll_into_view_if_needed()
    slip = page.frame_locator("iframe").first
    expect(slip.locator(".label").nth(2)).to_have_text("绩效奖金")
    expect(slip.get_by_text("¥12,439.20")).to_be_visible()
    frame = page.locator("iframe").first.element_handle()
    assert frame is not None
    inside = frame.content_frame()
    assert inside is not None
    assert inside.locator("table.slip").evaluate(
        "table => table.scrollWidth <= table.ownerDocument.documentElement.clientWidth"
    )


def do_next_month(page: Page, path: Path) -> None:
    uploaded(page, path)
    card = page.locator("#next-month")
    expect(card.get_by_text("表头和“2026年10月工资表”差不多")).to_be_visible(timeout=PATIENCE)
    expect(card.get_by_text("“应发/绩效”改名了，现在是“应发/绩效工资”")).to_be_visible()
    expect(card.get_by_text("新的列：“餐补”")).to_be_visible()
    expect(card.get_by_label("名称")).to_have_value("2026年11月工资表")
    no_sideways_scrolling(page)
    card.get_by_role("button", name="就按这些建好草稿").click()
    expect(page.get_by_role("heading", name="2026年11月工资表")).to_be_visible()
    blocked = page.get_by_text("工作簿里有 1 个新的列，排版里还没有安排：餐补。")
    expect(blocked).to_be_visible(timeout=PATIENCE)
    draft = page.url
    blocked.locator("..").get_by_role("link", name="去处理").click()
    page.get_by_role("button", name="新的列都按建议放好").click()
    expect(page.frame_locator("#layout-preview iframe").get_by_text("餐补")).to_be_visible()
    expect(page.locator("#decisions")).to_have_count(0)
    no_sideways_scrolling(page)
    page.goto(draft)
    expect(page.get_by_text("没有阻止发送的问题。")).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_mail_fits_a_phone_and_is_legible_in_light_and_dark(
    browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    """By a picture of it: nothing is cut off at the right, and ink stands out from paper."""
    names = ["工号", "应发/一个名字特别特别特别长的、谁也不会缩写的专项岗位补贴", "实发工资"]
    drawn = Drawn(replace(guess(names), company="鸿雁科技有限公司", note="说明"), png(900, 80))
    cells = drawn.cells(dict(zip(names, ["0" * 40, "¥1,234,567,890.12", "¥9.00"], strict=True)))
    html = Renderer(drawn.source()).render({}, rows=cells, extra={"title": "工资条"}).html
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.set_content(drawn.for_a_page(html))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    box = page.get_by_text("¥1,234,567,890.12").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390
    picture = page.get_by_text("¥9.00").screenshot()
    assert len(picture) > 300, "an empty picture"
    colours = [
        page.get_by_text("¥9.00").evaluate("one => getComputedStyle(one.closest('td')).color"),
        page.locator(".card").evaluate("one => getComputedStyle(one).backgroundColor"),
    ]
    ink, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) / 3 for colour in colours)
    assert (paper - ink if scheme == "light" else ink - paper) > 150
    context.close()
