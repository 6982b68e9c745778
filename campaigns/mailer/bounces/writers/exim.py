"""Exim, and the houses that run it (GMX, 1&1, Mail.Ru, Mimecast).

Example:
      a@example.net
        SMTP error from remote mail server after RCPT TO:<a@example.net>: …
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="exim",
    marks=(
        "this message was created automatically by mail delivery",
        "this message was created automatically by the smtp relay",
        "a message that you sent contained one or more recipient addresses",
        "a message that you sent has not yet been delivered",
        "сервером mail.ru",
    ),
    causes=(
        ("all relevant mx records point to non-existent hosts", "hostunknown"),
        ("unrouteable address", "hostunknown"),
        ("all host address lookups failed permanently", "hostunknown"),
        ("an mx or srv record indicated no smtp service", "notaccept"),
        ("malformed address", "syntaxerror"),
        ("retry timeout exceeded", "expired"),
        ("unrouteable mail domain", "hostunknown"),
    ),
)
