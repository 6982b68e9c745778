"""A reader leaves by the link of a newsletter, in a real browser with all its policies, on a phone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from accounts.models import Team
from campaigns.models import Contact, ContactList, ListMember, Suppression
from campaigns.models.contact import MemberStatus
from campaigns.pipeline.compose import links
from tests.pipeline import returned_mail as mail

BOB = "bobby@customer.example"
# A folder for screenshots, for whoever wants to look.
PICTURES = os.environ.get("HONGYAN_SCREENSHOTS")


@pytest.mark.django_db(transaction=True)
def test_a_reader_leaves_and_comes_back(browser: Browser, live_server: Any) -> None:
    team = Team.objects.create(name="鸿雁科技")
    readers = ContactList.objects.create(team=team, name="产品月报")
    contact = Contact.objects.create(team=team, address=BOB, address_key=BOB)
    member = ListMember.objects.create(team=team, contact_list=readers, contact=contact)
    delivery = mail.a_delivery(mail.a_sent_campaign(team, contact_list=readers), BOB)
    path = links().unsubscribe(delivery.campaign_id, delivery.pk).split("/", 3)[3]

    context = browser.new_context(viewport={"width": 390, "height": 780}, locale="zh-CN")
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(f"{live_server.url}/{path}")
    look(page, "1-before")
    page.get_by_role("button", name="退订").click()
    expect(page.get_by_role("heading", name="已退订")).to_be_visible()
    look(page, "2-after")
    member.refresh_from_db()
    assert member.status == MemberStatus.UNSUBSCRIBED
    page.get_by_role("button", name="我点错了，重新订阅").click()
    expect(page.get_by_role("heading", name="不想再收到这些邮件？")).to_be_visible()
    member.refresh_from_db()
    assert member.status == MemberStatus.SUBSCRIBED
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="退订").click()
    expect(page.get_by_text("任何群发邮件")).to_be_visible()
    look(page, "3-all")
    assert Suppression.objects.count() == 2
    page.goto(f"{live_server.url}/{path[:-2]}")
    look(page, "4-unknown")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not [said for said in complaints if "Content Security Policy" in said]
    context.close()


def look(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)
