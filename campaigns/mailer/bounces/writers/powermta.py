"""PowerMTA: standard reports with one field more, its own word for the cause.

Example:
    X-PowerMTA-BounceCategory: bad-mailbox
"""

#: Its categories that name the cause better than a status does.
CATEGORIES = {
    "bad-mailbox": "userunknown",
    "bad-domain": "hostunknown",
    "inactive-mailbox": "suspend",
    "quota-issues": "mailboxfull",
    "message-expired": "expired",
    "no-answer-from-host": "networkerror",
    "relaying-issues": "norelaying",
    "invalid-sender": "rejected",
    "virus-related": "virusdetected",
}
