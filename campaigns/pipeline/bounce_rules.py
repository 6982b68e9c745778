"""Bounce rules: what a team's own phrases make of messages that the shipped readers leave unrecognised.

They are asked last and prove nothing: whose message it is says matching.py alone, so that an unproven one
suppresses nobody, whatever a rule means. `apply` has one speak about what is kept.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models.team import rights_of
from campaigns.mailer import bounce
from campaigns.mailer.bounces.own_rules import (
    OPEN,
    Meaning,
    OwnRule,
    as_told,
    first_said,
    is_said,
    normalised,
    said_in,
)
from campaigns.mailer.reply_patterns import PatternFault, words_of
from campaigns.models import BounceRule, Feedback, MaildropMessage, Original
from campaigns.models.content import ContentDestroyed
from campaigns.models.feedback import FeedbackKind
from campaigns.pipeline import originals, recording
from campaigns.pipeline.matching import signed_delivery
from campaigns.pipeline.recording import Judged, Source

log = logging.getLogger(__name__)

# How many of the newest open originals a phrase is tried on before it is saved.
TRIED = 2_000
LEASE = timedelta(minutes=10)


def compiled(row: BounceRule) -> OwnRule:
    """Raises PatternFault (a ValueError) for what no form lets pass."""
    return OwnRule(row.pk or 0, words_of(row.phrase), Meaning(row.meaning), row.reason)


def rules_of(team_id: int) -> list[OwnRule]:
    """The team's enabled rules, the oldest first."""
    found = []
    for row in BounceRule.objects.filter(team=team_id, enabled=True).order_by("pk"):
        try:
            found.append(compiled(row))
        except ValueError:
            log.error("Bounce rule %s cannot be read; it is left out.", row.pk)
    return found


def understand(source: Source, raw: bytes) -> Judged:
    """What a message comes to: by the shipped readers and, where they make nothing of it, by the team's
    rules. Reads the database and writes nothing."""
    report = bounce.read(raw)
    if report.kind not in OPEN or not (rules := rules_of(source.team_id)):
        return recording.judge(source, report)
    rule = first_said(normalised(said_in(raw)), rules)
    return recording.judge(source, report) if rule is None else _ruled(source, report, raw, rule)


def _ruled(source: Source, report: bounce.Report, raw: bytes, rule: OwnRule) -> Judged:
    if rule.meaning is Meaning.IGNORE:
        return Judged("ignored", ours=source.exclusive, report=report, rule=rule.key)
    signed = signed_delivery(source.team_id, report)
    told = as_told(report, raw, rule, signed.address if signed else "")
    judged = recording.judge(source, told)
    judged.rule = rule.key
    return judged


# Trying a phrase out -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """What a phrase would have caught among the newest `looked` open originals. `sealed`: how many this
    reader may not read, on which it was not tried: whoever writes rules could else ask what they say."""

    looked: int
    caught: list[Original]
    sealed: int


def tried(reader: originals.Reader, phrase: str) -> Trial:
    """Raises PatternFault."""
    words = words_of(phrase)
    if not words:
        raise PatternFault("phrase", phrase)
    looked, sealed, caught = 0, 0, []
    for row in originals.open_rows(reader.team_id).defer("sealed").order_by("-pk")[:TRIED]:
        if not reader.may_read(row):
            sealed += 1
            continue
        looked += 1
        if is_said(words, normalised(_said(row))):
            caught.append(row)
    return Trial(looked, caught, sealed)


def _said(row: Original) -> str:
    try:
        return originals.said_of(row)
    except ContentDestroyed:
        return ""


# Applying one to what is kept ----------------------------------------------------------------------


def waiting() -> list[int]:
    """Ids of the rules that somebody asked to have applied and that no worker has in hand."""
    free = Q(apply_lease_until=None) | Q(apply_lease_until__lte=timezone.now())
    asked = BounceRule.objects.filter(free).exclude(apply_asked_at=None)
    return list(asked.values_list("pk", flat=True))


def apply(rule_id: int) -> None:
    """Has the rule speak about each open original that whoever wrote it may read; each once, so that a
    worker that is killed costs nothing but time."""
    now = timezone.now()
    free = Q(apply_lease_until=None) | Q(apply_lease_until__lte=now)
    taken = BounceRule.objects.filter(free, pk=rule_id).exclude(apply_asked_at=None)
    if not taken.update(apply_lease_until=now + LEASE):
        return
    row = BounceRule.objects.select_related("created_by", "team").get(pk=rule_id)
    number = 0
    user = row.created_by
    if user is not None and row.enabled:
        reader = originals.Reader(user, row.team_id, rights_of(user, row.team))
        until = now + LEASE / 2
        for original in originals.open_rows(row.team_id).order_by("pk").iterator(100):
            if timezone.now() > until:
                # The next tick goes on: what was settled is open no more.
                BounceRule.objects.filter(pk=rule_id).update(
                    apply_lease_until=None, applied_number=F("applied_number") + number
                )
                return
            number += reader.may_read(original) and _settled(original, compiled(row))
    BounceRule.objects.filter(pk=rule_id).update(
        apply_asked_at=None,
        apply_lease_until=None,
        applied_at=timezone.now(),
        applied_number=F("applied_number") + number,
    )


def _settled(original: Original, rule: OwnRule) -> bool:
    """Whether the rule spoke about this original, and what follows is written."""
    try:
        if not is_said(rule.words, normalised(originals.said_of(original))):
            return False
        raw = originals.source_of(original)
    except ContentDestroyed:
        return False
    mailbox = original.mailbox
    source = Source.of(mailbox) if mailbox else Source(original.team_id, exclusive=True)
    judged = _ruled(source, bounce.read(raw), raw, rule)
    with transaction.atomic():
        mine = Original.objects.filter(pk=original.pk, verdict__in=OPEN)
        if not mine.update(verdict=judged.verdict, rule=rule.key):
            return False
        Feedback.objects.filter(
            original=original, kind__in=(FeedbackKind.REPLY, FeedbackKind.UNRECOGNISED)
        ).delete()
        for row in judged.rows:
            row.original, row.received_at = original, original.received_at
        recording.apply(judged)
        if mailbox is not None:
            MaildropMessage.objects.filter(
                mailbox=mailbox, fingerprint=hashlib.sha256(raw).hexdigest()
            ).update(verdict=judged.verdict, ours=judged.ours)
    return True
