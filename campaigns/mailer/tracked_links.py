"""Links that are counted: our address with an HMAC over campaign, delivery, link number and target.

The target stands inside what is signed, so that nobody but us can make such a link lead anywhere (no open
redirect, CWE-601). A delivery of 0 says nothing about who follows it; a campaign of 0 is counted nowhere.
"""

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from campaigns.mailer.tokens import Tokens, packed, unpacked

_PURPOSE = "tracked"
#: Octets of a target: with its tag and in base64 it stays below what servers take for a request line.
_LONGEST = 2000
_LONGEST_TOKEN = 4000
_PICTURE = ".gif"
_TO_STANDARD = str.maketrans("-_", "+/")
#: What may stand in an address as it is (RFC 3986 section 2); the rest is written in percent.
_PLAIN = "!#$%&'()*+,/:;=?@[]~-._"


@dataclass(frozen=True, slots=True)
class Followed:
    """What a tracked address says; the picture's has the link number 0 and no target."""

    campaign: int
    delivery: int
    link: int
    target: str


class TrackedLinks:
    """Makes and reads addresses below `base_url`, the installation's public address."""

    def __init__(self, base_url: str, tokens: Tokens) -> None:
        self._base = base_url.rstrip("/")
        self._tokens = tokens

    def click(self, campaign: int, delivery: int, link: int, target: str) -> str:
        """`target` is one that `trackable` gave; `link` counts from 1."""
        return f"{self._base}/t/{self._token(campaign, delivery, link, target)}"

    def opened(self, campaign: int, delivery: int) -> str:
        """The picture whose loading is taken for an open."""
        return f"{self._base}/t/{self._token(campaign, delivery, 0, '')}{_PICTURE}"

    def is_own(self, target: str) -> bool:
        """Whether it leads to this installation: unsubscribing, preferences and confirming are never counted."""
        own = self._base.lower()
        given = target[: len(own) + 1].lower()
        return given.startswith(own) and given[len(own) :] in ("", "/", "?", "#")

    def read(self, token: str) -> Followed | None:
        """What stands behind /t/; None for anything that we did not make. Never raises."""
        is_picture = token.endswith(_PICTURE)
        octets = _octets(token.removesuffix(_PICTURE))
        payload = self._tokens.unseal(_PURPOSE, octets) if octets else None
        if not payload:
            return None
        end = 1 + payload[0]
        ids, target = unpacked(payload[1:end]), payload[end:].decode("ascii", "replace")
        # An address of a picture is none of a link; and whatever is signed, we lead to the web alone.
        if ids is None or len(ids) != 3 or is_picture != (ids[2] == 0):
            return None
        if not is_picture and not target.startswith(("http://", "https://")):
            return None
        return Followed(*ids, target)

    def _token(self, campaign: int, delivery: int, link: int, target: str) -> str:
        ids = packed((campaign, delivery, link))
        sealed = self._tokens.seal(_PURPOSE, bytes((len(ids),)) + ids + target.encode("ascii"))
        return base64.urlsafe_b64encode(sealed).decode("ascii").rstrip("=")


def _octets(token: str) -> bytes:
    if len(token) > _LONGEST_TOKEN or not token.isascii() or "+" in token or "/" in token:
        return b""
    standard = token.translate(_TO_STANDARD) + "=" * (-len(token) % 4)
    try:
        return binascii.a2b_base64(standard.encode("ascii"), strict_mode=True)
    except binascii.Error:
        return b""


def trackable(target: str) -> str | None:
    """The target as it is signed and sent in Location (RFC 9110 section 10.2.2); None where it is left alone.

    Left alone is what is no plain http(s) address: without a host, with a user in it, with a host that is not
    in A-labels, with blanks or control characters, or too long.
    """
    if target[:8].lower().startswith(("http://", "https://")) and "\\" not in target:
        scheme, colon, rest = target.partition(":")
        written = scheme.lower() + colon + quote(rest, safe=_PLAIN)
        try:
            host = urlsplit(target).netloc
        except ValueError:
            return None
        fine = host and host.isascii() and host == quote(host, safe=_PLAIN) and "@" not in host
        if fine and len(written) <= _LONGEST and not any(sign <= " " for sign in target):
            return written
    return None
