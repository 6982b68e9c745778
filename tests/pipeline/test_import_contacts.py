"""Import: a confirmed list becomes contacts once, and nobody who left is brought back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Team, User
from campaigns.models import Contact, ContactList, DataKey, ListMember, Workbook
from campaigns.models.contact import MemberStatus
from campaigns.models.workbook import Purpose
from campaigns.pipeline import import_contacts, load
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


def confirmed_list(team: Team, user: User, data: bytes) -> Workbook:
    workbook = read(uploaded(team, user, data, purpose=Purpose.LIST))
    assert load.confirm(workbook, user, reading=workbook.reading)
    return again(workbook)


@pytest.fixture
def readers(team: Team) -> ContactList:
    return ContactList.objects.create(team=team, name="读者")


def imported(book: Workbook, contact_list: ContactList) -> Workbook:
    assert import_contacts.begin(book, contact_list)
    assert import_contacts.waiting() == [book.pk]
    import_contacts.run(book.pk)
    return again(book)


def test_a_confirmed_list_becomes_contacts_and_members(
    team: Team, hr: User, readers: ContactList
) -> None:
    book = imported(confirmed_list(team, hr, sheets.csv(3, columns=2)), readers)
    assert (book.import_done, book.is_importing) == (3, False)
    contact = Contact.objects.get(address_key="c1@example.com")
    assert (contact.name, contact.attributes) == ("联系人1", {"栏0": "值1-0", "栏1": "值1-1"})
    assert list(readers.contacts.order_by("pk")) == list(Contact.objects.order_by("pk"))
    assert import_contacts.waiting() == []


def test_an_import_twice_adds_nothing_and_brings_nobody_back(
    team: Team, hr: User, readers: ContactList
) -> None:
    book = imported(confirmed_list(team, hr, sheets.csv(3)), readers)
    ListMember.objects.filter(contact__address_key="c0@example.com").update(
        status=MemberStatus.UNSUBSCRIBED
    )
    imported(book, readers)
    assert (Contact.objects.count(), ListMember.objects.count()) == (3, 3)
    left = ListMember.objects.get(contact__address_key="c0@example.com")
    assert left.status == MemberStatus.UNSUBSCRIBED


def test_what_a_list_does_not_say_stays_as_it_was_known(
    team: Team, hr: User, readers: ContactList
) -> None:
    Contact.objects.create(
        team=team,
        address="C0@Example.com",
        address_key="c0@example.com",
        name="老名字",
        attributes={"城市": "杭州", "栏0": "旧"},
    )
    data = "邮箱,姓名,栏0\nc0@example.com,,新\n".encode()
    imported(confirmed_list(team, hr, data), readers)
    contact = Contact.objects.get()
    assert (contact.name, contact.attributes) == ("老名字", {"城市": "杭州", "栏0": "新"})
    assert contact.address == "C0@Example.com"


def test_an_address_in_two_rows_is_one_contact(team: Team, hr: User, readers: ContactList) -> None:
    data = "邮箱,姓名\na@example.com,甲\nA@EXAMPLE.com,乙\n".encode()
    book = imported(confirmed_list(team, hr, data), readers)
    assert book.import_done == 2
    assert Contact.objects.get().name == "乙"


def test_a_value_is_kept_to_the_letter_whatever_signs_it_has(
    team: Team, hr: User, readers: ContactList
) -> None:
    odd = 'a\\u0000 "b"\\ \\N\t，😀'
    data = f'邮箱,姓名,备注\na@example.com,"\\t\\.名","{odd.replace(chr(34), chr(34) * 2)}"\n'
    imported(confirmed_list(team, hr, data.encode()), readers)
    contact = Contact.objects.get()
    assert (contact.name, contact.attributes) == ("\\t\\.名", {"备注": odd})


def test_an_import_goes_on_where_a_killed_worker_stopped(
    team: Team, hr: User, readers: ContactList, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = confirmed_list(team, hr, sheets.csv(350))
    take = import_contacts._take

    def killed_at_the_third(mine: Workbook, chunk: Any, *, new: bool) -> bool | None:
        if again(mine).import_done == 200:
            raise KeyboardInterrupt
        return take(mine, chunk, new=new)

    monkeypatch.setattr(import_contacts, "chunk_size", lambda: 100)
    monkeypatch.setattr(import_contacts, "_take", killed_at_the_third)
    assert import_contacts.begin(book, readers)
    with pytest.raises(KeyboardInterrupt):
        import_contacts.run(book.pk)
    monkeypatch.undo()
    assert import_contacts.waiting() == []
    Workbook.objects.update(import_lease_until=timezone.now() - timedelta(seconds=1))
    assert import_contacts.run(book.pk) == 150
    assert again(book).import_done == 350
    assert readers.members.count() == 350


def test_two_workers_never_take_the_same_chunk(
    team: Team, hr: User, readers: ContactList, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = confirmed_list(team, hr, sheets.csv(4))
    assert import_contacts.begin(book, readers)
    real = import_contacts._take

    def overtaken(mine: Workbook, chunk: Any, *, new: bool) -> bool | None:
        monkeypatch.setattr(import_contacts, "_take", real)
        Workbook.objects.update(import_lease_until=timezone.now() - timedelta(seconds=1))
        assert import_contacts.run(book.pk) == 4
        return real(mine, chunk, new=new)

    monkeypatch.setattr(import_contacts, "_take", overtaken)
    assert import_contacts.run(book.pk) == 0
    assert again(book).import_done == 4


def test_a_payroll_never_becomes_contacts(team: Team, hr: User, readers: ContactList) -> None:
    book = read(uploaded(team, hr, sheets.payroll(2)))
    assert load.confirm(book, hr, reading=book.reading)
    assert not import_contacts.begin(again(book), readers)


def test_an_unconfirmed_list_and_another_teams_list_are_not_imported(
    team: Team, hr: User, readers: ContactList
) -> None:
    book = read(uploaded(team, hr, sheets.csv(2), purpose=Purpose.LIST))
    assert not import_contacts.begin(book, readers)
    assert load.confirm(book, hr, reading=book.reading)
    other = ContactList.objects.create(team=Team.objects.create(name="别家"), name="读者")
    assert not import_contacts.begin(again(book), other)


def test_an_import_ends_when_its_list_is_deleted(
    team: Team, hr: User, readers: ContactList
) -> None:
    book = confirmed_list(team, hr, sheets.csv(2))
    assert import_contacts.begin(book, readers)
    readers.delete()
    assert import_contacts.waiting() == []
    assert import_contacts.run(book.pk) == 0


def test_the_import_takes_few_statements(team: Team, hr: User, readers: ContactList) -> None:
    book = confirmed_list(team, hr, sheets.csv(300))
    assert import_contacts.begin(book, readers)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        import_contacts.run(book.pk)
    assert len(queries) <= 16


def test_a_destroyed_list_is_not_imported(team: Team, hr: User, readers: ContactList) -> None:
    book = confirmed_list(team, hr, sheets.csv(2))
    assert import_contacts.begin(book, readers)
    DataKey.objects.update(key="", destroyed_at=timezone.now())
    assert import_contacts.run(book.pk) == 0
    assert not again(book).is_importing
    assert not Contact.objects.exists()
