"""authfailure: SPF, DKIM or DMARC of the sender did not pass.

Example: `550 5.7.26 Unauthenticated email is not accepted due to domain's DMARC policy`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="authfailure",
    phrases=(
        "dmarc",
        "spf check",
        "spf fail",
        "spf record",
        "spf validation",
        "spf (sender policy",
        "spf record does",
        "spf hard fail",
        "failed spf",
        "sender policy framework",
        "dkim",
        "does not have authentication information",
        "fails to pass authentication",
        "unauthenticated email from",
        "unauthenticated mail is prohibited",
        "email rejected per dmarc",
        "authentication checks",
        "authenticity",
        "is not authorized to use…in…identity",
        "fail authentication policy",
        "sender id…fail",
        "//spf",
    ),
    statuses=frozenset({"7.20", "7.21", "7.22", "7.23", "7.24", "7.26", "7.509", "7.5"}),
)
