"""The corpus: every key that an expected.json states must come out exactly so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from campaigns.workbooks import RejectKind, WorkbookRejected, read

CORPUS = Path(__file__).parent.parent / "corpus" / "workbooks"
FILES = sorted(path.name.removesuffix(".expected.json") for path in CORPUS.glob("*.json"))


def expected_of(name: str) -> dict[str, Any]:
    return dict(json.loads((CORPUS / f"{name}.expected.json").read_text(encoding="utf-8")))


IMPORTED = [name for name in FILES if expected_of(name)["outcome"].startswith("import")]


@pytest.mark.parametrize("name", IMPORTED)
def test_recipients_are_those_of_the_corpus_character_by_character(name: str) -> None:
    expected, got = expected_of(name), read(CORPUS / name)
    recipients = {(r["row"], r["email"]): r for r in got.recipients}
    wanted = [
        (r["row"], e) for r in expected["recipients"] for e in (r["email"], *r.get("also", []))
    ]
    assert list(recipients) == wanted
    for recipient in expected["recipients"]:
        found = recipients[recipient["row"], recipient["email"]]
        assert found["name"] == recipient["name"]
        assert recipient["fields"].items() <= found["fields"].items()


@pytest.mark.parametrize("name", IMPORTED)
def test_the_layout_is_that_of_the_corpus(name: str) -> None:
    expected, got = expected_of(name), read(CORPUS / name).as_json()
    assert got["outcome"] == "import"
    for key in expected.keys() & {"sheet", "header_rows", "columns"}:
        assert got[key] == expected[key]
    for key in ("invalid", "duplicates", "skipped_rows"):
        if key in expected:
            assert [r["row"] for r in got[key]] == [r["row"] for r in expected[key]]
    assert got["duplicates"] == expected.get("duplicates", [])


@pytest.mark.parametrize("month", ["8月", "9月", "10月"])
def test_a_named_sheet_of_several_is_read(month: str) -> None:
    name = "s12_months_hidden_sheet.xlsx"
    got = read(CORPUS / name, sheet=month)
    expected = expected_of(name)["per_sheet"][month]
    assert [(r["row"], r["email"], r["fields"]) for r in got.recipients] == [
        (r["row"], r["email"], r["fields"]) for r in expected
    ]


def test_of_several_sheets_none_is_guessed() -> None:
    got = read(CORPUS / "s12_months_hidden_sheet.xlsx").as_json()
    assert (got["outcome"], got["sheet"], got["header_rows"]) == ("choose-sheet", None, None)
    assert got["recipients"] == []
    assert got["sheets"] == ["8月", "9月", "10月"]
    assert got["hidden"] == {"sheets": ["高管(勿发)"], "rows": [], "columns": []}


def test_a_hidden_sheet_is_read_if_it_is_named() -> None:
    got = read(CORPUS / "s12_months_hidden_sheet.xlsx", sheet="高管(勿发)")
    assert [row.email for row in got.rows] == ["boss@example.com"]
    assert got.hidden["sheets"] == []


def test_a_locked_workbook_asks_for_its_password() -> None:
    path = CORPUS / "s08_password.xlsx"
    for password, kind in ((None, RejectKind.PASSWORD), ("no", RejectKind.WRONG_PASSWORD)):
        with pytest.raises(WorkbookRejected) as caught:
            read(path, password=password)
        assert caught.value.kind is kind
        assert "password" in caught.value.sentence
    assert [row.email for row in read(path, password="123456").rows] == ["p1@example.com"]


def test_an_external_entity_is_refused() -> None:
    with pytest.raises(WorkbookRejected, match="DOCTYPE") as caught:
        read(CORPUS / "s10_xxe.xlsx")
    assert caught.value.kind is RejectKind.MARKUP
