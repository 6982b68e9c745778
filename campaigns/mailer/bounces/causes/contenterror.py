"""contenterror: The form of the content cannot be handled.

Example: `550 5.6.0 Media error`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="contenterror",
    phrases=(
        "media error",
        "bare lf",
        "bare cr",
        "bare <lf>",
        "8 bit",
        "8-bit",
        "improper use of 8-bit",
        "invalid header",
        "header error",
        "headers…invalid",
        "malformed header",
        "malformed mime",
        "mime error",
        "mime…error",
        "message header",
        "charset…not supported",
        "conversion…failed",
        "not supported…encoding",
        "format error",
        "illegal 8-bit",
        'too many "received" headers',
        "too many received",
        "duplicate header",
        "utf8",
        "unsupported character",
        "duplicated message-id",
    ),
    statuses=frozenset({"6.0", "6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "6.7", "6.9"}),
)
