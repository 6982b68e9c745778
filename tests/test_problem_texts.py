"""Sentences on workbooks: every kind has one, and its Chinese is that of the pure package."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from campaigns import problem_texts
from campaigns.workbooks import containers, problems
from campaigns.workbooks.problems import Problem, ProblemKind, RejectKind, WorkbookRejected


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    with translation.override("zh-hans"):
        yield


def _params(sentence: str) -> dict[str, str]:
    names = {name for _text, name, _spec, _conversion in string.Formatter().parse(sentence) if name}
    return {name: f"〈{name}〉" for name in names - {"place"}}


@pytest.mark.parametrize("kind", ProblemKind)
@pytest.mark.parametrize(
    ("sheet", "row", "column"),
    [
        ("11月", 4, "E"),
        ("11月", 4, None),
        ("11月", None, "E"),
        ("11月", None, None),
        (None, 4, "E"),
    ],
)
def test_a_problem_reads_as_the_reader_says_it(
    kind: ProblemKind, sheet: str | None, row: int | None, column: str | None
) -> None:
    problem = Problem(sheet, row, column, kind, _params(problems.SENTENCES[kind]))
    assert problem_texts.problem_sentence(problem.as_json()) == problem.text
    assert str(problem_texts.PROBLEMS[kind]) == problems.SENTENCES[kind]


@pytest.mark.parametrize("kind", RejectKind)
def test_a_rejection_reads_as_the_reader_says_it(kind: RejectKind) -> None:
    rejected = WorkbookRejected(kind, "细节")
    assert problem_texts.reject_sentence(kind.value, "细节") == rejected.sentence


def test_every_kind_has_a_heading_and_a_severity() -> None:
    assert set(problem_texts.GROUPS) == set(ProblemKind)
    assert {group.severity for group in problem_texts.GROUPS.values()} == {
        "error",
        "warning",
        "notice",
    }


def test_every_reason_is_known() -> None:
    texts = {why: str(text) for why, text in problem_texts.REASONS.items()}
    assert texts == dict(problems.REASONS)


def test_a_kind_of_a_newer_reader_keeps_its_own_sentence() -> None:
    stored = {"kind": "new", "params": {}, "text": "原话", "sheet": None, "row": 1, "column": None}
    assert problem_texts.problem_sentence(stored) == "原话"
    assert problem_texts.reject_sentence("new", "", "原话") == "原话"


def test_braces_in_a_cell_are_no_placeholders() -> None:
    problem = Problem("S", 1, "A", ProblemKind.ERROR_VALUE, {"raw": "{place.__class__}"})
    assert "{place.__class__}" in problem_texts.problem_sentence(problem.as_json())


def _details() -> set[str]:
    """Read from the pure package's own source: what it says beside a kind, with 7 for what is filled in."""
    found = set(containers.NOT_WORKBOOKS.values())
    for path in Path(problems.__file__).parent.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "WorkbookRejected":
                found.update(_said(word) for word in call.args[1:])
    return set(filter(_is_chinese, found))


def _is_chinese(text: str) -> bool:
    return any("\u3400" <= letter <= "\u9fff" for letter in text)


def _said(word: ast.expr) -> str:
    if isinstance(word, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "7" for part in word.values
        )
    return str(word.value) if isinstance(word, ast.Constant) else ""


def test_every_detail_of_a_rejection_has_its_english() -> None:
    details = _details()
    assert {"压缩比 7 倍", "压缩数据有错", "图片"} <= details
    with translation.override("en"):
        said = {detail: problem_texts.detail_words(detail) for detail in details}
    assert {d: text for d, text in said.items() if _is_chinese(text) or "{" in text} == {}
    assert all("7" in text for detail, text in said.items() if "7" in detail)


def test_a_sheet_may_be_called_anything_in_a_detail() -> None:
    detail = "工作表“a{0}”\n里”里没有数据"
    assert problem_texts.detail_words(detail) == detail
