"""The distribution's Chromium, driven by Playwright without a download of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from tests.servers.process import with_system_path

# Nothing that the browser does by itself may leave this machine.
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--lang=zh-CN",
)


@contextlib.contextmanager
def launched(*, headless: bool = True) -> Iterator[Browser]:
    """A browser; as root without the sandbox that Chromium refuses root. It dies with Playwright's
    driver, which dies with us."""
    executable = shutil.which("chromium", path=with_system_path()["PATH"])
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, headless=headless, args=arguments, chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()
