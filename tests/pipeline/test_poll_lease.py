"""Which mailboxes are to be polled now, and that two pollers never work on one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import BounceMailbox, Team
from campaigns.pipeline import collect
from campaigns.pipeline.poll_lease import LEASE, PollLease
from tests.pipeline import returned_mail as mail

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def mailbox() -> BounceMailbox:
    return mail.a_mailbox(Team.objects.create(name="甲公司"))


def change(**fields: object) -> None:
    BounceMailbox.objects.update(**fields)


def test_an_enabled_mailbox_is_due(mailbox: BounceMailbox) -> None:
    assert collect.due() == [mailbox.pk]
    change(enabled=False)
    assert collect.due() == []


def test_one_that_is_being_polled_is_not_due(mailbox: BounceMailbox) -> None:
    change(poll_lease_until=timezone.now() + timedelta(minutes=5))
    assert collect.due() == []
    collect.poll(mailbox.pk)
    mailbox.refresh_from_db()
    assert mailbox.polled_at is None


def test_a_dead_pollers_lease_ends(mailbox: BounceMailbox) -> None:
    change(poll_lease_until=timezone.now() - timedelta(seconds=1))
    assert collect.due() == [mailbox.pk]


def test_what_only_a_person_can_cure_is_asked_once_an_hour(mailbox: BounceMailbox) -> None:
    change(last_error="auth_refused", polled_at=timezone.now() - timedelta(minutes=59))
    assert collect.due() == []
    change(polled_at=timezone.now() - timedelta(minutes=61))
    assert collect.due() == [mailbox.pk]
    change(last_error="timed_out", polled_at=timezone.now())
    assert collect.due() == [mailbox.pk]


def test_a_lease_is_taken_once(mailbox: BounceMailbox) -> None:
    lease = PollLease.take(mailbox.pk)
    assert lease is not None
    assert PollLease.take(mailbox.pk) is None
    lease.end("lost")
    mailbox.refresh_from_db()
    assert mailbox.last_error == "lost"
    assert PollLease.take(mailbox.pk) is not None


def test_a_lease_is_renewed_while_its_holder_lives(mailbox: BounceMailbox) -> None:
    lease = PollLease.take(mailbox.pk)
    assert lease is not None
    almost_over = timezone.now() + timedelta(seconds=5)
    change(poll_lease_until=almost_over)
    lease.until = almost_over
    assert lease.keep()
    mailbox.refresh_from_db()
    assert mailbox.poll_lease_until > timezone.now() + LEASE - timedelta(minutes=1)
    change(enabled=False)
    assert lease.keep()  # asked again only after a minute
    lease.until = almost_over
    assert not lease.keep()


def test_who_lost_a_lease_does_not_end_anothers(mailbox: BounceMailbox) -> None:
    first = PollLease.take(mailbox.pk)
    change(poll_lease_until=timezone.now() - timedelta(seconds=1))
    second = PollLease.take(mailbox.pk)
    assert first is not None
    assert second is not None
    first.until -= timedelta(minutes=5)
    assert not first.keep()
    first.end("lost")
    mailbox.refresh_from_db()
    assert (mailbox.last_error, mailbox.poll_lease_until) == ("", second.until)
