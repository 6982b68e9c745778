"""A list lies in blocks until a campaign wants a row for each of its people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Role
from campaigns.models import (
    Campaign,
    ContactList,
    Suppression,
    Workbook,
    WorkbookBlock,
    WorkbookRow,
)
from campaigns.models.campaign import CampaignState
from campaigns.pipeline import (
    blocks,
    destroy,
    import_contacts,
    import_suppressions,
    load,
    plan,
    preflight,
    store_reading,
    unfold,
)
from tests.fakes import sheets
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SIZE = 250


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def book(scene: Scene) -> Workbook:
    user = scene.user(Role.MARKETER)
    made = load.upload(
        team=scene.team, user=user, purpose="list", name="名单.csv", data=sheets.csv(SIZE)
    )
    load.read(made.pk)
    made.refresh_from_db()
    assert load.confirm(made, user, reading=made.reading)
    return again(made)


def again(workbook: Workbook) -> Workbook:
    return Workbook.objects.select_related("data_key").get(pk=workbook.pk)


@pytest.fixture
def letter(scene: Scene, book: Workbook) -> Campaign:
    campaign = scene.newsletter()
    Campaign.objects.filter(pk=campaign.pk).update(workbook=book, contact_list=None)
    campaign.refresh_from_db()
    return campaign


def contents(workbook: Workbook) -> list[tuple[Any, ...]]:
    return [
        (row.number, row.part, row.address, row.address_key, workbook.data_key.open(row.sealed))
        for row in blocks.listed(workbook)[:SIZE]
    ]


def test_every_page_of_a_folded_list_shows_its_own_rows(book: Workbook) -> None:
    listed = blocks.listed(book)
    assert len(listed) == SIZE
    for start in (0, 50, 90, 200, 240):
        numbers = [row.number for row in listed[start : start + 50]]
        assert numbers == list(range(start + 2, min(start + 52, SIZE + 2)))
    found = blocks.numbered(book, 151)
    assert found is not None
    assert found.address == "c149@example.com"
    assert blocks.numbered(book, 1) is None


def test_an_address_that_is_not_its_own_key_is_stored_with_it(scene: Scene) -> None:
    data = "邮箱,姓名\nO'Brien@Example.com,甲\nb@x.cn,乙\n".encode()
    made = load.upload(
        team=scene.team, user=scene.user(Role.MARKETER), purpose="list", name="a.csv", data=data
    )
    load.read(made.pk)
    rows = blocks.listed(again(made))[:5]
    assert [row.address_key for row in rows] == ["o'brien@example.com", "b@x.cn"]
    assert rows[0].address == "O'Brien@example.com"


def test_nothing_but_the_addresses_of_a_list_is_in_clear(book: Workbook) -> None:
    stored = str([dict(vars(block)) for block in book.blocks] + [vars(book)])
    assert "c7@example.com" in stored
    assert "联系人7" not in stored
    assert "值7-0" not in stored
    assert b"\xe8\x81\x94" not in b"".join(bytes(block.sealed) for block in book.blocks)


def test_what_no_campaign_wants_stays_folded(book: Workbook) -> None:
    assert unfold.waiting() == []
    unfold.run(book.pk)
    assert again(book).folded


def test_a_list_that_a_campaign_wants_gets_the_same_rows(
    book: Workbook, letter: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_reading, "chunk_size", lambda: 100)
    before = contents(book)
    assert unfold.waiting() == [book.pk]
    unfold.run(book.pk)
    after = again(book)
    assert (after.folded, after.lease_until, unfold.waiting()) == (False, None, [])
    assert contents(after) == before
    assert not WorkbookBlock.objects.exists()


def test_until_then_the_campaign_can_neither_be_launched_nor_planned(
    book: Workbook, letter: Campaign
) -> None:
    kinds = [finding.kind for finding in preflight.check(letter)]
    assert "rows_awaited" in kinds
    assert "no_recipients" not in kinds
    Campaign.objects.filter(pk=letter.pk).update(state=CampaignState.RUNNING)
    assert not plan.plan(letter.pk)
    unfold.run(book.pk)
    assert plan.plan(letter.pk)
    assert letter.deliveries.count() == SIZE


def test_an_import_that_is_under_way_comes_first(
    scene: Scene, book: Workbook, letter: Campaign
) -> None:
    readers = ContactList.objects.create(team=scene.team, name="读者")
    assert import_contacts.begin(book, readers)
    assert unfold.waiting() == []
    import_contacts.run(book.pk)
    row = import_suppressions.begin(book, None, reason="manual")
    assert row is not None
    assert unfold.waiting() == []
    import_suppressions.run(row.pk)
    unfold.run(book.pk)
    assert (readers.members.count(), again(book).rows.count()) == (SIZE, SIZE)
    # From its rows, as from its blocks.
    others = ContactList.objects.create(team=scene.team, name="另一个")
    assert import_contacts.begin(again(book), others)
    assert import_contacts.run(book.pk) == SIZE
    assert others.members.count() == SIZE
    assert Suppression.objects.count() == SIZE


def test_an_import_that_begins_meanwhile_keeps_its_blocks(
    scene: Scene, book: Workbook, letter: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = ContactList.objects.create(team=scene.team, name="读者")
    real = unfold._show

    def late(workbook: Workbook) -> None:
        assert import_contacts.begin(book, readers)
        real(workbook)

    monkeypatch.setattr(unfold, "_show", late)
    unfold.run(book.pk)
    assert (again(book).folded, WorkbookRow.objects.count()) == (True, 0)
    assert import_contacts.run(book.pk) == SIZE
    monkeypatch.undo()
    unfold.run(book.pk)
    assert again(book).rows.count() == SIZE


def test_a_worker_that_died_leaves_nothing_that_is_seen(
    book: Workbook, letter: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_workbook: Workbook) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(unfold, "_show", killed)
    with pytest.raises(KeyboardInterrupt):
        unfold.run(book.pk)
    assert again(book).rows.count() == 0
    assert unfold.waiting() == []
    Workbook.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    monkeypatch.undo()
    unfold.run(book.pk)
    assert (again(book).rows.count(), WorkbookRow.objects.count()) == (SIZE, SIZE)


def test_a_list_that_is_destroyed_meanwhile_leaves_no_rows(
    book: Workbook, letter: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = unfold._show

    def late(workbook: Workbook) -> None:
        Campaign.objects.filter(pk=letter.pk).update(state=CampaignState.CANCELLED)
        assert destroy.destroy(again(book)) == []
        real(workbook)

    monkeypatch.setattr(unfold, "_show", late)
    unfold.run(book.pk)
    assert not WorkbookRow.objects.exists()
    assert not WorkbookBlock.objects.exists()
