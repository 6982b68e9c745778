"""The lease of a mailbox: one poller at a time, and one that died is replaced after ten minutes."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import BounceMailbox

LEASE = timedelta(minutes=10)
RENEW_AFTER = timedelta(minutes=1)


class PollLease:
    """The instant it ends at is also what tells whose it is: it changes only for its holder."""

    def __init__(self, mailbox_id: int, until: datetime) -> None:
        self.mailbox_id, self.until = mailbox_id, until

    @classmethod
    def take(cls, mailbox_id: int) -> PollLease | None:
        """None where another poller holds it, or the mailbox is switched off."""
        now = timezone.now()
        free = Q(poll_lease_until=None) | Q(poll_lease_until__lte=now)
        taken = BounceMailbox.objects.filter(free, pk=mailbox_id, enabled=True).update(
            poll_lease_until=now + LEASE
        )
        return cls(mailbox_id, now + LEASE) if taken else None

    def keep(self) -> bool:
        """Renews it every minute; False once it is another's or the mailbox was switched off."""
        now = timezone.now()
        if now < self.until - LEASE + RENEW_AFTER:
            return True
        kept = self._mine().filter(enabled=True).update(poll_lease_until=now + LEASE)
        self.until = now + LEASE
        return bool(kept)

    def end(self, error: str) -> None:
        """Gives it back and says how the poll went, in a code of `campaigns.reasons`."""
        self._mine().update(poll_lease_until=None, polled_at=timezone.now(), last_error=error[:300])

    def _mine(self) -> QuerySet[BounceMailbox]:
        return BounceMailbox.objects.filter(pk=self.mailbox_id, poll_lease_until=self.until)
