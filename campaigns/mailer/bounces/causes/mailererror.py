"""mailererror: A program that was to take the mail ended in error.

Example: `X-Unix; 127`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="mailererror",
    phrases=(
        "command failed",
        "command died",
        "command exited",
        "command output",
        "command time limit exceeded",
        "exit status",
        "pipe to",
        "procmail",
        "mailer error",
        "mailer returned",
        "x-unix; 127",
        "x-unix; 126",
        "unknown mailer error",
        "local delivery failed",
        "error running",
        "bad file",
        "returned with",
        "fatal error…program",
    ),
)
