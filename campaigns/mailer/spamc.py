"""SpamAssassin's word on a message, by its own client `spamc` where that is installed.

spamc finds its server (spamd) by its own configuration (/etc/spamassassin/spamc.conf), so nothing is set here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

#: Seconds for connecting and for the answer; rules that ask the DNS take some.
CONNECT_SECONDS, ANSWER_SECONDS = 3, 15
#: Octets; spamc itself refuses what is larger than 500 kB.
LARGEST = 500_000
LONGEST_REPORT = 64_000
_SCORE = re.compile(r"(-?\d{1,5}(?:\.\d{1,3})?)/(-?\d{1,5}(?:\.\d{1,3})?)")
_RULE = re.compile(r" ?(-?\d{1,4}(?:\.\d{1,2})?) +([A-Z0-9_]{2,60}) +(\S.*)")


@dataclass(frozen=True)
class SpamRule:
    """One rule that the message met; a positive `points` speaks against it."""

    name: str
    points: float
    text: str


@dataclass(frozen=True)
class SpamVerdict:
    """From `threshold` points on a receiver with these settings takes the message for spam."""

    score: float
    threshold: float
    rules: tuple[SpamRule, ...]

    @property
    def is_spam(self) -> bool:
        return self.score >= self.threshold


class SpamcFailure(Exception):
    """spamc is there, but it or its server gave no verdict in time."""


def find_spamc() -> str | None:
    """The client's path, or None where SpamAssassin is not installed."""
    return shutil.which("spamc")


def ask_spamc(content: bytes, *, program: str, options: tuple[str, ...] = ()) -> SpamVerdict:
    """Its verdict on a whole message; raises SpamcFailure. `options` are further ones of spamc(1)."""
    command = [program, *options, "-x", "-R", "-n", str(CONNECT_SECONDS), "-t", str(ANSWER_SECONDS)]
    try:
        done = subprocess.run(
            [*command, "-s", str(LARGEST)],
            input=content,
            capture_output=True,
            timeout=CONNECT_SECONDS + ANSWER_SECONDS + 2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SpamcFailure(str(error)) from error
    if done.returncode:
        raise SpamcFailure(f"spamc ended with {done.returncode}")
    return read_report(done.stdout[:LONGEST_REPORT].decode("utf-8", "replace"))


def read_report(report: str) -> SpamVerdict:
    """Reads what `spamc -R` prints: score/threshold, prose, then a table of rules."""
    lines = report.splitlines()
    score = _SCORE.fullmatch(lines[0].strip()) if lines else None
    if score is None:
        raise SpamcFailure("no score")
    rules = (_RULE.fullmatch(line.rstrip()) for line in lines[1:])
    met = [SpamRule(rule[2], float(rule[1]), rule[3]) for rule in rules if rule]
    met.sort(key=lambda rule: -rule.points)
    return SpamVerdict(float(score[1]), float(score[2]), tuple(met))
