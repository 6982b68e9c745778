"""What the providers' replies really mean, as data: NetEase, Tencent, Aliyun, Gmail, Office 365, SES.

The texts of NetEase and Tencent come from copies of their help pages, so an installation may edit
these rules: they are defaults, not facts. The first match wins; order goes from narrow to wide.
"""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

from campaigns.mailer.reply import Outcome, Phase, ReplyRule, Scope
from campaigns.mailer.reply_reasons import Reason

_SECONDS: Final = timedelta(seconds=2)
_MINUTES: Final = timedelta(minutes=5)
_QUARTER: Final = timedelta(minutes=15)
_HOUR: Final = timedelta(hours=1)
# The provider's day may be rolling: asking again each hour finds its end without knowing it.
_DAY: Final = timedelta(hours=6)


def _relay(
    meaning: Reason, park_for: timedelta, *words: str, codes: tuple[int, ...] = ()
) -> ReplyRule:
    return ReplyRule(meaning, Scope.RELAY, park_for, words, codes)


def _reconnect(*words: str) -> ReplyRule:
    return ReplyRule(Reason.CONNECTION_LIMIT, Scope.CONNECTION, _SECONDS, words)


def _content(*words: str) -> ReplyRule:
    return ReplyRule(Reason.SPAM, Scope.CONTENT, _QUARTER, words)


_NETEASE = (
    _relay(Reason.AUTH_LOCKED, _HOUR, "too much fail authentication"),
    _relay(Reason.AUTH_LOCKED, _HOUR, "smtp auth error limit exceed"),
    _relay(Reason.RATE_LIMITED, _QUARTER, "MI:SFQ"),
    _reconnect("MI:DMC"),
    _reconnect("RP:DRC"),
    _reconnect("MI:CCL"),
    _reconnect("MI:CEL"),
    _reconnect("RP:CCL"),
    _reconnect("RP:CEL"),
    _relay(Reason.RATE_LIMITED, _HOUR, "RP:QRC"),
    _relay(Reason.DAY_LIMIT, _DAY, "MI:STC"),
    _relay(Reason.DAY_LIMIT, _DAY, "RP:TRC"),
    _relay(Reason.RATE_LIMITED, _HOUR, "HL:IFC"),
    _relay(Reason.CONNECTION_LIMIT, _MINUTES, "HL:ICC"),
    _relay(Reason.ADDRESS_BLOCKED, _HOUR, "HL:REP"),
    _relay(Reason.ADDRESS_BLOCKED, _HOUR, "HL:IPB"),
    _relay(Reason.ADDRESS_BLOCKED, _HOUR, "HL:IHU"),
    _relay(Reason.ADDRESS_BLOCKED, _HOUR, "DT:RBL"),
    _relay(Reason.ADDRESS_BLOCKED, _HOUR, "WM:BLI"),
    _relay(Reason.ACCOUNT_BLOCKED, _HOUR, "WM:BLU"),
    _relay(Reason.ACCOUNT_BLOCKED, _HOUR, "user has no permission"),
    _relay(Reason.SENDER_REFUSED, _HOUR, "MI:SPF"),
    _relay(Reason.SENDER_REFUSED, _HOUR, "MI:DMA"),
    _relay(Reason.SENDER_REFUSED, _HOUR, "MI:IMF"),
    _relay(Reason.SENDER_REFUSED, _HOUR, "DT:SUM"),
    _relay(Reason.SENDER_REFUSED, _HOUR, "mail from must equal"),
    _relay(Reason.RELAYING_DENIED, _HOUR, "RP:FRL"),
    _reconnect("RP:RCL"),
    _content("DT:SPM"),
    _content("MI:SPB"),
)
_TENCENT = (
    _relay(Reason.RATE_LIMITED, _HOUR, "frequency limited"),
    _relay(Reason.RATE_LIMITED, _HOUR, "mailbox unavailable or access denied", codes=(550,)),
    _relay(Reason.SENDER_REFUSED, _HOUR, "must be same as authorization user"),
    _relay(Reason.RATE_LIMITED, _HOUR, "exceed sending limit"),
    _relay(Reason.ADDRESS_BLOCKED, _HOUR, "suspected bounce attack"),
    _content("mail content denied"),
)
_ALIYUN = (
    _relay(Reason.RATE_LIMITED, _HOUR, "too frequently sending"),
    _content("reject by content spam"),
    _content("reject by behaviour spam"),
)
_GMAIL = (
    ReplyRule(  # this recipient is receiving too much, not: we send too much
        Reason.TEMPORARY, Scope.RECIPIENT, None, (), (450,), ("4.2.1",)
    ),
    ReplyRule(Reason.DAY_LIMIT, Scope.RELAY, _DAY, enhanced=("5.4.5",)),
    _relay(Reason.DAY_LIMIT, _DAY, "daily", "limit exceeded"),
    ReplyRule(Reason.RATE_LIMITED, Scope.DOMAIN, _HOUR, enhanced=("4.7.28", "4.7.32")),
)
_OFFICE365 = (
    ReplyRule(Reason.CONNECTION_LIMIT, Scope.RELAY, _MINUTES, codes=(432,)),
    _relay(
        Reason.RATE_LIMITED, timedelta(minutes=1), "submission rate for this client has exceeded"
    ),
    _relay(Reason.CONNECTION_LIMIT, _MINUTES, "sender thread limit exceeded"),
    _relay(Reason.DAY_LIMIT, _DAY, "SubmissionQuotaExceeded"),
    ReplyRule(Reason.DAY_LIMIT, Scope.RELAY, _DAY, enhanced=("5.1.90",)),
    _relay(Reason.SENDER_REFUSED, _HOUR, "SendAsDenied"),
    ReplyRule(Reason.SENDER_REFUSED, Scope.RELAY, _HOUR, enhanced=("5.7.60",)),
    _relay(Reason.ACCOUNT_BLOCKED, _HOUR, "bad outbound sender"),
    _relay(Reason.AUTH_REFUSED, _HOUR, "SmtpClientAuthentication is disabled"),
)
_SES = (
    _relay(Reason.DAY_LIMIT, _DAY, "daily message quota exceeded"),
    _relay(Reason.RATE_LIMITED, _SECONDS, "maximum sending rate exceeded"),
    _relay(Reason.RATE_LIMITED, _MINUTES, "throttling failure"),
    _relay(Reason.SENDER_REFUSED, _HOUR, "address is not verified"),
    _relay(Reason.ACCOUNT_BLOCKED, _HOUR, "sending paused for this account"),
)
_ANYONE = (
    _relay(Reason.RELAYING_DENIED, _HOUR, "relay access denied"),
    _relay(Reason.RELAYING_DENIED, _HOUR, "relaying denied"),
    _relay(Reason.RELAYING_DENIED, _HOUR, "relay not permitted"),
    _relay(Reason.SENDER_REFUSED, _HOUR, "sender address rejected", "not owned by user"),
    _relay(Reason.RATE_LIMITED, _MINUTES, "too many login attempts"),
    ReplyRule(Reason.CONNECTION_LIMIT, Scope.CONNECTION, _SECONDS, enhanced=("4.5.3",)),
    ReplyRule(  # RFC 5321 4.5.3.1.10: 552 for too many recipients means 452
        Reason.CONNECTION_LIMIT, Scope.CONNECTION, _SECONDS, ("too many recipients",)
    ),
    ReplyRule(Reason.RELAY_BUSY, Scope.RELAY, _MINUTES, enhanced=("4.3.1", "4.3.2")),
    ReplyRule(Reason.RATE_LIMITED, Scope.RELAY, _MINUTES, (), (421, 454), ("4.7.0",)),
    ReplyRule(
        Reason.RATE_LIMITED,
        Scope.RELAY,
        _MINUTES,
        codes=(454,),
        phases=(Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.CONTENT),
    ),
    _relay(Reason.RATE_LIMITED, _QUARTER, "too many messages"),
    _relay(Reason.RATE_LIMITED, _QUARTER, "rate limit"),
    _relay(Reason.RATE_LIMITED, _QUARTER, "sending limit"),
    ReplyRule(Reason.SPAM, Scope.CONTENT, None, ("spam",), (554,), phases=(Phase.CONTENT,)),
    ReplyRule(
        Reason.REFUSED, Scope.CONTENT, None, ("potential security issue",), outcome=Outcome.REFUSED
    ),
)


def _keyed(provider: str, rules: tuple[ReplyRule, ...]) -> tuple[ReplyRule, ...]:
    """A key is stored with what a rule caught: it is made of what the rule matches, not of its place."""
    return tuple(replace(rule, key=_key(provider, rule)) for rule in rules)


def _key(provider: str, rule: ReplyRule) -> str:
    parts = (*rule.words, *map(str, rule.codes), *rule.enhanced)
    return f"{provider}/" + re.sub(r"[^0-9a-z.]+", "-", " ".join(parts).lower()).strip("-")


#: Whose replies they are -> the shipped rules, in the order in which they are tried.
BY_PROVIDER: Final[dict[str, tuple[ReplyRule, ...]]] = {
    "netease": _keyed("netease", _NETEASE),
    "tencent": _keyed("tencent", _TENCENT),
    "aliyun": _keyed("aliyun", _ALIYUN),
    "gmail": _keyed("gmail", _GMAIL),
    "office365": _keyed("office365", _OFFICE365),
    "ses": _keyed("ses", _SES),
    "anyone": _keyed("anyone", _ANYONE),
}

#: All of them, in that order.
RULES: tuple[ReplyRule, ...] = tuple(rule for rules in BY_PROVIDER.values() for rule in rules)
