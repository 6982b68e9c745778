"""fml, the mailing list server.

Example:
    You are not a member of this mailing list <a@example.org>.
"""

import re

from campaigns.mailer.bounces.addresses import ADDRESS_PATTERN
from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="fml",
    marks=(
        "you are not a member of this mailing list",
        "are not member",
        "loop alert:",
        "duplicated message-id in",
    ),
    recipient=re.compile(
        r"(?i)(?:this mailing list|duplicated message-id in) <(ADDR)>".replace(
            "ADDR", ADDRESS_PATTERN
        )
    ),
    causes=(
        ("not a member of this mailing list", "rejected"),
        ("are not member", "rejected"),
        ("duplicated message-id", "systemerror"),
        ("loop alert", "systemerror"),
    ),
    sure=True,
)
