"""The quota ledger: every message whose content began occupies its relay's windows.

In production it lies in Redis, shared by all workers on all machines, and each operation is one
atomic script; embedded it is `MemoryLedger` in the one process. Both are rebuilt from the Attempt
and Probe rows when they are empty: Redis was flushed or restarted (its run_id differs), or the process is
new. So no restart ever gives a fresh quota (docs/adr/0004-quota-ledger.md).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet, Value
from django.db.models.functions import Lower, Now, StrIndex, Substr
from redis import Redis

from accounts.models import Relay
from campaigns.mailer.throttle import MemoryLedger, Permit, Window, WindowKind
from campaigns.models import Attempt, Claim, Probe, WarmUp
from campaigns.pipeline.limited_domains import covering, limit_of_group, limited, sent_to
from campaigns.pipeline.redis_ledger import RedisLedger
from campaigns.pipeline.steady_ledger import SteadyLedger

# The longest window that a provider counts in is a calendar day of 25 hours; and some slack.
HISTORY = timedelta(hours=26)
LONGEST = Window(WindowKind.DAY, 0, "UTC")
# Permits that a worker takes at once where no second's limit asks for one at a time.
BLOCK = 20


class Ledger(Protocol):
    """What a sender asks of the ledger; see MemoryLedger for the meaning of each."""

    def acquire(
        self, group: str, windows: Sequence[Window], claim: str, want: int, *, holding: int = 1
    ) -> Permit: ...

    def settle(self, group: str, ids: Sequence[str]) -> None: ...

    def release(self, group: str, ids: Sequence[str]) -> None: ...

    def abandon(self, group: str, claim: str) -> None: ...

    def close(self, group: str, claim: str) -> None: ...

    def usage(self, group: str, windows: Sequence[Window]) -> list[int]: ...

    def history(self, group: str, ages: Sequence[float]) -> list[int]: ...


def windows_of(relay: Relay) -> list[Window]:
    """All limits of the relay, which hold at once; while it warms up, also what today allows.

    A batch that works past midnight keeps the day's amount, which is the smaller one.
    """
    windows = [
        Window(WindowKind(limit.window), limit.amount, limit.zone or None)
        for limit in relay.limits.all()
    ]
    today = warm_up_window(relay)
    return [*windows, today] if today else windows


def warm_up_window(relay: Relay) -> Window | None:
    """What the relay's warm-up allows on this day of its zone; None when it is over or not wanted."""
    warm_up: WarmUp | None = getattr(relay, "warm_up", None)
    if warm_up is None:
        return None
    amount = warm_up.ramp.amount_on(datetime.now(ZoneInfo(warm_up.zone)).date())
    return None if amount is None else Window(WindowKind.DAY, amount, warm_up.zone)


def sent_of(group: str) -> Iterator[tuple[str, datetime, datetime]]:
    """(name, start, end) of each message of the quota group that may still occupy a window."""
    since = datetime.now(UTC) - HISTORY
    if limit := limit_of_group(group):
        yield from sent_to(limit, since - timedelta(hours=1))
        mine = covering(limited(limit), "domain")
        to = Probe.objects.filter(relay__team=limit.team_id).annotate(
            domain=Lower(Substr("address", StrIndex("address", Value("@")) + 1))
        )
        yield from _probed(to.filter(mine), since)
        return
    relays = list(Relay.objects.filter(quota_group=group).values_list("pk", flat=True))
    # A payslip's final reply may come ten minutes after the start.
    attempts = Attempt.objects.filter(
        relay__in=relays, started_at__gte=since - timedelta(hours=1), content_began=True
    )
    for pk, start, end in attempts.values_list("pk", "started_at", "ended_at").iterator():
        yield f"attempt:{pk}", start, end
    yield from _probed(Probe.objects.filter(relay__in=relays), since)


def _probed(probes: QuerySet[Probe], since: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    probes = probes.filter(created_at__gte=since - timedelta(hours=1))
    for pk, steps, start, end in probes.values_list("pk", "steps", "created_at", "ended_at"):
        # Its content follows the recipient's acceptance at once, also where a worker died then.
        if any(step["step"] == "rcpt" and step["ok"] for step in steps):
            yield f"probe:{pk}", start, end or datetime.now(UTC)


def open_claims_of(group: str, opened_before: datetime | None = None) -> list[str]:
    """Claims whose worker may have a message in flight."""
    claims = Claim.objects.filter(ended_at=None, lease_until__gt=Now())
    if limit := limit_of_group(group):
        claims = claims.filter(team=limit.team_id)
    else:
        claims = claims.filter(relay__quota_group=group)
    if opened_before is not None:
        claims = claims.filter(created_at__lt=opened_before)
    return [str(pk) for pk in claims.values_list("pk", flat=True)]


# A claim that is older is of a process before this one.
_STARTED = datetime.now(UTC)


class EmbeddedLedger:
    """The one process's ledger, which remembers each group's attempts when it is first asked."""

    def __init__(self, started: datetime = _STARTED) -> None:
        self._started = started
        self._memory = MemoryLedger(time.time, monotonic=time.monotonic)
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def acquire(
        self, group: str, windows: Sequence[Window], claim: str, want: int, *, holding: int = 1
    ) -> Permit:
        """A claim of this process lost nothing, whatever it is `holding`."""
        return self._of(group).acquire(group, windows, claim, want)

    def settle(self, group: str, ids: Sequence[str]) -> None:
        self._of(group).settle(group, ids)

    def release(self, group: str, ids: Sequence[str]) -> None:
        self._of(group).release(group, ids)

    def abandon(self, group: str, claim: str) -> None:
        self._of(group).abandon(group, claim)

    def close(self, group: str, claim: str) -> None:
        self._of(group).close(group, claim)

    def usage(self, group: str, windows: Sequence[Window]) -> list[int]:
        return self._of(group).usage(group, windows)

    def history(self, group: str, ages: Sequence[float]) -> list[int]:
        return self._of(group).history(group, ages)

    def _of(self, group: str) -> MemoryLedger:
        with self._lock:
            if group not in self._known:
                history = [(start.timestamp(), end.timestamp()) for _, start, end in sent_of(group)]
                others = open_claims_of(group, opened_before=self._started)
                self._memory.rebuild(group, history, others)
                # It forgets what no window asked about so far could count: a limit may be added.
                self._memory.usage(group, [LONGEST])
                self._known.add(group)
        return self._memory


def _remembered(group: str) -> tuple[Iterator[tuple[str, float]], list[str]]:
    replied = ((name, end.timestamp()) for name, _, end in sent_of(group))
    return replied, open_claims_of(group)


def redis_ledger(client: Redis) -> SteadyLedger:
    """The ledger on one Redis server, which may be away at times."""
    return SteadyLedger(
        RedisLedger(client, _remembered, block=BLOCK, history=HISTORY.total_seconds())
    )


@lru_cache(maxsize=1)
def ledger() -> Ledger:
    """This installation's ledger: in Redis, or in the process when embedded."""
    if settings.EMBEDDED:
        return EmbeddedLedger()
    return redis_ledger(
        Redis.from_url(settings.REDIS_URL, socket_timeout=10, socket_connect_timeout=5)
    )
