"""XOAUTH2, the SASL mechanism of Gmail and Office 365 for SMTP, POP3 and IMAP (their own; cf. RFC 7628).

The response is `user=<address>^Aauth=Bearer <token>^A^A` in base64. A server that refuses it answers with a challenge
of its own, base64 JSON with status and scope, and says no only after an empty answer to that.
"""

import base64
import binascii
import json

MECHANISM = "XOAUTH2"
_SHOWN = 200


def response(username: str, access_token: str) -> str:
    """The response in base64. Neither argument holds a control character (the settings see to that)."""
    text = f"user={username}\x01auth=Bearer {access_token}\x01\x01"
    return base64.b64encode(text.encode()).decode("ascii")


def complaint(challenge: bytes) -> str:
    """What a refusing challenge says, on one line; "" for one that says nothing that can be read."""
    try:
        said = json.loads(base64.b64decode(challenge.strip()[:4096], validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    words = (str(said[name]) for name in ("status", "error", "error_description") if name in said)
    return "".join(c if c.isprintable() else " " for c in " ".join(words))[:_SHOWN]
