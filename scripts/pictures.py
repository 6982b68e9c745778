"""Draws docs/pictures again: the main way of a fresh quickstart in Chromium (`python scripts/pictures.py`).

Whoever changes a page runs this and looks at the result. Needs `make peers` (Chromium and a Chinese font).
"""

from __future__ import annotations

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

    def workbook(self, path: Path) -> None:
        """Upload, look, confirm."""
        self.page.goto("workbooks/upload/?purpose=payslip")
        self.page.set_input_files("input[type=file]", path)
        self.page.locator("#upload-form [type=submit]").click()
        confirm = self.page.get_by_role("button", name=re.compile("^确认这"))
        confirm.wait_for(timeout=60_000)
        self.shoot("workbook")
        confirm.click()
        self.page.get_by_text("已确认").first.wait_for()

    def campaign(self) -> None:
        """Make, preview, start, watch to the end."""
        page = self.page
        page.goto("campaigns/new/?kind=payslip")
        page.fill("[name=name]", "2026 年 11 月工资条")
        for select in page.locator("main form.card select").all():
            select.select_option(index=1)
        page.fill("[name=from_name]", "人力资源部")
        page.fill("[name=from_address]", "hr@hongyan.test")
        page.locator("main form.card [type=submit]").click()
        page.locator("#preflight .problems").wait_for()
        self.shoot("preflight")
        draft = page.url
        page.goto(f"{draft}preview/")
        page.wait_for_timeout(800)
        self.shoot("preview")
        page.goto(draft)
        page.locator("[data-dialog-open=launch]").click()
        page.locator("dialog#launch [type=submit]").click()
        page.get_by_text("发送中").first.wait_for()
        page.wait_for_timeout(16_000)
        self.shoot("campaign")
        page.get_by_text("已完成").first.wait_for(timeout=90_000)
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


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from campaigns.quickstart.payroll import demo_payroll
    from tests.servers.chromium import launched

    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made, quickstart(Path(made)) as (address, user, password):
        payroll = Path(made) / "2026年11月工资表.xlsx"
        payroll.write_bytes(demo_payroll(EMPLOYEES, domain="staff.hongyan.test"))
        with launched() as browser:
            tour = Tour(browser, address)
            tour.sign_in(user, password)
            tour.workbook(payroll)
            tour.campaign()
            tour.others()


if __name__ == "__main__":
    main()
