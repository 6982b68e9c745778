"""Contacts and members that two transactions write at once: no foreign key looks after them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from campaigns.models import Contact, ContactList, ListMember
from campaigns.pipeline import personal_data
from campaigns.pipeline.write_members import lines_of, write_lines
from campaigns.workbooks.blocks import Person
from tests import cast

pytestmark = [pytest.mark.django_db(transaction=True)]
PEOPLE = [Person(f"c{n}@x.cn", f"c{n}@x.cn", f"人{n}", "{}") for n in range(3)]


@pytest.fixture
def readers() -> ContactList:
    return ContactList.objects.create(team=cast.a_team(), name="读者")


def meanwhile(act: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        act()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def write(readers: ContactList, *, new: bool) -> bool:
    with transaction.atomic():
        return write_lines(readers.team_id, readers.pk, lines_of(PEOPLE), new=new)


def dangling() -> int:
    return ListMember.objects.exclude(contact__in=Contact.objects.all()).count()


def test_new_ones_are_copied_and_known_ones_are_merged(readers: ContactList) -> None:
    Contact.objects.create(team=cast.a_team("乙"), address="c1@x.cn", address_key="c1@x.cn")
    assert write(readers, new=True)
    assert readers.members.count() == 3
    assert not write(readers, new=True)
    assert (readers.members.count(), readers.team.contacts.count()) == (3, 3)


def test_a_list_that_is_gone_gets_no_members(readers: ContactList) -> None:
    ContactList.objects.filter(pk=readers.pk).delete()
    with pytest.raises(ContactList.DoesNotExist):
        write(readers, new=True)
    assert (Contact.objects.count(), ListMember.objects.count()) == (0, 0)


def test_a_contact_that_is_erased_while_it_is_imported_leaves_no_member(
    readers: ContactList,
) -> None:
    write(readers, new=True)
    bob = Contact.objects.get(address_key="c1@x.cn")
    with transaction.atomic():
        write_lines(readers.team_id, readers.pk, lines_of(PEOPLE))
        eraser = meanwhile(lambda: personal_data.erase(bob, None))
        eraser.join(0.2)
        assert eraser.is_alive()  # it waits for the import
    eraser.join(10)
    assert (readers.members.count(), dangling()) == (2, 0)


def test_an_import_that_waits_for_a_deletion_makes_a_new_contact(readers: ContactList) -> None:
    write(readers, new=True)
    bob = Contact.objects.get(address_key="c1@x.cn")
    with transaction.atomic():
        Contact.locked().get(pk=bob.pk).delete()
        importer = meanwhile(lambda: write(readers, new=True))
        importer.join(0.2)
        assert importer.is_alive()
    importer.join(10)
    assert (readers.members.count(), dangling()) == (3, 0)
    assert Contact.objects.get(address_key="c1@x.cn").pk != bob.pk


def test_who_is_erased_while_an_import_waits_for_the_contact_is_not_brought_back(
    readers: ContactList,
) -> None:
    write(readers, new=True)
    bob = Contact.objects.get(address_key="c1@x.cn")
    with transaction.atomic():
        locked = Contact.locked().get(pk=bob.pk)
        importer = meanwhile(lambda: write(readers, new=False))
        importer.join(0.5)
        assert importer.is_alive()
        # As an erasure: kept away and committed, then deleted.
        meanwhile(lambda: personal_data._keep_away(bob, None)).join(10)
        locked.delete()
    importer.join(10)
    assert not Contact.objects.filter(address_key="c1@x.cn").exists()
    assert (readers.members.count(), dangling()) == (2, 0)
