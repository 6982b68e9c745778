"""Every code that is stored has a sentence that a person understands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from campaigns.mailer.bounces import causes
from campaigns.mailer.pop3_errors import Problem
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.template_render import RenderError
from campaigns.reasons import MAILDROP_SENTENCES, SENTENCES, sentence

PIPELINE = Path(__file__).parents[1] / "campaigns" / "pipeline"
# How the stages write a code down.
WRITTEN = re.compile(
    r'Unsendable\(\s*"([a-z_]+)"|Halt\(\s*"\w+", "([a-z_]+)"|\breason="([a-z_]+)"'
    r'|\bfail\([^()]*, "([a-z_]+)"|DeliveryState\.[A-Z_]+, "([a-z_]+)"(?!:)'
)


def codes_of_the_pipeline() -> set[str]:
    text = "".join(path.read_text(encoding="utf-8") for path in PIPELINE.glob("*.py"))
    return {code for groups in WRITTEN.findall(text) for code in groups if code}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_a_relay_has_a_sentence(reason: Reason) -> None:
    assert reason.value in SENTENCES


@pytest.mark.parametrize("problem", Problem)
def test_every_problem_of_a_maildrop_has_a_sentence(problem: Problem) -> None:
    assert problem.value in MAILDROP_SENTENCES


def test_every_code_that_a_stage_writes_has_a_sentence() -> None:
    codes = codes_of_the_pipeline()
    assert {"worker_lost", "unreadable_cell", "quota_full", "suppression", "compose"} <= codes
    assert sorted(codes - set(SENTENCES)) == []


def test_every_kind_of_a_render_error_has_a_sentence() -> None:
    listed = re.search(r"Kinds: (.*)\.\n", RenderError.__doc__ or "")
    assert listed is not None
    kinds = re.findall(r"([a-z_]+)(?: \([^)]*\))?(?:, |$)", listed[1])
    assert len(kinds) >= 5
    assert [kind for kind in kinds if f"render_{kind}" not in SENTENCES] == []


def test_every_cause_of_a_bounce_has_a_sentence() -> None:
    names = {path.stem for path in Path(causes.__file__).parent.glob("[a-z]*.py")}
    assert len(names) > 20
    assert sorted(names - set(SENTENCES)) == []


def test_a_sentence_says_what_to_do_about_a_wrong_password() -> None:
    assert "授权码" in sentence("auth_refused")
    assert "授权码" in sentence("auth_code_needed", maildrop=True)


def test_an_unknown_code_is_named_and_an_empty_one_is_silent() -> None:
    assert "no_such_code" in sentence("no_such_code")
    assert sentence("") == ""
