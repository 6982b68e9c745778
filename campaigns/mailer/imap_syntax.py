"""The forms of IMAP that a collector reads and writes: names in modified UTF-7, strings, LIST and FETCH
(RFC 3501, 5.1.3 and 9; RFC 9051; RFC 6154 for \\Junk)."""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from campaigns.mailer.imap_wire import PLACE, Response

INBOX = "INBOX"
#: What houses call their junk folder; by its last component, in lower case.
_JUNK = frozenset(
    {
        "junk", "spam", "junk e-mail", "junk email", "junk mail", "bulk mail", "bulk",
        "垃圾邮件", "垃圾箱", "垃圾信件", "垃圾郵件", "広告邮件", "广告邮件", "可疑邮件", "迷惑メール",
    }
)  # fmt: skip
_LIST = re.compile(rb'\* X?LIST \(([^)]*)\) (?:"(?:\\.|[^"\\])*"|NIL) (.+)\Z', re.IGNORECASE)
_FETCH = re.compile(rb"\* \d+ FETCH ", re.IGNORECASE)
_UID = re.compile(rb"[ (]UID (\d{1,10})(?=[ )])", re.IGNORECASE)
_SIZE = re.compile(rb"[ (]RFC822\.SIZE (\d{1,12})(?=[ )])", re.IGNORECASE)
_BODY = re.compile(rb'[ (]BODY\[\](?:<\d+>)? (\0|"((?:\\.|[^"\\])*)"|NIL)', re.IGNORECASE)
_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_ESCAPED = re.compile(rb"\\(.)")


@dataclass(frozen=True, slots=True)
class Folder:
    """One line of LIST: `name` in Unicode, `attributes` in lower case without their backslashes."""

    name: str
    attributes: frozenset[str]

    @property
    def is_selectable(self) -> bool:
        return not self.attributes & {"noselect", "nonexistent"}

    @property
    def is_junk(self) -> bool:
        last = re.split(r"[/.\\]", self.name)[-1].strip().lower()
        return "junk" in self.attributes or last in _JUNK or self.name.lower() in _JUNK


def encoded(name: str) -> str:
    """A folder's name in modified UTF-7."""
    out: list[str] = []
    for is_plain, run in _runs(name):
        if is_plain:
            out.append(run.replace("&", "&-"))
        else:
            bits = base64.b64encode(run.encode("utf-16-be", "surrogatepass")).decode("ascii")
            out.append(f"&{bits.rstrip('=').replace('/', ',')}-")
    return "".join(out)


def _runs(name: str) -> Iterable[tuple[bool, str]]:
    return ((m[1] is not None, m[0]) for m in re.finditer(r"([\x20-\x7e]+)|[^\x20-\x7e]+", name))


def decoded(name: str) -> str:
    """The name as people read it; what is no modified UTF-7 stays as it is."""

    def shifted(found: re.Match[str]) -> str:
        if not found[1]:
            return "&"
        bits = found[1].replace(",", "/")
        try:
            raw = base64.b64decode(bits + "=" * (-len(bits) % 4), validate=True)
            return raw.decode("utf-16-be")
        except (binascii.Error, UnicodeDecodeError):
            return found[0]

    return _SHIFTED.sub(shifted, name)


def quoted(text: str) -> str:
    """A quoted string; `text` is printable ASCII."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def folder_of(response: Response) -> Folder | None:
    """The folder that a LIST response names; None for any other response."""
    found = _LIST.match(response.text)
    if found is None:
        return None
    name = found[2].strip()
    if name == PLACE and response.literals:
        name = response.literals[-1]
    elif name.startswith(b'"'):
        name = _ESCAPED.sub(rb"\1", name[1:-1])
    attributes = found[1].decode("ascii", "replace").lower().replace("\\", "").split()
    return Folder(decoded(name.decode("utf-8", "replace")), frozenset(attributes))


def size_of(response: Response) -> tuple[int, int] | None:
    """(UID, octets) of a FETCH response that names both."""
    if not _FETCH.match(response.text):
        return None
    uid, size = _UID.search(response.text), _SIZE.search(response.text)
    return (int(uid[1]), int(size[1])) if uid and size else None


def body_of(response: Response, uid: int) -> bytes | None:
    """The octets that a FETCH response holds of that message; None for any other response."""
    if not _FETCH.match(response.text):
        return None
    named, body = _UID.search(response.text), _BODY.search(response.text)
    if named is None or int(named[1]) != uid or body is None:
        return None
    if body[1] == PLACE:
        place = response.text[: body.start(1)].count(PLACE)
        return response.literals[place] if place < len(response.literals) else None
    return _ESCAPED.sub(rb"\1", body[2]) if body[2] is not None else b""


def code_of(responses: Iterable[Response], name: str) -> int | None:
    """The number in a response code such as `[UIDVALIDITY 3857529045]`."""
    sought = re.compile(rb"\[%b (\d{1,10})\]" % name.encode(), re.IGNORECASE)
    found = (sought.search(response.text) for response in responses)
    return next((int(match[1]) for match in found if match), None)


def numbers_of(responses: Iterable[Response], name: str) -> list[int]:
    """Those of a response such as `* SEARCH 2 84`."""
    head = b"* " + name.encode()
    lines = [r.text[len(head) :] for r in responses if r.text.upper().startswith(head)]
    return [int(w) for line in lines for w in line.split() if w.isdigit() and len(w) < 11]


def exists_in(responses: Iterable[Response]) -> int:
    """How many messages a SELECT response says there are."""
    found = (re.match(rb"\* (\d{1,10}) EXISTS", r.text, re.IGNORECASE) for r in responses)
    return max((int(match[1]) for match in found if match), default=0)
