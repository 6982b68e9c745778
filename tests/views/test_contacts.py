"""Contacts: found, added, changed and deleted; one address is one contact of a team."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Role
from campaigns.models import Contact, Suppression
from campaigns.models.contact import MemberStatus
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client(Role.MARKETER)


def text(response: Any) -> str:
    return response.content.decode()


def test_contacts_are_searched_by_name_and_address_and_walked_by_key(
    client: Client, scene: Scene
) -> None:
    scene.contacts(*(f"c{n:02d}@x.example" for n in range(35)))
    Contact.objects.filter(address_key="c03@x.example").update(name="欧阳")
    first = client.get("/contacts/").context["page"]
    second = client.get(f"/contacts/?after={first.following}").context["page"]
    assert (len(first.rows), len(second.rows), second.following) == (30, 5, "")
    back = client.get(f"/contacts/?before={second.previous}").context["page"]
    assert back.rows == first.rows
    for search in ("欧阳", "C03@"):
        found = client.get("/contacts/", {"q": search}).context["page"].rows
        assert [contact.address for contact in found] == ["c03@x.example"]
    assert "没有找到" in text(client.get("/contacts/?q=nobody"))


def test_a_full_page_takes_few_queries(
    client: Client, scene: Scene, django_assert_max_num_queries: Any
) -> None:
    scene.contacts(*(f"c{n:02d}@x.example" for n in range(35)))
    with django_assert_max_num_queries(9):
        client.get("/contacts/")


def test_a_contact_is_added_with_attributes(client: Client, scene: Scene) -> None:
    form = {"address": " Li@例子.中国 ", "name": "李", "attributes": "城市：杭州\n时间: 10:30\n"}
    assert client.post("/contacts/new/", form).url == "/contacts/"
    contact = Contact.objects.get(team=scene.team)
    assert contact.address == "Li@xn--fsqu00a.xn--fiqs8s"
    assert contact.address_key == contact.address.lower()
    assert contact.attributes == {"城市": "杭州", "时间": "10:30"}


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"address": "no@@x.example"}, "有且只有一个 @"),
        ({"address": "A@x.example"}, "已有这个地址"),
        ({"address": "b@x.example", "attributes": "没冒号"}, "第 1 行没有冒号"),
        ({"address": ""}, "必填"),
    ],
)
def test_a_wrong_contact_is_refused_in_a_sentence(
    client: Client, scene: Scene, form: dict[str, str], sentence: str
) -> None:
    scene.contacts("a@x.example")
    response = client.post("/contacts/new/", form)
    assert (response.status_code, sentence in text(response)) == (422, True)
    assert Contact.objects.count() == 1


def test_a_contact_is_changed(client: Client, scene: Scene) -> None:
    scene.contacts("a@x.example", 城市="杭州")
    contact = Contact.objects.get()
    assert "城市：杭州" in text(client.get(f"/contacts/{contact.pk}/"))
    client.post(
        f"/contacts/{contact.pk}/", {"address": "New@x.example", "name": "新", "attributes": ""}
    )
    contact.refresh_from_db()
    assert (contact.address_key, contact.name, contact.attributes) == ("new@x.example", "新", {})


def test_a_deleted_contact_that_had_left_a_list_is_remembered_there(
    client: Client, scene: Scene
) -> None:
    left, other = scene.contacts("a@x.example"), scene.contacts("a@x.example")
    left.members.update(status=MemberStatus.UNSUBSCRIBED)
    client.post(f"/contacts/{Contact.objects.get().pk}/delete/")
    assert not Contact.objects.exists()
    suppression = Suppression.objects.get()
    assert (suppression.contact_list, suppression.reason) == (left, "unsubscribed")
    assert not other.members.exists()


def test_the_same_address_may_be_in_two_teams(client: Client, scene: Scene) -> None:
    Scene().contacts("a@x.example")
    assert client.post("/contacts/new/", {"address": "a@x.example"}).status_code == 302
    assert Contact.objects.filter(team=scene.team).count() == 1


@pytest.mark.parametrize("act", ["", "delete/"])
def test_another_teams_contact_is_not_there(client: Client, act: str) -> None:
    Scene().contacts("a@x.example")
    contact = Contact.objects.get()
    assert client.post(f"/contacts/{contact.pk}/{act}").status_code == 404
    assert client.get(f"/contacts/{contact.pk}/").status_code == 404
    assert Contact.objects.exists()


def test_get_deletes_nothing(client: Client, scene: Scene) -> None:
    scene.contacts("a@x.example")
    assert client.get(f"/contacts/{Contact.objects.get().pk}/delete/").status_code == 405
