"""How well `campaigns.mailer.bounce` reads a folder of real mails with a truth.jsonl beside them.

    python -m tests.mailer.bounce_score FOLDER

FOLDER holds `truth.jsonl` (file, kind, recipients: address, alias, address_sure, cls, …) and the mails,
in `eml/` or beside it. Prints the percentages; `score(...)` returns them for tests and benchmarks.
"""

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns.mailer import bounce

Mail = tuple[dict[str, Any], bytes]


@dataclass
class Score:
    """Counts over one set; `misses` are sentences about each mail that was read wrongly."""

    bounces: int = 0
    recognised: int = 0
    unrecognised: int = 0
    addresses: int = 0
    addresses_right: int = 0
    wrong_addresses: int = 0
    hard: int = 0
    hard_right: int = 0
    soft: int = 0
    soft_right: int = 0
    reasons: int = 0
    reasons_right: int = 0
    others: int = 0
    others_right: int = 0
    negatives: int = 0
    negatives_as_bounce: int = 0
    seconds: float = 0.0
    mails: int = 0
    misses: list[str] = field(default_factory=list)

    def percent(self) -> dict[str, float]:
        """The figures that floors are set on, in per cent (and mails a second)."""
        return {
            "address": _percent(self.addresses_right, self.addresses),
            "wrong_address": _percent(self.wrong_addresses, self.addresses),
            "hard": _percent(self.hard_right, self.hard),
            "soft": _percent(self.soft_right, self.soft),
            "reason": _percent(self.reasons_right, self.reasons),
            "unrecognised": _percent(self.unrecognised, self.bounces),
            "other_kinds": _percent(self.others_right, self.others),
            "negatives_as_bounce": float(self.negatives_as_bounce),
            "mails_per_second": round(self.mails / self.seconds, 1) if self.seconds else 0.0,
        }


def score(mails: Iterable[Mail]) -> Score:
    """Reads each mail and compares it with its truth."""
    total = Score()
    for truth, raw in mails:
        started = time.process_time()
        report = bounce.read(raw)
        total.seconds += time.process_time() - started
        total.mails += 1
        if truth["kind"] == "bounce":
            _score_bounce(total, truth, report)
        else:
            _score_other(total, truth, report)
    return total


def _score_bounce(total: Score, truth: dict[str, Any], report: bounce.Report) -> None:
    total.bounces += 1
    total.recognised += report.kind == "bounce"
    total.unrecognised += report.kind != "bounce"
    if report.kind != "bounce":
        total.misses.append(f"{truth['file']}: bounce taken for {report.kind}")
    found = {r.address.lower(): r for r in report.recipients}
    expected = [r for r in truth["recipients"] if r["address_sure"] is not False]
    names = {n.lower() for r in truth["recipients"] for n in (r["address"], r["alias"]) if n}
    if expected:
        total.addresses += 1
        right = all(_named(found, r) for r in expected)
        wrong = [a for a in found if a not in names]
        total.addresses_right += right
        total.wrong_addresses += bool(wrong)
        if not right or wrong:
            total.misses.append(f"{truth['file']}: addresses {sorted(found)} for {sorted(names)}")
    for recipient in truth["recipients"]:
        answer = _named(found, recipient)
        if answer is None and len(found) == len(truth["recipients"]) == 1:
            answer = next(iter(found.values()))
        _score_cause(total, truth["file"], recipient, answer)


def _named(found: dict[str, bounce.Recipient], expected: dict[str, Any]) -> bounce.Recipient | None:
    names = (n.lower() for n in (expected["address"], expected["alias"]) if n)
    return next((found[n] for n in names if n in found), None)


def _score_cause(
    total: Score, name: str, expected: dict[str, Any], answer: bounce.Recipient | None
) -> None:
    if expected["cls"] is None:
        return
    right = answer is not None and answer.cls == expected["cls"]
    if expected["cls"] == "hard":
        total.hard += 1
        total.hard_right += right
    else:
        total.soft += 1
        total.soft_right += right
    if expected["reason"]:
        total.reasons += 1
        total.reasons_right += answer is not None and answer.reason == expected["reason"]
    if not right:
        said = f"{answer.cls} {answer.reason} {answer.status}" if answer else "nothing"
        total.misses.append(f"{name}: {said} for {expected['cls']} {expected['reason']}")
    elif answer is not None and answer.reason != expected["reason"]:
        total.misses.append(f"({name}: reason {answer.reason} for {expected['reason']})")


def _score_other(total: Score, truth: dict[str, Any], report: bounce.Report) -> None:
    total.others += 1
    total.others_right += report.kind == truth["kind"]
    if truth["kind"] in ("ordinary", "autoreply", "delivered"):
        total.negatives += 1
        total.negatives_as_bounce += report.kind == "bounce"
    if report.kind != truth["kind"]:
        total.misses.append(f"{truth['file']}: {report.kind} for {truth['kind']}")


def folder(path: Path) -> Iterable[Mail]:
    """The mails of a folder with their truth, in the order of truth.jsonl."""
    for line in (path / "truth.jsonl").read_text("utf-8").splitlines():
        truth = json.loads(line)
        here = path / "eml" / truth["file"]
        yield truth, (here if here.exists() else path / truth["file"]).read_bytes()


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 100.0


if __name__ == "__main__":
    result = score(folder(Path(sys.argv[1])))
    for miss in result.misses:
        print(miss)
    print(json.dumps(result.percent()))
