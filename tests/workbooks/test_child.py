"""The child process tells the same as reading here, and its limits hold."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import load_workbook

from campaigns.workbooks import Limits, RejectKind, WorkbookRejected, read
from campaigns.workbooks.child import read_in_child
from campaigns.workbooks.export import result_workbook, safe_text
from tests.workbooks.making import book, saved

CORPUS = Path(__file__).parent.parent / "corpus" / "workbooks"
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", ["s01_title_notes_blank.xlsx", "s03_dirty_emails.xlsx", "s12_months_hidden_sheet.xlsx"])  # fmt: skip
def test_the_child_reads_what_we_read(name: str) -> None:
    assert read_in_child(CORPUS / name) == read(CORPUS / name)


def test_a_password_reaches_the_child() -> None:
    path = CORPUS / "s08_password.xlsx"
    assert len(read_in_child(path, password="123456").rows) == 1
    with pytest.raises(WorkbookRejected) as caught:
        read_in_child(path)
    assert caught.value.kind is RejectKind.PASSWORD


def test_progress_is_told_and_ends_at_the_whole(tmp_path: Path) -> None:
    path = saved(
        book(["姓名", "邮箱"], *(["张", f"p{i}@example.com"] for i in range(3000))), tmp_path
    )
    told: list[tuple[int, int]] = []
    read_in_child(path, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert len(told) > 2


def test_a_child_that_takes_too_long_is_ended() -> None:
    with pytest.raises(WorkbookRejected) as caught:
        read_in_child(CORPUS / "s01_title_notes_blank.xlsx", limits=Limits(wall_seconds=0))
    assert caught.value.kind is RejectKind.TIMEOUT


def test_a_child_that_takes_too_much_memory_is_refused_with_a_sentence() -> None:
    with pytest.raises(WorkbookRejected) as caught:
        read_in_child(CORPUS / "s01_title_notes_blank.xlsx", limits=Limits(memory_bytes=1 << 20))
    assert caught.value.kind in (RejectKind.SIZE, RejectKind.TIMEOUT)


def test_stopping_at_progress_ends_the_child(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_in_child(
            saved(book(["姓名", "邮箱"], ["张", "a@example.com"]), tmp_path), progress=stop
        )


@pytest.mark.parametrize("start", [*"=+-@\t\r\n＝＋－＠", " =", "\u3000="])
def test_a_text_that_looks_like_a_formula_is_neutralised(start: str) -> None:
    assert safe_text(start + "1+1") == "'" + start + "1+1"
    assert safe_text("1+1") == "1+1"
    assert safe_text(None) == ""


def test_a_result_workbook_holds_texts_alone() -> None:
    out = io.BytesIO()
    rows = [
        ["=1+1", "+cmd", None, 5, "a\x00b\nc", "x" * 40_000],
        ["-2", "@SUM(1)", "\t=1", "", "正常", "_x000D_"],
    ]
    result_workbook(rows, ["行", "状态", "时间", "回复", "e", "f"], out)
    sheet = load_workbook(out)["结果"]
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [sheet["A2"].value, sheet["D2"].value, sheet["E2"].value] == ["=1+1", "5", "ab\nc"]
    assert len(str(sheet["F2"].value)) == 32_767


def command(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "read_workbook", *args],
        cwd=ROOT, capture_output=True, encoding="utf-8", input=stdin, timeout=60, check=False,
    )  # fmt: skip


def test_the_command_prints_one_json_object_alone() -> None:
    done = command(str(CORPUS / "s12_months_hidden_sheet.xlsx"), "--sheet", "10月")
    assert (done.returncode, done.stderr) == (0, "")
    assert "10月" in done.stdout
    assert list(json.loads(done.stdout)) == [
        "outcome", "sheet", "sheets", "hidden", "header_rows", "columns", "recipients", "invalid", "duplicates",
        "skipped_rows", "problems",
    ]  # fmt: skip


def test_the_command_takes_a_password_from_stdin_and_never_asks() -> None:
    path = str(CORPUS / "s08_password.xlsx")
    assert (
        json.loads(command(path, "--password-stdin", stdin="123456\n").stdout)["outcome"]
        == "import"
    )
    locked = command(path)
    assert (locked.returncode, locked.stdout) == (2, "")
    assert "password" in locked.stderr
    assert "Traceback" not in locked.stderr


def test_the_command_says_in_a_sentence_what_is_wrong(tmp_path: Path) -> None:
    for path, word in ((CORPUS / "s10_xxe.xlsx", "DOCTYPE"), (tmp_path / "none.xlsx", "damaged")):
        done = command(str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr
        assert len(done.stderr.splitlines()) == 1
