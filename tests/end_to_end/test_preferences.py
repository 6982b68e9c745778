"""A reader chooses lists on a phone, in Chinese and in English, in a real browser with all its policies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from accounts.models import Team
from campaigns.models import ContactList, Suppression
from campaigns.pipeline.compose import links
from tests import cast
from tests.pipeline import returned_mail as mail

BOB = "bobby@customer.example"
WORDS = {
    "zh-CN": ("您想收到哪些邮件？", "保存", "已保存", "自己选名单", "退订鸿雁科技的全部邮件"),
    "en-US": (
        "Which mail would you like?",
        "Save",
        "Saved",
        "Choose your lists",
        "Unsubscribe from all mail of 鸿雁科技",
    ),
}
# A folder for screenshots, for whoever wants to look.
PICTURES = os.environ.get("HONGYAN_SCREENSHOTS")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locale", WORDS)
def test_a_reader_chooses_lists(browser: Browser, live_server: Any, locale: str) -> None:
    heading, save, saved, link, leave = WORDS[locale]
    monthly = cast.a_list(Team.objects.create(name="鸿雁科技"), [BOB], "产品月报")
    events = ContactList.objects.create(team=monthly.team, name="线下活动", public=True)
    delivery = mail.a_delivery(mail.a_sent_campaign(monthly.team, contact_list=monthly), BOB)
    path = links().unsubscribe(delivery.campaign_id, delivery.pk).split("/", 3)[3]

    context = browser.new_context(viewport={"width": 390, "height": 780}, locale=locale)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(f"{live_server.url}/{path}")
    page.get_by_role("link", name=link).click()
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_role("checkbox", name="产品月报")).to_be_checked()
    page.get_by_role("checkbox", name="产品月报").uncheck()
    page.get_by_role("checkbox", name="线下活动").check()
    page.get_by_role("button", name=save, exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(saved)
    look(page, f"preferences-{locale}")
    assert events.members.get().status == "subscribed"
    assert Suppression.objects.get().contact_list == monthly
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name=leave).click()
    page.get_by_role("link", name=link).click()
    expect(page.get_by_role("checkbox", name="线下活动")).not_to_be_checked()
    look(page, f"preferences-left-{locale}")
    assert Suppression.objects.filter(contact_list=None).count() == 1
    assert not [said for said in complaints if "Content Security Policy" in said]
    context.close()


def look(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)
