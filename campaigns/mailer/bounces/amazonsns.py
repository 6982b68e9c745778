"""Amazon SES notifications that arrive as mail: one JSON object (the SES developer guide's contents)."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Notice:
    """What is said of one recipient."""

    address: str
    action: str | None = None
    status: str | None = None
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """`message_id` is Amazon's own, which replaced ours."""

    kind: Literal["bounce", "feedback", "delivered"]
    recipients: tuple[Notice, ...]
    message_id: str = ""


#: Characters of JSON that are parsed.
MAX_JSON = 200_000
#: A long line that a mail server broke up.
_FOLDED = re.compile(r"!?\n ")
_KINDS: dict[str, Literal["bounce", "feedback", "delivered"]] = {
    "bounce": "bounce",
    "complaint": "feedback",
    "delivery": "delivered",
}
_LISTS = {
    "bounce": "bouncedRecipients",
    "complaint": "complainedRecipients",
    "delivery": "recipients",
}


def read_notification(text: str) -> Notification | None:
    """The notification that a text holds, or None if it holds none. Never raises."""
    start = text.find("{", 0, 2000)
    if start < 0 or ("otificationType" not in text and "eventType" not in text):
        return None
    text = _FOLDED.sub("", text[: 2 * MAX_JSON])
    try:
        data, _ = json.JSONDecoder().raw_decode(text[start : start + MAX_JSON])
        if isinstance(data, dict) and isinstance(data.get("Message"), str):
            data = json.loads(data["Message"][:MAX_JSON])
    except (ValueError, RecursionError):
        return None
    return _notification(data) if isinstance(data, dict) else None


def _notification(data: dict[str, Any]) -> Notification | None:
    named = str(data.get("notificationType") or data.get("eventType") or "").lower()
    section = data.get(named)
    if named not in _KINDS or not isinstance(section, dict):
        return None
    listed = section.get(_LISTS[named])
    entries = [_notice(entry, named) for entry in listed[:100]] if isinstance(listed, list) else []
    mail = data.get("mail")
    message_id = str(mail.get("messageId") or "") if isinstance(mail, dict) else ""
    return Notification(_KINDS[named], tuple(e for e in entries if e.address), message_id[:300])


def _notice(entry: object, named: str) -> Notice:
    if isinstance(entry, str):
        return Notice(entry[:320], "delivered" if named == "delivery" else None)
    if not isinstance(entry, dict):
        return Notice("")
    text = {k: v[:2000] if isinstance(v, str) else "" for k, v in entry.items()}
    return Notice(
        address=text.get("emailAddress", ""),
        action=text.get("action") or ("failed" if named == "bounce" else None),
        status=text.get("status") or None,
        diagnostic=text.get("diagnosticCode", ""),
    )
