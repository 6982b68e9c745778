"""Reports in prose, one text for each way of writing them: whom they name, and hard or soft.

The texts in `prose.json` were written for this test, after what programs write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from campaigns.mailer import bounce

CASES = json.loads(
    (Path(__file__).parents[1] / "corpus" / "bounces" / "prose.json").read_text("utf-8")
)


def message(case: dict[str, Any]) -> bytes:
    charset = "gb18030" if "gb18030" in case["content_type"] else "utf-8"
    head = (
        f"From: {case['from']}\nTo: bounces+1@hongyan.example\nSubject: {case['subject']}\n"
        f"Content-Type: {case['content_type']}\n\n"
    )
    return head.encode() + "\n".join(case["text"]).encode(charset)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["subject"][:40])
def test_it_reads_what_programs_and_persons_write(case: dict[str, Any]) -> None:
    report = bounce.read(message(case))
    found = [[r.address, r.cls] for r in report.recipients]
    assert (report.kind, found) == (case["kind"], case["recipients"])
