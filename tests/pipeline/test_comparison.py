"""This month beside last month: who is missing, new, changed; and what is left when content is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from accounts.models import Role, User
from campaigns.models import Campaign, Comparison, ContentGrant
from campaigns.models.comparison import Extent
from campaigns.pipeline import comparison, destroy, preflight
from campaigns.pipeline.month_changes import Person, pairs
from tests.views.scene import Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

COLUMNS = ["姓名", "邮箱", "工号", "应发", "实发"]
OCTOBER = [
    ("王小明", "wang@corp.example", "001", "12,000.00", "9,533.50"),
    ("李雷", "lilei@corp.example", "002", "8,000.00", "7,000.00"),
    ("韩梅梅", "han@corp.example", "003", "9,000.00", "8,000.00"),
    ("赵六", "zhao@corp.example", "004", "5,000.00", "4,500.00"),
]
NOVEMBER = [
    ("王小明", "wang@corp.example", "001", "12,000.00", "9,533.50"),
    ("李雷", "li.lei@corp.example", "002", "8,100.00", "7,100.00"),
    ("韩梅梅", "han@corp.example", "003", "9,000.00", "(100.00)"),
    ("钱七", "qian@corp.example", "005", "6,000.00", "5,000.00"),
]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def hr(scene: Scene) -> User:
    return scene.user(Role.HR)


def month(scene: Scene, hr: User, rows: Sequence[Any], name: str, **fields: Any) -> Campaign:
    workbook = scene.workbook(hr, rows=rows, columns=COLUMNS, figures_due=True)
    return scene.payslips(hr, workbook=workbook, name=name, **fields)


def october(scene: Scene, hr: User, rows: Sequence[Any] = OCTOBER) -> Campaign:
    campaign = launched(month(scene, hr, rows, "10 月工资条"), "finished")
    for row in deliveries(campaign, *["accepted"] * len(rows)):
        row.source_key = f"r{row.row_number}.0"
        row.save()
    return campaign


def made(campaign: Campaign, hr: User, **asked: Any) -> tuple[Comparison, dict[str, Any]]:
    row = comparison.ask(campaign, hr, **asked)
    assert comparison.waiting() == [row.pk]
    comparison.run(row.pk)
    assert comparison.waiting() == []
    row.refresh_from_db()
    campaign.workbook.refresh_from_db()
    return row, comparison.opened(row, campaign)


def of_kind(found: dict[str, Any], kind: str) -> list[str]:
    return [one["name"] or one["address"] for one in found["people"] if kind in one["kinds"]]


def test_it_says_who_differs_and_in_what(scene: Scene, hr: User) -> None:
    last, campaign = october(scene, hr), month(scene, hr, NOVEMBER, "11 月工资条")
    row, found = made(campaign, hr)
    assert (row.against, row.extent) == (last, Extent.FULL)
    assert of_kind(found, "missing") == ["赵六"]
    assert of_kind(found, "new") == ["钱七"]
    assert of_kind(found, "address") == ["李雷"]
    assert of_kind(found, "changed") == ["韩梅梅"]  # 李雷's 1.4 % is below 20 %
    assert of_kind(found, "not_positive") == ["韩梅梅"]
    assert of_kind(found, "same") == ["王小明"]
    han = next(one for one in found["people"] if one["name"] == "韩梅梅")
    assert han["changes"] == [["实发", "8,000.00", "(100.00)", "-8,100.00", "-101.2"]]
    assert han["before"] == [last.pk, "r4.0"]
    assert [one[2] for one in found["largest"]["实发"]] == ["韩梅梅", "李雷"]
    assert row.counts == dict.fromkeys(
        ("missing", "new", "address", "changed", "not_positive", "same"), 1
    )
    assert b"8,100" not in bytes(row.sealed or b"")


def test_share_and_columns_are_adjustable_and_go_on_next_month(scene: Scene, hr: User) -> None:
    last, campaign = october(scene, hr), month(scene, hr, NOVEMBER, "11 月工资条")
    _row, found = made(campaign, hr, share=1, columns=["应发"])
    assert of_kind(found, "changed") == ["李雷"]
    following = month(scene, hr, NOVEMBER, "12 月工资条", continues=campaign)
    row = comparison.ask(following, hr)
    assert (row.share, row.columns) == (1, ["应发"])
    assert last.pk


def test_a_person_whose_row_has_no_address_is_said_to_be_in_the_sheet(
    scene: Scene, hr: User
) -> None:
    october(scene, hr)
    campaign = month(scene, hr, NOVEMBER, "11 月工资条")
    workbook = campaign.workbook
    left = {"row": 9, "why": "no address", "values": ["赵六", "", "004", "1", "1"]}
    workbook.sealed_findings = workbook.data_key.seal_json({"left_out": [left]})
    workbook.save()
    _row, found = made(campaign, hr)
    assert next(one["left"] for one in found["people"] if "missing" in one["kinds"]) == 9


def test_last_months_destroyed_content_leaves_addresses_to_compare(scene: Scene, hr: User) -> None:
    last, campaign = october(scene, hr), month(scene, hr, NOVEMBER, "11 月工资条")
    last.frozen_columns = [{"name": name, "role": ""} for name in COLUMNS]
    last.save()
    row, _found = made(campaign, hr)
    assert destroy.destroy(last.workbook) == []
    row.refresh_from_db()
    # What it had found holds last month's amounts: gone at once, and made anew of what is left.
    assert row.sealed is None
    assert row.ended_at is None
    comparison.run(row.pk)
    row.refresh_from_db()
    found = comparison.opened(row, campaign)
    assert row.extent == Extent.ADDRESSES
    assert of_kind(found, "missing") == ["lilei@corp.example", "zhao@corp.example"]
    assert of_kind(found, "new") == ["李雷", "钱七"]
    assert of_kind(found, "not_positive") == ["韩梅梅"]


def test_destroying_this_month_forgets_the_comparison(scene: Scene, hr: User) -> None:
    october(scene, hr)
    campaign = month(scene, hr, NOVEMBER, "11 月工资条")
    made(campaign, hr)
    Campaign.objects.filter(pk=campaign.pk).update(state="cancelled")
    assert destroy.destroy(campaign.workbook) == []
    assert not Comparison.objects.exists()


def test_what_was_found_before_a_destruction_is_not_stored_after_it(
    scene: Scene, hr: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    last, campaign = october(scene, hr), month(scene, hr, NOVEMBER, "11 月工资条")
    row, really = comparison.ask(campaign, hr), comparison._made

    def slowly(*given: Any) -> Any:
        found = really(*given)
        assert destroy.destroy(last.workbook) == []
        return found

    monkeypatch.setattr(comparison, "_made", slowly)
    Comparison.objects.filter(pk=row.pk).update(against=last, is_chosen=True)
    comparison.run(row.pk)
    row.refresh_from_db()
    assert row.sealed is None


def test_corrections_recalled_and_unreadable_months_are_not_taken_for_last_month(
    scene: Scene, hr: User
) -> None:
    last = october(scene, hr)
    wrong = october(scene, hr)
    recalled = october(scene, hr)
    Campaign.objects.filter(pk=recalled.pk).update(recalled_at=recalled.launched_at)
    other = scene.user(Role.HR)
    october(scene, other)
    campaign = month(scene, hr, NOVEMBER, "10 月更正", corrects=wrong)
    assert comparison.suggested(campaign, hr) == last


def test_the_preflight_counts_and_names_no_amount(scene: Scene, hr: User) -> None:
    october(scene, hr)
    campaign = month(scene, hr, NOVEMBER, "11 月工资条")
    comparison.ask(campaign, hr)
    assert "compare_pending" in {one.kind for one in preflight.check(campaign)}
    made(campaign, hr)
    found = {one.kind: one for one in preflight.check(campaign) if "compare" in one.kind}
    assert found["compare_missing"].total == 1
    assert found["compare_missing"].severity == preflight.WARN
    assert found["compare_same"].severity == preflight.INFO
    assert not any("100" in str(one) for one in found.values())
    campaign.workbook.reading += 1
    assert "compare_stale" in {one.kind for one in preflight.check(campaign)}


def test_nobody_is_given_a_month_that_he_may_not_read(scene: Scene, hr: User) -> None:
    october(scene, hr)
    campaign = month(scene, hr, NOVEMBER, "11 月工资条")
    row, _found = made(campaign, hr)
    colleague = scene.user(Role.HR)
    ContentGrant.objects.create(team=scene.team, user=colleague, campaign=campaign)
    row = Comparison.objects.select_related("against").get(pk=row.pk)
    assert comparison.visible_to(row, hr)
    assert not comparison.visible_to(row, colleague)


def person(row: int, name: str, number: str = "", key: str = "a@x", **more: str) -> Person:
    return Person(row=row, name=name, folded_name=name, number=number, keys={key}, **more)


def test_people_are_told_apart_by_number_then_id_then_name_and_address() -> None:
    before = [
        person(1, "王伟", "01"),
        person(2, "王伟", "02", "b@x"),
        person(3, "李", identity="X1"),
        person(4, "赵", "09"),
        person(5, "双", "07"),
        person(6, "双", "07"),
    ]
    now = [
        person(1, "王伟", "02", "b@x"),
        person(2, "王伟", "01"),
        person(3, "李改名", identity="X1", key="c@x"),
        person(4, "赵", "10"),  # another number is another person
        person(5, "双", "07"),
        person(6, "双", "07"),
    ]
    same, gone, come = pairs(before, now)
    assert [(old.row, new.row) for old, new in same] == [(2, 1), (1, 2), (3, 3), (5, 5), (6, 6)]
    assert [one.row for one in gone] == [4]
    assert [one.row for one in come] == [4]


def test_who_may_not_read_what_completed_last_month_may_not_read_the_comparison(
    scene: Scene, hr: User
) -> None:
    before = october(scene, hr, OCTOBER[:2])
    other = scene.user(Role.HR)
    rest = launched(month(scene, other, OCTOBER[2:], "10 月补发", completes=before), "finished")
    row, found = made(month(scene, hr, NOVEMBER, "11 月"), hr, against=before)
    assert "赵六" in str(found), "his amounts come from the campaign that completed October"
    assert not comparison.visible_to(row, hr)
    ContentGrant.objects.create(team=scene.team, user=hr, campaign=rest)
    assert comparison.visible_to(row, hr)


def damaged(campaign: Campaign, number: int) -> None:
    row = campaign.workbook.rows.get(number=number)
    row.sealed = bytes(row.sealed)[:-1] + b"?"
    row.save()


def test_a_damaged_row_is_named_and_the_others_are_compared(scene: Scene, hr: User) -> None:
    last, campaign = october(scene, hr), month(scene, hr, NOVEMBER, "11 月工资条")
    damaged(last, 2)
    row, found = made(campaign, hr)
    assert found["unread"] == {"before": [2], "now": []}
    assert row.counts["unread"] == 1
    assert of_kind(found, "new") == ["钱七"], "王小明 may be the person of the damaged row"
    assert (of_kind(found, "missing"), of_kind(found, "changed")) == (["赵六"], ["韩梅梅"])


def test_a_damaged_row_of_this_month_is_named_too(scene: Scene, hr: User) -> None:
    october(scene, hr)
    campaign = month(scene, hr, NOVEMBER, "11 月工资条")
    damaged(campaign, 2)
    row, found = made(campaign, hr)
    assert found["unread"] == {"before": [], "now": [2]}
    assert of_kind(found, "missing") == ["赵六"]
    assert "failed" not in row.counts
