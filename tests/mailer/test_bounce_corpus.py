"""Floors on real mails: right address, hard as hard, soft as soft, no ordinary mail taken for a bounce."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path

import pytest

from campaigns.mailer import bounce
from tests.mailer.bounce_score import Mail, score

CORPUS = Path(__file__).parents[1] / "corpus" / "bounces" / "mails.tar.gz"


@cache
def corpus() -> tuple[Mail, ...]:
    with tarfile.open(CORPUS) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
    truths = [json.loads(line) for line in files["truth.jsonl"].splitlines()]
    return tuple((truth, files[f"eml/{truth['file']}"]) for truth in truths)


@pytest.fixture(scope="module")
def percent() -> dict[str, float]:
    return score(corpus()).percent()


def test_the_corpus_is_whole() -> None:
    kinds = [truth["kind"] for truth, _ in corpus()]
    assert len(kinds) == 444
    assert kinds.count("bounce") > 350


@pytest.mark.parametrize(
    ("figure", "floor"),
    [("address", 97.0), ("hard", 98.0), ("soft", 97.0), ("other_kinds", 99.0), ("reason", 80.0)],
)
def test_it_reads_real_mails_well_enough(
    percent: dict[str, float], figure: str, floor: float
) -> None:
    assert percent[figure] >= floor, figure


@pytest.mark.parametrize(
    ("figure", "ceiling"),
    [("wrong_address", 2.0), ("unrecognised", 2.0), ("negatives_as_bounce", 0.0)],
)
def test_it_errs_rarely_enough(percent: dict[str, float], figure: str, ceiling: float) -> None:
    assert percent[figure] <= ceiling, figure


def test_it_reads_a_hundred_a_second(percent: dict[str, float]) -> None:
    assert percent["mails_per_second"] >= 100


def test_a_mail_cut_off_anywhere_raises_nothing() -> None:
    for _, raw in corpus()[::6]:
        for part in (0.1, 0.35, 0.6, 0.9):
            assert bounce.read(raw[: int(len(raw) * part)]).kind


def test_line_endings_change_nothing() -> None:
    for _, raw in corpus()[::5]:
        unix = raw.replace(b"\r\n", b"\n")
        assert verdict(unix) == verdict(unix.replace(b"\n", b"\r\n"))


def verdict(raw: bytes) -> tuple[str, tuple[bounce.Recipient, ...]]:
    report = bounce.read(raw)
    return report.kind, report.recipients
