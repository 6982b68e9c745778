"""The envelope of one message and the commands that carry it (RFC 5321 3.3; 1870, 3461, 6152, 6531)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp_errors import EnvelopeRefused

# What would end or extend the command: controls, blanks outside of quotes, angle brackets.
_PATH = re.compile(
    r'(?:"(?:[^"\\\x00-\x1f\x7f<>]|\\[^\x00-\x1f\x7f<>])*"|[^\s"<>\x00-\x1f\x7f@]+)@[^\s"<>\x00-\x1f\x7f@]+'
)
_NOTIFY = re.compile(r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}")
_XTEXT_PLAIN = re.compile(r"[!-*,-<>-~]")
#: Octets of a path, RFC 5321 4.5.3.1.3; also keeps a command within its 512 beside the parameters.
_MAX_PATH = 256


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message to one recipient; `size` in octets as sent. `mail_from` is "" for the null path.

    `ret_hdrs`, `notify` ("FAILURE,DELAY") and `envid` ask for RFC 3461 reports and are left out where
    the server has no DSN. `smtputf8` and `eight_bit` are demands: without them the message can't go.
    """

    mail_from: str
    rcpt_to: str
    size: int
    smtputf8: bool = False
    eight_bit: bool = False
    ret_hdrs: bool = False
    notify: str | None = None
    envid: str | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What EHLO offered. `size` is the server's limit in octets, None where it names none."""

    pipelining: bool = False
    size: int | None = None
    has_size: bool = False
    eight_bit_mime: bool = False
    smtputf8: bool = False
    dsn: bool = False
    enhanced_status_codes: bool = False
    starttls: bool = False
    auth: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, lines: Iterable[bytes]) -> Self:
        """From the lines of the EHLO reply, the greeting line included. Ignores what it doesn't know."""
        words = [line.decode("ascii", "replace").upper().split() for line in lines]
        offered = {line[0]: line[1:] for line in words[1:] if line}
        auth = {word for line in words[1:] if line and line[0] == "AUTH" for word in line[1:]}
        # The form of servers older than RFC 4954: 163 still sends both.
        auth |= {
            word.removeprefix("AUTH=") for line in words[1:] for word in line[:1] if "=" in word
        }
        limit = next(iter(offered.get("SIZE", [])), "0")
        size = int(limit) if limit.isdigit() and len(limit) < 20 else 0
        return cls(
            pipelining="PIPELINING" in offered,
            size=size or None,
            has_size="SIZE" in offered,
            eight_bit_mime="8BITMIME" in offered,
            smtputf8="SMTPUTF8" in offered,
            dsn="DSN" in offered,
            enhanced_status_codes="ENHANCEDSTATUSCODES" in offered,
            starttls="STARTTLS" in offered,
            auth=frozenset(auth),
        )


def commands(
    envelope: Envelope, offered: Capabilities, max_octets: int | None
) -> tuple[bytes, bytes]:
    """The MAIL and RCPT lines, CRLF included. Raises `EnvelopeRefused` where it cannot go this way."""
    limit = min(filter(None, (offered.size, max_octets)), default=None)
    if limit is not None and envelope.size > limit:
        raise EnvelopeRefused(Reason.TOO_BIG)
    if envelope.smtputf8 and not offered.smtputf8:
        raise EnvelopeRefused(Reason.NEEDS_SMTPUTF8)
    if envelope.eight_bit and not offered.eight_bit_mime:
        raise EnvelopeRefused(Reason.NEEDS_8BITMIME)
    return (
        _command("MAIL FROM", envelope.mail_from, _mail_parameters(envelope, offered), envelope),
        _command("RCPT TO", envelope.rcpt_to, _rcpt_parameters(envelope, offered), envelope),
    )


def _mail_parameters(envelope: Envelope, offered: Capabilities) -> str:
    return "".join(
        (
            f" SIZE={envelope.size}" if offered.has_size else "",
            " BODY=8BITMIME" if envelope.eight_bit else "",
            " SMTPUTF8" if envelope.smtputf8 else "",
            " RET=HDRS" if envelope.ret_hdrs and offered.dsn else "",
            f" ENVID={_xtext(envelope.envid)}" if envelope.envid and offered.dsn else "",
        )
    )


def _rcpt_parameters(envelope: Envelope, offered: Capabilities) -> str:
    if not envelope.notify or not offered.dsn:
        return ""
    if not _NOTIFY.fullmatch(envelope.notify):
        raise EnvelopeRefused(Reason.MALFORMED)
    return f" NOTIFY={envelope.notify}"


def _command(verb: str, path: str, parameters: str, envelope: Envelope) -> bytes:
    null_sender = verb == "MAIL FROM" and not path
    if not null_sender and not _PATH.fullmatch(path):
        raise EnvelopeRefused(Reason.MALFORMED)
    try:
        octets = path.encode("utf-8" if envelope.smtputf8 else "ascii")
    except UnicodeEncodeError:
        bad_text = (
            Reason.MALFORMED if path.isascii() or envelope.smtputf8 else Reason.NEEDS_SMTPUTF8
        )
        raise EnvelopeRefused(bad_text) from None
    if len(octets) > _MAX_PATH - 2:
        raise EnvelopeRefused(Reason.MALFORMED)
    return b"%b:<%b>%b\r\n" % (verb.encode(), octets, parameters.encode("ascii"))


def _xtext(text: str) -> str:
    """RFC 3461 4; `text` beyond ASCII or over 100 characters is refused."""
    if not text.isascii() or len(text) > 100:
        raise EnvelopeRefused(Reason.MALFORMED)
    return "".join(sign if _XTEXT_PLAIN.match(sign) else f"+{ord(sign):02X}" for sign in text)
