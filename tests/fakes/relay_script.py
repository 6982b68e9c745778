"""What a scripted relay does instead of what a good one would: rules and their actions."""

from __future__ import annotations

import fnmatch
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Say:
    """Answers with this, a CRLF added; bytes go out as they are."""

    line: str | bytes

    @property
    def octets(self) -> bytes:
        return self.line if isinstance(self.line, bytes) else f"{self.line}\r\n".encode()


@dataclass(frozen=True)
class Stall:
    """Says nothing for so many seconds, then hangs up."""

    seconds: float = 3600


@dataclass(frozen=True)
class Drip:
    """Sends the octets one by one, `every` so many seconds, then hangs up."""

    octets: bytes
    every: float


@dataclass(frozen=True)
class Drop:
    """Hangs up without a word."""


@dataclass(frozen=True)
class Reset:
    """Hangs up with a TCP RST."""


Action = Say | Stall | Drip | Drop | Reset

PHASES = (
    "banner",
    "ehlo",
    "starttls",
    "auth",
    "mail",
    "rcpt",
    "data",
    "content",
    "dot",
    "rset",
    "noop",
    "quit",
)


@dataclass(frozen=True)
class Rule:
    """`action` at `phase`, for recipients that match the glob `recipient`.

    Per recipient it lets `skip` occasions pass and then acts on the `first` next ones (None: all).
    `accept` (at dot): the message is logged as accepted although the action hides it. `after` (at
    content): octets of the body that are read before.
    """

    phase: str
    action: Action
    recipient: str = "*"
    first: int | None = None
    skip: int = 0
    accept: bool = False
    after: int = 0

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> Rule:
        """{"phase": "rcpt", "recipient": "defer-*", "first": 1, "say": "451 4.7.1 later"}.

        The action is one of say, stall (seconds), drop, reset, drip ({"text", "every"}).
        """
        rest = dict(fields)
        makers = {"say": Say, "stall": Stall, "drop": lambda _: Drop(), "reset": lambda _: Reset()}
        (name,) = {*makers, "drip"} & set(rest)
        value = rest.pop(name)
        if name == "drip":
            action: Action = Drip(str(value["text"]).encode(), float(value["every"]))  # type: ignore[index]
        else:
            action = makers[name](value)  # type: ignore[operator]
        return cls(action=action, **rest)  # type: ignore[arg-type]


class Script:
    """The rules of a relay and how often each was asked. Thread-safe."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        for rule in rules:
            if rule.phase not in PHASES:
                raise ValueError(f"no phase {rule.phase!r}")
        self._rules = list(rules)
        self._asked: Counter[tuple[int, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, rule: Rule) -> None:
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self._asked.clear()

    def at(self, phase: str, recipient: str = "") -> Rule | None:
        """The first rule that acts now; counts the occasion for each rule that could have."""
        with self._lock:
            for number, rule in enumerate(self._rules):
                if rule.phase != phase or not fnmatch.fnmatch(recipient.lower(), rule.recipient):
                    continue
                seen = self._asked[number, recipient]
                self._asked[number, recipient] += 1
                last = float("inf") if rule.first is None else rule.skip + rule.first
                if rule.skip <= seen < last:
                    return rule
        return None
