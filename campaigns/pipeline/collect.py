"""Collect: polls the maildrops that bounces come back to, by POP3 or IMAP. Record, then delete.

A message is marked for deletion (or moving) only after its row is committed, and removed by `quit` alone
(RFC 1939 section 6; our IMAP client does the same). Whatever is cut off in between is found again under its UIDL: recorded once, deleted
later. No message can stop the poller: one that breaks the session is tried again after all others.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.utils import timezone

from accounts.models import BounceMailbox
from accounts.models.bounce_mailbox import Leaving
from accounts.secrets import SecretUnreadable
from campaigns.mailer import maildrop as drops
from campaigns.mailer.pop3_errors import NEEDS_PERSON, MaildropFailure, Phase, Problem
from campaigns.models import MaildropMessage
from campaigns.pipeline import oauth, restored
from campaigns.pipeline.bounce_rules import understand
from campaigns.pipeline.poll_lease import PollLease
from campaigns.pipeline.recording import BROKE, FLOODED, PENDING, Fetched, Source, postpone, record
from campaigns.pipeline.relay_settings import maildrop_settings, open_maildrop

log = logging.getLogger(__name__)

# The database itself is away; any other fault of it is the message's.
_AWAY = (OperationalError, InterfaceError)

# One poll reads at most so many messages for so many seconds; the next one goes on from there.
MAX_MESSAGES = 2_000
MAX_SECONDS = 300
# A bigger message is judged by its header section and its first lines: a report stands before what
# it returns (RFC 6522 section 3).
MAX_BYTES = 1024 * 1024
TOP_LINES = 400
# A message that broke the session waits so long before it is tried again.
RETRY_AFTER = timedelta(minutes=15)
# Asking again too soon what only a person can cure locks accounts; saving the form asks at once.
REST = {problem.value: timedelta(hours=1) for problem in NEEDS_PERSON} | {
    Problem.AUTH_LOCKED.value: timedelta(minutes=30)
}

Listed = dict[str, tuple[int, int]]  # MaildropMessage.uidl → (message number, octets)


def due() -> list[int]:
    """Ids of the enabled mailboxes that nobody polls now and that need no person first.

    None of a restored copy's: it would delete what the original has yet to read.
    """
    restored.look()
    now = timezone.now()
    free = Q(poll_lease_until=None) | Q(poll_lease_until__lte=now)
    found = BounceMailbox.objects.filter(free, enabled=True, team__sending_off_at=None).order_by(
        "polled_at", "pk"
    )
    return [
        pk
        for pk, error, at in found.values_list("pk", "last_error", "polled_at")
        if at is None or at + REST.get(error, timedelta()) <= now
    ]


def poll(mailbox_id: int) -> None:
    """Reads what is new in a mailbox and removes what is recorded; `last_error` says how it went."""
    restored.look()
    if BounceMailbox.objects.filter(pk=mailbox_id, team__sending_off_at__isnull=False).exists():
        return
    lease = PollLease.take(mailbox_id)
    if lease is None:
        return
    try:
        lease.end(_poll(mailbox_id, lease))
    except _AWAY:
        # What was not committed is still on the server; the lease ends by itself.
        log.warning("Mailbox %s: the database was away while it was polled.", mailbox_id)
    except Exception as error:
        log.error("Mailbox %s: the poll failed: %s", mailbox_id, type(error).__name__)
        lease.end("internal")


def _poll(mailbox_id: int, lease: PollLease) -> str:
    """The code of what went wrong, or blank."""
    try:
        mailbox = BounceMailbox.objects.get(pk=mailbox_id)
        settings = maildrop_settings(mailbox)
    except BounceMailbox.DoesNotExist:
        return ""
    except SecretUnreadable:
        return "secret_unreadable"
    except oauth.TokenTrouble as trouble:
        return str(trouble.reason)
    except ValueError:
        return "settings"
    try:
        with open_maildrop(settings) as maildrop:
            session = Session(mailbox, maildrop, lease)
            session.run(session.unread, MAX_MESSAGES)
        if session.postponed:
            # One alone, in a session of its own: what it breaks costs the others nothing.
            with open_maildrop(settings) as maildrop:
                again = Session(mailbox, maildrop, lease)
                again.run(again.due_again, 1)
                return again.problem or session.problem
        return session.problem
    except MaildropFailure as failure:
        if mailbox.oauth_id and failure.phase is Phase.LOGIN:
            oauth.forget(mailbox.oauth_id, settings.access_token)
        return failure.kind.value


class Session:
    """One session. `problem` is a code for what some message had, or blank."""

    def __init__(self, mailbox: BounceMailbox, maildrop: drops.Session, lease: PollLease) -> None:
        self.mailbox, self.maildrop, self.lease = mailbox, maildrop, lease
        self.problem = ""
        # Some servers only number their messages: after a change to another account its UIDLs may be
        # those of messages that were recorded, and an unread message must not pass for one.
        account = f"{mailbox.host}\0{mailbox.username}".lower()
        self.account = hashlib.sha256(account.encode()).hexdigest()[:8]
        self.listed = self._list()
        self.known = self._known()
        self.marked: list[str] = []

    @property
    def postponed(self) -> bool:
        return bool(self.due_again())

    def unread(self) -> list[str]:
        return [uidl for uidl in self.listed if uidl not in self.known]

    def due_again(self) -> list[str]:
        """Those that broke a session a while ago, the longest-waiting first."""
        latest = timezone.now() - RETRY_AFTER
        waiting = [
            row for row in self.known.values() if row.verdict in PENDING and row.seen_at <= latest
        ]
        return [row.uidl for row in sorted(waiting, key=lambda row: row.seen_at)]

    def run(self, wanted: Callable[[], list[str]], limit: int) -> None:
        """Removes what is recorded already, reads up to `limit` of `wanted`, and quits."""
        until = time.monotonic() + MAX_SECONDS
        latest = timezone.now() - timedelta(days=self.mailbox.leave_days)
        for uidl, row in self.known.items():
            if row.ours and row.deleted_at is None and row.seen_at <= latest:
                self._mark(uidl)
        for uidl in wanted()[:limit]:
            if time.monotonic() > until or not self.lease.keep():
                break
            if self._collect(uidl) and not self.mailbox.leave_days:
                self._mark(uidl)
        self.maildrop.quit()
        self._note_deleted()

    def _list(self) -> Listed:
        """A unique id that occurs twice names no message: those are left alone."""
        found = [(self._key(uidl), number, size) for number, uidl, size in self.maildrop.list()]
        times = Counter(uidl for uidl, _, _ in found)
        if len(times) < len(found):
            self.problem = Problem.UIDL_MISSING.value
        return {uidl: (number, size) for uidl, number, size in found if times[uidl] == 1}

    def _key(self, uidl: str) -> str:
        """The account and the unique id, which has 70 characters (RFC 1939 section 7); a longer one
        is kept by its hash."""
        kept = uidl if len(uidl) <= 70 else hashlib.sha256(uidl.encode()).hexdigest()
        return f"{self.account}:{kept}"

    def _known(self) -> dict[str, MaildropMessage]:
        """The rows of what is listed, read in portions: a mailbox has a long history."""
        uidls, known = list(self.listed), {}
        for start in range(0, len(uidls), 500):
            rows = MaildropMessage.objects.filter(
                mailbox=self.mailbox, uidl__in=uidls[start : start + 500]
            )
            known |= {row.uidl: row for row in rows}
        return known

    def _collect(self, uidl: str) -> bool:
        """Reads and records one message; whether it may be deleted. A message that cannot be read
        or judged stays on the server."""
        try:
            message = self._fetch(uidl)
        except MaildropFailure as failure:
            if failure.kind is Problem.VANISHED:
                return False  # somebody took it away between the listing and now
            self.problem = failure.kind.value
            if failure.is_open:
                return False
            flooded = failure.kind is Problem.FLOODED
            postpone(self.mailbox, uidl, FLOODED if flooded else BROKE)
            raise
        try:
            judged = understand(Source.of(self.mailbox), message.raw)
            return record(self.mailbox, uidl, judged, message)
        except _AWAY:
            raise
        except Exception as error:
            # Only the kind of the fault: its words may quote the message.
            log.error("Mailbox %s: a message failed: %s", self.mailbox.pk, type(error).__name__)
            postpone(self.mailbox, uidl, BROKE)
            return False

    def _fetch(self, uidl: str) -> Fetched:
        number, size = self.listed[uidl]
        before = self.known.get(uidl)
        if size > MAX_BYTES or (before is not None and before.verdict == FLOODED):
            return Fetched(self.maildrop.top(number, TOP_LINES, max_bytes=MAX_BYTES), cut=True)
        return Fetched(self.maildrop.retrieve(number, MAX_BYTES))

    def _mark(self, uidl: str) -> None:
        if self.mailbox.leaving == Leaving.NOTHING_DELETED:
            return
        try:
            self.maildrop.delete(self.listed[uidl][0])
        except MaildropFailure as failure:
            if not failure.is_open:
                raise
            self.problem = failure.kind.value
        else:
            self.marked.append(uidl)

    def _note_deleted(self) -> None:
        """Only now is it certain that they are gone."""
        for start in range(0, len(self.marked), 500):
            MaildropMessage.objects.filter(
                mailbox=self.mailbox, uidl__in=self.marked[start : start + 500]
            ).update(deleted_at=timezone.now())
