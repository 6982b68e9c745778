"""Delivery status notifications: the machine-readable part of a report (RFC 3464, RFC 6522)."""

import re
from dataclasses import dataclass

from campaigns.mailer.bounces.addresses import addresses_in, clean, is_address

#: Recipients read from one report, and characters kept of one field.
MAX_RECIPIENTS = 500
MAX_FIELD = 4000

ACTIONS = ("failed", "delayed", "delivered", "relayed", "expanded")

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,40})[ \t]{0,10}:[ \t]{0,40}(.*)")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_STARTS_RECIPIENT = ("final-recipient", "original-recipient")


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """The per-recipient fields (RFC 3464, 2.3).

    `status` is the enhanced status as x.y.z (RFC 3463) or None; `action` one of ACTIONS or None;
    `diagnostic` the text of Diagnostic-Code without its type; `category` PowerMTA's own word for it.
    """

    final_recipient: str
    original_recipient: str = ""
    action: str | None = None
    status: str | None = None
    diagnostic: str = ""
    diagnostic_type: str = ""
    remote_mta: str = ""
    category: str = ""

    @property
    def address(self) -> str:
        """The final recipient, or the original one where the final one is no mail address."""
        both = [a for a in (self.final_recipient, self.original_recipient) if is_address(a)]
        full = [a for a in both if "." in a.rpartition("@")[2]]  # not an inner name like a@server
        return next(iter(full or both), self.final_recipient or self.original_recipient)


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """The per-message fields (RFC 3464, 2.2) and one entry for each recipient."""

    reporting_mta: str = ""
    original_envelope_id: str = ""
    recipients: tuple[RecipientStatus, ...] = ()


def read_delivery_status(text: str) -> DeliveryStatus:
    """What a message/delivery-status body says; blocks without a recipient are per-message fields.

    Tolerates a missing blank line between blocks, fields in any order, and text around them.
    Never raises.
    """
    message: dict[str, str] = {}
    recipients: list[RecipientStatus] = []
    for block in _blocks(text):
        if any(name in block for name in _STARTS_RECIPIENT):
            if len(recipients) < MAX_RECIPIENTS:
                recipients.append(_recipient(block))
            message = {**block, **message}
        elif recipients and "status" in block and "reporting-mta" not in block:
            recipients[-1] = _completed(recipients[-1], block)
        else:
            message = {**block, **message}
    return DeliveryStatus(
        reporting_mta=_after_type(message.get("reporting-mta", "")),
        original_envelope_id=message.get("original-envelope-id", ""),
        recipients=tuple(recipients),
    )


def has_recipient_fields(text: str) -> bool:
    """Whether a text that is not declared as a status part carries its fields all the same."""
    lowered = text[:200_000].lower()
    return "final-recipient:" in lowered and ("status:" in lowered or "action:" in lowered)


def status_in(text: str) -> str | None:
    """The first enhanced status code in a text (RFC 3463), as x.y.z with no leading zeros."""
    match = _STATUS.search(text)
    return f"{match[1]}.{int(match[2])}.{int(match[3])}" if match else None


def _blocks(text: str) -> list[dict[str, str]]:
    """Groups of fields, split at blank lines and where a second recipient begins."""
    blocks: list[dict[str, str]] = [{}]
    name = ""
    for line in text.split("\n"):
        if not line.strip():
            blocks.append({})
            name = ""
        elif line[0] in " \t" and name and not _is_field(line.strip()):
            blocks[-1][name] = f"{blocks[-1][name]} {line.strip()}"[:MAX_FIELD]
        elif match := _FIELD.match(line.strip()):
            name = match[1].lower()
            if name in blocks[-1] and name == "final-recipient":
                blocks.append({})
            blocks[-1].setdefault(name, match[2].strip()[:MAX_FIELD])
        elif name:  # a continuation whose indentation was lost
            blocks[-1][name] = f"{blocks[-1][name]} {line.strip()}"[:MAX_FIELD]
    return [block for block in blocks if block]


def _is_field(line: str) -> bool:
    return line.lower().startswith(
        ("final-recipient:", "original-recipient:", "action:", "status:", "diagnostic-code:")
    )


def _recipient(fields: dict[str, str]) -> RecipientStatus:
    diagnostic_type, diagnostic = _typed(fields.get("diagnostic-code", ""))
    final = _mailbox(fields.get("final-recipient", ""))
    actual = _mailbox(fields.get("x-actual-recipient", ""))
    if not is_address(final) and is_address(actual):
        final = actual
    return RecipientStatus(
        final_recipient=final,
        original_recipient=_mailbox(fields.get("original-recipient", "")),
        action=_action(fields.get("action", "")),
        status=status_in(fields.get("status", "")),
        diagnostic=diagnostic,
        diagnostic_type=diagnostic_type,
        remote_mta=_after_type(fields.get("remote-mta", "")),
        category=fields.get("x-powermta-bouncecategory", "").lower(),
    )


def _completed(recipient: RecipientStatus, fields: dict[str, str]) -> RecipientStatus:
    """Some reports put a blank line between the recipient and its status."""
    rest = _recipient({"final-recipient": recipient.final_recipient, **fields})
    return RecipientStatus(
        final_recipient=recipient.final_recipient,
        original_recipient=recipient.original_recipient or rest.original_recipient,
        action=recipient.action or rest.action,
        status=recipient.status or rest.status,
        diagnostic=recipient.diagnostic or rest.diagnostic,
        diagnostic_type=recipient.diagnostic_type or rest.diagnostic_type,
        remote_mta=recipient.remote_mta or rest.remote_mta,
        category=recipient.category or rest.category,
    )


def _action(value: str) -> str | None:
    """ "failed (host unreachable)" and "failure" occur; the first word decides."""
    word = re.split(r"[^a-z]", value.strip().lower(), maxsplit=1)[0]
    aliases = {"failure": "failed", "fail": "failed", "expired": "delayed", "delay": "delayed"}
    word = aliases.get(word, word)
    return word if word in ACTIONS else None


def _typed(value: str) -> tuple[str, str]:
    """`smtp; 550 no such user` as ("smtp", "550 no such user") (RFC 3464, 2.1.2)."""
    kind, semicolon, rest = value.partition(";")
    if semicolon and len(kind.strip()) <= 20 and " " not in kind.strip():
        return kind.strip().lower(), rest.strip()
    return "", value.strip()


def _after_type(value: str) -> str:
    return _typed(value)[1]


def _mailbox(value: str) -> str:
    rest = _after_type(value).strip("<> ")
    if rest.startswith("@") and ":" in rest:  # a source route (RFC 5321, appendix C)
        rest = rest.rpartition(":")[2]
    if is_address(rest) and " " not in rest and "<" not in rest:
        return rest.strip("'")
    found = addresses_in(rest)
    return found[0] if found else clean(rest)
