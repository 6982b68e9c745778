"""A message from its parts: header section and multipart/alternative body (RFC 5322, 2045, 2046).

What all messages of a campaign share is built once, in `Skeleton`; per message only the recipient, the subject,
Date, Message-ID, the two texts and its own files are encoded. There is exactly one To, and no way to add Cc or Bcc.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

from campaigns.mailer.address import Mailbox
from campaigns.mailer.attachment import (
    MIXED_BOUNDARY,
    RELATED_BOUNDARY,
    Attachment,
    Picture,
    mixed,
    related,
)
from campaigns.mailer.encoded_words import (
    HeaderFault,
    folded,
    phrase,
    refuse_controls,
    unstructured,
)
from campaigns.mailer.mime_body import encode_text

Field = tuple[bytes, bytes]

#: "=_" can occur neither in base64 nor in quoted-printable (RFC 2045 section 6.7), so no text can forge it.
_BOUNDARY = b"=_hongyan_alternative"
_ALTERNATIVE = b' multipart/alternative; boundary="' + _BOUNDARY + b'"\r\n'
_MIXED = b' multipart/mixed; boundary="' + MIXED_BOUNDARY + b'"\r\n'
_RELATED = (
    b' multipart/related; type="multipart/alternative";\r\n boundary="'
    + RELATED_BOUNDARY
    + b'"\r\n'
)
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+>")

#: Fields that Skeleton writes itself, and those that would add a recipient or a second meaning.
_OWN = frozenset(
    [
        "from",
        "to",
        "cc",
        "bcc",
        "sender",
        "reply-to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "return-path",
        "dkim-signature",
        "received",
        "resent-to",
        "resent-cc",
        "resent-bcc",
        "resent-from",
        "resent-sender",
        "resent-date",
        "resent-message-id",
    ]
)

#: Bulk mail asks automatic responders to be silent: RFC 3834 section 5, and what Exchange heeds instead of it.
#: Bounces are not silenced: they are reports, no responses.
BULK_HEADERS = (
    ("Auto-Submitted", "auto-generated"),
    ("Precedence", "bulk"),
    ("X-Auto-Response-Suppress", "OOF, AutoReply"),
)


class MessageFault(ValueError):
    """A message can't be built from this. `kind` is `control`, `long`, `name`, `reserved`, `message_id` or `date`."""

    def __init__(self, kind: str, field: str, text: str) -> None:
        super().__init__(f"{field}：{text}")
        self.kind = kind
        self.field = field
        self.text = text


@dataclass(frozen=True, slots=True)
class Message:
    """Header fields in order, each (name, value as it stands after the colon, folded, with its CRLF), and the body.

    `armour`: so many octets at the end are base64 and our own boundaries, which hold neither a dot at the start of a
    line nor a CR or LF by itself (smtp_content.py need not look for them).
    """

    fields: list[Field]
    body: bytes
    armour: int = 0

    def content(self, extra: Iterable[Field] = ()) -> bytes:
        """The octets to send after DATA, before dot-stuffing; `extra` (signatures) stand on top."""
        header = [name + b":" + value for name, value in (*extra, *self.fields)]
        return b"".join((*header, b"\r\n", self.body))


class Skeleton:
    """The part of a campaign's messages that doesn't change.

    `headers` may replace one of BULK_HEADERS, and may hold nothing that Skeleton writes itself. Values in ASCII are
    taken as they are (structured fields), others become encoded words. Raises `MessageFault`.
    """

    def __init__(
        self, *, from_: Mailbox, reply_to: Mailbox | None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        given = {name.lower() for name, _ in headers}
        bulk = [(name, value) for name, value in BULK_HEADERS if name.lower() not in given]
        self._from = _mailbox_field("From", from_)
        reply = [_mailbox_field("Reply-To", reply_to)] if reply_to else []
        self._shared: list[Field] = [
            *reply,
            *_extra_fields([*bulk, *headers]),
            (b"MIME-Version", b" 1.0\r\n"),
        ]

    def build(
        self,
        *,
        to: Mailbox,
        subject: str,
        html: str,
        text: str,
        message_id: str,
        date: datetime,
        headers: Sequence[tuple[str, str]] = (),
        attachments: Sequence[Attachment] = (),
        pictures: Sequence[Picture] = (),
    ) -> Message:
        """One message to one recipient; `date` is aware. With files the body is a multipart/mixed around its two texts,
        with pictures of its HTML these are a multipart/related.

        Raises `MessageFault`, never builds a doubtful message.
        """
        if not _MESSAGE_ID.fullmatch(message_id):
            raise MessageFault("message_id", "Message-ID", "不是合规的 Message-ID")
        inner = _RELATED if pictures else _ALTERNATIVE
        fields = [
            self._from,
            _mailbox_field("To", to),
            (b"Subject", _line(_checked("Subject", subject))),
            (b"Date", _line(_date(date))),
            (b"Message-ID", _line(message_id)),
            *(_extra_fields(headers) if headers else ()),
            *self._shared,
            (b"Content-Type", _MIXED if attachments else inner),
        ]
        try:
            body = _alternative(text, html)
        except UnicodeEncodeError:
            raise MessageFault("control", "body", "正文里有不成对的代理字符，无法编码") from None
        if pictures:
            body = related(_ALTERNATIVE, body, pictures)
        if attachments:
            body = mixed(inner, body, attachments)
        armoured = not (pictures or attachments or text.isascii() or html.isascii())
        return Message(fields, body, len(body) if armoured else 0)


def _alternative(text: str, html: str) -> bytes:
    """Plain first, HTML last, as RFC 2046 section 5.1.4 orders them: the last is the preferred one."""
    parts = [_part(b"plain", text), _part(b"html", html)]
    return b"".join((*parts, b"--", _BOUNDARY, b"--\r\n"))


def _part(subtype: bytes, text: str) -> bytes:
    encoding, lines = encode_text(text)
    return (
        b"--%b\r\nContent-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n\r\n%b"
        % (_BOUNDARY, subtype, encoding, lines)
    )


def _line(value: str) -> bytes:
    return b" %b\r\n" % value.encode("ascii")


def _checked(name: str, value: str) -> str:
    try:
        return unstructured(value)
    except HeaderFault as fault:
        raise MessageFault(fault.kind, name, fault.text) from None


def _date(date: datetime) -> str:
    if date.tzinfo is None:
        raise MessageFault("date", "Date", "时间没有时区")
    return _formatted(date.replace(microsecond=0), date.utcoffset())


@lru_cache(maxsize=2)
def _formatted(date: datetime, _offset: timedelta | None) -> str:
    """A worker sends thousands within one second. Instants are equal whatever their zones are."""
    return format_datetime(date)


def _mailbox_field(name: str, mailbox: Mailbox) -> Field:
    """An address with SMTPUTF8 characters goes as UTF-8 (RFC 6532); the caller has seen that the relay takes it."""
    shown = phrase(mailbox.name)
    separator = "\r\n " if len(shown) + len(mailbox.address) > 60 else " "
    value = f"{shown}{separator}<{mailbox.address}>" if shown else mailbox.address
    return name.encode(), b" %b\r\n" % value.encode()


def _extra_fields(headers: Iterable[tuple[str, str]]) -> list[Field]:
    return [_extra_field(name, value) for name, value in headers]


def _extra_field(name: str, value: str) -> Field:
    if not _FIELD_NAME.fullmatch(name):
        raise MessageFault("name", name[:40], "不是合规的邮件头名称")
    if name.lower() in _OWN or name.lower().startswith("content-"):
        raise MessageFault("reserved", name, "这个邮件头由系统填写，不能另加")
    try:
        refuse_controls(value)
        body = folded(name, value) if value.isascii() else unstructured(value)
    except HeaderFault as fault:
        raise MessageFault(fault.kind, name, fault.text) from None
    return name.encode(), _line(body)
