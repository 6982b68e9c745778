"""A stored message as a person reads it: decoded headers, the HTML and the text part.

The mail is hostile until shown otherwise: whatever it holds, reading it gives something and never
raises, and nothing here makes its HTML safe. That is the frame's work (see `views`).
"""

import email
import email.policy
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import islice

MAX_HEADER_BYTES = 64 * 1024
MAX_PARTS = 200
MAX_SHOWN_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list shows of a message."""

    subject: str
    sender: str


@dataclass(frozen=True, slots=True)
class Readable:
    """What a page shows of a message; None where it has no such part."""

    headers: list[tuple[str, str]]
    html: str | None = None
    text: str | None = None
    attachments: list[str] = field(default_factory=list)


def summary_of(head: bytes) -> Summary:
    """Subject and author; `head` is the beginning of a message, all its headers or some."""
    headers = BytesHeaderParser(policy=email.policy.compat32).parsebytes(head[:MAX_HEADER_BYTES])
    return Summary(decoded(headers.get("Subject")), decoded(headers.get("From")))


def readable(raw: bytes) -> Readable:
    """The first HTML and the first text part that are not attachments, and the names of those."""
    try:
        message = email.message_from_bytes(raw, policy=email.policy.compat32)
        parts = list(islice(_leaves(message), MAX_PARTS))
    except (RecursionError, ValueError):  # thousands of nested parts
        message = BytesHeaderParser(policy=email.policy.compat32).parsebytes(raw)
        parts = []
    shown: dict[str, str] = {}
    attachments = []
    for part in parts:
        kind = part.get_content_type()
        if part.get_content_disposition() == "attachment" or not kind.startswith("text/"):
            attachments.append(decoded(part.get_filename()) or kind)
        elif kind not in shown:
            shown[kind] = _text_of(part)
    headers = [(name, decoded(value)) for name, value in message.items()]
    return Readable(headers, shown.get("text/html"), shown.get("text/plain"), attachments)


def decoded(value: object) -> str:
    """A header in words: encoded words (RFC 2047) decoded, folding undone, never an error."""
    text = "" if value is None else str(value)
    with suppress(LookupError, ValueError, MessageError):  # then it is shown as it came
        text = str(make_header(decode_header(text)))
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that are no containers; an enclosed message counts as one and is not opened."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        enclosed = part.get_payload() if part.get_content_maintype() == "multipart" else None
        if isinstance(enclosed, list):
            waiting.extend(p for p in reversed(enclosed) if isinstance(p, Message))
        else:
            yield part


def _text_of(part: Message) -> str:
    content = part.get_payload(decode=True)
    octets = content if isinstance(content, bytes) else b""
    try:
        text = octets.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        text = octets.decode("utf-8", "replace")
    return text[:MAX_SHOWN_CHARACTERS]
