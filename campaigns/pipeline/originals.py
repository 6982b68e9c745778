"""Originals: what came back, kept as it came for the team's set time, sealed, and destroyed after it.

Everything of a mailbox that is used for bounces only; of somebody's own inbox only what is proven to be a
report on our deliveries. What belongs to a payslip is its HR's alone; where nothing proves to what a
message belongs and the team sends payslips, it may quote any of them, and only who may read all may read it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import BounceMailbox, Right, Team
from campaigns.mailer.bounce import Report
from campaigns.mailer.bounces.own_rules import OPEN, said_in
from campaigns.models import Campaign, ContentGrant, DataKey, Feedback, Original, Workbook
from campaigns.models.campaign import CampaignState
from campaigns.models.content import ContentDestroyed, new_key
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose
from campaigns.pipeline.matching import Match, quoted_campaigns

# Characters of readable text that are kept beside an original, for rules to be tried on.
MAX_SAID = 20_000
_CHUNK = 500
# What an original is read back to at most: a message is cut at 1 MiB when it is collected.
_MAX_OCTETS = 4 * 1024 * 1024


# Keeping -------------------------------------------------------------------------------------------


def kept(
    mailbox: BounceMailbox, raw: bytes, report: Report, matches: Iterable[Match], *, cut: bool
) -> Original | None:
    """The message as a row that is not saved yet; None where it is not to be kept."""
    days = Team.objects.values_list("originals_days", flat=True).get(pk=mailbox.team_id)
    if not days:
        return None
    campaigns = [m.delivery.campaign for m in matches if m.proven and m.delivery is not None]
    campaigns = campaigns or quoted_campaigns(mailbox.team_id, report)
    payslip = next((one for one in campaigns if one.is_payslip), None)
    original = Original(
        team_id=mailbox.team_id,
        mailbox=mailbox,
        campaign=payslip,
        maybe_payslip=not campaigns and sends_payslips(mailbox.team_id),
        verdict=report.kind,
        key="" if payslip else new_key(),
        size=len(raw),
        cut=cut,
    )
    said = said_in(raw)[:MAX_SAID] if report.kind in OPEN else ""
    try:
        original.sealed = _key_of(original).seal(zlib.compress(raw, 6))
        original.sealed_said = _key_of(original).seal(
            zlib.compress(said.encode("utf-8", "replace"))
        )
    except ContentDestroyed:
        return None
    return original


def sends_payslips(team_id: int) -> bool:
    launched = Campaign.objects.filter(team_id=team_id, kind=Kind.PAYSLIP)
    return launched.exclude(state=CampaignState.DRAFT).exists()


def _key_of(original: Original) -> DataKey:
    """Raises ContentDestroyed for a payslip campaign that has lost its workbook."""
    if original.campaign_id is None:
        return DataKey(key=original.key)
    workbook = original.campaign.workbook if original.campaign else None
    if workbook is None:
        raise ContentDestroyed
    return workbook.data_key


# Reading -------------------------------------------------------------------------------------------


def source_of(original: Original) -> bytes:
    """The message's bytes. Raises ContentDestroyed."""
    return _inflated(_key_of(original).open(original.sealed))


def said_of(original: Original) -> str:
    """Its readable text, as far as it is kept. Raises ContentDestroyed."""
    return _inflated(_key_of(original).open(original.sealed_said)).decode("utf-8", "replace")


def _inflated(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _MAX_OCTETS)


@dataclass
class Reader:
    """Somebody with rights in a team, who may read some originals."""

    user: Any
    team_id: int
    rights: frozenset[str]

    @cached_property
    def sees_all_payslips(self) -> bool:
        """Whether there is no payroll whose content is hidden from this person."""
        readable = Campaign.objects.filter(
            team_id=self.team_id, kind=Kind.PAYSLIP, workbook__data_key__destroyed_at=None
        ).exclude(state=CampaignState.DRAFT)
        granted = ContentGrant.objects.filter(user=self.user)
        return not readable.exclude(grants__in=granted).exists()

    def may_read(self, original: Original) -> bool:
        if original.team_id != self.team_id:
            return False
        if original.campaign_id is not None:
            campaign = original.campaign
            return campaign is not None and campaign.content_visible_to(self.user)
        if original.maybe_payslip:
            return self.sees_all_payslips and bool({Right.RELAYS, Right.PAYSLIPS} & self.rights)
        return Right.RELAYS in self.rights


def rows(team_id: int) -> QuerySet[Original]:
    """With what opening them needs."""
    found = Original.objects.filter(team_id=team_id)
    return found.select_related("campaign__workbook__data_key", "mailbox").defer(
        "mailbox__secret", "mailbox__ca_pem", "campaign__frozen_html", "campaign__frozen_text"
    )


def open_rows(team_id: int) -> QuerySet[Original]:
    """Those that nobody has made anything of."""
    return rows(team_id).filter(verdict__in=OPEN)


# Destroying ----------------------------------------------------------------------------------------


def expire() -> int:
    """Destroys those whose time is over, and all of a team that keeps none any more; how many."""
    now, number = timezone.now(), 0
    for team_id, days in Team.objects.values_list("pk", "originals_days"):
        old = Original.objects.filter(team=team_id)
        if days:
            old = old.filter(received_at__lte=now - timedelta(days=days))
        number += _remove(old)
    return number


def destroy_with(workbook: Workbook) -> None:
    """With a workbook's content goes what belongs to its campaigns, and what may quote them."""
    mine = Original.objects.filter(team_id=workbook.team_id)
    _remove(mine.filter(campaign__workbook=workbook))
    if workbook.purpose == Purpose.PAYSLIP:
        _remove(mine.filter(maybe_payslip=True))


def erase(team_id: int, address_key: str, about: QuerySet[Feedback]) -> None:
    """Those about one address but payslips', which are HR's; also where only their text names it."""
    mine = Original.objects.filter(team_id=team_id, campaign=None)
    _remove(mine.filter(pk__in=about.exclude(original=None).values("original")))
    unnamed = rows(team_id).filter(campaign=None).exclude(feedback__address_key__gt="")
    sought = address_key.lower().encode()
    naming = [row.pk for row in unnamed.iterator(_CHUNK) if sought in source_of(row).lower()]
    for start in range(0, len(naming), _CHUNK):
        _remove(mine.filter(pk__in=naming[start : start + _CHUNK]))


def _remove(found: QuerySet[Original]) -> int:
    """In chunks: a sealed message is large, and a long transaction holds others up."""
    number = 0
    while ids := list(found.order_by("pk").values_list("pk", flat=True)[:_CHUNK]):
        Feedback.objects.filter(original__in=ids).update(original=None)
        number += Original.objects.filter(pk__in=ids)._raw_delete(using=found.db)
    return number
