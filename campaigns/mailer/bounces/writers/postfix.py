"""Postfix before it sent reports by RFC 3464, or after a gateway took them apart.

Example:
    <a@example.com>: host mx.example.com said: 550 … (in reply to RCPT TO command)
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="postfix",
    marks=(
        "this is the postfix program",
        "this is the mail system at host",
        "i'm sorry to have to inform you",
    ),
)
