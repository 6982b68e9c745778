"""notaccept: The host takes no mail at all (null MX, RFC 7505).

Example: `556 5.1.10 <a@example.org>: Domain example.org does not accept mail (nullMX)`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="notaccept",
    hard=True,
    phrases=(
        "does not accept mail (nullmx)",
        "does not accept mail",
        "doesn't accept mail",
        "host does not accept",
        "no smtp service here",
        "record indicated no smtp service",
        "indicated no smtp service",
        "nullmx",
        "null mx",
        "accepts no mail",
        "doesn't receive email according to",
        "does not receive email according to",
        "no host found for existing smtp connection",
        "malformed or unexpected name server reply",
        "smtp protocol returned a permanent error",
        "the host does not accept mail",
        "couldn't find a mail exchanger or ip address",
        "域名不接收邮件",
    ),
    statuses=frozenset({"7.27", "3.2"}),
)
