"""A payroll's page asks the contacts for addresses; pre-flight and preview say where each came from."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from campaigns.models import Contact, Workbook
from campaigns.pipeline import load
from tests.fakes import sheets
from tests.views.scene import Scene
from tests.views.workbook_pages import again, page, text, uploaded

pytestmark = pytest.mark.django_db
HEADER = ("工号", "姓名", "实发")


@pytest.fixture
def client(scene: Scene, hr: User) -> Client:
    return scene.client(user=hr)


def contact(scene: Scene, address: str, name: str, number: str) -> None:
    Contact.objects.create(
        team=scene.team,
        address=address,
        address_key=address,
        name=name,
        attributes={"工号": number},
    )


def asked(client: Client, workbook: Workbook, **given: str) -> Workbook:
    values = {"reading": workbook.reading, "column": "0", "attribute": "工号", **given}
    client.post(f"/workbooks/{workbook.pk}/match/", values)
    load.read(workbook.pk)
    return again(workbook)


def test_what_matches_is_taken_and_what_does_not_is_listed(
    client: Client, scene: Scene, hr: User
) -> None:
    contact(scene, "a@x.example", "甲", "G1")
    contact(scene, "b@x.example", "李雷", "G2")
    rows = [HEADER, ("G1", "甲", "1"), ("G2", "乙", "2"), ("G4", "丁", "3")]
    workbook = uploaded(client, sheets.xlsx({"11月": rows}))
    html = page(client, workbook)
    assert "没有邮箱？从联系人里取" in html
    assert '<option value="0" selected>工号' in html
    workbook = asked(client, workbook)
    html = page(client, workbook)
    for words in ("有 2 行的地址取自联系人", "联系人里没有“G4”", "表里是“乙”，联系人是“李雷”"):
        assert words in html
    assert "取自联系人" in text(client.get(f"/workbooks/{workbook.pk}/rows/"))
    client.post(f"/workbooks/{workbook.pk}/confirm/", {"reading": workbook.reading})
    campaign = scene.payslips(hr, workbook=again(workbook))
    Contact.objects.filter(address="a@x.example").update(address="moved@x.example")
    html = text(client.get(f"/campaigns/{campaign.pk}/preflight/"))
    for words in ("2 行的地址取自联系人（工号）", "1 行的姓名与联系人的姓名不同", "地址后来改了"):
        assert words in html
    assert "地址取自联系人：工号" in text(client.get(f"/campaigns/{campaign.pk}/preview/"))


def test_an_ambiguous_number_cannot_be_confirmed_and_says_what_to_do(
    client: Client, scene: Scene
) -> None:
    contact(scene, "a@x.example", "甲", "G1")
    contact(scene, "a2@x.example", "甲", "G1")
    workbook = asked(client, uploaded(client, sheets.xlsx({"11月": [HEADER, ("G1", "甲", "1")]})))
    html = page(client, workbook)
    assert "a2@x.example、a@x.example" in html
    assert "还不能确认" in html
    forgotten = asked(client, workbook, act="forget")
    assert "match" not in forgotten.findings


def test_an_attribute_that_is_not_offered_is_refused(client: Client) -> None:
    workbook = uploaded(client, sheets.payroll(1))
    given = {"reading": workbook.reading, "column": "0", "attribute": "别的"}
    assert client.post(f"/workbooks/{workbook.pk}/match/", given).status_code == 422
