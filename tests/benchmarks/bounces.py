"""How well and how fast returned mail is read, over the corpus of real mails."""

from __future__ import annotations

from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings
from tests.mailer.bounce_score import score
from tests.mailer.test_bounce_corpus import corpus


def measure(_ground: Ground) -> Findings:
    """Right addresses and classes in per cent, and mails a minute on one core."""
    percent = score(corpus()).percent()
    rate = percent.pop("mails_per_second") * 60
    found = Findings()
    found.figures |= {f"bounce_{name}": value for name, value in percent.items()}
    found.figures["bounces_per_minute"] = round(rate)
    found.table(
        f"Returned mail ({len(corpus())} real mails)",
        ["", "%"],
        [[name.replace("_", " "), value] for name, value in percent.items()],
    )
    found.table("", ["", "a minute"], [["mails read", rate]])
    return found
