"""syntaxerror: A command or the envelope was malformed; says nothing about the mailbox.

Example: `501 5.5.4 Syntax error in parameters`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="syntaxerror",
    phrases=(
        "syntax error",
        "malformed address",
        "bad address syntax",
        "command not recognized",
        "command not implemented",
        "command parameter",
        "command unrecognized",
        "unrecognized command",
        "parameter not implemented",
        "bad command",
        "bad sequence",
        "invalid command",
        "invalid argument",
        "nested mail command",
        "need mail command",
        "missing rcpt",
        "pipelining",
    ),
    statuses=frozenset({"5.1", "5.2", "5.4", "5.5", "5.6"}),
)
