"""A payroll without addresses: taken from the contacts, never guessed, frozen once it was seen."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Team, User
from campaigns.models import Contact, Workbook
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import load
from campaigns.pipeline.match_addresses import attributes
from tests.fakes import sheets

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
HEADER = ("工号", "姓名", "实发工资")
BY_NUMBER = {"column": 0, "attribute": "工号"}


@pytest.fixture
def team() -> Team:
    return Team.objects.create(name="鸿雁科技")


@pytest.fixture
def hr() -> User:
    return User.objects.create_user("hr@example.com", "long-enough-1")


def contact(team: Team, address: str, name: str = "", **values: str) -> Contact:
    return Contact.objects.create(
        team=team, address=address, address_key=address.lower(), name=name, attributes=values
    )


def matched(team: Team, hr: User, rows: list[Any], choice: dict[str, Any] = BY_NUMBER) -> Workbook:
    """Uploaded, read without addresses, then read again with them."""
    data = sheets.xlsx({"11月": [HEADER, *rows]})
    book = load.upload(team=team, user=hr, purpose=Purpose.PAYSLIP, name="a.xlsx", data=data)
    load.read(book.pk)
    book.refresh_from_db()
    assert (book.state, book.row_count) == (ReadingState.READ, 0)
    assert load.choose(book, reading=book.reading, sheet=book.sheet, match=choice)
    load.read(book.pk)
    return Workbook.objects.select_related("data_key").get(pk=book.pk)


def test_addresses_come_from_the_contacts_of_the_team_alone(team: Team, hr: User) -> None:
    contact(team, "a@x.example", "甲", 工号="G1")
    contact(team, "b@x.example", "乙", 工号="Ｇ２ ")  # full width: as people write it
    contact(Team.objects.create(name="别家"), "spy@y.example", 工号="G3")
    book = matched(
        team, hr, [("G1", "甲", "1"), ("g2", "乙", "2"), ("G3", "丙", "3"), ("", "丁", "4")]
    )
    found = [(row.number, row.address) for row in book.rows]
    assert found == [(2, "a@x.example"), (3, "b@x.example")]
    assert book.data_key.open_json(book.rows[0].sealed)["matched"]
    match = book.findings["match"]
    assert (book.row_count, match["matched"]) == (2, 2)
    assert [(one["row"], one["why"]) for one in match["unmatched"]] == [
        (4, "unknown"),
        (5, "empty"),
    ]
    # Frozen: what becomes of the contact afterwards does not change the row.
    assert load.confirm(book, hr, reading=book.reading)
    Contact.objects.update(address="other@x.example")
    assert book.rows[0].address == "a@x.example"


def test_an_address_of_the_sheet_stays(team: Team, hr: User) -> None:
    contact(team, "book@x.example", 工号="G1")
    data = sheets.xlsx(
        {"11月": [("工号", "姓名", "邮箱"), ("G1", "甲", "own@x.example"), ("G1", "甲", "")]}
    )
    book = load.upload(team=team, user=hr, purpose=Purpose.PAYSLIP, name="a.xlsx", data=data)
    load.read(book.pk)
    book.refresh_from_db()
    assert load.choose(book, reading=book.reading, sheet=book.sheet, match=BY_NUMBER)
    load.read(book.pk)
    assert [row.address for row in Workbook.objects.get().rows] == [
        *["own@x.example", "book@x.example"]
    ]


@pytest.mark.parametrize(
    ("rows", "choice", "why"),
    [
        ([("G1", "甲", "1"), ("G2", "乙", "2")], BY_NUMBER, "contacts"),
        ([("G3", "甲", "1"), ("G3", "乙", "2")], BY_NUMBER, "rows"),
        ([("G8", "丙", "1"), ("G9", "丙", "2")], {"column": 1, "attribute": None}, "rows"),
    ],
    ids=["two contacts", "two people", "two of one name"],
)
def test_what_is_ambiguous_blocks_until_it_is_settled(
    team: Team, hr: User, rows: list[Any], choice: dict[str, Any], why: str
) -> None:
    contact(team, "a@x.example", "甲", 工号="G1")
    contact(team, "a2@x.example", "甲", 工号="G1")
    contact(team, "b@x.example", "乙", 工号="G2")
    contact(team, "c@x.example", "丙", 工号="G3")
    book = matched(team, hr, rows, choice)
    ambiguous = book.findings["match"]["ambiguous"]
    assert {one["why"] for one in ambiguous} == {why}
    numbers = [one["row"] for one in ambiguous]
    assert not book.rows.filter(number__in=numbers).exists()
    assert not load.confirm(book, hr, reading=book.reading)
    assert load.move_rows(book, reading=book.reading, leave=numbers)
    load.read(book.pk)
    assert "match" in Workbook.objects.get().choices
    assert not Workbook.objects.select_related("data_key").get().findings["match"]["ambiguous"]


def test_two_slips_of_one_person_both_find_him(team: Team, hr: User) -> None:
    contact(team, "a@x.example", "甲", 工号="G1")
    book = matched(team, hr, [("G1", "甲", "1"), ("G1", "甲", "2")])
    assert [row.address for row in book.rows] == ["a@x.example"] * 2


def test_another_name_in_the_contacts_is_said(team: Team, hr: User) -> None:
    contact(team, "a@x.example", "李雷", 工号="G1")
    book = matched(team, hr, [("G1", "韩梅梅", "1")])
    assert book.findings["match"]["differs"] == [{"row": 2, "name": "韩梅梅", "contact": "李雷"}]


def test_the_attributes_of_the_contacts_are_offered(team: Team) -> None:
    contact(team, "a@x.example", 工号="G1", 部门="")
    assert attributes(team) == ["工号"]
