"""DragonFly Mail Agent.

Example:
    mx.example.org [192.0.2.25] did not like our RCPT TO: 550 5.1.1 …
"""

import re

from campaigns.mailer.bounces.addresses import ADDRESS_PATTERN
from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="dragonfly",
    marks=("this is the dragonfly mail agent",),
    recipient=re.compile(r"(?i)delivering your mail to <?(ADDR)".replace("ADDR", ADDRESS_PATTERN)),
    causes=(("couldn't find host", "hostunknown"),),
    sure=True,
)
