"""The unsubscribe page and the one-click address: what a reader, a mail client and a scanner meet there."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Team
from campaigns.models import Contact, ContactList, Delivery, ListMember, Suppression
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import DeliveryPurpose
from campaigns.pipeline.compose import links
from tests.pipeline import returned_mail as mail

pytestmark = [pytest.mark.django_db]

BOB = "bobby@customer.example"
ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def delivery() -> Delivery:
    team = Team.objects.create(name="甲公司")
    readers = ContactList.objects.create(team=team, name="读者 <b>")
    contact = Contact.objects.create(team=team, address=BOB, address_key=BOB)
    ListMember.objects.create(team=team, contact_list=readers, contact=contact)
    return mail.a_delivery(mail.a_sent_campaign(team, contact_list=readers), BOB, contact=contact)


@pytest.fixture
def path(delivery: Delivery) -> str:
    url = links().unsubscribe(delivery.campaign_id, delivery.pk)
    return "/" + url.split("/", 3)[3]


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


def form_token(browser: Client, path: str) -> str:
    browser.get(path)
    return browser.cookies["csrftoken"].value


def press(browser: Client, path: str, action: str, **fields: str) -> str:
    """Submits a form of the page; the page that follows."""
    fields["csrfmiddlewaretoken"] = form_token(browser, path)
    answer = browser.post(f"{path}/{action}", fields)
    assert (answer.status_code, answer["Location"]) == (302, path)
    return browser.get(path).content.decode()


def test_the_page_says_what_will_happen_and_changes_nothing(browser: Client, path: str) -> None:
    for method in (browser.get, browser.head, browser.get):
        answer = method(path)
        assert answer.status_code == 200
    html = answer.content.decode()
    assert "bo***@customer.example" in html
    assert BOB not in html
    assert "甲公司" in html
    assert "读者 &lt;b&gt;" in html
    assert not Suppression.objects.exists()


def test_the_page_is_kept_nowhere_and_gives_its_address_to_nobody(
    browser: Client, path: str
) -> None:
    for answer in (browser.get(path), browser.get("/u/nothing"), browser.post(path, {})):
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "same-origin"
        assert "noindex" in answer["X-Robots-Tag"]


def test_the_button_unsubscribes_and_the_way_back_undoes_it(browser: Client, path: str) -> None:
    html = press(browser, path, "leave")
    assert "已退订" in html
    assert ListMember.objects.get().status == MemberStatus.UNSUBSCRIBED
    html = press(browser, path, "undo")
    assert "不想再收到这些邮件" in html
    assert ListMember.objects.get().status == MemberStatus.SUBSCRIBED
    assert not Suppression.objects.exists()


def test_all_lists_can_be_left_at_once_or_afterwards(browser: Client, path: str) -> None:
    html = press(browser, path, "leave")
    assert 'value="all"' in html
    html = press(browser, path, "leave", scope="all")
    assert "任何群发邮件" in html
    assert 'value="all"' not in html
    assert Suppression.objects.filter(contact_list=None).count() == 1


@pytest.mark.parametrize("action", ["leave", "undo"])
def test_the_forms_of_the_page_are_protected(browser: Client, path: str, action: str) -> None:
    assert browser.post(f"{path}/{action}").status_code == 403
    assert browser.get(f"{path}/{action}").status_code == 405
    assert not Suppression.objects.exists()


def test_one_click_is_answered_without_a_redirect_a_cookie_or_a_page(
    browser: Client, path: str
) -> None:
    for _ in range(2):
        answer = browser.post(path, ONE_CLICK, content_type=FORM)
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain")
        assert not answer.cookies
    assert Suppression.objects.get().note == "one-click"


def test_one_click_may_come_as_multipart(browser: Client, path: str) -> None:
    assert browser.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Suppression.objects.count() == 1


@pytest.mark.parametrize("body", ["", "x=y", "List-Unsubscribe=", "List-Unsubscribe=one", "\0&&&="])
def test_another_post_to_the_one_click_address_changes_nothing(
    browser: Client, path: str, body: str
) -> None:
    assert browser.post(path, body, content_type=FORM).status_code == 400
    assert not Suppression.objects.exists()


def test_one_click_counts_in_the_body_alone(browser: Client, path: str) -> None:
    assert browser.post(f"{path}?{ONE_CLICK}", "", content_type=FORM).status_code == 400
    browser.get(f"{path}?{ONE_CLICK}")
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_other_methods_are_refused(browser: Client, path: str, method: str) -> None:
    assert getattr(browser, method)(path).status_code == 405


@pytest.mark.parametrize("token", ["nothing", "a" * 60, "%00", "%E9%B8%BF", "x" * 3000])
def test_a_bad_link_gets_a_friendly_page_that_tells_nothing(
    browser: Client, path: str, token: str
) -> None:
    answers = [browser.get(f"/u/{token}"), browser.post(f"/u/{token}", ONE_CLICK, FORM)]
    answers.append(browser.get(path[:-1]))
    assert {answer.status_code for answer in answers} == {404}
    assert (
        len({answer.content.split(b"<body")[1].split(b"public-foot")[0] for answer in answers}) == 1
    )
    assert "这个链接没有用了" in answers[0].content.decode()


def test_a_test_message_says_that_its_button_does_nothing(
    browser: Client, path: str, delivery: Delivery
) -> None:
    Delivery.objects.update(purpose=DeliveryPurpose.TEST)
    html = press(browser, path, "leave")
    assert "测试邮件" in html
    assert not Suppression.objects.exists()


def test_the_page_is_in_the_readers_language(path: str) -> None:
    for language, code in (("en-GB,en;q=0.8", "en"), ("zh-CN", "zh-hans"), ("fr", "zh-hans")):
        html = Client(headers={"Accept-Language": language}).get(path).content.decode()
        assert f'<html lang="{code}">' in html
