"""norelaying: The server does not carry mail for this destination: it was asked in the wrong place.

Example: `550 5.7.1 Unable to relay for a@example.jp`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="norelaying",
    phrases=(
        "relay access denied",
        "relaying denied",
        "relay denied",
        "relaying mail to",
        "relaying is not",
        "relay not permitted",
        "relay not allowed",
        "relaying not allowed",
        "relaying prohibited",
        "relay prohibited",
        "relay is prohibited",
        "relay…not permitted",
        "relayed",
        "no relaying",
        "no relay",
        "not a relay",
        "not an open relay",
        "not local host",
        "not permitted to relay",
        "not authorized to relay",
        "insecure mail relay",
        "mail server requires authentication when attempting to send to a non-local",
        "must be authenticated to relay",
        "open relay",
        "refused: relaying",
        "unable to relay",
        "unauthorized relay",
        "relay rejected",
        "relay command",
        "send to a non-local e-mail address",
        "specified domain is not allowed",
        "that domain isn't in my list of allowed rcpthosts",
        "this system is not configured to relay mail",
        "use of this server as a relay",
        "we do not relay",
        "isn't in my list of allowed",
        "中继",
    ),
)
