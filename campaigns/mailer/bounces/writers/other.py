"""Programs seen once or twice: MDaemon, smtp32, Netscape, Mercury, biglobe, X1 to X6.

Example:
    ---The following addresses had delivery errors---
    a@example.org [User unknown]
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="other",
    marks=(
        "the following addresses did not receive",
        "failed addresses follow",
        "failed recipients",
        "following addresses had delivery",
        "intended recipient:",
        "non-delivery report",
        "delivery failed:",
        "permanent errors:",
        "message log follows",
        "user's mailbox is full:",
        "could not be delivered to the following",
        "was not delivered to the following",
        "delivery to the following recipients failed",
        "we had trouble delivering your message",
        "your delivery to the following address",
    ),
)
