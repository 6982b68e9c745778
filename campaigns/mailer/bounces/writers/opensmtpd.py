"""OpenSMTPD.

Example:
    a@example.com: 550 5.1.1 User unknown
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="opensmtpd",
    marks=(
        "this is the mailer-daemon, please do not reply to this",
        "following list of recipients",
    ),
    causes=(
        ("no mx found for domain", "notaccept"),
        ("no mx found for destination", "notaccept"),
        ("invalid recipient", "userunknown"),
        ("domain does not exist", "hostunknown"),
        ("invalid domain name", "hostunknown"),
        ("envelope expired", "expired"),
        ("network error on destination mxs", "networkerror"),
        ("no valid route to", "networkerror"),
        ("loop detected", "networkerror"),
    ),
    sure=True,
)
