"""Reply rules: what a relay's replies mean, by the team's own rules first and then by the shipped ones.

`rules_of` is compiled once a batch and handed to `mailer.reply.classify`. `past_replies` lets a rule be
tried on what servers have answered before anybody saves it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from accounts.models import Relay, Team
from campaigns.mailer.reply import Outcome, Phase, Reply, Scope, Verdict, classify, rule_for
from campaigns.mailer.reply import ReplyRule as Rule
from campaigns.mailer.reply_patterns import (
    MAX_PIECES,
    PatternFault,
    codes_of,
    statuses_of,
    words_of,
)
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.reply_rules import RULES
from campaigns.models import Attempt, ReplyRule, ShippedRuleOff
from campaigns.models.reply_rule import ABOUT_RECIPIENT, RuleAction

log = logging.getLogger(__name__)

# How far back a page looks, and how many refusals it reads at most.
LATELY = timedelta(days=7)
PAST_REPLIES = 2000

_EFFECT: dict[RuleAction, tuple[Scope, Outcome, Reason]] = {
    RuleAction.PARK_RELAY: (Scope.RELAY, Outcome.DEFERRED, Reason.RATE_LIMITED),
    RuleAction.PARK_DOMAIN: (Scope.DOMAIN, Outcome.DEFERRED, Reason.RATE_LIMITED),
    RuleAction.RETRY: (Scope.RECIPIENT, Outcome.DEFERRED, Reason.TEMPORARY),
    RuleAction.RECONNECT: (Scope.CONNECTION, Outcome.DEFERRED, Reason.CONNECTION_LIMIT),
    RuleAction.REFUSE: (Scope.RECIPIENT, Outcome.REFUSED, Reason.REFUSED),
    RuleAction.HOLD: (Scope.CONTENT, Outcome.DEFERRED, Reason.SPAM),
}

_SHIPPED = {rule.key: rule for rule in RULES}


def rules_of(relay: Relay) -> tuple[Rule, ...]:
    """The team's enabled rules for this relay in their order, then the shipped ones in use; two queries."""
    own = []
    for row in own_rules(relay).filter(enabled=True):
        try:
            own.append(compiled(row))
        except (PatternFault, ValueError):
            log.error("Reply rule %s cannot be read; it is left out.", row.pk)
    off = set(ShippedRuleOff.objects.filter(relay=relay).values_list("key", flat=True))
    return (*own, *(rule for rule in shipped_for(relay) if rule.key not in off))


def own_rules(relay: Relay) -> QuerySet[ReplyRule]:
    """The team's own rules that this relay goes by, in the order in which they are tried."""
    mine = Q(relay=relay) | Q(relay=None)
    return ReplyRule.objects.filter(mine, team=relay.team_id).order_by("order", "pk")


def shipped_for(relay: Relay) -> tuple[Rule, ...]:
    """The shipped rules. At a recipient's own server a busy relay is a busy domain: the others go on."""
    if not relay.is_direct:
        return RULES
    return tuple(
        replace(rule, scope=Scope.DOMAIN) if rule.scope is Scope.RELAY else rule for rule in RULES
    )


def compiled(row: ReplyRule) -> Rule:
    """A row as the pure rule; raises PatternFault or ValueError for what no form lets pass."""
    action = RuleAction(row.action)
    scope, outcome, meaning = _EFFECT[action]
    wanted: tuple[Phase, ...] = (Phase(row.phase),) if row.phase else ()
    if action.is_about_recipient:
        phases = tuple(Phase(one) for one in ABOUT_RECIPIENT)
        if not set(wanted) <= set(phases):
            raise ValueError("phase")
        wanted = wanted or phases
    return Rule(
        meaning=Reason(row.reason) if row.reason else meaning,
        scope=scope,
        park_for=timedelta(seconds=row.seconds) if outcome is Outcome.DEFERRED else None,
        words=words_of(row.text),
        codes=codes_of(row.code),
        enhanced=statuses_of(row.enhanced),
        phases=wanted,
        outcome=outcome,
        key=row.key,
        sentence=row.sentence,
    )


def action_of(rule: Rule) -> RuleAction:
    """What a rule does, in the words of a team's own."""
    if rule.outcome is Outcome.REFUSED:
        return RuleAction.REFUSE
    return next(
        action
        for action, (scope, outcome, _reason) in _EFFECT.items()
        if scope is rule.scope and outcome is rule.outcome
    )


def row_of(rule: Rule, relay: Relay) -> ReplyRule:
    """A shipped rule as an own one of the relay that does the same; not saved."""
    return ReplyRule(
        team=relay.team,
        relay=relay,
        phase=rule.phases[0] if len(rule.phases) == 1 else "",
        code=", ".join(map(str, rule.codes)),
        enhanced=", ".join(one + "*" if one.endswith(".") else one for one in rule.enhanced),
        text=" * ".join(rule.words),
        action=action_of(rule),
        seconds=int((rule.park_for or timedelta(minutes=15)).total_seconds()),
        reason=str(rule.meaning),
        copied_from=rule.key,
    )


def find(key: str, team_id: int) -> Rule | None:
    """The rule with this key, shipped or own; None for one that is gone."""
    return find_all([key], team_id)[key]


def find_all(keys: Iterable[str], team_id: int) -> dict[str, Rule | None]:
    """The same for many, with one query at most."""
    found = {key: _SHIPPED.get(key) for key in keys}
    own = [int(key[4:]) for key in found if key.startswith("own:") and key[4:].isdecimal()]
    if own:
        rows = ReplyRule.objects.filter(pk__in=own, team=team_id)
        found |= {row.key: compiled(row) for row in rows}
    return found


# Trying a reply out ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """A pasted reply as we read it, the rule that speaks about it (None: its code does) and the verdict."""

    reply: Reply
    rule: Rule | None
    verdict: Verdict


_REPLY = re.compile(r"(?<![\d.])([45]\d\d)[ \t-]")


def tried(pasted: str, phase: str, rules: Sequence[Rule]) -> Trial | None:
    """What the rules make of a reply as somebody pasted it, also out of a log; None where none is in it."""
    found = _REPLY.search(pasted)
    if found is None:
        return None
    code = found[1]
    repeated = re.compile(rf"^\s*{code}[ \t-]")
    lines = [repeated.sub("", line).encode() for line in pasted[found.start() :].splitlines()]
    reply, at = Reply.parse(int(code), lines), Phase(phase)
    return Trial(reply, rule_for(at, reply, rules), classify(at, reply, rules))


# What rules caught ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Caught:
    """How often a rule spoke lately, and when last."""

    number: int
    last_at: datetime


def caught_lately(relay: Relay) -> dict[str, Caught]:
    """By the key of the rule; bounded by the index on the attempts that a rule caught."""
    rows = (
        refusals(relay)
        .exclude(rule="")
        .values("rule")
        .annotate(number=Count("pk"), last_at=Max("ended_at"))
        .order_by("-number")
    )
    return {row["rule"]: Caught(row["number"], row["last_at"]) for row in rows}


@dataclass(frozen=True)
class Past:
    """What one refusal of the last days would have met. `sealed`: its text is a payslip's."""

    attempt: Attempt
    reply: Reply
    sealed: bool


def refusals(relay: Relay | None, team: Team | None = None) -> QuerySet[Attempt]:
    """What servers did not take in the last days: of one relay, or of all of a team's."""
    relays = Relay.objects.filter(team=team).values("pk") if relay is None else [relay.pk]
    # The condition on the code is that of the index.
    return Attempt.objects.filter(
        relay__in=relays, started_at__gte=timezone.now() - LATELY, code__gte=400
    )


def past_replies(relay: Relay | None, team: Team) -> list[Past]:
    """The newest refusals. A sealed text is not opened to try rules on it: whoever may write rules could
    else ask it, letter by letter, what it says."""
    rows = (
        refusals(relay, team)
        .select_related("delivery", "relay")
        .defer("relay__secret", "relay__ca_pem")
    )
    return [
        Past(row, Reply(row.code or 0, row.enhanced or None, row.text), bool(row.sealed_text))
        for row in rows.order_by("-started_at")[:PAST_REPLIES]
    ]


def would_catch(rule: Rule, past: Iterable[Past]) -> list[Past]:
    """Those that this rule would have caught, had it come first."""
    return [
        one
        for one in past
        if not (one.sealed and rule.words) and rule_for(Phase(one.attempt.phase), one.reply, [rule])
    ]


# What differs from reply to reply: an address, a link, an IP address, an id.
_DIFFERS = re.compile(r"@|://|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|[0-9A-Fa-f]{10}")


def phrase_of(text: str) -> str:
    """A reply's words as a phrase: what differs each time is a star."""
    words = ["*" if _DIFFERS.search(word) else word for word in text[:300].split()]
    pieces = [piece.strip() for piece in " ".join(words).split("*") if len(piece.strip()) > 2]
    return " * ".join(pieces[:MAX_PIECES])[:200].strip()
