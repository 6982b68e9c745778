"""Addresses of ours that carry a token: the envelope sender (RFC 5321 section 4.4) by which a bounce proves itself.

The same shape serves the mailbox of List-Unsubscribe, under another purpose.
"""

import re

from campaigns.mailer.address import AddressFault, parse_mailbox
from campaigns.mailer.tokens import Tokens

_MARK = "{token}"
_LOCAL_OCTETS = 64
#: Wherever a token may stand in a local part, also in one that a forwarder rewrote (SRS).
_CANDIDATE = re.compile(r"(?<![a-z0-9])[a-z2-7]{27,64}(?![a-z0-9])", re.I)


class ReturnPath:
    """Makes and reads addresses after a template such as `bounce+{token}@corp.example`.

    Raises `AddressFault` for a template that makes no address, or whose token stands next to a letter or digit.
    """

    def __init__(self, template: str, tokens: Tokens, *, purpose: str = "return-path") -> None:
        before, mark, after = template.partition(_MARK)
        if (
            not mark
            or _MARK in after
            or before[-1:].isalnum()
            or not after.startswith(("@", "+", "-", "=", ".", "_"))
        ):
            raise AddressFault(
                "local", "退信地址的模板里要有一个 {token}，并用 + 或 - 与其他字符隔开"
            )
        if "@" in before:
            raise AddressFault("local", "退信地址的模板里，{token} 要在 @ 之前")
        self._domain = parse_mailbox(f"{before}t{after}").address.rpartition("@")[2]
        self._before = before
        self._after = after.rpartition("@")[0]
        self._tokens = tokens
        self._purpose = purpose

    def make(self, campaign_id: int, delivery_id: int) -> str:
        """The address of one delivery. Raises `AddressFault` where its local part passes 64 octets (RFC 5321)."""
        token = self._tokens.make(self._purpose, campaign_id, delivery_id)
        local = f"{self._before}{token}{self._after}"
        if len(local.encode()) > _LOCAL_OCTETS:
            raise AddressFault("local_long")
        return f"{local}@{self._domain}"

    def read(self, address: str) -> tuple[int, int] | None:
        """(campaign_id, delivery_id) of an address that we made, else None; never raises.

        What surrounds the token is not compared: servers fold case and forwarders rewrite, and the template may have
        changed since. The token alone proves it.
        """
        for found in _CANDIDATE.finditer(address[:1000].rpartition("@")[0]):
            ids = self._tokens.read(self._purpose, found[0])
            if ids and len(ids) == 2:
                return ids[0], ids[1]
        return None
