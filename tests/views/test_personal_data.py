"""The contact's page hands out one person's data and erases it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role
from campaigns.models import Contact, Suppression
from tests.views.scene import Scene, deliveries

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOB = "bob@customer.example"


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client(Role.MARKETER)


@pytest.fixture
def bob(scene: Scene) -> Contact:
    scene.contacts(BOB)
    return Contact.objects.get()


def text(answer: Any) -> str:
    return answer.content.decode()


def test_the_data_is_a_file_that_no_cache_keeps(client: Client, bob: Contact) -> None:
    answer = client.get(f"/contacts/{bob.pk}/export/")
    assert json.loads(answer.content)["contact"]["address"] == BOB
    assert answer["Content-Disposition"] == f'attachment; filename="contact-{bob.pk}.json"'
    assert "no-store" in answer["Cache-Control"]
    sheet = client.get(f"/contacts/{bob.pk}/export/?format=xlsx")
    assert sheet.content.startswith(b"PK")
    assert sheet["Content-Disposition"].endswith('.xlsx"')
    assert Contact.objects.get() == bob


def test_erasing_takes_a_post_and_says_what_stays(
    scene: Scene, client: Client, bob: Contact
) -> None:
    assert "删除全部个人数据" in text(client.get(f"/contacts/{bob.pk}/"))
    assert client.get(f"/contacts/{bob.pk}/erase/").status_code == 405
    rows = [("鲍勃", BOB)]
    scene.workbook(rows=rows, columns=["姓名", "邮箱"], purpose="list", name="客户.xlsx")
    page = text(client.post(f"/contacts/{bob.pk}/erase/", follow=True))
    assert "留在屏蔽名单里" in page
    assert "客户.xlsx" in page
    assert not Contact.objects.exists()
    assert Suppression.objects.get().created_by is not None


def test_a_letter_on_its_way_is_named(scene: Scene, client: Client, bob: Contact) -> None:
    (row,) = deliveries(scene.newsletter(contact_list=bob.lists.get()), "queued")
    row.address = row.address_key = BOB
    row.save()
    assert "还有 1 封邮件没有结果" in text(client.post(f"/contacts/{bob.pk}/erase/", follow=True))
    assert Contact.objects.get() == bob


def test_who_was_erased_is_not_added_by_hand(client: Client, bob: Contact) -> None:
    readers = bob.lists.get()
    client.post(f"/contacts/{bob.pk}/erase/")
    answer = client.post("/contacts/new/", {"address": BOB, "name": "", "attributes": ""})
    assert answer.status_code == 422
    assert "要求过删除个人数据" in text(answer)
    page = text(client.post(f"/lists/{readers.pk}/", {"lines": f"{BOB}\nd@x.cn"}, follow=True))
    assert "已加入 1 位" in page
    assert "1 位要求过删除个人数据" in page


def test_another_teams_contact_is_neither_handed_out_nor_erased(client: Client) -> None:
    Scene().contacts(BOB)
    foreign = Contact.objects.get()
    assert client.get(f"/contacts/{foreign.pk}/export/").status_code == 404
    assert client.post(f"/contacts/{foreign.pk}/erase/").status_code == 404
    assert Contact.objects.get() == foreign
