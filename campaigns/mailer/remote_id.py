"""The id that a relay gives a message in its final reply, where what comes back names nothing else.

Amazon SES puts its own Message-ID in the place of ours, and says in its reply which.
"""

import re

# "250 Ok 0102018f1c2b3d4e-1a2b3c4d-1234-5678-9abc-def012345678-000000"
_SES = re.compile(r"Ok ([0-9a-f]{16}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]{6})")
# "<0102018f…-000000@eu-west-1.amazonses.com>"; without a region in us-east-1.
_MESSAGE_ID = re.compile(
    r"<?([0-9a-f]{16}-[0-9a-f-]{36}-[0-9]{6})(?:@[a-z0-9.-]{0,40}amazonses\.com)?>?"
)


def remote_id(text: str) -> str:
    """The id in the text of a final reply; "" for a relay that keeps our Message-ID."""
    found = _SES.fullmatch(text.strip()[:200])
    return found[1] if found else ""


def remote_id_of(message_id: str) -> str:
    """The same id out of the Message-ID that the relay gave the message; "" for any other."""
    found = _MESSAGE_ID.fullmatch(message_id.strip()[:200])
    return found[1] if found else ""
