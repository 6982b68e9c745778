"""What a reply to RCPT or to the content says about one recipient (RFC 3463 3.2-3.3, RFC 7505).

The question that matters is whether the address itself is dead. Servers report full, suspended and
blocked mailboxes with 5.1.1 as well, so words that speak of a living mailbox come before the status.
"""

import re

from campaigns.mailer.reply_reasons import Reason

_BY_STATUS = {
    "5.1.1": Reason.USER_UNKNOWN,
    "5.1.2": Reason.HOST_UNKNOWN,
    "5.1.6": Reason.MOVED,
    "5.1.10": Reason.TAKES_NO_MAIL,
    "5.1.3": Reason.BAD_ADDRESS,
    "5.2.1": Reason.MAILBOX_DISABLED,
    "5.2.2": Reason.MAILBOX_FULL,
    "5.2.3": Reason.TOO_BIG,
    "5.3.4": Reason.TOO_BIG,
    "5.6.7": Reason.NEEDS_SMTPUTF8,
}
#: Causes that make an address useless for ever.
DEAD = frozenset(
    {Reason.USER_UNKNOWN, Reason.HOST_UNKNOWN, Reason.MOVED, Reason.TAKES_NO_MAIL},
)
_ALIVE_WORDS = (
    ("mailbox full", Reason.MAILBOX_FULL),
    ("mailbox is full", Reason.MAILBOX_FULL),
    ("is full", Reason.MAILBOX_FULL),
    ("quota", Reason.MAILBOX_FULL),
    ("insufficient", Reason.MAILBOX_FULL),
    ("已满", Reason.MAILBOX_FULL),
    ("suspend", Reason.MAILBOX_DISABLED),
    ("disabled", Reason.MAILBOX_DISABLED),
    ("inactive", Reason.MAILBOX_DISABLED),
    ("locked", Reason.MAILBOX_DISABLED),
    ("停用", Reason.MAILBOX_DISABLED),
)
# These come with every kind of refusal; they outweigh a 5.1.1 that no word supports.
_POLICY_WORDS = ("blocked", "blacklist", "spam", "policy", "denied", "prohibited")
_DEAD_WORDS = (
    ("user unknown", Reason.USER_UNKNOWN),
    ("unknown user", Reason.USER_UNKNOWN),
    ("unknown recipient", Reason.USER_UNKNOWN),
    ("recipient unknown", Reason.USER_UNKNOWN),
    ("no such user", Reason.USER_UNKNOWN),
    ("no such recipient", Reason.USER_UNKNOWN),
    ("user not found", Reason.USER_UNKNOWN),
    ("mailbox not found", Reason.USER_UNKNOWN),
    ("recipient not found", Reason.USER_UNKNOWN),
    ("user doesn't exist", Reason.USER_UNKNOWN),
    ("account that you tried to reach does not exist", Reason.USER_UNKNOWN),
    ("user does not exist", Reason.USER_UNKNOWN),
    ("mailbox does not exist", Reason.USER_UNKNOWN),
    ("invalid user", Reason.USER_UNKNOWN),
    ("no mailbox here", Reason.USER_UNKNOWN),
    ("用户不存在", Reason.USER_UNKNOWN),
    ("账号不存在", Reason.USER_UNKNOWN),
    ("地址不存在", Reason.USER_UNKNOWN),
    ("domain not found", Reason.HOST_UNKNOWN),
    ("host not found", Reason.HOST_UNKNOWN),
)
# An address quoted in a reply must not be read as the server's words: <spam.full@example.cn>.
_ADDRESS = re.compile(r"\S{0,64}@\S{0,255}")


def spoken(text: str) -> str:
    """The server's own words: without the addresses that it quotes, and without case."""
    return _ADDRESS.sub(" ", text).casefold() if "@" in text else text.casefold()


def reason_of_deferral(enhanced: str | None, text: str) -> Reason:
    """Why a 4yz reply put this recipient off (RFC 6647 2 for greylisting)."""
    words = spoken(text)
    if enhanced == "4.2.2":
        return Reason.MAILBOX_FULL
    if enhanced == "4.7.1" or "grey" in words or "gray" in words or "灰名单" in words:
        return Reason.GREYLISTED
    return Reason.TEMPORARY


def reason_of_refusal(enhanced: str | None, text: str, default: Reason) -> Reason:
    """Why a 5yz reply refused this recipient; `default` where neither words nor status tell."""
    words = spoken(text)
    if alive := next((reason for word, reason in _ALIVE_WORDS if word in words), None):
        return alive
    dead = next((reason for word, reason in _DEAD_WORDS if word in words), None)
    if enhanced is not None and not enhanced.startswith(("5.0.", "5.1.")):
        return _BY_STATUS.get(enhanced, default)  # its subject is not the address
    if dead:
        return dead
    if any(word in words for word in _POLICY_WORDS):
        return Reason.REFUSED
    return _BY_STATUS.get(enhanced or "", default)
