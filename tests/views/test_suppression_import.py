"""Suppressions out of a workbook and for one list: the forms, and what the page shows of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Role
from campaigns.models import Suppression, SuppressionImport
from campaigns.pipeline import import_suppressions
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PAGE = "/suppressions/import/"


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client(Role.MARKETER)


def text(answer: Any) -> str:
    return answer.content.decode()


def a_list_book(scene: Scene) -> Any:
    rows = [("甲", "a@x.cn"), ("乙", "b@x.cn")]
    return scene.workbook(rows=rows, columns=["姓名", "邮箱"], purpose="list", name="旧名单.xlsx")


def test_without_a_workbook_the_page_says_what_to_do(client: Client) -> None:
    assert "还没有可以导入的工作簿" in text(client.get(PAGE))


def test_a_workbook_is_imported_and_the_page_follows_it(scene: Scene, client: Client) -> None:
    book, readers = a_list_book(scene), scene.contacts()
    assert f'value="{book.pk}" selected' in text(client.get(f"{PAGE}?workbook={book.pk}"))
    fields = {"workbook": book.pk, "contact_list": readers.pk, "reason": "unsubscribed"}
    assert client.post(PAGE, fields).status_code == 302
    assert "data-live" in text(client.get(PAGE))
    assert "没有开始" in text(client.post(PAGE, fields, follow=True))
    import_suppressions.run(SuppressionImport.objects.get().pk)
    live = text(client.get("/suppressions/imports/"))
    assert "data-live" not in live
    assert "2 / 2" in live
    shown = text(client.get("/suppressions/"))
    assert "旧名单.xlsx" in shown
    assert readers.name in shown


def test_what_is_not_the_teams_cannot_be_named(scene: Scene, client: Client) -> None:
    mine, foreign = a_list_book(scene), Scene()
    for fields in (
        {"workbook": a_list_book(foreign).pk},
        {"workbook": mine.pk, "contact_list": foreign.contacts().pk},
        {"workbook": scene.workbook().pk},
        {"workbook": mine.pk, "reason": "erased"},
        {"workbook": "x"},
    ):
        assert client.post(PAGE, fields).status_code == 422
    assert not SuppressionImport.objects.exists()


def test_another_teams_imports_are_not_shown(scene: Scene, client: Client) -> None:
    import_suppressions.begin(a_list_book(Scene()), None, reason="manual")
    assert "旧名单.xlsx" not in text(client.get("/suppressions/imports/"))


def test_lines_are_added_for_one_list_with_reason_and_source(scene: Scene, client: Client) -> None:
    readers = scene.contacts("a@x.cn")
    fields = {
        "addresses": "a@x.cn",
        "contact_list": readers.pk,
        "reason": "complaint",
        "source": "旧系统",
    }
    assert client.post("/suppressions/new/", fields).status_code == 302
    row = Suppression.objects.get()
    assert (row.contact_list, row.reason, row.source) == (readers, "complaint", "旧系统")


def test_the_page_is_filtered_by_scope(scene: Scene, client: Client) -> None:
    readers, other = scene.contacts(), scene.contacts()
    for address, scope in (("all@x.cn", None), ("one@x.cn", readers)):
        Suppression.objects.create(
            team=scene.team,
            address=address,
            address_key=address,
            reason="manual",
            contact_list=scope,
        )

    def found(scope: object) -> list[str]:
        page = client.get(f"/suppressions/?scope={scope}").context["page"]
        return [row.address for row in page]

    assert found("all") == ["all@x.cn"]
    assert found(readers.pk) == ["one@x.cn"]
    assert found(other.pk) == []
    for nonsense in ("", "x", "9" * 30, "%00"):
        assert found(nonsense) == ["one@x.cn", "all@x.cn"]
