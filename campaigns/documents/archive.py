"""The files of a zip that somebody uploaded, read with limits (APPNOTE.TXT 6.3).

Folders are ignored, and names are names only: nothing is written anywhere.
"""

from __future__ import annotations

import contextlib
import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

#: Files that systems put beside people's own.
_BESIDE = frozenset((".ds_store", "thumbs.db", "desktop.ini"))
_CHUNK = 64 * 1024
#: Where a name may go on after a person's number: "0012-合同.pdf".
_SEPARATORS = re.compile(r"[-_ .,，（(\[【]")
_UTF8_FLAG = 0x800
#: The end of the central directory (4.3.16) and where it may stand, the one for long archives, and octets
#: that the directory has for a file on average.
_END, _END64 = re.compile(rb"PK\x05\x06"), b"PK\x06\x07"
_END_REACH = 22 + 65_535
_LONGEST_ENTRY = 400


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How many files, and octets of one and of all when unpacked."""

    files: int = 20_000
    one: int = 8 * 1024 * 1024
    all: int = 512 * 1024 * 1024


class ArchiveFault(ValueError):
    """Nothing of the archive is taken. `kind`: zip, password, compression, broken, empty, many, large,
    total or heavy (trial.py); `name` is the file that it is about."""

    def __init__(self, kind: str, name: str = "") -> None:
        super().__init__(kind)
        self.kind, self.name = kind, name


def files_in(data: bytes, limits: ArchiveLimits | None = None) -> Iterator[tuple[str, bytes]]:
    """(name without folders, octets) of each file. Raises `ArchiveFault`, perhaps after some of them."""
    limits = limits or ArchiveLimits()
    _check_directory(data, limits)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ArchiveFault("zip") from error
    entries = [(_name(entry), entry) for entry in archive.infolist() if not entry.is_dir()]
    entries = [(name, entry) for name, entry in entries if name and not _is_beside(name, entry)]
    if not entries:
        raise ArchiveFault("empty")
    if len(entries) > limits.files:
        raise ArchiveFault("many")
    total = 0
    for name, entry in entries:
        octets = _read(archive, entry, name, limits.one)
        total += len(octets)
        if total > limits.all:
            raise ArchiveFault("total", name)
        yield name, octets


def _check_directory(data: bytes, limits: ArchiveLimits) -> None:
    """zipfile makes an object of every entry before anything can be counted: a directory of two million
    would fill the memory. What needs more than one of 32 bits (4.3.14) has too much anyway."""
    window = data[-_END_REACH:]
    ends = [found.start() for found in _END.finditer(window)]
    if not ends:
        raise ArchiveFault("zip")
    for at in ends:
        end = window[at : at + 22].ljust(22, b"\0")
        if int.from_bytes(end[12:16], "little") > limits.files * _LONGEST_ENTRY:
            raise ArchiveFault("many")
    if _END64 in window:
        raise ArchiveFault("zip")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, most: int) -> bytes:
    if entry.flag_bits & 0x1:
        raise ArchiveFault("password", name)
    # What is declared may be a lie: what is unpacked is counted too.
    if entry.file_size > most:
        raise ArchiveFault("large", name)
    pieces, size = [], 0
    try:
        with archive.open(entry) as file:
            while piece := file.read(_CHUNK):
                size += len(piece)
                if size > most:
                    raise ArchiveFault("large", name)
                pieces.append(piece)
    except NotImplementedError as error:
        raise ArchiveFault("compression", name) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        if isinstance(error, ArchiveFault):
            raise
        raise ArchiveFault("broken", name) from error
    return b"".join(pieces)


def _name(entry: zipfile.ZipInfo) -> str:
    """Without folders. Windows in China writes names in GBK and says nothing of it."""
    name = entry.filename
    if not entry.flag_bits & _UTF8_FLAG:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("gb18030")
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in last if letter.isprintable()).lstrip(" ").rstrip(" .")
    return unicodedata.normalize("NFC", shown)[:200]


def _is_beside(name: str, entry: zipfile.ZipInfo) -> bool:
    return (
        name.lower() in _BESIDE or name.startswith("._") or entry.filename.startswith("__MACOSX/")
    )


def match_key(text: str) -> str:
    """How a value and a file's name are compared: full-width as half-width, without case and blanks."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def match_keys(name: str) -> list[str]:
    """The values that a file's name may stand for, the longest first: "0012-合同.pdf" is 0012-合同, then 0012."""
    stem = name.rpartition(".")[0] or name
    ends = [found.start() for found in _SEPARATORS.finditer(stem)]
    keys = [match_key(stem), *(match_key(stem[:end]) for end in reversed(ends))]
    return [key for key in dict.fromkeys(keys) if key]
