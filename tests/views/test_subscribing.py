"""The public form on any site, the confirmation's page, and the settings behind them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role
from campaigns.models import ContactList, Delivery, ListMember, SubscribeForm, SubscriptionProof
from campaigns.pipeline import subscribe
from campaigns.pipeline.compose import links
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

EVE = "eve@customer.example"


@pytest.fixture
def readers(scene: Scene) -> ContactList:
    return ContactList.objects.create(team=scene.team, name="月报 <b>")


@pytest.fixture
def form(scene: Scene, readers: ContactList) -> SubscribeForm:
    sender = subscribe.Sender(scene.relay(), "鸿雁", "news@corp.example")
    return subscribe.save_form(readers, sender, text="我同意 <i>", enabled=True, user=None)


@pytest.fixture
def path(form: SubscribeForm) -> str:
    return "/" + links().join(form.pk).split("/", 3)[3]


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


def text(answer: Any) -> str:
    """Without the tokens of its forms, which are masked anew each time."""
    return re.sub(r'value="\w{64}"', "", answer.content.decode())


def confirm_path() -> str:
    delivery = Delivery.objects.get()
    return "/" + links().confirm(delivery.campaign_id, delivery.pk).split("/", 3)[3]


def test_the_form_shows_the_consent_and_asks_nothing_by_itself(browser: Client, path: str) -> None:
    answer = browser.get(f"{path}?email={EVE}")
    assert "我同意 &lt;i&gt;" in text(answer)
    assert "月报 &lt;b&gt;" in text(answer)
    assert answer["Cache-Control"] == "no-store"
    assert not SubscriptionProof.objects.exists()


def test_any_site_may_post_it_and_the_answer_is_always_the_same(browser: Client, path: str) -> None:
    answers = {text(browser.post(path, {"email": EVE})) for _ in range(2)}
    answers.add(text(browser.post(path, {"email": EVE, "website": "http://spam"})))
    assert len(answers) == 1
    assert "请到邮箱里确认" in answers.pop()
    assert not answers
    proof = SubscriptionProof.objects.get()
    assert (proof.address, proof.asked_from) == (EVE, "127.0.0.1")


def test_a_machine_that_fills_every_field_asks_for_nothing(browser: Client, path: str) -> None:
    assert browser.post(path, {"email": EVE, "website": "x"}).status_code == 200
    assert not SubscriptionProof.objects.exists()


@pytest.mark.parametrize("address", ["", "no address", "a@b\r\nBcc: c@d.cn", "x" * 5000])
def test_what_is_no_address_is_said(browser: Client, path: str, address: str) -> None:
    assert browser.post(path, {"email": address}).status_code == 422
    assert not SubscriptionProof.objects.exists()


def test_too_many_requests_are_refused(
    browser: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribe, "BY_NETWORK", 1)
    browser.post(path, {"email": EVE})
    assert browser.post(path, {"email": "f" + EVE}).status_code == 429
    assert SubscriptionProof.objects.count() == 1


def test_a_look_at_the_link_joins_nobody_and_its_button_does(browser: Client, path: str) -> None:
    browser.post(path, {"email": EVE})
    link = confirm_path()
    for _ in range(2):
        page = text(browser.get(link))
    assert EVE not in page
    assert not ListMember.objects.exists()
    assert browser.post(link).status_code == 403
    token = browser.cookies["csrftoken"].value
    assert browser.post(link, {"csrfmiddlewaretoken": token}).status_code == 302
    assert "订阅已确认" in text(browser.get(link))
    assert ListMember.objects.get().contact.address == EVE


@pytest.mark.parametrize("where", ["join", "confirm"])
def test_a_token_that_is_none_tells_nothing(browser: Client, where: str) -> None:
    for token in ("nothing", "a" * 60, "%00"):
        assert browser.get(f"/{where}/{token}").status_code == 404
        assert browser.post(f"/{where}/{token}").status_code in {403, 404}


def test_the_team_sets_the_form_up_and_sees_the_proofs(
    scene: Scene, readers: ContactList, browser: Client
) -> None:
    client, relay = scene.client(Role.MARKETER), scene.relay()
    page = f"/lists/{readers.pk}/form/"
    fields = {
        "relay": relay.pk,
        "from_name": "鸿雁",
        "from_address": "news@corp.example",
        "text": "我同意",
        "enabled": "on",
    }
    for wrong in (
        {"from_address": "news@elsewhere.example"},
        {"from_address": "x"},
        {"text": "a\nb"},
        {"relay": Scene().relay().pk},
    ):
        assert client.post(page, fields | wrong).status_code == 422
    assert client.post(page, fields).status_code == 302
    assert client.post(page, fields | {"text": "我都同意"}).status_code == 302
    form = SubscribeForm.objects.get()
    assert form.text == "我都同意"
    browser.post("/" + links().join(form.pk).split("/", 3)[3], {"email": EVE})
    shown = text(client.get(page))
    assert links().join(form.pk) in shown
    assert EVE in shown
    assert client.get(f"/campaigns/{form.campaign_id}/").status_code == 200


def test_another_teams_list_is_not_there(scene: Scene) -> None:
    foreign = Scene().contacts()
    assert scene.client(Role.MARKETER).get(f"/lists/{foreign.pk}/form/").status_code == 404
