"""A visitor joins a list by a form on another site and the link of the mail, on a phone, in two languages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from campaigns.models import ContactList, Delivery, ListMember
from campaigns.pipeline import subscribe
from campaigns.pipeline.compose import links
from tests.views.scene import Scene

EVE = "eve@customer.example"
WORDS = {
    "zh-CN": ("请到邮箱里确认", "确认订阅", "订阅已确认"),
    "en-US": ("Please confirm in your mailbox", "Confirm", "Subscription confirmed"),
}
# A folder for screenshots, for whoever wants to look.
PICTURES = os.environ.get("HONGYAN_SCREENSHOTS")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locale", WORDS)
def test_a_visitor_joins_a_list(browser: Browser, live_server: Any, locale: str) -> None:
    asked, button, confirmed = WORDS[locale]
    scene = Scene()
    readers = ContactList.objects.create(team=scene.team, name="产品月报")
    sender = subscribe.Sender(scene.relay(), "鸿雁", "news@corp.example")
    form = subscribe.save_form(
        readers, sender, text="我同意每月收到一封产品月报。", enabled=True, user=None
    )
    path = links().join(form.pk).split("/", 3)[3]

    context = browser.new_context(viewport={"width": 390, "height": 780}, locale=locale)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(f"{live_server.url}/{path}")
    look(page, f"join-{locale}")
    # As it stands on a site of somebody else.
    page.goto("about:blank")
    page.set_content(
        f'<form method="post" action="{live_server.url}/{path}">'
        '<input type="email" name="email"><input name="website" hidden><button>Go</button></form>'
    )
    page.locator("input[name=email]").fill(EVE)
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("heading", name=asked)).to_be_visible()
    assert not ListMember.objects.exists()
    delivery = Delivery.objects.get()
    link = links().confirm(delivery.campaign_id, delivery.pk).split("/", 3)[3]
    page.goto(f"{live_server.url}/{link}")
    look(page, f"confirm-{locale}")
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("heading", name=confirmed)).to_be_visible()
    assert ListMember.objects.get().contact.address == EVE
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not [said for said in complaints if "Content Security Policy" in said]
    context.close()


def look(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)
