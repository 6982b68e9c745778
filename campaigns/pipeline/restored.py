"""Restored: a copy of the database must not send what the original has sent already.

A database is told from its copy by what a dump does not carry (PostgreSQL's system identifier, the
numbers of database and table), and from its own past by a number that grows and is remembered outside
it, in Redis (without Redis: on disk). What is missing outside proves nothing: a flushed Redis stops
nobody. Why each of these: docs/adr/0014-restored-copies.md.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import ProgrammingError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError

from accounts.models import Team
from campaigns.models import Campaign, Delivery, Installation
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.delivery import WAITING, DeliveryPurpose, DeliveryState
from campaigns.models.signals import announce
from campaigns.pipeline.counts import recount

log = logging.getLogger(__name__)

# How often a process looks, in seconds; the first thing that it does is to look.
EVERY = 5.0
# How often the number grows: older copies of the same database are told apart by that much.
GROWS_AFTER = timedelta(seconds=10)
_KEY = "hongyan:installation:"
# A SQLite database whose number is on disk beside it: without that file it is a copy.
ON_DISK = "disk"


@dataclass(frozen=True)
class Here:
    """Which database this is, and which of its time lines."""

    fingerprint: str
    timeline: int


class _Looked:
    """When this process looked last."""

    def __init__(self) -> None:
        self.at: float | None = None
        self.lock = threading.Lock()


_looked = _Looked()


def look(*, now: bool = False) -> None:
    """Switches sending off if this is a copy; asks at most every few seconds."""
    with _looked.lock:
        if not now and _looked.at is not None and time.monotonic() - _looked.at < EVERY:
            return
        _look()
        _looked.at = time.monotonic()


def _look() -> None:
    row, here = Installation.objects.order_by("pk").first(), which()
    if row is None:
        _found_anew()
        return
    outside = _remembered(row.mark)
    # Read after it: another process may have counted on in between, and that is no copy.
    row.refresh_from_db()
    reason = _why(row, here, outside)
    if reason:
        mark_copy(reason)
    elif row.timeline != here.timeline:
        Installation.objects.filter(pk=row.pk).update(timeline=here.timeline)
    elif row.numbered_at is None or timezone.now() - row.numbered_at > GROWS_AFTER:
        _grow(row)


def _why(row: Installation, here: Here, outside: int | None) -> str:
    """How it is seen that this is a copy; "" where it is the original."""
    if connection.vendor == "sqlite":
        if row.fingerprint == ON_DISK and outside is None:
            return "moved"
    elif row.fingerprint != here.fingerprint:
        return "moved"
    if outside is not None and outside > row.number:
        return "older"
    # A new time line follows a recovery to some point, or a standby that took over. Only where the
    # number outside is known has the database surely lost nothing.
    if row.timeline != here.timeline and outside is None:
        return "recovered"
    return ""


def which() -> Here:
    """On SQLite a file tells nothing of itself that a copy would not have."""
    if connection.vendor != "postgresql":
        return Here("", 0)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                """SELECT (SELECT system_identifier FROM pg_control_system())::text
                    || '.' || (SELECT oid FROM pg_database WHERE datname = current_database())
                    || '.' || 'campaigns_installation'::regclass::oid,
                    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"""
            )
            fingerprint, timeline = cursor.fetchone()
    except ProgrammingError:
        # A managed server may keep these functions to itself: the database's own numbers are left.
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT (SELECT oid FROM pg_database WHERE datname = current_database())
                    || '.' || 'campaigns_installation'::regclass::oid"""
            )
            return Here(str(cursor.fetchone()[0]), 0)
    return Here(str(fingerprint), int(timeline, 16))


def _found_anew() -> None:
    """A new database, or the first start of a version that knows of copies."""
    here, mark = which(), uuid.uuid4().hex
    fingerprint = here.fingerprint
    kept = _remember(mark, 1)
    if connection.vendor == "sqlite" and kept:
        fingerprint = ON_DISK
    Installation.objects.get_or_create(
        pk=1,
        defaults={
            "mark": mark,
            "fingerprint": fingerprint,
            "timeline": here.timeline,
            "number": 1,
            "numbered_at": timezone.now(),
        },
    )


def _grow(row: Installation) -> None:
    """First in the database, durably; then outside: the database is never behind by a crash."""
    now = timezone.now()
    old = Q(numbered_at=None) | Q(numbered_at__lt=now - GROWS_AFTER)
    if Installation.objects.filter(old, pk=row.pk, mark=row.mark).update(
        number=F("number") + 1, numbered_at=now
    ):
        _remember(row.mark, Installation.objects.values_list("number", flat=True).get(pk=row.pk))


# What is remembered outside -------------------------------------------------------------------------


def _file() -> Path | None:
    """Only where there is no Redis: a container's disk lasts no longer than the container."""
    return None if settings.REDIS_URL else settings.VAR_DIR / "installation.json"


@lru_cache(maxsize=1)
def _redis() -> Redis | None:
    if not settings.REDIS_URL:
        return None
    return Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def _remembered(mark: str) -> int | None:
    """The number that Redis or the disk knows for this mark; None where neither does."""
    found = [_on_disk().get(mark)]
    client = _redis()
    if client is not None:
        try:
            value = client.get(_KEY + mark)
            found.append(int(value) if value is not None else None)
        except (RedisError, ValueError):
            log.warning("Redis does not say which database this is.")
    return max((number for number in found if number is not None), default=None)


def _on_disk() -> dict[str, int]:
    path = _file()
    if path is None:
        return {}
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return {str(mark): int(number) for mark, number in read.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _remember(mark: str, number: int) -> bool:
    """Writes it there; True if the disk took it. A place that does not is no reason to stop."""
    client = _redis()
    if client is not None:
        try:
            client.set(_KEY + mark, number)
        except RedisError:
            log.warning("Redis did not take which database this is.")
    path = _file()
    if path is None:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_suffix(f".{uuid.uuid4().hex[:8]}")
        written.write_text(json.dumps({mark: number}), encoding="utf-8")
        written.replace(path)
    except OSError:
        return False
    return True


# Off and on -----------------------------------------------------------------------------------------


def mark_copy(reason: str) -> int:
    """Sending is off in every team, and every campaign that could send is held; how many were.

    From now on the copy is known by a mark of its own, so that it and the original, which may share a
    Redis, do not take each other for an older self.
    """
    here, mark = which(), uuid.uuid4().hex
    fingerprint = here.fingerprint
    if _remember(mark, 1) and connection.vendor == "sqlite":
        fingerprint = ON_DISK
    now = timezone.now()
    alive = [CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED]
    with transaction.atomic():
        Team.objects.update(sending_off_at=now, sending_off_reason=reason)
        # One that waits for a second person goes on to do so.
        held = (
            Campaign.objects.filter(state__in=alive)
            .exclude(hold_reason=Hold.RELEASE_AWAITED)
            .update(hold_reason=Hold.RESTORED_COPY)
        )
        Installation.objects.update_or_create(
            pk=1,
            defaults={
                "mark": mark,
                "fingerprint": fingerprint,
                "timeline": here.timeline,
                "number": 1,
                "numbered_at": now,
            },
        )
    log.error("This database is a restored copy (%s): sending is off, %s held.", reason, held)
    return held


def switch_on(team: Team) -> bool:
    """By a person. Campaigns stay held until each is lifted; single messages of back then are over."""
    with transaction.atomic():
        off = Team.objects.filter(pk=team.pk).exclude(sending_off_at=None)
        if not off.update(sending_off_at=None, sending_off_reason=""):
            return False
        singles = Delivery.objects.filter(
            team=team,
            state__in=WAITING,
            purpose__in=[DeliveryPurpose.TEST, DeliveryPurpose.RESEND],
            created_at__lt=team.sending_off_at,
        )
        campaigns = set(singles.values_list("campaign_id", flat=True))
        singles.update(
            state=DeliveryState.CANCELLED,
            reason=Hold.RESTORED_COPY,
            claim=None,
            changed_at=timezone.now(),
        )
        for campaign_id in campaigns:
            recount(campaign_id)
        announce("tick")
    return True
