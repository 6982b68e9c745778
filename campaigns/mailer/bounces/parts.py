"""A bounded reader of MIME structure (RFC 2045, 2046, 5322) for mail from strangers.

The standard parser recurses once for each nested part and reads everything there is; a returned
message may be a bomb. This one takes the first `MAX_BYTES` of a message, stops at `MAX_DEPTH` and
`MAX_PARTS`, walks the body once for each level, and never raises on any bytes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

#: A report stands before what it returns, so the head of a message is enough; bytes.
MAX_BYTES = 2 * 1024 * 1024
MAX_HEADER_BYTES = 128 * 1024
MAX_HEADERS = 400
MAX_VALUE = 16 * 1024
MAX_DEPTH = 6
MAX_PARTS = 60

_HEADERS_END = re.compile(rb"\r?\n[ \t]{0,4}\r?\n")
_FIELD = re.compile(rb"^([!-9;-~]{1,120})[ \t]{0,20}:[ \t]{0,200}")
_PARAMETER = re.compile(
    r";\s{0,40}([A-Za-z0-9*_.-]{1,60})\s{0,8}=\s{0,8}(?:\"([^\"]{0,300})\"|([^;\s\"]{1,300}))"
)
_SNIFFED_BOUNDARY = re.compile(rb"^--([^\s]{4,70})\r?\nContent-[A-Za-z-]{2,25}:", re.M | re.I)


@dataclass(frozen=True, slots=True)
class Part:
    """One entity: its header fields in order, its undecoded body, and its parts if it is a multipart."""

    headers: tuple[tuple[str, str], ...]
    body: bytes
    parts: tuple["Part", ...] = ()
    content_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """The first field of that lower-case name, unfolded and not decoded; empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def walk(self) -> Iterator["Part"]:
        """This part and all below it, in the order of the message."""
        yield self
        for part in self.parts:
            yield from part.walk()


def read_parts(raw: bytes) -> Part:
    """The structure of `raw`; whatever is beyond a cap is left out silently. Never raises."""
    head = raw[:MAX_BYTES].lstrip(b"\r\n\t \xef\xbb\xbf")
    if head.startswith((b"From ", b">From ")):  # an mbox's separator line
        head = head.partition(b"\n")[2]
    return _Reader().read(head, depth=0)


def read_headers(raw: bytes) -> tuple[tuple[str, str], ...]:
    """The header fields at the start of `raw`, names in lower case, values unfolded (RFC 5322, 2.2)."""
    return _fields(_split(raw.lstrip(b"\r\n\t "))[0])


class _Reader:
    """Counts the parts of one message, over all its levels."""

    def __init__(self) -> None:
        self.seen = 0

    def read(self, raw: bytes, *, depth: int, default: str = "text/plain") -> Part:
        self.seen += 1
        head, body = _split(raw)
        headers = _fields(head)
        value = next((v for k, v in headers if k == "content-type"), "")
        content_type, parameters = content_type_of(value, default)
        parts = self._children(body, content_type, parameters, depth)
        return Part(headers, body, parts, content_type, parameters)

    def _children(
        self, body: bytes, content_type: str, parameters: dict[str, str], depth: int
    ) -> tuple[Part, ...]:
        if depth >= MAX_DEPTH:
            return ()
        boundary = parameters.get("boundary", "").encode("latin-1", "replace")
        if not content_type.startswith("multipart/"):
            if depth or content_type != "text/plain":
                return ()
            # Some senders lose the header that names the boundary and keep the parts.
            boundary = b""
        chunks = list(_chunks(body, boundary)) if boundary else []
        if not chunks:
            sniffed = _SNIFFED_BOUNDARY.search(body, 0, 64 * 1024)
            chunks = list(_chunks(body, sniffed[1], preamble=True)) if sniffed else []
        children = []
        for chunk in chunks:
            if self.seen >= MAX_PARTS:
                break
            children.append(self.read(chunk, depth=depth + 1))
        return tuple(children)


def content_type_of(value: str, default: str = "text/plain") -> tuple[str, dict[str, str]]:
    """Media type in lower case and its parameters; RFC 2045's default where it cannot be read."""
    kind = value.partition(";")[0].strip().lower()
    if kind.count("/") != 1 or " " in kind:
        kind = default
    found = _PARAMETER.finditer(value[:4000])
    return kind, {m[1].lower().rstrip("*"): m[2] if m[2] is not None else m[3] for m in found}


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """Header section and body. A body alone begins with a blank line."""
    if raw.startswith((b"\n", b"\r\n")):
        return b"", raw.lstrip(b"\r\n")
    end = _HEADERS_END.search(raw, 0, MAX_HEADER_BYTES)
    if end is None:
        return raw[:MAX_HEADER_BYTES], raw[MAX_HEADER_BYTES:]
    return raw[: end.start()], raw[end.end() :]


def _fields(head: bytes) -> tuple[tuple[str, str], ...]:
    fields: list[tuple[str, list[bytes]]] = []
    for line in head[:MAX_HEADER_BYTES].split(b"\n"):
        line = line.rstrip(b"\r")
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1].append(line.strip())
            continue
        match = _FIELD.match(line)
        if match and len(fields) < MAX_HEADERS:
            fields.append((match[1].decode("ascii").lower(), [line[match.end() :].strip()]))
    return tuple((name, _text(b" ".join(lines)[:MAX_VALUE])) for name, lines in fields)


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _chunks(body: bytes, boundary: bytes, *, preamble: bool = False) -> Iterator[bytes]:
    """What stands between the delimiter lines (RFC 2046, 5.1.1); the preamble only if asked for."""
    delimiter = b"--" + boundary
    start = 0 if preamble else -1
    position = body.find(delimiter)
    found = 0
    while position >= 0 and found <= MAX_PARTS:
        if position and body[position - 1 : position] != b"\n":
            position = body.find(delimiter, position + 1)
            continue
        if start >= 0:
            found += 1
            yield _leading_blank(body[start:position]) if start == 0 else body[start:position]
        after = position + len(delimiter)
        line_end = body.find(b"\n", after)
        start = line_end + 1 if line_end >= 0 else len(body)
        if body[after : after + 2] == b"--" or line_end < 0:
            start = -1
            break
        position = body.find(delimiter, start)
    if start >= 0 and position < 0 and found:
        yield body[start:]  # the closing delimiter is missing: cut off on the way
    elif start > 0 and not found:
        yield body[start:]


def _leading_blank(preamble: bytes) -> bytes:
    """A preamble is text without header fields; a blank line makes it a body."""
    return b"\n" + preamble
