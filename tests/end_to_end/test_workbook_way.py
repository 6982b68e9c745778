"""HR corrects what the reader took wrongly, and opens a protected file: in a real Chromium, desk and phone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.models import Role
from campaigns.models import ReturnedWorkbook, Workbook
from campaigns.pipeline import load, return_workbook
from tests.fakes import sheets
from tests.views.scene import Scene, deliveries, launched
from tests.views.workbook_pages import CORPUS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture(params=[1280, 390], ids=["desk", "phone"])
def page(
    request: pytest.FixtureRequest, browser: Browser, live_server, scene: Scene
) -> Iterator[Page]:
    """HR, signed in; fails if a page says anything in its console or is wider than the screen."""
    user = scene.user(Role.HR)
    context = browser.new_context(
        viewport={"width": request.param, "height": 900}, base_url=live_server.url, locale="zh-CN"
    )
    session = scene.client(user=user).cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page = context.new_page()
    page.hr = user  # type: ignore[attr-defined]
    said: list[str] = []
    page.on(
        "console",
        lambda message: said.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert [line for line in said if "422" not in line] == []


def fits(page: Page) -> None:
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0


def upload(page: Page, file: Path | dict[str, object]) -> None:
    """The file is chosen and sent; a worker reads it, and the page that polls shows what it found."""
    page.goto("/workbooks/upload/?purpose=payslip")
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name="上传").click()
    expect(page.locator("#progress")).to_be_visible()
    work(page)


def work(page: Page) -> None:
    """What a worker does meanwhile; then the page has drawn itself anew."""
    for _try in range(100):
        if waiting := load.unread():
            load.read(waiting[0])
            break
        time.sleep(0.05)
    expect(page.locator("#progress")).to_have_count(0)


def payroll() -> dict[str, object]:
    rows = [*sheets.people(3), ("合计", "", "", "1", "24000.00"), ("制表人：王会计",)]
    data = sheets.payroll(rows)
    return {"name": "工资.xlsx", "mimeType": "application/octet-stream", "buffer": data}


def test_rows_are_corrected_by_clicking_and_by_keyboard(page: Page) -> None:
    upload(page, payroll())
    grid = page.locator("#grid")
    expect(grid.get_by_text("24000.00")).to_be_visible()
    expect(grid.get_by_role("button", name="略过这些行")).to_be_disabled()
    fits(page)
    # A click anywhere in the row, and with Shift all rows up to another.
    grid.locator("tr", has_text="员工1").locator("td").nth(1).click()
    grid.locator("tr", has_text="员工2").locator("td").nth(1).click(modifiers=["Shift"])
    expect(grid.get_by_text("2 行已选")).to_be_visible()
    grid.get_by_role("button", name="略过这些行").click()
    work(page)
    expect(page.get_by_role("button", name="确认这 1 位")).to_be_visible()
    expect(grid.locator("tr", has_text="员工1")).to_contain_text("手动略过")
    # By keyboard: the box of row 1, down to row 2, both, and the button.
    boxes = grid.get_by_role("checkbox")
    boxes.nth(0).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    grid.get_by_role("button", name="这些是表头").focus()
    page.keyboard.press("Enter")
    work(page)
    assert Workbook.objects.get().header_rows == [1, 2]
    for _step in range(2):
        grid.get_by_role("button", name="退回上一步").click()
        work(page)
    expect(page.get_by_role("button", name="确认这 3 位")).to_be_visible()
    fits(page)


def test_a_protected_file_is_opened_by_its_password(page: Page) -> None:
    upload(page, CORPUS / "s08_password.xlsx")
    expect(page.get_by_role("heading", name="这个文件有打开密码")).to_be_visible()
    fits(page)
    page.get_by_label("打开密码").fill("wrong")
    page.get_by_role("button", name="打开并读取").click()
    expect(page.get_by_text("密码不对，请再试一次")).to_be_visible()
    page.get_by_label("打开密码").fill("123456")
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_be_visible()
    work(page)
    expect(page.get_by_role("button", name="确认这 1 位")).to_be_visible()
    fits(page)


def test_the_own_workbook_comes_back(page: Page, scene: Scene, tmp_path: Path) -> None:
    upload(page, payroll())
    page.get_by_role("button", name="确认这 3 位").click()
    expect(page.get_by_text("已确认 3 位收件人")).to_be_visible()
    workbook = Workbook.objects.get()
    campaign = launched(scene.payslips(page.hr, workbook=workbook), "finished")  # type: ignore[attr-defined]
    deliveries(campaign, "accepted", "refused", "accepted")
    page.goto(f"/campaigns/{campaign.pk}/")
    page.get_by_role("button", name="生成", exact=True).click()
    expect(page.get_by_text("正在写入每一行的结果")).to_be_visible()
    return_workbook.run(ReturnedWorkbook.objects.get().pk)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="下载", exact=True).click()
    waiting.value.save_as(tmp_path / "back.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "back.xlsx")["11月工资"]
    assert [sheet.cell(row, 6).value for row in (2, 3, 4)] == ["鸿雁·状态", "已提交", "被拒"]
    fits(page)
    page.get_by_role("link", name="上传改好的文件").click()
    expect(page.get_by_text("已经收到的人不会再收到")).to_be_visible()
    fits(page)
