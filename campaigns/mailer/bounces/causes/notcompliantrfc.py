"""notcompliantrfc: The message breaks a rule of RFC 5322 that the host insists on.

Example: `550-5.7.1 Messages with multiple addresses in From: header are not accepted`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="notcompliantrfc",
    phrases=(
        "not rfc 5322 compliant",
        "not rfc 2822 compliant",
        "rfc 5322",
        "rfc 2822",
        "rfc5322",
        "rfc2822",
        "rfc 822",
        "rfc compliance",
        "messages with multiple addresses in from",
        "duplicate headers",
        "missing required header",
        "messages missing",
        "from: header",
        "not rfc",
        "multiple from headers",
    ),
)
