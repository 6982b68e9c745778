"""The verdict on any message that came back: what it is, and whom it concerns.

Stage: bounce reading (RFC 3464, 3834, 5965, 6522 and prose). `read` never raises and is bounded in
time and memory, whatever the bytes are. Nothing here decides whether a report is to be believed:
`envelope_to` and `returned_message_id` are what the caller checks against its own deliveries.
"""

from dataclasses import dataclass, field
from typing import Literal

from campaigns.mailer import arf, dsn
from campaigns.mailer.bounces import amazonsns, prose, returned
from campaigns.mailer.bounces.addresses import addresses_in, is_address
from campaigns.mailer.bounces.autoreply import is_autoreply, is_disposition
from campaigns.mailer.bounces.challenge import is_challenge
from campaigns.mailer.bounces.evidence import Evidence, best_status, command_in, normalised
from campaigns.mailer.bounces.parts import Part, read_parts
from campaigns.mailer.bounces.reading import Reading, readable
from campaigns.mailer.bounces.suspicion import is_from_daemon, looks_like_report, speaks_of_failure
from campaigns.mailer.bounces.verdict import judge
from campaigns.mailer.bounces.writer import Writer
from campaigns.mailer.bounces.writers.order import writer_of
from campaigns.mailer.bounces.writers.powermta import CATEGORIES

Kind = Literal[
    "bounce", "delivered", "feedback", "autoreply", "challenge", "ordinary", "unrecognised"
]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of a report: `cls` is hard or soft, `reason` in sisimai's words, `status` x.y.z
    (RFC 3463) or None, `action` failed, delayed, delivered, expanded, relayed (RFC 3464) or None."""

    address: str
    cls: str
    reason: str
    status: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a message is (`kind`) and whom it concerns, with what is needed to match it.

    `returned_message_id` and `returned_headers` are of the message that came back; `envelope_to` the
    addresses that this report was delivered to (for a signed return path); `diagnostic` the first
    server reply; `human_text` the start of the readable text.
    """

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    returned_message_id: str = ""
    returned_headers: dict[str, str] = field(default_factory=dict)
    envelope_to: tuple[str, ...] = ()
    reporting_mta: str = ""
    diagnostic: str = ""
    human_text: str = ""


def read(raw: bytes) -> Report:
    """What `raw` is and whom it concerns. Never raises; at most some 2 MiB of it are looked at."""
    reading = readable(read_parts(raw))
    kind, recipients, diagnostic, mta = _verdict(reading)
    headers = returned.kept_fields(reading.returned)
    return Report(
        kind=kind,
        recipients=recipients,
        returned_message_id=headers.get("message-id", "").strip() or "",
        returned_headers=headers,
        envelope_to=_envelope_to(reading.part),
        reporting_mta=mta[:255],
        diagnostic=diagnostic[:2000],
        human_text=" ".join(reading.said.split())[:500],
    )


_Found = tuple[Kind, tuple[Recipient, ...], str, str]
_ENVELOPE_FIELDS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to")


def _envelope_to(part: Part) -> tuple[str, ...]:
    found = (
        a for name in _ENVELOPE_FIELDS for v in part.get_all(name)[:10] for a in addresses_in(v)
    )
    return tuple(dict.fromkeys(found))[:20]


def _verdict(reading: Reading) -> _Found:
    part = reading.part
    if reading.feedback or _is_complaint(reading):
        return _feedback(reading)
    headers = dict(part.headers)
    if is_challenge(part.get("from"), headers, reading.said):
        return "challenge", (), "", ""
    if is_disposition(part):
        return "autoreply", (), "", ""
    if notification := amazonsns.read_notification(reading.whole):
        return _notified(notification)
    if reading.status:
        found = _by_status(reading)
        if found is not None:
            return found
    return _by_prose(reading)


def _is_complaint(reading: Reading) -> bool:
    """A complaint that its provider sends without the machine-readable part (Microsoft, some others)."""
    part, subject = reading.part, reading.subject.lower()
    if part.parameters.get("report-type", "").lower() == "feedback-report":
        return True
    returned_names = {name for name, _ in reading.returned}
    if "x-hmxmroriginalrecipient" in returned_names:
        return True
    return subject.startswith(
        ("complaint about message from", "abuse report", "email feedback report for ip")
    )


def _feedback(reading: Reading) -> _Found:
    report = arf.read_feedback(reading.feedback, reading.returned)
    recipients = tuple(Recipient(a, "soft", "feedback") for a in report.recipients)
    return "feedback", recipients, report.feedback_type, report.user_agent


def _notified(notification: amazonsns.Notification) -> _Found:
    if notification.kind != "bounce":
        kind: Kind = "delivered" if notification.kind == "delivered" else "feedback"
        return (
            kind,
            tuple(
                Recipient(a, "soft", kind, None, act) for a, act, _, _ in notification.recipients
            ),
            "",
            "",
        )
    recipients = []
    for address, action, status, diagnostic in notification.recipients:
        evidence = Evidence(
            reply=diagnostic,
            status=best_status(diagnostic, status),
            action=action,
            machine_readable=True,
        )
        verdict = judge(evidence)
        recipients.append(Recipient(address, verdict.cls, verdict.reason, evidence.status, action))
    kind = "bounce" if recipients else "unrecognised"
    return kind, tuple(recipients), next((d for *_, d in notification.recipients), ""), ""


def _by_status(reading: Reading) -> _Found | None:
    report = dsn.read_delivery_status(reading.status)
    mta = report.reporting_mta
    usable = [r for r in report.recipients if r.address]
    if not usable:
        return None
    actions = [_action(r) for r in usable]
    if all(action in ("delivered", "relayed", "expanded") for action in actions):
        done = zip(usable, actions, strict=True)
        recipients = tuple(
            Recipient(r.address, "soft", "delivered", r.status, act) for r, act in done
        )
        return "delivered", recipients, "", mta
    paragraphs = prose.find_recipients(reading.said, set(), None)
    failing = [
        _judged(r, action, reading, paragraphs)
        for r, action in zip(usable, actions, strict=True)
        if action in ("failed", "delayed")
    ]
    recipients = tuple(r for r in failing if is_address(r.address)) or tuple(failing)
    if not any(is_address(r.address) for r in recipients):
        return None
    return "bounce", recipients, next((r.diagnostic for r in usable if r.diagnostic), ""), mta


def _action(recipient: dsn.RecipientStatus) -> str:
    if recipient.action:
        return recipient.action
    return {"2": "delivered", "4": "delayed"}.get((recipient.status or "5")[0], "failed")


def _judged(
    recipient: dsn.RecipientStatus, action: str, reading: Reading, paragraphs: list[prose.Finding]
) -> Recipient:
    names = {recipient.final_recipient.lower(), recipient.original_recipient.lower()}
    own = "\n".join(p.text for p in paragraphs if p.address.lower() in names)
    around = own or reading.said
    evidence = Evidence(
        reply=recipient.diagnostic,
        around=around,
        status=best_status(recipient.diagnostic, recipient.status),
        action=action,
        command=command_in(recipient.diagnostic) or command_in(around),
        machine_readable=True,
    )
    verdict = judge(evidence, CATEGORIES.get(recipient.category))
    return Recipient(recipient.address, verdict.cls, verdict.reason, evidence.status, action)


def _by_prose(reading: Reading) -> _Found:
    part = reading.part
    text = normalised(f"{reading.subject} {reading.said[:5000]}")
    writer = writer_of(text)
    suspected = looks_like_report(part)
    fails = speaks_of_failure(reading.subject, reading.said)
    if not (suspected and fails) and not (writer and writer.sure):
        return ("autoreply" if is_autoreply(part, reading.said) else "ordinary"), (), "", ""
    own = {
        a.lower()
        for name in ("from", "to", "reply-to", "sender")
        for a in addresses_in(part.get(name))
    }
    findings = prose.find_recipients(reading.said, own, writer)
    failed = addresses_in(",".join(part.get_all("x-failed-recipients")))
    if not findings or (
        failed and not {f.address.lower() for f in findings} & {a.lower() for a in failed}
    ):
        findings = [prose.Finding(a, reading.said) for a in failed] or findings
    if not findings:
        nested = _nested(reading)
        if nested is not None:
            return nested
        strong = is_from_daemon(part) or (writer is not None and writer.sure)
        if not strong:
            return ("autoreply" if is_autoreply(part, reading.said) else "ordinary"), (), "", ""
        named = returned.recipients_of(reading.returned)
        findings = [prose.Finding(a, reading.said) for a in named[:1]]
    if not findings:
        kind: Kind = "autoreply" if is_autoreply(part, reading.said) else "unrecognised"
        return kind, (), "", ""
    delayed = _is_delay(reading)
    if len(findings) == 1:  # the cause may stand above the address
        findings[0].text += "\n" + reading.said
    recipients = tuple(_described(f, writer, reading, delayed) for f in findings)
    return "bounce", recipients, " ".join(findings[0].text.split()), ""


def _is_delay(reading: Reading) -> bool:
    said = normalised(f"{reading.subject} {reading.said[:3000]}")
    return (
        any(
            w in said
            for w in (
                "warning message only",
                "this is a warning",
                "delayed",
                "not yet been delivered",
                "will be retried",
                "still being retried",
            )
        )
        and "failed permanently" not in said
    )


def _nested(reading: Reading) -> _Found | None:
    """A gateway wraps a report in one of its own that names nobody."""
    for part in reading.part.walk():
        if returned.is_returned(part):
            inner = readable(read_parts(part.body))
            if inner.part.content_type == "multipart/report" and inner.status:
                return _by_status(inner)
    return None


def _described(
    finding: prose.Finding, writer: Writer | None, reading: Reading, delayed: bool
) -> Recipient:
    text = normalised(finding.text)
    told = writer.cause_in(text) if writer else None
    action = "delayed" if delayed else "failed"
    status = best_status(finding.text, None) or best_status(reading.said, None)
    evidence = Evidence(
        reply=finding.text,
        around=f"{reading.said}\n{reading.subject}",
        status=status,
        action=action,
        command=command_in(finding.text) or command_in(reading.said),
    )
    verdict = judge(evidence, told)
    return Recipient(finding.address, verdict.cls, verdict.reason, status, action)
