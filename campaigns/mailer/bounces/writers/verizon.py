"""Verizon (vzwpix.com, vtext.com) and other telephone gateways.

Example:
    Message could not be delivered to mobile.
    Error: No valid recipients for this MM
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="verizon",
    marks=(
        "message could not be delivered to mobile",
        "message: message could not be delivered",
        "no valid recipients for this mm",
        "post_master@vtext.com",
    ),
    causes=(
        ("no valid recipients for this mm", "userunknown"),
        ("no such user here", "userunknown"),
    ),
    sure=True,
)
