"""Files with a password: opened in the child, in memory, or asked for again."""

from __future__ import annotations

import io
from hashlib import md5
from pathlib import Path
from struct import pack, unpack_from

import olefile
import pytest
from msoffcrypto.format.ooxml import OOXMLFile
from msoffcrypto.method.rc4 import DocumentRC4

from campaigns.workbooks.child import read_in_child
from campaigns.workbooks.file_child import unlock
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits
from tests.fakes import sheets

CORPUS = Path(__file__).parents[1] / "corpus" / "workbooks"
PASSWORD, SALT = "工资2026", bytes(range(16))
BOF, FILEPASS, WRITEACCESS, BOUNDSHEET, UNKNOWN = 0x0809, 0x002F, 0x005C, 0x0085, 0x0EEE
CLEAR = {BOF, FILEPASS, 0x0194, 0x0195, 0x00E1, 0x0196, 0x0138}


def records(stream: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at + 4 <= len(stream):
        number, size = unpack_from("<HH", stream, at)
        found.append((number, stream[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def protected_xls() -> bytes:
    """The corpus' .xls as Excel 97 protects it (MS-XLS 2.2.10, RC4): the note of who wrote it makes
    room for the record that says so, so that every other record keeps its place."""
    file = io.BytesIO((CORPUS / "s07_real_xls_renamed.xlsx").read_bytes())
    ole = olefile.OleFileIO(file, write_mode=True)
    stream = ole.openstream("Workbook").read()
    key = DocumentRC4.decrypt(PASSWORD, SALT, io.BytesIO(bytes(len(stream))), blocksize=1024).read()
    verifier = bytes(16)
    sealed = bytes(a ^ b for a, b in zip(verifier + md5(verifier).digest(), key[:32], strict=True))
    passed = pack("<HHH", 1, 1, 1) + SALT + sealed
    every = records(stream)
    while every[-1] == (0, b""):  # what fills the stream up becomes one record
        every.pop()
    used = sum(4 + len(data) for _number, data in every)
    every.append((0, bytes(len(stream) - used - 4)))
    at = next(index for index, (number, _data) in enumerate(every) if number == WRITEACCESS)
    rest = len(every[at][1]) - len(passed) - 4
    every[at] = (UNKNOWN, bytes(rest))
    every.insert(1, (FILEPASS, passed))
    made = bytearray()
    for number, data in every:
        made += pack("<HH", number, len(data))
        begin = len(made)
        hidden = bytes(a ^ b for a, b in zip(data, key[begin : begin + len(data)], strict=True))
        if number in CLEAR:
            hidden = data
        elif number == BOUNDSHEET:
            hidden = data[:4] + hidden[4:]
        made += hidden
    ole.write_stream("Workbook", bytes(made))
    return file.getvalue()


def protected_xlsx(password: str = PASSWORD) -> bytes:
    target = io.BytesIO()
    OOXMLFile(io.BytesIO(sheets.payroll(2))).encrypt(password, target)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["xls", "xlsx"])
def test_it_is_asked_for_and_opens_in_memory_alone(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    data = protected_xls() if kind == "xls" else protected_xlsx()
    path.write_bytes(data)
    with pytest.raises(WorkbookRejected) as asked:
        read_in_child(path)
    assert asked.value.kind is RejectKind.PASSWORD
    with pytest.raises(WorkbookRejected) as refused:
        unlock(data, "wrong")
    assert refused.value.kind is RejectKind.WRONG_PASSWORD
    path.write_bytes(unlock(data, PASSWORD))
    assert read_in_child(path).rows


def test_excels_own_password_is_not_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(protected_xlsx("VelvetSweatshop"))
    assert len(read_in_child(path).rows) == 2


def test_a_key_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(WorkbookRejected) as refused:
        unlock(protected_xlsx(), PASSWORD, Limits(wall_seconds=0))
    assert refused.value.kind is RejectKind.TIMEOUT
