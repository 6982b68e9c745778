"""HR's whole way in a real Chromium, on the one process that a newcomer starts: `quickstart`.

Upload, check what was read, confirm, preview, test to oneself, launch, watch, download the result;
and what arrived, in the sandbox's inbox. Nothing is faked, and no page may report an error.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from tests.servers.process import Process, free_port, greets

ROOT = Path(__file__).parents[2]
EMAIL = "demo@hongyan.test"
# Celery, the sandbox and a browser share two cores with it.
PATIENCE = 30_000


@pytest.fixture
def quickstart(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address and the folder of a first run, as `make quickstart` starts it."""
    folder, port = tmp_path, free_port()
    process = Process(
        [sys.executable, "manage.py", "quickstart", "--port", str(port)],
        log=folder / "quickstart.log",
        env={"PATH": "/usr/bin:/bin", "HONGYAN_VAR": str(folder / "var"), "PYTHONUTF8": "1"},
        folder=ROOT,
        death_signal=signal.SIGKILL,
    )
    head = b"HEAD /accounts/sign-in/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    process.wait_until(
        lambda: greets(port, b"HTTP/1", send=head) and "Ctrl-C" in process.tail(50),
        seconds=60,
        what="quickstart",
    )
    yield f"http://127.0.0.1:{port}", folder / "var"
    process.stop(signal.SIGINT)
    assert process.returncode == 0, process.tail(40)


@pytest.fixture(params=[1280, 390], ids=["desk", "phone"])
def page(
    request: pytest.FixtureRequest, browser: Browser, quickstart: tuple[str, Path]
) -> Iterator[Page]:
    """Signed in; the test fails if a page says anything in its console or overflows its width."""
    address, folder = quickstart
    size = {"width": request.param, "height": 900}
    context = browser.new_context(viewport=size, base_url=address, locale="zh-CN")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    said: list[str] = []
    page.on(
        "console",
        lambda message: said.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto("/accounts/sign-in/")
    page.fill("input[name=username]", EMAIL)
    page.fill("input[name=password]", (folder / "demo.password").read_text())
    page.click("main button[type=submit], form button[type=submit]")
    expect(page.get_by_role("heading", name="总览")).to_be_visible(timeout=PATIENCE)
    yield page
    context.close()
    assert said == []


def no_sideways_scrolling(page: Page) -> None:
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0, page.url


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_payroll_becomes_payslips_and_its_result_comes_back(
    page: Page, quickstart: tuple[str, Path], tmp_path: Path
) -> None:
    _address, folder = quickstart
    upload_and_confirm(page, folder / "示例工资表.xlsx")
    make_the_campaign(page)
    look_and_test(page)
    launch_and_watch(page)
    check_the_result(page, tmp_path)
    check_the_inbox(page)


def upload_and_confirm(page: Page, payroll: Path) -> None:
    page.goto("/workbooks/upload/?purpose=payslip")
    page.set_input_files("input[type=file]", payroll)
    page.get_by_role("button", name="上传").click()
    confirm = page.get_by_role("button", name="确认这 30 位")
    expect(confirm).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("应发/基本工资").first).to_be_visible()
    expect(page.get_by_text("第 34 行：合计行")).to_be_visible()
    no_sideways_scrolling(page)
    confirm.click()
    page.get_by_role("link", name="新建工资条群发").click()


def make_the_campaign(page: Page) -> None:
    expect(page.get_by_label("发件地址")).to_have_value("hr@hongyan.test")
    page.get_by_label("发件人名称").fill("鸿雁科技人事部")
    no_sideways_scrolling(page)
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("没有阻止发送的问题。")).to_be_visible(timeout=PATIENCE)
    no_sideways_scrolling(page)


def look_and_test(page: Page) -> None:
    campaign = page.url
    page.get_by_role("link", name="预览").click()
    slip = page.frame_locator("iframe").first
    expect(slip.get_by_text("¥12,439.20")).to_be_visible()
    page.get_by_role("searchbox").fill("王英艳")
    page.keyboard.press("Enter")
    expect(slip.get_by_text("¥15,955.45")).to_be_visible()
    no_sideways_scrolling(page)
    page.goto(campaign)
    page.get_by_role("button", name="发一封测试").click()
    expect(page.get_by_role("link", name=EMAIL)).to_be_visible(timeout=PATIENCE)


def launch_and_watch(page: Page) -> None:
    page.get_by_role("button", name="启动…").click()
    page.locator("dialog[open]").get_by_role("button", name="启动").click()
    # Without a reload: the region polls until the campaign has ended.
    expect(page.get_by_text("已有结果 100%")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("已完成").first).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("已提交\\s*28"))).to_be_visible()
    expect(page.get_by_text("待确认：要由人决定")).to_be_visible()
    no_sideways_scrolling(page)
    page.get_by_role("link", name=re.compile("被拒\\s*1")).click()
    page.get_by_role("link", name=re.compile("refuse-")).first.click()
    expect(page.get_by_text("550").first).to_be_visible()
    no_sideways_scrolling(page)
    page.go_back()
    page.go_back()


def check_the_result(page: Page, tmp_path: Path) -> None:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("结果")).first.click()
    path = tmp_path / "result.xlsx"
    waiting.value.save_as(path)
    rows = list(load_workbook(path).active.iter_rows(values_only=True))
    assert len(rows) == 31
    text = "\n".join(str(row) for row in rows)
    assert text.count("已提交") == 28
    assert "refuse-0003@staff.hongyan.test" in text


def check_the_inbox(page: Page) -> None:
    page.goto("/sandbox/?q=emp0001")
    page.get_by_role("link", name=re.compile("示例工资表")).first.click()
    # It is loaded when it comes into view.
    page.locator("iframe").first.scroll_into_view_if_needed()
    expect(page.frame_locator("iframe").first.get_by_text("¥12,439.20")).to_be_visible()
    no_sideways_scrolling(page)
