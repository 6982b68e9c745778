"""Load: what was uploaded is read once, seen as a whole, confirmed as it was seen, and imported once."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from accounts.models import Relay, Team, User
from campaigns.models import (
    Campaign,
    DataKey,
    Workbook,
    WorkbookFile,
    WorkbookRow,
)
from campaigns.models.campaign import CampaignState
from campaigns.models.content import ContentDestroyed
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import destroy, load, store_reading
from campaigns.workbooks.results import Reading
from tests.fakes import sheets

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def team() -> Team:
    return Team.objects.create(name="鸿雁科技")


@pytest.fixture
def hr(team: Team) -> User:
    return User.objects.create_user("hr@example.com", "long-enough-1")


def uploaded(team: Team, user: User, data: bytes, **given: Any) -> Workbook:
    purpose = given.pop("purpose", Purpose.PAYSLIP)
    return load.upload(team=team, user=user, purpose=purpose, name="工资.xlsx", data=data)


def read(workbook: Workbook) -> Workbook:
    load.read(workbook.pk)
    return again(workbook)


def again(workbook: Workbook) -> Workbook:
    return Workbook.objects.select_related("data_key").get(pk=workbook.pk)


# Upload -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "kind"), [(b"", "empty"), (b"x" * 101, "size")])
def test_it_refuses_an_empty_or_too_big_file(
    team: Team, hr: User, settings: Any, data: bytes, kind: str
) -> None:
    settings.MAX_WORKBOOK_BYTES = 100
    with pytest.raises(load.UploadRefused) as refused:
        uploaded(team, hr, data)
    assert refused.value.kind == kind
    assert not Workbook.objects.exists()
    assert not DataKey.objects.exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/工资.xlsx", "工资.xlsx"),
        (r"C:\HR\工资.xls", "工资.xls"),
        ("a\r\nb\0.csv", "ab.csv"),
        ("", "workbook"),
        ("长" * 300, "长" * 255),
    ],
)
def test_a_file_of_any_name_is_taken(team: Team, hr: User, given: str, kept: str) -> None:
    book = load.upload(team=team, user=hr, purpose=Purpose.LIST, name=given, data=b"x")
    assert again(book).name == kept


def test_the_file_lies_sealed_and_its_uploader_may_read_it(team: Team, hr: User) -> None:
    data = sheets.payroll(1)
    book = again(uploaded(team, hr, data))
    sealed = bytes(WorkbookFile.objects.get(workbook=book).sealed)
    assert data[:40] not in sealed
    assert book.data_key.open(sealed) == data
    assert book.content_visible_to(hr)
    assert not book.content_visible_to(User.objects.create_superuser("root@example.com", "x"))


# Reading ----------------------------------------------------------------------------------------


def test_it_reads_a_payroll_and_waits_for_a_person(team: Team, hr: User) -> None:
    book = read(uploaded(team, hr, sheets.payroll(3)))
    assert (book.state, book.row_count, book.header_rows) == (ReadingState.READ, 3, [2])
    assert [column["name"] for column in book.columns] == list(sheets.HEADER)
    row = book.rows[1]
    assert (row.number, row.address) == (4, "p2@example.com")
    assert book.data_key.open_json(row.sealed)["values"][-1] == "8000.00"
    assert book.lease_until is None


def test_nothing_of_a_payroll_lies_in_clear_but_addresses(team: Team, hr: User) -> None:
    rows = [*sheets.people(1, pay="8888.88"), ("G9", "坏行", "no@@address", "1", "7777.77")]
    book = read(uploaded(team, hr, sheets.payroll(rows)))
    assert book.findings["invalid"][0]["raw"] == "no@@address"
    stored = [dict(vars(row)) for row in (book, *book.rows)]
    assert not any(word in repr(stored) for word in ("8888.88", "7777.77", "no@@address", "员工1"))


def test_it_asks_which_of_two_sheets(team: Team, hr: User) -> None:
    table = [sheets.HEADER, *sheets.people(2)]
    book = read(uploaded(team, hr, sheets.xlsx({"10月": table, "11月": table[:2]})))
    assert (book.state, book.sheets, book.row_count) == (ReadingState.CHOOSING, ["10月", "11月"], 0)
    assert load.choose(book, reading=book.reading, sheet="11月")
    book = read(book)
    assert (book.state, book.sheet, book.row_count) == (ReadingState.READ, "11月", 1)


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"%PDF-1.7 ...", "not-a-workbook"), (b"PK\x03\x04broken", "damaged"), (b" \n", "empty")],
)
def test_it_says_why_nothing_can_be_read(team: Team, hr: User, data: bytes, kind: str) -> None:
    book = read(uploaded(team, hr, data))
    assert (book.state, book.reject_kind) == (ReadingState.REJECTED, kind)
    assert book.reject_text
    assert not load.confirm(book, hr, reading=book.reading)


def test_the_clear_copy_is_gone_afterwards_and_a_stale_one_too(
    team: Team, hr: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path
    monkeypatch.setattr(load, "clear_place", lambda: place)
    stale = place / "hongyan-workbook-of-a-killed-reader"
    stale.write_bytes(b"8888.88")
    monkeypatch.setattr(load, "STALE_SECONDS", -1)
    before = uploaded(team, hr, sheets.payroll(1))
    read(before)
    assert list(place.glob("hongyan-workbook-*")) == []


def test_a_text_file_with_nul_in_a_heading_is_no_crash(team: Team, hr: User) -> None:
    data = "邮箱,名\0称\na@example.com,x\0y\n".encode()
    book = read(uploaded(team, hr, data, purpose=Purpose.LIST))
    assert book.state in (ReadingState.READ, ReadingState.REJECTED)


# Two readers ------------------------------------------------------------------------------------


def during(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """`act` happens in the middle of the next reading, after its first row was found."""
    real = load.rows_from_child

    def interrupted(path: Path, take: Any, *, progress: Any, **rest: Any) -> Reading:
        monkeypatch.setattr(load, "rows_from_child", real)
        reading = real(path, take, progress=progress, **rest)
        act()
        progress(1, 1)
        return reading

    monkeypatch.setattr(load, "rows_from_child", interrupted)


def test_a_second_reader_leaves_the_first_one_alone(
    team: Team, hr: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = uploaded(team, hr, sheets.payroll(2))
    during(monkeypatch, lambda: load.read(book.pk))
    book = read(book)
    assert (book.readings_begun, book.row_count) == (1, 2)


def test_a_reader_whose_lease_ended_writes_nothing_over_the_next_one(
    team: Team, hr: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = uploaded(team, hr, sheets.payroll(2))

    def taken_over() -> None:
        lapse(book)
        assert load.unread() == [book.pk]
        load.read(book.pk)

    during(monkeypatch, taken_over)
    book = read(book)
    assert (book.state, book.reading, book.readings_begun) == (ReadingState.READ, 2, 2)
    assert set(WorkbookRow.objects.values_list("reading", flat=True)) == {2}


def lapse(book: Workbook) -> None:
    Workbook.objects.filter(pk=book.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_killed_reader_is_replaced_and_its_rows_are_removed(team: Team, hr: User) -> None:
    book = uploaded(team, hr, sheets.payroll(2))
    claimed = load._claim(book.pk)
    assert claimed is not None
    row = WorkbookRow(
        team=team, workbook=book, reading=claimed.readings_begun, number=1, sealed=b""
    )
    row.save()
    assert load.unread() == []
    lapse(book)
    book = read(book)
    assert (book.state, book.all_rows.count(), book.readers_lost) == (ReadingState.READ, 2, 0)


def test_a_file_that_kills_every_reader_is_rejected_in_the_end(team: Team, hr: User) -> None:
    book = uploaded(team, hr, sheets.payroll(1))
    for _reader in range(load.MOST_READERS_LOST + 1):
        assert load._claim(book.pk) is not None
        lapse(book)
    book = read(book)
    assert (book.state, book.reject_kind) == (ReadingState.REJECTED, "timeout")
    assert load.unread() == []


def test_a_workbook_deleted_while_it_is_read_stays_deleted(
    team: Team, hr: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = uploaded(team, hr, sheets.payroll(2))
    during(monkeypatch, lambda: destroy.destroy(again(book)))
    load.read(book.pk)
    assert not Workbook.objects.exists()
    assert not WorkbookRow.objects.exists()


def test_progress_can_be_seen_while_it_reads(
    team: Team, hr: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = uploaded(team, hr, sheets.payroll(2))
    seen: list[tuple[int, int]] = []
    real = store_reading.renew

    def watched(workbook: Workbook, **fields: Any) -> None:
        real(workbook, **fields)
        now = again(workbook)
        seen.append((now.progress_done, now.progress_total))

    monkeypatch.setattr(store_reading, "renew", watched)
    monkeypatch.setattr(store_reading, "_TELLING_SECONDS", 0)
    read(book)
    assert len(seen) > 2
    assert all(done <= total for done, total in seen)


# Choosing and confirming ----------------------------------------------------------------------------


def test_a_choice_is_refused_while_it_is_being_read(team: Team, hr: User) -> None:
    book = uploaded(team, hr, sheets.payroll(2))
    claimed = load._claim(book.pk)
    assert claimed is not None
    assert not load.choose(again(book), reading=0, header_rows=[1, 2])


def test_a_choice_for_an_older_reading_is_refused(team: Team, hr: User) -> None:
    book = read(uploaded(team, hr, sheets.payroll(2)))
    assert not load.choose(book, reading=book.reading - 1, address_column=0)
    assert again(book).choices == {}


def test_another_header_forgets_the_columns_that_were_chosen_under_the_former(
    team: Team, hr: User
) -> None:
    book = read(uploaded(team, hr, sheets.payroll(2)))
    assert load.choose(book, reading=book.reading, name_column=0)
    book = read(book)
    assert (book.name_column, book.reading) == (0, 2)
    assert load.choose(book, reading=book.reading, header_rows=[1, 2])
    book = again(book)
    assert book.choices["header_rows"] == [1, 2]
    assert "name_column" not in book.choices


def test_every_correction_is_taken_back_one_after_the_other(team: Team, hr: User) -> None:
    book = read(uploaded(team, hr, sheets.payroll(2)))
    assert load.choose(book, reading=book.reading, name_column=0)
    book = read(book)
    assert load.move_rows(book, reading=book.reading, leave=[3])
    book = read(book)
    assert book.row_count == 1
    assert load.reset(book, reading=book.reading)
    book = read(book)
    for rows, name_column in ((1, 0), (2, 0), (2, 1)):
        assert load.undo(book, reading=book.reading)
        book = read(book)
        assert (book.row_count, book.name_column) == (rows, name_column)
    assert not load.undo(book, reading=book.reading)


def test_a_row_that_was_left_out_is_taken_and_left_again(team: Team, hr: User) -> None:
    rows = [*sheets.people(2), ("合计", "", "sum@example.com", "18000.00", "16000.00")]
    book = read(uploaded(team, hr, sheets.payroll(rows)))
    assert [row["row"] for row in book.findings["skipped_rows"]] == [5]
    assert load.move_rows(book, reading=book.reading, take=[5])
    book = read(book)
    assert (book.row_count, book.findings["skipped_rows"]) == (3, [])
    assert load.move_rows(book, reading=book.reading, leave=[5, 3])
    book = read(book)
    assert (book.row_count, [r["row"] for r in book.findings["skipped_rows"]]) == (1, [3, 5])


def test_only_the_reading_that_was_seen_is_confirmed_and_only_once(team: Team, hr: User) -> None:
    book = read(uploaded(team, hr, sheets.payroll(2)))
    seen = book.reading
    assert load.choose(book, reading=seen, address_column=2)
    book = read(book)
    assert not load.confirm(book, hr, reading=seen)
    assert load.confirm(book, hr, reading=book.reading)
    assert not load.confirm(book, hr, reading=book.reading)
    assert not load.choose(again(book), reading=book.reading, address_column=0)


def test_a_reading_without_recipients_cannot_be_confirmed(team: Team, hr: User) -> None:
    book = read(uploaded(team, hr, sheets.payroll([("G1", "无邮箱", "", "1", "1")])))
    assert book.row_count == 0
    assert not load.confirm(book, hr, reading=book.reading)


# Destroying --------------------------------------------------------------------------------------


def test_an_unused_workbook_is_forgotten_altogether(team: Team, hr: User) -> None:
    book = read(uploaded(team, hr, sheets.payroll(2)))
    assert destroy.destroy(book) == []
    for model in (Workbook, WorkbookRow, WorkbookFile, DataKey):
        assert not model.objects.exists()


def campaign_with(book: Workbook, state: str) -> Campaign:
    relay = Relay.objects.create(team=book.team, name="r", host="smtp.example.com")
    return Campaign.objects.create(
        team=book.team,
        kind="payslip",
        name="11 月",
        workbook=book,
        relay=relay,
        from_address="hr@example.com",
        state=state,
    )


def test_a_workbook_that_a_campaign_needs_is_kept_and_the_campaign_named(
    team: Team, hr: User
) -> None:
    book = read(uploaded(team, hr, sheets.payroll(2)))
    campaign = campaign_with(book, CampaignState.RUNNING)
    assert destroy.destroy(book) == [campaign]
    assert again(book).rows.count() == 2


def test_a_finished_campaigns_workbook_leaves_its_name_and_no_content(team: Team, hr: User) -> None:
    book = read(uploaded(team, hr, sheets.payroll(2)))
    sealed = bytes(book.rows[0].sealed)
    campaign_with(book, CampaignState.FINISHED)
    assert destroy.destroy(book) == []
    book = again(book)
    assert (book.name, book.is_destroyed, book.columns) == ("工资.xlsx", True, [])
    assert not WorkbookRow.objects.exists()
    with pytest.raises(ContentDestroyed):
        book.data_key.open(sealed)


@pytest.mark.django_db(transaction=True)
def test_two_readers_at_the_very_same_moment_read_it_once(team: Team, hr: User) -> None:
    book = uploaded(team, hr, sheets.payroll(3))
    barrier = threading.Barrier(2)

    def reader() -> None:
        barrier.wait()
        try:
            load.read(book.pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=reader) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book = again(book)
    assert (book.state, book.readings_begun, book.all_rows.count()) == (ReadingState.READ, 1, 3)
