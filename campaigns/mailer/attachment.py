"""A file that goes with a message: its own part of a multipart/mixed body (RFC 2046, 2183, 2231).

A picture that the HTML shows is a part of a multipart/related around the texts (RFC 2387, 2392).
"""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: Cannot occur in base64 nor in quoted-printable, and is no beginning of the boundary inside.
MIXED_BOUNDARY = b"=_hongyan_mixed"
RELATED_BOUNDARY = b"=_hongyan_related"

#: Characters of a file's name; file systems stop at 255 octets, and a Chinese character takes three.
LONGEST_NAME = 80

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
#: Controls, separators of paths and drives, what Windows forbids, bidirectional overrides ("fdp.exe" read backwards).
_ENDS = re.compile(r"\A[\s.]+|[\s.]+\Z")
_FORBIDDEN = re.compile(
    '[\x00-\x1f\x7f-\x9f/\\\\:*?"<>|\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]'
)
_CONTENT_ID = re.compile(r"[A-Za-z0-9._-]{1,60}@[A-Za-z0-9.-]{1,60}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$&+.^_`{|}~-]{1,60}")
#: RFC 2231 section 7: attribute-char.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`{|}~")
#: Encoded characters in one section, so that its line stays below 78.
_SECTION = 54


class AttachmentFault(ValueError):
    """A file can't be attached under this name or type. `kind` is `name` or `type`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class Attachment:
    """`media_type` as in "application/pdf", in lower case. Raises `AttachmentFault`."""

    name: str
    media_type: str
    data: bytes

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= LONGEST_NAME or _trimmed(self.name) != self.name:
            raise AttachmentFault("name", f"附件名要有 1 到 {LONGEST_NAME} 个字符")
        if _FORBIDDEN.search(self.name):
            raise AttachmentFault("name", "附件名里有不能使用的字符")
        if not _MEDIA_TYPE.fullmatch(self.media_type):
            raise AttachmentFault("type", "不是合规的媒体类型")


@dataclass(frozen=True, slots=True)
class Picture:
    """What `<img src="cid:…">` shows; `content_id` is without brackets. Raises `AttachmentFault`."""

    content_id: str
    media_type: str
    data: bytes

    def __post_init__(self) -> None:
        if not (_CONTENT_ID.fullmatch(self.content_id) and _MEDIA_TYPE.fullmatch(self.media_type)):
            raise AttachmentFault("type", "不是合规的图片标识或媒体类型")


def _trimmed(text: str) -> str:
    """Without dots and white space of any kind at its ends: readers drop them."""
    return _ENDS.sub("", text)


def file_name(text: str, extension: str) -> str:
    """A name that `Attachment` takes, made of any text: what is forbidden becomes "_"."""
    stem = _FORBIDDEN.sub("_", text)[: LONGEST_NAME - len(extension) - 1]
    stem = _trimmed(stem)
    return f"{stem or '_'}.{extension}"


def mixed(body_type: bytes, body: bytes, attachments: Sequence[Attachment]) -> bytes:
    """The parts of a multipart/mixed: the message itself, whose Content-Type is `body_type` (a field body with its CRLF), then the files."""
    parts = [b"--%b\r\nContent-Type:%b\r\n%b" % (MIXED_BOUNDARY, body_type, body)]
    parts += [_part(attachment) for attachment in attachments]
    return b"".join((*parts, b"--", MIXED_BOUNDARY, b"--\r\n"))


def related(body_type: bytes, body: bytes, pictures: Sequence[Picture]) -> bytes:
    """The parts of a multipart/related: the texts, whose Content-Type is `body_type`, then the pictures."""
    parts = [b"--%b\r\nContent-Type:%b\r\n%b" % (RELATED_BOUNDARY, body_type, body)]
    parts += [
        b"--%b\r\nContent-Type: %b\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-ID: <%b>\r\nContent-Disposition: inline\r\n\r\n%b"
        % (
            RELATED_BOUNDARY,
            picture.media_type.encode("ascii"),
            picture.content_id.encode("ascii"),
            base64.encodebytes(picture.data).replace(b"\n", b"\r\n"),
        )
        for picture in pictures
    ]
    return b"".join((*parts, b"--", RELATED_BOUNDARY, b"--\r\n"))


def _part(attachment: Attachment) -> bytes:
    name = b";\r\n ".join(_parameter(attachment.name))
    return (
        b"--%b\r\nContent-Type: %b\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment;\r\n %b\r\n\r\n%b"
    ) % (
        MIXED_BOUNDARY,
        attachment.media_type.encode("ascii"),
        name,
        base64.encodebytes(attachment.data).replace(b"\n", b"\r\n"),
    )


def _parameter(name: str) -> Iterator[bytes]:
    """`filename`, or RFC 2231's `filename*`, in sections where it is long."""
    if _TOKEN.fullmatch(name):
        yield b'filename="%b"' % name.encode("ascii")
        return
    encoded = [b"%c" % octet if octet in _PLAIN else b"%%%02X" % octet for octet in name.encode()]
    if sum(map(len, encoded)) <= _SECTION:
        yield b"filename*=UTF-8''" + b"".join(encoded)
        return
    for number, section in enumerate(_sections(encoded)):
        charset = b"UTF-8''" if number == 0 else b""
        yield b"filename*%d*=%b%b" % (number, charset, section)


def _sections(encoded: list[bytes]) -> Iterator[bytes]:
    line = b""
    for octet in encoded:
        if len(line) + len(octet) > _SECTION:
            yield line
            line = b""
        line += octet
    yield line
