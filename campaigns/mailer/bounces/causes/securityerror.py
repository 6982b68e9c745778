"""securityerror: A demand for login, encryption or permission was not met.

Example: `530 5.7.0 Must issue a STARTTLS command first`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="securityerror",
    phrases=(
        " ssl ",
        "resolver.rst.authrequired",
        "authentication required",
        "authentication failed",
        "authentication failure",
        "authentication turned on",
        "authentication credentials invalid",
        "authentication level",
        "smtp authentication",
        "must be authenticated",
        "must issue a starttls",
        "starttls",
        "tls required",
        "tls negotiation",
        "unauthenticated senders",
        "access denied",
        "account is not allowed to send",
        "not authorized",
        "not authorised",
        "delivery not authorized",
        "permission denied",
        "permission to send",
        "you are not authorized",
        "you must login",
        "must login",
        "verification failure",
        "executable files are not allowed",
        "insecure",
        "cryptographic",
        "unauthorized",
        "unauthorised",
        "user not authorized",
        "sorry, you don't authenticate",
        "the message was rejected because it does not match",
        "credentials",
        "email cannot be delivered. reason: email flagged",
        "认证失败",
        "没有权限",
    ),
    statuses=frozenset(
        {
            "7.0",
            "7.1",
            "7.2",
            "7.3",
            "7.4",
            "7.6",
            "7.7",
            "7.8",
            "7.10",
            "7.11",
            "7.14",
            "7.57",
            "7.515",
        }
    ),
)
