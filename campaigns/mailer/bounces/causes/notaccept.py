"""notaccept: The host takes no mail at all (null MX, RFC 7505).

Example: `556 5.1.10 <a@example.org>: Domain example.org does not accept mail (nullMX)`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="notaccept",
    hard=True,
    phrases=(
        "host does not accept mail",
        "host/domain does not accept mail",
        "domain does not accept mail",
        "domain does not accept email",
        "does not accept email (nullmx)",
        "mail receiving disabled",
        "no mx record found for domain",
        "name server: .: host not found",
        "does not accept mail (nullmx)",
        "no smtp service here",
        "record indicated no smtp service",
        "indicated no smtp service",
        "nullmx",
        "null mx",
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
