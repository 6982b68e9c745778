"""Reading a zip that somebody uploaded: names in any code page, limits, and whose a file is."""

from __future__ import annotations

import contextlib
import io
import resource
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.documents.archive import ArchiveFault, ArchiveLimits, files_in, match_key, match_keys


def a_zip(*files: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", how) as archive:
        for name, octets in files:
            archive.writestr(name, octets)
    return target.getvalue()


def fault(data: bytes, **limits: int) -> str:
    with pytest.raises(ArchiveFault) as caught:
        list(files_in(data, ArchiveLimits(**limits)))
    return caught.value.kind


def test_files_come_without_folders_and_without_what_systems_add() -> None:
    data = a_zip(
        ("工资/0012-合同.pdf", b"one"),
        ("__MACOSX/工资/._0012-合同.pdf", b"x"),
        ("工资/.DS_Store", b"x"),
        ("a/Thumbs.db", b"x"),
        ("../../etc/passwd", b"two"),
    )
    assert list(files_in(data)) == [("0012-合同.pdf", b"one"), ("passwd", b"two")]


def test_names_that_windows_wrote_in_gbk_are_read() -> None:
    ascii_name = "X" * len("张三.pdf".encode("gbk"))
    data = a_zip((ascii_name, b"one")).replace(ascii_name.encode(), "张三.pdf".encode("gbk"))
    assert [name for name, _ in files_in(data)] == ["张三.pdf"]


def test_a_directory_of_two_million_files_is_not_made_into_objects() -> None:
    entry = struct.pack(
        "<4s4B4HL2L5H2L", b"PK\x01\x02", *bytes(4), *[0] * 4, 0, 0, 0, 1, *[0] * 4, 0, 0
    )
    directory = (entry + b"a") * 400_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0, 0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fault(directory + end) == "many"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # KiB
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    assert (
        fault(directory + locator + end.replace(struct.pack("<L", len(directory)), bytes(4)))
        == "zip"
    )


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "zip"),
        (b"PK\x03\x04 no zip", "zip"),
        (a_zip(), "empty"),
        (a_zip(("a/.DS_Store", b"")), "empty"),
    ],
)
def test_what_is_no_archive_of_files_is_named(data: bytes, kind: str) -> None:
    assert fault(data) == kind


def test_limits_hold() -> None:
    three = a_zip(("a", b"1" * 10), ("b", b"2" * 10), ("c", b"3" * 10))
    assert fault(three, files=2) == "many"
    assert fault(three, one=9) == "large"
    assert fault(three, all=25) == "total"


def test_a_bomb_that_declares_little_stops_at_what_is_unpacked() -> None:
    bomb = bytearray(a_zip(("a.pdf", b"\0" * 5_000_000)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = bomb.index(signature) + offset
        bomb[at : at + 4] = struct.pack("<I", 10)
    # Python's own reader stops at the declared size and finds the checksum wrong.
    assert fault(bytes(bomb), one=1_000_000) in ("large", "broken")


def test_an_encrypted_or_broken_entry_is_named() -> None:
    data = bytearray(a_zip(("a.pdf", b"hello" * 100), how=zipfile.ZIP_STORED))
    broken = bytes(data).replace(b"hellohello", b"hellohallo", 1)
    assert fault(broken) == "broken"
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    assert fault(bytes(data)) == "password"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bytes_never_break_more_than_the_archive(data: st.DataObject) -> None:
    whole = bytearray(a_zip(("0012.pdf", b"abc" * 50), ("张.pdf", b"x")))
    for _ in range(3):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ArchiveFault):
        list(files_in(bytes(whole)))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("0012.pdf", ["0012"]),
        ("0012-合同.pdf", ["0012-合同", "0012"]),
        ("A-12_2026.11.pdf", ["a-12_2026.11", "a-12_2026", "a-12", "a"]),
        ("１２（个税）.PDF", ["12(个税)", "12"]),
        ("没有扩展名", ["没有扩展名"]),
    ],
)
def test_a_name_stands_for_its_number(name: str, keys: list[str]) -> None:
    assert match_keys(name) == keys


def test_values_are_compared_without_width_case_and_blanks() -> None:
    assert match_key(" ＡＢ 12 ") == match_key("ab12")
