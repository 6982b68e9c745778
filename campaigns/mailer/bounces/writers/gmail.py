"""Gmail and Google Workspace before their reports followed RFC 3464; Google Groups.

Example:
    Delivery to the following recipient failed permanently:
         a@example.jp
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="gmail",
    marks=(
        "delivery to the following recipient",
        "google tried to deliver your message",
        "groups.google.com/support",
        "following recipients has been delayed",
        "wasn't delivered to",
        "address couldn't be found",
        "message not delivered",
        "message blocked",
    ),
    causes=(
        ("recipient address rejected: user unknown", "userunknown"),
        ("permission to post messages to the group", "rejected"),
        ("groups.google.com/support", "rejected"),
        ("the domain name was not found", "hostunknown"),
        ("domain name not found", "hostunknown"),
        ("no user with the username", "userunknown"),
        ("does not exist. please try double-checking", "userunknown"),
    ),
)
