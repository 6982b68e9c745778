"""The page on which a recipient chooses lists: a link alone opens it, and only its form changes anything."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Role, Team
from campaigns.models import ContactList, Delivery, Suppression
from campaigns.pipeline.compose import links
from tests import cast
from tests.pipeline import returned_mail as mail
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOB = "bobby@customer.example"


@pytest.fixture
def delivery() -> Delivery:
    monthly = cast.a_list(Team.objects.create(name="甲公司"), [BOB], "月报 <b>")
    return mail.a_delivery(mail.a_sent_campaign(monthly.team, contact_list=monthly), BOB)


@pytest.fixture
def events(delivery: Delivery) -> ContactList:
    return ContactList.objects.create(team=delivery.team, name="活动", public=True)


@pytest.fixture
def path(delivery: Delivery) -> str:
    url = links().unsubscribe(delivery.campaign_id, delivery.pk)
    return f"/{url.split('/', 3)[3]}/preferences"


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


def save(browser: Client, path: str, *lists: str) -> str:
    browser.get(path)
    fields = {"list": lists, "csrfmiddlewaretoken": browser.cookies["csrftoken"].value}
    answer = browser.post(path, fields)
    assert answer.status_code == 302
    return browser.get(answer["Location"]).content.decode()


def test_looking_changes_nothing_and_tells_no_address(
    browser: Client, path: str, events: ContactList
) -> None:
    for query in ("", "?saved=1", f"?list={events.pk}"):
        answer = browser.get(path + query)
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "no-store"
        assert "noindex" in answer["X-Robots-Tag"]
    html = answer.content.decode()
    assert "bo***@customer.example" in html
    assert BOB not in html
    assert "月报 &lt;b&gt;" in html
    assert not events.members.exists()
    assert not Suppression.objects.exists()


def test_the_choice_is_kept(browser: Client, path: str, events: ContactList) -> None:
    html = save(browser, path, str(events.pk))
    assert "已保存" in html
    assert html.count("checked") == 1
    assert events.members.get().status == "subscribed"
    assert Suppression.objects.get().address_key == BOB


@pytest.mark.parametrize("nonsense", ["", "x", "-1", "9" * 40, "１", "\0"])
def test_nonsense_in_the_form_is_no_list(
    browser: Client, path: str, events: ContactList, nonsense: str
) -> None:
    save(browser, path, nonsense)
    assert not events.members.exists()


def test_a_post_without_the_pages_form_is_refused(browser: Client, path: str) -> None:
    assert browser.post(path, {"list": "1"}).status_code == 403
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("token", ["nothing", "a" * 60, "%00"])
def test_a_link_that_is_none_tells_nothing(browser: Client, token: str) -> None:
    assert browser.get(f"/u/{token}/preferences").status_code == 404


def test_the_reader_reads_it_in_their_language(browser: Client, path: str) -> None:
    answer = browser.get(path, headers={"accept-language": "en"})
    html = answer.content.decode()
    assert '<html lang="en"' in html
    assert "Which mail would you like?" in html


def test_the_unsubscribe_page_leads_there(browser: Client, path: str) -> None:
    assert path in browser.get(path.removesuffix("/preferences")).content.decode()


def test_the_team_opens_a_list_to_the_choice() -> None:
    scene = Scene()
    client = scene.client(Role.MARKETER)
    readers = scene.contacts("a@x.example")
    taken = scene.contacts()
    answer = client.post(f"/lists/{readers.pk}/edit/", {"name": taken.name, "public": "on"})
    assert answer.status_code == 422
    answer = client.post(f"/lists/{readers.pk}/edit/", {"name": "月报", "public": "on"})
    assert answer.status_code == 302
    readers.refresh_from_db()
    assert (readers.name, readers.public) == ("月报", True)
    foreign = Scene().contacts()
    assert client.get(f"/lists/{foreign.pk}/edit/").status_code == 404
