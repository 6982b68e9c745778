"""Which of the kinds a message is, and what follows for its recipients.

In this order: complaint, challenge, disposition, Amazon's JSON, the fields of RFC 3464, prose; what
is none of them is an automatic reply or an ordinary mail.
"""

from collections.abc import Iterable

from campaigns.mailer import arf, dsn
from campaigns.mailer.bounces import amazonsns, prose, returned
from campaigns.mailer.bounces.addresses import addresses_in, is_address
from campaigns.mailer.bounces.autoreply import is_autoreply, is_disposition
from campaigns.mailer.bounces.challenge import is_challenge
from campaigns.mailer.bounces.evidence import Evidence, best_status, command_in, normalised
from campaigns.mailer.bounces.parts import read_parts
from campaigns.mailer.bounces.reading import Reading, readable
from campaigns.mailer.bounces.report import Found, Kind, Recipient
from campaigns.mailer.bounces.suspicion import (
    is_answer,
    is_delay,
    is_from_daemon,
    is_named_daemon,
    looks_like_report,
    speaks_of_failure,
)
from campaigns.mailer.bounces.verdict import judge
from campaigns.mailer.bounces.writer import Writer
from campaigns.mailer.bounces.writers.order import writer_of
from campaigns.mailer.bounces.writers.powermta import CATEGORIES


def decide(reading: Reading) -> Found:
    """The kind of a message and its recipients. Never raises."""
    part = reading.part
    if reading.feedback or _is_complaint(reading):
        return _feedback(reading)
    if is_challenge(part.get("from"), dict(part.headers), reading.said):
        return Found("challenge")
    if is_disposition(part):
        return Found("autoreply")
    if notification := amazonsns.read_notification(reading.whole):
        return notified(notification)
    found = _by_status(reading) if reading.status and _is_report(reading) else None
    return found or _by_prose(reading)


def _is_report(reading: Reading) -> bool:
    """Whether the status fields are the message's own, and not quoted or forwarded by a person."""
    if is_answer(reading.part) and not is_named_daemon(reading.part):
        return False
    return reading.is_declared or looks_like_report(reading.part)


# --- complaints and notifications


def _is_complaint(reading: Reading) -> bool:
    """A complaint that its provider sends without the machine-readable part (Microsoft, some others)."""
    if reading.part.parameters.get("report-type", "").lower() == "feedback-report":
        return True
    if any(name == "x-hmxmroriginalrecipient" for name, _ in reading.returned):
        return True
    starts = ("complaint about message from", "abuse report", "email feedback report for ip")
    return reading.subject.lower().startswith(starts)


def _feedback(reading: Reading) -> Found:
    report = arf.read_feedback(reading.feedback, reading.returned)
    recipients = tuple(Recipient(a, "soft", "feedback") for a in report.recipients)
    return Found("feedback", recipients, report.feedback_type, report.user_agent)


def notified(notification: amazonsns.Notification) -> Found:
    """What Amazon's JSON says, by mail or by webhook."""
    recipients = tuple(_notified_of(n, notification.kind) for n in notification.recipients)
    kind: Kind = notification.kind if recipients else "unrecognised"
    return Found(kind, recipients, next((n.diagnostic for n in notification.recipients), ""))


def _notified_of(notice: amazonsns.Notice, kind: Kind) -> Recipient:
    if kind != "bounce":
        return Recipient(notice.address, "soft", kind, None, notice.action)
    evidence = Evidence(
        reply=notice.diagnostic,
        status=best_status(notice.diagnostic, notice.status),
        action=notice.action,
        machine_readable=True,
    )
    verdict = judge(evidence)
    return Recipient(notice.address, verdict.cls, verdict.reason, evidence.status, notice.action)


# --- RFC 3464


def _by_status(reading: Reading) -> Found | None:
    """What the status fields say, or None where they name nobody."""
    report = dsn.read_delivery_status(reading.status)
    usable = [r for r in report.recipients if is_address(r.address)]
    if not usable:
        return None
    failing = [r for r in usable if _action(r) in ("failed", "delayed")]
    diagnostic = next((r.diagnostic for r in usable if r.diagnostic), "")
    originals = {
        r.address: r.original_recipient
        for r in usable
        if is_address(r.original_recipient) and r.original_recipient != r.address
    }
    if failing:
        paragraphs = prose.find_recipients(reading.said, set(), None)
        recipients = _each_once(_failed(r, reading, paragraphs) for r in failing)
    else:
        recipients = tuple(
            Recipient(r.address, "soft", "delivered", r.status, _action(r)) for r in usable
        )
    kind: Kind = "bounce" if failing else "delivered"
    return Found(kind, recipients, diagnostic, report.reporting_mta, originals)


def _each_once(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """One entry an address; a final failure counts before a delay."""
    kept: dict[str, Recipient] = {}
    for recipient in recipients:
        known = kept.get(recipient.address.lower())
        if known is None or (known.action == "delayed" and recipient.action == "failed"):
            kept[recipient.address.lower()] = recipient
    return tuple(kept.values())


def _action(recipient: dsn.RecipientStatus) -> str:
    if recipient.action:
        return recipient.action
    return {"2": "delivered", "4": "delayed"}.get((recipient.status or "5")[0], "failed")


def _failed(
    recipient: dsn.RecipientStatus, reading: Reading, paragraphs: list[prose.Finding]
) -> Recipient:
    names = {recipient.final_recipient.lower(), recipient.original_recipient.lower()}
    own = "\n".join(p.text for p in paragraphs if p.address.lower() in names)
    around = own or reading.said
    evidence = Evidence(
        reply=recipient.diagnostic,
        around=around,
        status=best_status(recipient.diagnostic, recipient.status),
        action=_action(recipient),
        command=command_in(recipient.diagnostic) or command_in(around),
        machine_readable=True,
    )
    verdict = judge(evidence, CATEGORIES.get(recipient.category))
    return Recipient(
        recipient.address, verdict.cls, verdict.reason, evidence.status, evidence.action
    )


# --- prose


def _by_prose(reading: Reading) -> Found:
    part = reading.part
    answers = is_autoreply(part, reading.said)
    other: Kind = "autoreply" if answers else "ordinary"
    said = normalised(f"{part.get('from')} {reading.subject} {reading.said[:5000]}")
    writer = writer_of(said)
    is_sure = writer is not None and writer.sure
    suspected = looks_like_report(part) and (is_named_daemon(part) or not answers)
    if not is_sure and not (suspected and speaks_of_failure(reading.subject, reading.said)):
        return Found(other)
    findings = _findings(reading, writer)
    if not findings and (nested := _nested(reading)):
        return nested
    if not findings and not is_sure and not is_from_daemon(part):
        return Found(other)
    if not findings:
        named = returned.recipients_of(reading.returned)[:1]
        findings = [prose.Finding(address, reading.said) for address in named]
    if not findings:
        return Found("autoreply" if answers else "unrecognised")
    return _bounced(findings, writer, reading)


def _findings(reading: Reading, writer: Writer | None) -> list[prose.Finding]:
    """Whom the text names; Exim's and Gmail's X-Failed-Recipients where it names others or none."""
    part = reading.part
    fields = ("from", "to", "reply-to", "sender")
    own = {a.lower() for name in fields for a in addresses_in(part.get(name))}
    findings = prose.find_recipients(reading.said, own, writer)
    failed = addresses_in(",".join(part.get_all("x-failed-recipients")))
    named = {finding.address.lower() for finding in findings}
    if failed and not named & {address.lower() for address in failed}:
        return [prose.Finding(address, reading.said) for address in failed]
    return findings


def _nested(reading: Reading) -> Found | None:
    """A gateway wraps a report in one of its own that names nobody."""
    for part in reading.part.walk():
        if returned.is_returned(part):
            inner = readable(read_parts(part.body))
            if inner.part.content_type == "multipart/report" and inner.status:
                return _by_status(inner)
    return None


def _bounced(findings: list[prose.Finding], writer: Writer | None, reading: Reading) -> Found:
    alone = len(findings) == 1
    recipients = tuple(_described(f, writer, reading, alone=alone) for f in findings)
    originals = {f.address: f.original for f in findings if f.original}
    return Found("bounce", recipients, " ".join(findings[0].text[:4000].split()), "", originals)


def _described(
    finding: prose.Finding, writer: Writer | None, reading: Reading, *, alone: bool
) -> Recipient:
    told = writer.cause_in(normalised(finding.text)) if writer else None
    if writer and told is None and alone:  # the cause may stand above the address
        told = writer.cause_in(normalised(reading.said))
    evidence = Evidence(
        reply=finding.text,
        around=f"{reading.said}\n{reading.subject}",
        status=best_status(finding.text, None) or best_status(reading.said, None),
        action="delayed" if is_delay(reading.subject, reading.said) else "failed",
        command=command_in(finding.text) or command_in(reading.said),
    )
    verdict = judge(evidence, told)
    return Recipient(finding.address, verdict.cls, verdict.reason, evidence.status, evidence.action)
