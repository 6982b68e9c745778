"""A message taken apart once: its readable text, its machine-readable parts, what it returns."""

from dataclasses import dataclass

from campaigns.mailer import dsn
from campaigns.mailer.bounces.parts import Part
from campaigns.mailer.bounces.prose import cut_returned
from campaigns.mailer.bounces.returned import Headers, is_returned, returned_header
from campaigns.mailer.bounces.texts import header_text, text_of

#: Readable text kept of a whole message, in characters.
MAX_READABLE = 256 * 1024
#: Text parts read of one message.
MAX_TEXTS = 10
_STATUS_TYPES = (
    "message/delivery-status",
    "message/global-delivery-status",
    "message/xdelivery-status",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """`said` is the report in prose, `tail` the returned message in its text, `status` the text of
    the delivery-status parts, `feedback` that of a feedback report. `is_declared` is false where
    the status fields only stand in the text, as they do in a person's answer that quotes a report."""

    part: Part
    subject: str
    said: str
    returned: Headers
    status: str = ""
    feedback: str = ""
    whole: str = ""
    is_declared: bool = True


def readable(part: Part) -> Reading:
    """What a person and a machine can read of `part`, without what it returns. Never raises."""
    text = _texts(part)
    said, tail = cut_returned(text)
    status = _of_types(part, _STATUS_TYPES)
    return Reading(
        part=part,
        subject=header_text(part.get("subject")),
        said=said if said.strip() else text,
        returned=returned_header(part, tail),
        status=status or _undeclared_status(text),
        feedback=_of_types(part, ("message/feedback-report",)),
        whole=text,
        is_declared=bool(status),
    )


def _texts(part: Part) -> str:
    """The text parts above the returned message; of alternatives the plain one, if it says anything."""
    texts: list[str] = []
    _collect(part, texts)
    return "\n".join(texts)[:MAX_READABLE]


def _collect(part: Part, texts: list[str]) -> None:
    if is_returned(part) or part.content_type in _STATUS_TYPES:
        return
    if part.parts:
        chosen = part.parts
        if part.content_type == "multipart/alternative":
            plain = [p for p in part.parts if p.content_type == "text/plain" and text_of(p).strip()]
            chosen = tuple(plain[:1]) or part.parts
        for child in chosen:
            _collect(child, texts)
    elif _is_readable(part) and len(texts) < MAX_TEXTS:
        is_attached = part.get("content-disposition").lower().startswith("attachment")
        if not (is_attached and texts):
            texts.append(text_of(part))


def _is_readable(part: Part) -> bool:
    """Text; and a multipart whose boundary never came is text to a person."""
    return part.content_type in ("text/plain", "text/html") or part.content_type.startswith(
        "multipart/"
    )


def _of_types(part: Part, types: tuple[str, ...]) -> str:
    return "\n\n".join(text_of(p) for p in part.walk() if p.content_type in types)[:MAX_READABLE]


def _undeclared_status(text: str) -> str:
    """Some senders put the fields of RFC 3464 into the text."""
    if not dsn.has_recipient_fields(text):
        return ""
    lowered = text.lower()
    start = min(
        p for p in (lowered.find("reporting-mta:"), lowered.find("final-recipient:")) if p >= 0
    )
    return text[start:]
