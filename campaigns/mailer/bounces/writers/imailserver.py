"""IPSWITCH IMail.

Example:
    Invalid final delivery userid: a@example.jp
"""

import re

from campaigns.mailer.bounces.addresses import ADDRESS_PATTERN
from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="imailserver",
    marks=(
        "original message follows.",
        "invalid final delivery userid",
        "user mailbox exceeds allowed size",
        "undeliverable to",
        "delivery failed",
    ),
    recipient=re.compile(
        r"(?i)(?:Invalid final delivery userid|Unknown user|Unknown host|User mailbox exceeds allowed size|undeliverable to|Delivery failed \d{1,4} attempts|exceeds allowed size|account expired)[^\n@]{0,20}?[: ]\s{0,4}<?(ADDR)".replace(
            "ADDR", ADDRESS_PATTERN
        )
    ),
    causes=(
        ("invalid final delivery userid", "userunknown"),
        ("unknown user", "userunknown"),
        ("unknown host", "hostunknown"),
        ("user mailbox exceeds allowed size", "mailboxfull"),
        ("virus detected", "virusdetected"),
        ("delivery failed", "expired"),
    ),
)
