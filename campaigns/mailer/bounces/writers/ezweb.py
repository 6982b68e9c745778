"""au by KDDI (EZweb) and dion.ne.jp.

Example:
    Recipient: <a@ezweb.ne.jp>
    >>> RCPT TO:<a@ezweb.ne.jp>
    <<< 550 <a@ezweb.ne.jp>: User unknown
"""

import re

from campaigns.mailer.bounces.addresses import ADDRESS_PATTERN
from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="ezweb",
    marks=(
        "each of the following recipients was rejected by a remote",
        "could not be delivered to: <",
        "the user(s) account is",
        "as their mailbox is full",
        "the following recipients did not receive this message",
    ),
    recipient=re.compile(
        r"(?i)(?:Recipient|could not be delivered to)\s{0,3}:\s{0,3}<(ADDR)>".replace(
            "ADDR", ADDRESS_PATTERN
        )
    ),
    causes=(
        ("the user(s) account is disabled", "suspend"),
        ("the user(s) account is temporarily over quota", "mailboxfull"),
        ("as their mailbox is full", "mailboxfull"),
        ("as the remote domain doesnt exist", "hostunknown"),
        ("due to the following smtp relay error", "norelaying"),
    ),
    sure=True,
)
