"""Draws docs/pictures again: the main way of a fresh quickstart in Chromium (`python scripts/pictures.py`).

Whoever changes a page runs this and looks at the result. Needs `make peers` (Chromium and a Chinese font).
"""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openpyxl import load_workbook
from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs/pictures"
SIZE = {"width": 1280, "height": 800}
PORT = 8123
EMPLOYEES = 90


@contextmanager
def quickstart(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Address, login and password of a first run in that folder."""
    env = os.environ | {"HONGYAN_VAR": str(folder), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "manage.py", "quickstart", "--port", str(PORT)]
    log = folder / "quickstart.log"
    with (
        log.open("w") as output,
        subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output) as child,
    ):
        try:
            yield _login(log, child)
        finally:
            child.send_signal(signal.SIGINT)


def _login(log: Path, child: subprocess.Popen[bytes]) -> tuple[str, str, str]:
    """What quickstart prints once it serves."""
    while child.poll() is None:
        text = log.read_text(encoding="utf-8")
        if "Ctrl-C" in text:
            address = re.search(r"http://\S+", text)
            login = re.search(r"(\S+@\S+)\s+(\S+)$", text, re.MULTILINE)
            assert address is not None
            assert login is not None
            return address.group(), *login.groups()
        time.sleep(0.2)
    sys.exit(f"hongyan: quickstart did not start:\n{log.read_text(encoding='utf-8')}")


class Tour:
    """One signed-in person in a browser, and the camera."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.page = browser.new_page(viewport=SIZE, locale="zh-CN", base_url=address)
        self.page.set_default_timeout(20_000)

    def shoot(self, name: str) -> None:
        self.page.wait_for_timeout(400)  # transitions
        self.page.screenshot(path=PICTURES / f"{name}.png")

    def sign_in(self, user: str, password: str) -> None:
        self.page.goto("accounts/sign-in/")
        self.page.fill("[name=username]", user)
        self.page.fill("[name=password]", password)
        self.page.locator("main form [type=submit], form [type=submit]").first.click()
        self.page.wait_for_url("**/")

    def workbook(self, path: Path, picture: str = "") -> None:
        """Upload, look, confirm."""
        self.page.goto("workbooks/upload/?purpose=payslip")
        self.page.set_input_files("input[type=file]", path)
        self.page.locator("#upload-form [type=submit]").click()
        confirm = self.page.get_by_role("button", name=re.compile("^确认这"))
        confirm.wait_for(timeout=60_000)
        if picture:
            self.shoot(picture)
        confirm.click()
        self.page.get_by_text("已确认").first.wait_for()

    def draft(self, month: int) -> str:
        """A payslip campaign of that month's workbook; its address."""
        page = self.page
        page.goto("campaigns/new/?kind=payslip")
        page.fill("[name=name]", f"2026 年 {month} 月工资条")
        book = page.locator("[name=audience] option", has_text=f"2026年{month}月").first
        page.select_option("[name=audience]", book.get_attribute("value"))
        for name in ("layout", "relay"):
            page.locator(f"[name={name}]").select_option(index=1)
        page.fill("[name=from_name]", "人力资源部")
        page.fill("[name=from_address]", "hr@hongyan.test")
        page.locator("main form.card [type=submit]").click()
        page.locator("#preflight .problems").wait_for()
        return page.url

    def launch(self) -> None:
        self.page.locator("[data-dialog-open=launch]").click()
        self.page.locator("dialog#launch [type=submit]").click()
        self.page.locator("#progress").get_by_text("发送中").first.wait_for()

    def compared(self, draft: str) -> None:
        """The layout, and the month before, beside the draft."""
        page = self.page
        page.locator(".split-side a[href*='/layouts/']").click()
        page.wait_for_timeout(1500)
        self.shoot("layout")
        page.goto(draft)
        ask = page.locator("#comparison form button")
        if ask.count():
            ask.click()
        page.locator("#comparison .compared").wait_for(timeout=60_000)
        page.locator("#preflight .problems").wait_for()
        page.locator("#lint .problems").wait_for()
        self.shoot("preflight")
        page.goto(f"{draft}comparison/?state=amount")
        self.shoot("comparison")

    def campaign(self, draft: str) -> None:
        """Preview, start, watch to the end."""
        page = self.page
        page.goto(f"{draft}preview/")
        page.wait_for_timeout(800)
        self.shoot("preview")
        page.goto(draft)
        self.launch()
        page.wait_for_timeout(16_000)
        self.shoot("campaign")
        page.locator("#progress").get_by_text("已完成").first.wait_for(timeout=90_000)
        page.goto(f"{draft}deliveries/")
        self.shoot("deliveries")

    def others(self) -> None:
        """What the marketer and the mail administrator see, and what arrived."""
        page = self.page
        page.goto("templates/new/?kind=newsletter")
        page.wait_for_timeout(1500)
        self.shoot("template")
        page.goto("relays/new/")
        self.shoot("relay")
        page.goto("sandbox/")
        page.get_by_role("link", name="2026 年 11 月工资条").first.click()
        page.wait_for_timeout(800)
        self.shoot("inbox")
        page.goto("")
        page.wait_for_timeout(1500)
        self.shoot("overview")


def month_before(data: bytes) -> bytes:
    """The same people, two of them not there yet, all at plain addresses; a little less for everybody,
    a third less for some."""
    book = load_workbook(io.BytesIO(data))
    sheet = book.active
    last = sheet.max_row - 2
    for row in range(4, last + 1):
        factor = 0.66 if row % 31 == 7 else 0.97
        sheet.cell(row, 4).value = f"emp{row - 3:04d}@staff.hongyan.test"
        sheet.cell(row, 11).value = round(sheet.cell(row, 11).value * factor, 2)
    sheet.delete_rows(last - 1, 2)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from campaigns.quickstart.payroll import demo_payroll
    from tests.servers.chromium import launched

    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made, quickstart(Path(made)) as (address, user, password):
        november = demo_payroll(EMPLOYEES, domain="staff.hongyan.test")
        payroll, before = (Path(made) / f"2026年{month}工资表.xlsx" for month in ("11月", "10月"))
        payroll.write_bytes(november)
        before.write_bytes(month_before(november))
        with launched() as browser:
            tour = Tour(browser, address)
            tour.sign_in(user, password)
            tour.workbook(before)
            tour.draft(10)
            tour.launch()
            tour.page.locator("#progress").get_by_text("已完成").first.wait_for(timeout=90_000)
            tour.workbook(payroll, picture="workbook")
            draft = tour.draft(11)
            tour.compared(draft)
            tour.campaign(draft)
            tour.others()


if __name__ == "__main__":
    main()
