"""Suppressions: list, search, filter, adding by hand, removing."""

from __future__ import annotations

import pytest

from accounts.models import Role
from campaigns.models import Suppression
from campaigns.models.feedback import SuppressionReason
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def client(scene):
    return scene.client(Role.MARKETER)


def suppressed(scene, *addresses, reason=SuppressionReason.MANUAL, **fields):
    return [
        Suppression.objects.create(
            team=scene.team, address=a, address_key=a.lower(), reason=reason, **fields
        )
        for a in addresses
    ]


def addresses_in(answer):
    return [row.address for row in answer.context["page"]]


def test_the_list_shows_reason_note_and_who(scene):
    user = scene.user(Role.VIEWER, name="王小明")
    suppressed(scene, "a@x.cn", note="客户来电", created_by=user)
    page = scene.client(user=user).get("/suppressions/").content.decode()
    for words in ("a@x.cn", "客户来电", "王小明", "人工添加"):
        assert words in page


def test_it_is_searched_filtered_and_counted(scene, client):
    suppressed(scene, "one@x.cn", "two@x.cn")
    suppressed(scene, "three@x.cn", reason=SuppressionReason.UNSUBSCRIBED)
    assert addresses_in(client.get("/suppressions/?q=TWO")) == ["two@x.cn"]
    answer = client.get("/suppressions/?state=unsubscribed")
    assert addresses_in(answer) == ["three@x.cn"]
    assert {chip["value"]: chip["count"] for chip in answer.context["chips"]} == {
        "manual": 2,
        "unsubscribed": 1,
    }


def test_a_nonsense_filter_or_page_shows_everything(scene, client):
    suppressed(scene, "one@x.cn")
    assert addresses_in(client.get("/suppressions/?state=%00&q=%00&page=abc")) == ["one@x.cn"]


@pytest.mark.parametrize("rows", [1, 60])
def test_a_page_costs_the_same_however_many(scene, client, rows, django_assert_num_queries):
    suppressed(scene, *(f"u{number}@x.cn" for number in range(rows)))
    with django_assert_num_queries(10):
        assert len(addresses_in(client.get("/suppressions/"))) == min(rows, 50)


def test_another_teams_addresses_are_not_there(client):
    (foreign,) = suppressed(Scene(), "secret@x.cn")
    assert "secret@x.cn" not in client.get("/suppressions/").content.decode()
    assert client.post(f"/suppressions/{foreign.pk}/delete/").status_code == 404
    assert Suppression.objects.filter(pk=foreign.pk).exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.HR])
def test_those_who_may_only_look_change_nothing(scene, role):
    (row,) = suppressed(scene, "a@x.cn")
    client = scene.client(role)
    assert "/suppressions/new/" not in client.get("/suppressions/").content.decode()
    assert client.get("/suppressions/new/").status_code == 403
    assert client.post("/suppressions/new/", {"addresses": "b@x.cn"}).status_code == 403
    assert client.post(f"/suppressions/{row.pk}/delete/").status_code == 403
    assert Suppression.objects.get() == row


def test_lines_are_cleaned_added_once_and_everywhere(scene, client):
    suppressed(scene, "known@x.cn")
    lines = "A@X.cn\n\n  张三 <b@x.cn> \na@x.cn\nknown@x.cn\n"
    answer = client.post("/suppressions/new/", {"addresses": lines, "note": "n"}, follow=True)
    assert "已屏蔽 2 个地址；另有 1 个" in answer.content.decode()
    keys = set(Suppression.objects.values_list("address_key", flat=True))
    assert keys == {"a@x.cn", "b@x.cn", "known@x.cn"}


def test_a_wrong_line_is_named_and_nothing_is_added(client):
    answer = client.post("/suppressions/new/", {"addresses": "a@x.cn\nno address\n"})
    assert answer.status_code == 422
    assert "第 2 行" in answer.content.decode()
    assert not Suppression.objects.exists()


def test_one_is_removed(scene, client):
    first, second = suppressed(scene, "a@x.cn", "b@x.cn")
    assert client.get(f"/suppressions/{first.pk}/delete/").status_code == 405
    client.post(f"/suppressions/{first.pk}/delete/")
    assert Suppression.objects.get() == second


def test_an_address_is_shown_as_text(scene, client):
    suppressed(scene, '"<script>"@x.cn')
    assert "<script>" + '"@x.cn' not in client.get("/suppressions/").content.decode()
