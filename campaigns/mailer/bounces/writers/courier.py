"""Courier MTA: <<< and >>> of the session.

Example:
    <a@example.jp>:
         <<< 550 5.1.1 <a@example.jp>... User Unknown
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="courier",
    marks=(
        "this is a delivery status notification from",
        "your message cannot be delivered to the following",
        "the courier mail server",
        "undelivered mail",
    ),
    causes=(
        ("user unknown", "userunknown"),
        ("this address is closed", "filtered"),
        ("this domain does not accept mail", "notaccept"),
        ("no such domain", "hostunknown"),
    ),
)
