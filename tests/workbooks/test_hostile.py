"""Hostile files are refused with a sentence, fast and in little memory; broken ones never crash."""

from __future__ import annotations

import io
import os
import random
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.workbooks import Limits, RejectKind, WorkbookRejected, read
from tests.workbooks.making import (
    TWO_ROWS,
    book,
    emails,
    inline,
    kind_of,
    reading_of,
    saved,
    xlsx_of_sheet,
    xlsx_with,
)
from tests.workbooks.test_containers import ODS, ODS_HEADER, ods

CORPUS = Path(__file__).parent.parent / "corpus" / "workbooks"
ROOT = Path(__file__).parent.parent.parent
MB = 1 << 20
PERSON = TWO_ROWS.format(c2="")
BOMB_ROWS = f'{PERSON}<row r="3">{inline("A3", "x")}</row>'
ENTITY_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><sst>&c;</sst>'
)


def shorter_in_directory(content: bytes) -> bytes:
    """The directory says that every part is inflated to 100 bytes."""
    out = bytearray(content)
    at = out.find(b"PK\x01\x02")
    while at >= 0:
        out[at + 24 : at + 28] = (100).to_bytes(4, "little")
        at = out.find(b"PK\x01\x02", at + 4)
    return bytes(out)


def with_member(name: str) -> bytes:
    return xlsx_with({name: "x"})


HOSTILE: dict[str, tuple[Callable[[], bytes], set[RejectKind]]] = {
    "bomb by ratio": (lambda: xlsx_of_sheet(PERSON + " " * (40 * MB)), {RejectKind.SIZE}),
    "bomb by size": (lambda: xlsx_with({f"xl/media/{i}.bin": b"\0" * (7 * MB) for i in range(40)}), {RejectKind.SIZE}),
    "bomb in many small parts": (
        lambda: xlsx_with({f"xl/worksheets/s{i}.xml": b" " * (6 * MB) for i in range(20)}), {RejectKind.SIZE},
    ),
    "bomb in an unread part": (lambda: xlsx_with({"xl/media/a.bin": b"\0" * (60 * MB)}), {RejectKind.SIZE}),
    "lying about its size": (
        lambda: shorter_in_directory(xlsx_of_sheet(PERSON + " " * (40 * MB))), {RejectKind.DAMAGED},
    ),
    "entity bomb": (lambda: xlsx_with({"xl/sharedStrings.xml": ENTITY_BOMB}), {RejectKind.MARKUP}),
    "doctype in UTF-16": (
        lambda: xlsx_with({"xl/workbook.xml": '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16")}),
        {RejectKind.MARKUP},
    ),
    "doctype after much white space": (
        lambda: xlsx_with({"xl/workbook.xml": "<!--" + "x" * 200_000 + "--><!DOCTYPE a><a/>"}), {RejectKind.MARKUP},
    ),
    "doctype in styles": (lambda: xlsx_with({"xl/styles.xml": "<!DOCTYPE a><a/>"}), {RejectKind.MARKUP}),
    "doctype in relations": (lambda: xlsx_with({"_rels/.rels": "<!DOCTYPE a><a/>"}), {RejectKind.MARKUP}),
    "doctype in ods": (
        lambda: ods('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + ODS.format(header=ODS_HEADER)),
        {RejectKind.MARKUP},
    ),
    "entities in html": (
        lambda: b'<!DOCTYPE html [<!ENTITY x "y">]><html><table><tr><td>a</td></tr></table></html>', {RejectKind.MARKUP},
    ),
    "path traversal": (lambda: with_member("../../etc/cron.d/x"), {RejectKind.DAMAGED}),
    "path traversal with backslashes": (lambda: with_member("xl\\..\\..\\x"), {RejectKind.DAMAGED}),
    "absolute path": (lambda: with_member("/etc/passwd"), {RejectKind.DAMAGED}),
    "drive letter": (lambda: with_member("C:/x"), {RejectKind.DAMAGED}),
    "twenty thousand parts": (lambda: xlsx_with({f"x/{i}": b"" for i in range(20_000)}), {RejectKind.SIZE}),
    "a million empty cells in a row": (
        lambda: xlsx_of_sheet('<row r="1">' + "<c/>" * 1_000_000 + "</row>"), {RejectKind.SIZE},
    ),
    "a million named cells in a row": (
        lambda: xlsx_of_sheet('<row r="1">' + "".join(f'<c r="{c}1"/>' for c in ("AAAA", "ZZZZ")) + "</row>"),
        {RejectKind.DAMAGED},
    ),
    "a cell beyond XFD": (lambda: xlsx_of_sheet('<row r="1"><c r="ZZZ1"><v>1</v></c></row>'), {RejectKind.SIZE}),
    "a row beyond the last": (lambda: xlsx_of_sheet('<row r="9999999">' + inline("A1", "x") + "</row>"), {RejectKind.DAMAGED}),
    "a million columns declared": (
        lambda: xlsx_of_sheet(PERSON, before='<cols><col min="1" max="1000000" hidden="1"/></cols>'), {RejectKind.SIZE},
    ),
    "a million columns of csv": (lambda: b"a,b" + b"," * 1_000_000 + b"\n1,2\n", {RejectKind.SIZE}),
    "a huge csv field": (lambda: b'a,b\n"' + b"x" * (3 * MB) + b'",2\n', {RejectKind.DAMAGED}),
    "repeated cells in ods": (
        lambda: ods(ODS.format(header='<table:table-cell table:number-columns-repeated="9999999"><text:p>x</text:p></table:table-cell>')),
        {RejectKind.SIZE},
    ),
    "repeated rows in ods": (
        lambda: ods(ODS.format(header=ODS_HEADER).replace("<table:table-row><table:table-cell office", '<table:table-row table:number-rows-repeated="1000000"><table:table-cell office', 1)),
        {RejectKind.SIZE},
    ),
    "spans in html": (
        lambda: b"<table>" + b"<tr><td rowspan=1000 colspan=1000>x</td></tr>" * 300 + b"</table>", {RejectKind.SIZE},
    ),
    "merged cells without end": (
        lambda: xlsx_of_sheet(PERSON, after="<mergeCells>" + '<mergeCell ref="A1:A2"/>' * 250_000 + "</mergeCells>"),
        {RejectKind.SIZE},
    ),
}  # fmt: skip


#: Reads a file and prints why it was refused and the peak of its own memory in kB.
MEASURED = """
import sys
from pathlib import Path
from campaigns.workbooks import WorkbookRejected, read
try:
    print(read(Path(sys.argv[1])).outcome)
except WorkbookRejected as error:
    print(error.kind.value)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def measured(path: Path) -> tuple[str, int, float]:
    """What reading yields, the MB it took at most, the seconds of CPU (others use this machine)."""
    started = cpu_seconds()
    command = [sys.executable, "-c", MEASURED, str(path)]
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    kind, peak = done.stdout.split()
    return kind, int(peak) >> 10, cpu_seconds() - started


def cpu_seconds() -> float:
    """Used by the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def usual_megabytes(tmp_path_factory: pytest.TempPathFactory) -> int:
    path = saved(book(["姓名", "邮箱"], ["张", "z@example.com"]), tmp_path_factory.mktemp("plain"))
    kind, megabytes, _ = measured(path)
    assert kind == "import"
    return megabytes


@pytest.mark.parametrize("attack", HOSTILE)
def test_an_attack_is_refused_in_time_and_memory(
    attack: str, usual_megabytes: int, tmp_path: Path
) -> None:
    make, kinds = HOSTILE[attack]
    kind, megabytes, seconds = measured(saved(make(), tmp_path))
    assert kind in kinds
    assert seconds < 3
    assert megabytes < usual_megabytes + 100


def test_lying_dimensions_are_not_believed(tmp_path: Path) -> None:
    content = xlsx_of_sheet(PERSON, before='<dimension ref="A1:XFD1048576"/>')
    assert emails(reading_of(content, tmp_path)) == [(2, "zhang@example.com")]


def test_a_file_above_the_limit_is_not_even_opened(tmp_path: Path) -> None:
    assert kind_of("a" * 2000, tmp_path, limits=Limits(file_bytes=1000)) is RejectKind.SIZE


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkbookRejected):
        read(tmp_path / "none.xlsx")


def outcome(path: Path) -> str:
    try:
        return read(path).outcome
    except WorkbookRejected as error:
        return error.kind.value


@pytest.mark.parametrize("name", ["s01_title_notes_blank.xlsx", "s05_types_text_numbers.xlsx", "s06_gbk.csv", "s07_real_xls_renamed.xlsx", "s08_password.xlsx"])  # fmt: skip
def test_truncated_and_flipped_bytes_never_break_the_child(name: str, tmp_path: Path) -> None:
    """In the process itself, but for what only the child's last wall may catch (old .xls)."""
    content = (CORPUS / name).read_bytes()
    dice = random.Random(name)
    path = tmp_path / "broken"
    for _ in range(40):
        broken = bytearray(content)
        if dice.random() < 0.3:
            del broken[dice.randrange(len(broken)) :]
        for _ in range(dice.randrange(1, 6)):
            if broken:
                broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        path.write_bytes(broken)
        assert outcome(path)


def test_flipped_bytes_inside_the_sheet_never_break_it(tmp_path: Path) -> None:
    """Behind the zip's checksums: the XML itself is damaged."""
    dice = random.Random(5)
    with zipfile.ZipFile(CORPUS / "s05_types_text_numbers.xlsx") as package:
        parts = {name: package.read(name) for name in package.namelist()}
    for _ in range(60):
        name = dice.choice(
            ["xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml", "_rels/.rels"]
        )
        broken = bytearray(parts[name])
        for _ in range(dice.randrange(1, 4)):
            broken[dice.randrange(len(broken))] = dice.randrange(32, 127)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as package:
            for part, data in parts.items():
                package.writestr(part, bytes(broken) if part == name else data)
        assert outcome(saved(out.getvalue(), tmp_path))


def test_a_plain_book_still_reads(tmp_path: Path) -> None:
    assert outcome(saved(book(["姓名", "邮箱"], ["张", "z@example.com"]), tmp_path)) == "import"
