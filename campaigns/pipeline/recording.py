"""Recording: what a message of a maildrop comes to, written in one transaction before it is deleted.

A mailbox that is used for bounces only keeps everything; of somebody's own inbox only reports on our
deliveries are kept, and of what is not proven no text. A payslip's texts are sealed. Messages as they came
are originals.py's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import BounceMailbox
from campaigns.mailer.bounce import Recipient, Report
from campaigns.models import BounceRule, Delivery, Feedback, MaildropMessage
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import DeliveryPurpose
from campaigns.models.feedback import FeedbackKind, Proof, SuppressionReason
from campaigns.pipeline import counts, originals
from campaigns.pipeline.matching import Match, key_of, leaving, match, without_erased
from campaigns.pipeline.subscription import BY_MAIL, Subscription, unsubscribe
from campaigns.pipeline.suppress import OF_THE_MAILBOX, suppress, suppress_soft

# Verdicts of messages that broke the session while they were read: they are tried again, apart.
BROKE, FLOODED = "broke", "flooded"
PENDING = (BROKE, FLOODED)

_REPORTS = ("bounce", "delivered", "feedback")
# What says all that there is to say; the rest waits on the server for a person.
_UNDERSTOOD = (*_REPORTS, "autoreply")
_KINDS = {
    "bounce": FeedbackKind.BOUNCE,
    "delivered": FeedbackKind.DELIVERED,
    "feedback": FeedbackKind.COMPLAINT,
    "autoreply": FeedbackKind.AUTO_REPLY,
    "challenge": FeedbackKind.CHALLENGE,
    "ordinary": FeedbackKind.REPLY,
}
# Feedback types that complain of nothing (RFC 5965 section 7.3, RFC 6591).
_NO_COMPLAINT = ("not-spam", "auth-failure")


@dataclass
class Judged:
    """A report beside its matches. `ours`: once recorded it may be deleted from the server;
    `leaving`: whom it unsubscribes; `rule`: the team's own that made it understood."""

    verdict: str
    ours: bool = False
    rows: list[Feedback] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    leaving: Subscription | None = None
    report: Report | None = None
    rule: int | None = None
    # Nothing of it may be kept: it is about somebody whose data was erased.
    erased: bool = False


@dataclass(frozen=True)
class Fetched:
    """A message as it was read; `cut`: it had more."""

    raw: bytes
    cut: bool = False

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True)
class Source:
    """Where a report came from. `exclusive`: nothing else comes there, so that nothing is private."""

    team_id: int
    exclusive: bool
    mailbox: BounceMailbox | None = None

    @classmethod
    def of(cls, mailbox: BounceMailbox) -> Source:
        return cls(mailbox.team_id, mailbox.exclusive, mailbox)


def judge(source: Source, report: Report) -> Judged:
    """What is to be written about a message; reads the database and writes nothing."""
    if report.kind not in _REPORTS and (left := leaving(source.team_id, report)):
        return _unsubscribing(source, left, report)
    matches = match(source.team_id, report)
    kept = without_erased(source.team_id, matches)
    erased = len(kept) < len(matches)
    proven = any(found.proven for found in matches)
    if source.exclusive:
        ours = report.kind in _UNDERSTOOD
    else:
        ours = report.kind in _REPORTS and proven
        kept = [found for found in kept if _concerns_us(report, found)]
    rows = [
        _feedback(source, report, found, with_text=source.exclusive or (ours and found.proven))
        for found in kept
    ]
    return Judged(report.kind, ours, rows, kept, report=report, erased=erased)


def record(mailbox: BounceMailbox, uidl: str, judged: Judged, message: Fetched) -> bool:
    """Commits the message's row with all that follows from it; whether it may be deleted now.

    A message that was recorded before, by whomever, changes nothing a second time; nor does one that
    stands there again under another id, as all do once a server numbers them anew.
    """
    with transaction.atomic():
        again = _recorded(mailbox, uidl, message.fingerprint)
        if again is not None:
            judged = Judged(again.verdict, again.ours)
        row, created = MaildropMessage.objects.get_or_create(
            mailbox=mailbox,
            uidl=uidl,
            defaults={
                "team_id": mailbox.team_id,
                "verdict": judged.verdict,
                "ours": judged.ours,
                "fingerprint": message.fingerprint,
            },
        )
        if not created and not _settle(row, judged, message.fingerprint):
            return row.ours
        _keep(mailbox, judged, message)
        apply(judged)
    return judged.ours


def _recorded(mailbox: BounceMailbox, uidl: str, fingerprint: str) -> MaildropMessage | None:
    same = MaildropMessage.objects.filter(mailbox=mailbox, fingerprint=fingerprint)
    return same.exclude(uidl=uidl).exclude(verdict__in=PENDING).order_by("pk").first()


def _keep(mailbox: BounceMailbox, judged: Judged, message: Fetched) -> None:
    """The original: everything of a mailbox for bounces only, of another what is proven to be about ours."""
    report, ours = judged.report, judged.ours and judged.leaving is None
    if report is None or judged.erased or not (mailbox.exclusive or ours):
        return
    original = originals.kept(mailbox, message.raw, report, judged.matches, cut=message.cut)
    if original is None:
        return
    original.verdict, original.rule_id = judged.verdict, judged.rule
    original.save()
    for row in judged.rows:
        row.original = original


def apply(judged: Judged) -> None:
    """Writes the report and all that follows from it, in the transaction of whoever calls."""
    newly = _first_bounces(judged.rows)
    Feedback.objects.bulk_create(judged.rows)
    for delivery, reason, note in _effects(judged):
        suppress(delivery, reason, note=note)
    suppress_soft(_softly_bounced(judged))
    counts.apply(newly)
    if judged.rule is not None:
        spoken = BounceRule.objects.filter(pk=judged.rule)
        spoken.update(hits=F("hits") + 1, last_hit_at=timezone.now())
    if judged.leaving is not None:
        unsubscribe(judged.leaving, how=BY_MAIL)


def _unsubscribing(source: Source, left: Subscription, report: Report) -> Judged:
    """What the mail says is its writer's own: nothing of it stands in the row."""
    delivery = left.delivery
    row = Feedback(
        team_id=source.team_id,
        kind=FeedbackKind.UNSUBSCRIBE,
        mailbox=source.mailbox,
        delivery=delivery,
        campaign=delivery.campaign,
        proof=Proof.RETURN_PATH,
        address=delivery.address,
        address_key=delivery.address_key,
    )
    found = Match(None, delivery, Proof.RETURN_PATH)
    return Judged("unsubscribe", True, [row], [found], left, report=report)


def postpone(mailbox: BounceMailbox, uidl: str, verdict: str) -> None:
    """Notes that reading this message broke the session, so that the others come first."""
    row, created = MaildropMessage.objects.get_or_create(
        mailbox=mailbox,
        uidl=uidl,
        defaults={"team_id": mailbox.team_id, "verdict": verdict},
    )
    if not created:
        MaildropMessage.objects.filter(pk=row.pk, verdict__in=PENDING).update(
            verdict=verdict, seen_at=timezone.now()
        )


def _settle(row: MaildropMessage, judged: Judged, fingerprint: str) -> bool:
    """Whether this call gives a postponed message its verdict."""
    return bool(
        MaildropMessage.objects.filter(pk=row.pk, verdict__in=PENDING).update(
            verdict=judged.verdict,
            ours=judged.ours,
            seen_at=timezone.now(),
            fingerprint=fingerprint,
        )
    )


def _concerns_us(report: Report, found: Match) -> bool:
    """Of somebody's own inbox: reports on a delivery, and other answers to a signed address."""
    if report.kind in _REPORTS:
        return found.delivery is not None
    return found.proven and report.kind != "ordinary"


def _kind(report: Report, recipient: Recipient | None) -> FeedbackKind:
    if report.kind == "bounce" and recipient is not None and recipient.action == "delayed":
        return FeedbackKind.DELAYED
    if report.kind == "feedback" and report.diagnostic in _NO_COMPLAINT:
        return FeedbackKind.UNRECOGNISED
    return _KINDS.get(report.kind, FeedbackKind.UNRECOGNISED)


def _feedback(source: Source, report: Report, found: Match, *, with_text: bool) -> Feedback:
    recipient, delivery = found.recipient, found.delivery
    kind = _kind(report, recipient)
    address = recipient.address if recipient else delivery.address if delivery else ""
    text, sealed = _text(source, report, found) if with_text else ("", None)
    reason = report.diagnostic if report.kind == "feedback" else recipient and recipient.reason
    return Feedback(
        team_id=source.team_id,
        kind=kind,
        mailbox=source.mailbox,
        delivery=delivery,
        campaign=delivery.campaign if delivery else None,
        proof=found.proof,
        address=_clean(address)[:320],
        address_key=_clean(key_of(address))[:320],
        hard=kind == FeedbackKind.BOUNCE and recipient is not None and recipient.cls == "hard",
        reason=_clean(reason or "")[:30],
        status=((recipient and recipient.status) or "")[:12],
        text=text,
        sealed_text=sealed,
    )


def _text(source: Source, report: Report, found: Match) -> tuple[str, bytes | None]:
    """The server's reply and the start of what is said, in clear or sealed.

    Both may quote the message: without a proof that this is no payslip, a team that sends payslips
    keeps neither.
    """
    parts = () if report.kind == "feedback" else (report.diagnostic,)
    text = _clean("\n".join(filter(None, (*parts, report.human_text))))
    if not found.proven or found.delivery is None:
        return ("" if originals.sends_payslips(source.team_id) else text), None
    campaign = found.delivery.campaign
    if not campaign.is_payslip:
        return text, None
    if campaign.workbook is None:
        return "", None
    try:
        return "", campaign.workbook.data_key.seal(text.encode())
    except ContentDestroyed:
        return "", None


def _clean(text: str) -> str:
    """Text that a database takes: no NUL, no lone surrogate."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _first_bounces(rows: Sequence[Feedback]) -> counts.Counts:
    """How the campaigns' counts of bounced deliveries change by these rows; tests don't count."""
    bounced = {
        row.delivery_id: row.delivery
        for row in rows
        if row.kind == FeedbackKind.BOUNCE
        and row.proof != Proof.NONE
        and row.delivery is not None
        and row.delivery.purpose != DeliveryPurpose.TEST
    }
    earlier = Feedback.objects.filter(delivery__in=bounced, kind=FeedbackKind.BOUNCE)
    for delivery_id in earlier.exclude(proof=Proof.NONE).values_list("delivery_id", flat=True):
        bounced.pop(delivery_id, None)
    changes: counts.Counts = {}
    for delivery in bounced.values():
        key = (delivery.campaign_id, counts.BOUNCED)
        changes[key] = changes.get(key, 0) + 1
    return changes


def _effects(judged: Judged) -> list[tuple[Delivery, SuppressionReason, str]]:
    """Whom this suppresses. Of a delivery that was spread to several addresses only some may be
    dead, so all of them have to be."""
    hard: dict[int, list[bool]] = {}
    for row in judged.rows:
        hard.setdefault(row.delivery_id or 0, []).append(row.hard)
    effects = []
    for row, found in zip(judged.rows, judged.matches, strict=True):
        if not found.proven or found.delivery is None:
            continue
        note = f"→ {row.address}" if found.names_another else ""
        if row.kind == FeedbackKind.COMPLAINT:
            effects.append((found.delivery, SuppressionReason.COMPLAINT, note))
        elif all(hard[found.delivery.pk]):
            effects.append((found.delivery, SuppressionReason.HARD_BOUNCE, note))
    return effects


def _softly_bounced(judged: Judged) -> list[Delivery]:
    """Whose mailbox did not take it this time."""
    return [
        found.delivery
        for row, found in zip(judged.rows, judged.matches, strict=True)
        if found.proven
        and found.delivery is not None
        and row.kind == FeedbackKind.BOUNCE
        and not row.hard
        and row.reason in OF_THE_MAILBOX
    ]
