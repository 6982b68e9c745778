"""Lists: who is in them, who left, and that nothing brings back who left."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Role
from campaigns.models import Contact, ContactList, ListMember, Suppression
from campaigns.models.contact import MemberStatus
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client(Role.MARKETER)


def text(response: Any) -> str:
    return response.content.decode()


def unsubscribe(contact_list: ContactList, address: str) -> None:
    contact_list.members.filter(contact__address_key=address).update(
        status=MemberStatus.UNSUBSCRIBED
    )


def test_an_empty_team_is_told_what_to_do(client: Client) -> None:
    assert "还没有名单" in text(client.get("/lists/"))


def test_lists_are_shown_with_their_counts_in_few_queries(
    client: Client, scene: Scene, django_assert_max_num_queries: Any
) -> None:
    for _number in range(4):
        unsubscribe(scene.contacts("a@x.example", "b@x.example", "c@x.example"), "a@x.example")
    with django_assert_max_num_queries(7):
        html = text(client.get("/lists/"))
    assert html.count('data-label="联系人">3<') == 4
    assert html.count('data-label="已退订">1<') == 4


def test_a_list_is_made_and_its_name_is_unique_in_its_team(client: Client) -> None:
    Scene().contacts()
    response = client.post("/lists/new/", {"name": "读者"})
    assert response.url == f"/lists/{ContactList.objects.get(name='读者').pk}/"
    again = client.post("/lists/new/", {"name": "读者"})
    assert (again.status_code, "已有同名的名单" in text(again)) == (422, True)


def test_pasted_lines_become_members(client: Client, scene: Scene) -> None:
    readers = scene.contacts()
    lines = "张三 <zhang@x.example>\n\nli@X.example\n＜bad\n"
    refused = client.post(f"/lists/{readers.pk}/", {"lines": lines})
    assert (refused.status_code, "第 4 行" in text(refused)) == (422, True)
    assert readers.members.count() == 0
    client.post(f"/lists/{readers.pk}/", {"lines": lines.replace("＜bad\n", "ZHANG@x.example")})
    found = readers.contacts.order_by("pk").values_list("address_key", "name")
    assert list(found) == [("zhang@x.example", "张三"), ("li@x.example", "")]


def test_pasting_keeps_what_is_known_and_brings_nobody_back(client: Client, scene: Scene) -> None:
    readers = scene.contacts("a@x.example", 城市="杭州")
    unsubscribe(readers, "a@x.example")
    response = client.post(
        f"/lists/{readers.pk}/", {"lines": "a@x.example\nb@x.example"}, follow=True
    )
    assert "1 位已退订，没有重新订阅" in text(response)
    assert "已加入 1 位" in text(response)
    member = ListMember.objects.get(contact__address_key="a@x.example")
    assert member.status == MemberStatus.UNSUBSCRIBED
    assert (member.contact.name, member.contact.attributes) == ("a", {"城市": "杭州"})


def test_all_wrong_lines_are_named_at_once_up_to_a_limit(client: Client, scene: Scene) -> None:
    readers = scene.contacts()
    html = text(client.post(f"/lists/{readers.pk}/", {"lines": "bad\n" * 70}))
    assert "第 50 行" in html
    assert "还有 20 行" in html


def test_members_are_searched_filtered_and_walked_by_key(client: Client, scene: Scene) -> None:
    readers = scene.contacts(*(f"m{n:02d}@x.example" for n in range(35)))
    unsubscribe(readers, "m07@x.example")
    first = client.get(f"/lists/{readers.pk}/")
    assert [m.contact.address for m in first.context["page"].rows][:1] == ["m34@x.example"]
    rest = client.get(f"/lists/{readers.pk}/?after={first.context['page'].following}")
    assert [len(page.context["page"].rows) for page in (first, rest)] == [30, 5]
    found = client.get(f"/lists/{readers.pk}/?q=m1").context["page"].rows
    assert len(found) == 10
    left = client.get(f"/lists/{readers.pk}/?state=unsubscribed").context["page"].rows
    assert [m.contact.address for m in left] == ["m07@x.example"]


def test_a_full_list_takes_few_queries(
    client: Client, scene: Scene, django_assert_max_num_queries: Any
) -> None:
    readers = scene.contacts(*(f"m{n:02d}@x.example" for n in range(35)))
    with django_assert_max_num_queries(11):
        client.get(f"/lists/{readers.pk}/")


def test_a_suppressed_address_is_marked(client: Client, scene: Scene) -> None:
    readers = scene.contacts("a@x.example")
    Suppression.objects.create(
        team=scene.team, address="a@x.example", address_key="a@x.example", reason="hard_bounce"
    )
    assert "硬退信" in text(client.get(f"/lists/{readers.pk}/"))


def test_a_member_is_taken_out_or_marked_as_left_and_who_left_stays(
    client: Client, scene: Scene
) -> None:
    readers = scene.contacts("a@x.example", "b@x.example")
    a, b = readers.members.order_by("pk")
    client.post(f"/lists/{readers.pk}/members/{a.pk}/", {"act": "remove"})
    client.post(f"/lists/{readers.pk}/members/{b.pk}/", {"act": "unsubscribe"})
    client.post(f"/lists/{readers.pk}/members/{b.pk}/", {"act": "remove"})
    assert list(readers.members.values_list("pk", "status")) == [(b.pk, "unsubscribed")]
    assert Contact.objects.count() == 2


def test_another_teams_list_is_not_there(client: Client) -> None:
    theirs = Scene().contacts("a@x.example")
    member = theirs.members.get()
    assert client.get(f"/lists/{theirs.pk}/").status_code == 404
    assert client.post(f"/lists/{theirs.pk}/", {"lines": "b@x.example"}).status_code == 404
    url = f"/lists/{theirs.pk}/members/{member.pk}/"
    assert client.post(url, {"act": "remove"}).status_code == 404
    assert theirs.members.count() == 1


@pytest.mark.parametrize("role", [Role.HR, Role.VIEWER, Role.MAIL_ADMIN])
@pytest.mark.parametrize("url", ["/lists/", "/lists/new/", "/contacts/", "/contacts/new/"])
def test_the_pages_are_for_marketers(scene: Scene, role: Role, url: str) -> None:
    assert scene.client(role).get(url).status_code == 403


def test_what_people_wrote_is_never_markup(client: Client, scene: Scene) -> None:
    readers = scene.contacts("a@x.example")
    ContactList.objects.update(name="<script>1</script>")
    Contact.objects.update(name="<img src=x>")
    for url in ("/lists/", f"/lists/{readers.pk}/", "/contacts/"):
        html = text(client.get(url))
        assert "<script>1" not in html
        assert "<img src=x>" not in html
