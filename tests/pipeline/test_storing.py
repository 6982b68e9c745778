"""A reading is stored while it goes on: what was stored of one that ends badly is nobody's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Team, User
from campaigns.mailer.address import AddressFault, address_key
from campaigns.models import Workbook, WorkbookBlock
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import load, sealed_rows, store_reading
from campaigns.workbooks.blocks import Block
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from tests.fakes import sheets

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def book() -> Workbook:
    user = User.objects.create_user("hr@example.com", "long-enough-1")
    return load.upload(
        team=Team.objects.create(name="鸿雁科技"),
        user=user,
        purpose=Purpose.LIST,
        name="名单.csv",
        data=sheets.csv(250),
    )


def test_rows_are_there_before_the_last_one_was_read(
    book: Workbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_reading, "chunk_size", lambda: 200)
    stored: list[int] = []
    real = store_reading.Storing.take_block

    def counted(storing: store_reading.Storing, block: Block) -> None:
        real(storing, block)
        stored.append(WorkbookBlock.objects.count())

    monkeypatch.setattr(store_reading.Storing, "take_block", counted)
    load.read(book.pk)
    assert stored == [0, 2, 2]
    book.refresh_from_db()
    counts = list(book.blocks.values_list("number", "count"))
    assert (book.state, book.row_count, counts) == (
        ReadingState.READ,
        250,
        [(2, 100), (102, 100), (202, 50)],
    )
    assert book.progress_done == book.progress_total > 0


def test_a_reading_that_ends_badly_leaves_no_rows(
    book: Workbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = load.blocks_from_child

    def killed(*args: Any, **how: Any) -> None:
        real(*args, **how)
        assert WorkbookBlock.objects.exists()
        raise WorkbookRejected(RejectKind.TIMEOUT)

    monkeypatch.setattr(store_reading, "chunk_size", lambda: 200)
    monkeypatch.setattr(load, "blocks_from_child", killed)
    load.read(book.pk)
    book.refresh_from_db()
    assert (book.state, book.reject_kind) == (ReadingState.REJECTED, "timeout")
    assert not WorkbookBlock.objects.exists()


@given(st.from_regex(sealed_rows._OWN_KEY.pattern.replace(r"\Z", ""), fullmatch=True))
def test_an_address_of_plain_small_letters_is_its_own_key(address: str) -> None:
    try:
        assert address_key(address) == address
    except AddressFault:
        assert address.lower() == address
