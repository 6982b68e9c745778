"""What a server's words give away: the SMTP command refused, the reply code, the status (RFC 5321, 3463)."""

import re
from dataclasses import dataclass

from campaigns.mailer.dsn import status_in

#: Characters of a reply that are looked at.
MAX_REPLY = 6000

_BLANKS = re.compile(r"\s+")
_REPEATED_CODE = re.compile(r" [245]\d\d-(?:[245]\.\d{1,3}\.\d{1,3} )?")
#: What IronPort puts before every reply, whatever the server said.
_OWN_PREFIX = re.compile(
    r"[45]\.\d\.\d - (?:unknown address error|bad destination (?:host|mailbox address))[ :,]{1,3}(?=[45]\d\d)",
    re.I,
)
#: How programs say which command the reply answered.
_COMMAND = re.compile(
    r"(?:in reply to|in response to|after|did not like our|smtp:|>>>|<<<|step:|\[|\(|command-+|command:)"
    r"\s{0,4}(?:(?:the|end of|final|pipelined|sending|smtp) ){0,3}"
    r"(rcpt|mail|data|helo|ehlo|initial connection|connection)\b"
)
_WORDS_OF_COMMAND = (
    ("does not like recipient", "RCPT"),
    ("recipients_refused", "RCPT"),
    ("(state 14)", "RCPT"),  # Gmail numbers its dialogue
    ("(state 13)", "MAIL"),
    ("(state 18)", "DATA"),
    ("(state 17)", "DATA"),
    ("(state 15)", "DATA"),
    ("rcpt to generated following response", "RCPT"),
    ("mail from generated following response", "MAIL"),
    ("data generated following response", "DATA"),
    ("failed after i sent the message", "DATA"),
    ("after i sent the message", "DATA"),
    ("but sender was rejected", "MAIL"),
    ("but greeting failed", "EHLO"),
    ("but my name was rejected", "EHLO"),
    ("after end of data", "DATA"),
)
_NAMES = {"initial connection": "CONN", "connection": "CONN"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one recipient's failure.

    `reply` is the server's own text, `around` what the report says beside it, `status` x.y.z or
    None, `command` the SMTP verb answered ("RCPT", "MAIL", "DATA", "EHLO", "CONN") or "".
    `machine_readable`: it stood in the fields of RFC 3464, which a relay fills after RCPT as a rule.
    """

    reply: str
    around: str = ""
    status: str | None = None
    action: str | None = None
    command: str = ""
    machine_readable: bool = False


def normalised(text: str) -> str:
    """Lower case, single blanks, the repeated codes of a multi-line reply removed; at most MAX_REPLY."""
    text = _BLANKS.sub(" ", text[:MAX_REPLY]).strip().lower().replace("’", "'")
    return _REPEATED_CODE.sub(" ", _OWN_PREFIX.sub("", text))


def command_in(text: str) -> str:
    """The last SMTP command that the text says was refused; empty if it says none."""
    lowered = _BLANKS.sub(" ", text[:MAX_REPLY]).lower()
    for words, command in _WORDS_OF_COMMAND:
        if words in lowered:
            return command
    named = [m[1] for m in _COMMAND.finditer(lowered)]
    return _NAMES.get(named[-1], named[-1].upper()) if named else ""


def best_status(reply: str, field: str | None) -> str | None:
    """The status in the server's own words, or else the report's field.

    A reporting program often fills the field with a default (5.0.0, 5.1.1); the server knew.
    """
    said = status_in(_OWN_PREFIX.sub("", reply))
    if said and not said.startswith("2.") and not (field and said.endswith(".0.0")):
        return said
    return field
