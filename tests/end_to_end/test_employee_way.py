"""An employee's whole way in a real Chromium: the link in the mail, the payslip, “correct” or “not correct”."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from accounts.models import Role
from campaigns.models import Confirmation, Delivery
from campaigns.pipeline.compose import links
from tests import cast
from tests.views.scene import CANARY, Scene, deliveries, launched

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def delivery(scene: Scene) -> Delivery:
    """李雷's, whose salary is the canary."""
    template = cast.a_template(scene.team)
    campaign = scene.payslips(scene.user(Role.HR), template=template, confirm_days=14)
    return deliveries(launched(campaign, "finished"), "accepted", "accepted")[1]


@pytest.fixture(params=[1280, 390], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """Fails if the page says anything in its console."""
    size = {"width": request.param, "height": 900}
    context = browser.new_context(viewport=size, locale="zh-CN")
    page = context.new_page()
    said: list[str] = []
    page.on(
        "console",
        lambda message: said.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert said == []


def address(live_server, delivery: Delivery) -> str:
    path = links().slip(delivery.campaign_id, delivery.pk).split("/", 3)[3]
    return f"{live_server.url}/{path}"


def fits(page: Page) -> None:
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0


def test_he_looks_and_says_that_it_is_right(live_server, page: Page, delivery: Delivery) -> None:
    page.goto(address(live_server, delivery))
    expect(page.get_by_role("heading", name="十一月工资条")).to_be_visible()
    assert CANARY not in page.content()
    fits(page)
    page.get_by_role("button", name="查看我的工资条").click()
    slip = page.frame_locator("iframe")
    expect(slip.get_by_text(CANARY)).to_be_visible()
    expect(slip.get_by_text("查看并确认工资条")).to_have_count(0)
    fits(page)
    page.get_by_role("button", name="确认无误").click()
    expect(page.get_by_text("您已确认无误")).to_be_visible()
    assert Confirmation.objects.get().state == "confirmed"
    page.reload()
    expect(page.get_by_text("您已确认无误")).to_be_visible()


def test_he_says_what_is_wrong_and_settles_it(live_server, page: Page, delivery: Delivery) -> None:
    page.goto(address(live_server, delivery))
    page.get_by_role("button", name="查看我的工资条").click()
    page.get_by_text("有问题，告诉人力资源部").click()
    page.get_by_label("哪里不对？").fill("加班费少算了 4 小时")
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_text("已交给人力资源部")).to_be_visible()
    fits(page)
    assert Confirmation.objects.get().state == "disputed"
    page.get_by_role("button", name="问题已解决").click()
    expect(page.get_by_text("您已确认无误")).to_be_visible()


def test_an_old_link_tells_whom_to_ask(live_server, page: Page, delivery: Delivery) -> None:
    past = timezone.now() - timedelta(days=15)
    Delivery.objects.filter(pk=delivery.pk).update(created_at=past)
    answer = page.request.get(address(live_server, delivery))
    assert answer.status == 410
    assert "请联系人力资源部" in answer.text()
