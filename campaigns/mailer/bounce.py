"""The verdict on any message that came back: what it is, and whom it concerns.

Stage: bounce reading (RFC 3464, 3834, 5965, 6522 and prose). `read` never raises and is bounded in
time and memory, whatever the bytes are. Nothing here decides whether a report is to be believed:
`envelope_to` and `returned_message_id` are what the caller checks against its own deliveries.
"""

from dataclasses import dataclass, field

from campaigns.mailer.bounces import returned
from campaigns.mailer.bounces.addresses import addresses_in
from campaigns.mailer.bounces.amazonsns import read_notification
from campaigns.mailer.bounces.decide import decide, notified
from campaigns.mailer.bounces.parts import Part, read_parts
from campaigns.mailer.bounces.reading import readable
from campaigns.mailer.bounces.report import Kind, Recipient

__all__ = ["Kind", "Recipient", "Report", "read", "read_event"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a message is (`kind`) and whom it concerns, with what is needed to match it.

    `returned_message_id` and `returned_headers` are of the message that came back; `envelope_to` the
    addresses that this report was delivered to (for a signed return path); `diagnostic` the first
    server reply; `human_text` the start of the readable text. `original_addresses` maps a final
    recipient to the address that we wrote to, where the report says that it is another.
    """

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    returned_message_id: str = ""
    returned_headers: dict[str, str] = field(default_factory=dict)
    envelope_to: tuple[str, ...] = ()
    reporting_mta: str = ""
    diagnostic: str = ""
    human_text: str = ""
    original_addresses: dict[str, str] = field(default_factory=dict)


def read(raw: bytes) -> Report:
    """What `raw` is and whom it concerns. Never raises; at most MAX_BYTES (2 MiB) are looked at."""
    reading = readable(read_parts(raw))
    found = decide(reading)
    headers = returned.kept_fields(reading.returned)
    return Report(
        kind=found.kind,
        recipients=found.recipients,
        returned_message_id=headers.get("message-id", "").strip(),
        returned_headers=headers,
        envelope_to=_envelope_to(reading.part),
        reporting_mta=found.reporting_mta[:255],
        diagnostic=found.diagnostic[:2000],
        human_text=" ".join(reading.said[:4000].split())[:500],
        original_addresses=found.originals,
    )


def read_event(text: str) -> Report | None:
    """What Amazon's JSON says of a message, wherever it came from; None for other text. Never raises."""
    notification = read_notification(text)
    if notification is None:
        return None
    found = notified(notification)
    return Report(
        kind=found.kind,
        recipients=found.recipients,
        returned_message_id=f"<{notification.message_id}>" if notification.message_id else "",
        diagnostic=found.diagnostic[:2000],
    )


_ENVELOPE_FIELDS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to")


def _envelope_to(part: Part) -> tuple[str, ...]:
    found = (
        a for name in _ENVELOPE_FIELDS for v in part.get_all(name)[:10] for a in addresses_in(v)
    )
    return tuple(dict.fromkeys(found))[:20]
