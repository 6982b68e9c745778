"""An append-only file of JSON lines: what the sandbox remembers over a restart or a kill.

A line counts only when its line feed is there, so a process that dies while it writes leaves at
most one torn line, which is sealed off and skipped.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple


class NewRecords(NamedTuple):
    """What `Journal.read_new` found; `replaced` means that earlier records are void."""

    replaced: bool
    records: list[dict[str, Any]]


class Journal:
    """One file; one writer, any number of readers. Not thread-safe: the store locks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._inode = 0
        self._writer: BinaryIO | None = None

    def append(self, record: dict[str, Any]) -> None:
        """Write one record and flush it to the kernel. OSError leaves the file readable."""
        writer = self._writer or self._open_sealed()
        self._writer = None
        writer.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        writer.flush()
        self._writer = writer  # only after success: a failed write is sealed by the next one

    def read_new(self) -> NewRecords:
        """The whole lines written since the last call, also by another process."""
        try:
            with self.path.open("rb") as reader:
                stat = os.fstat(reader.fileno())
                replaced = stat.st_ino != self._inode or stat.st_size < self._offset
                if replaced:
                    self._inode, self._offset = stat.st_ino, 0
                reader.seek(self._offset)
                text = reader.read()
        except FileNotFoundError:
            replaced = self._inode != 0
            self._inode = self._offset = 0
            return NewRecords(replaced, [])
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return NewRecords(replaced, [r for r in map(_record, whole.splitlines()) if r is not None])

    def rewrite(self, records: Iterable[dict[str, Any]]) -> None:
        """Replace the whole file at once; a reader sees the old one or the new one."""
        self.close()
        part = self.path.with_suffix(".part")
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        part.write_bytes("".join(lines).encode("utf-8", "replace"))
        part.replace(self.path)

    def close(self) -> None:
        """Give the file handle back; a later append opens it again."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open_sealed(self) -> BinaryIO:
        writer = self.path.open("ab")
        if writer.tell() and not _ends_with_line_feed(self.path):
            writer.write(b"\n")
        return writer


def _ends_with_line_feed(path: Path) -> bool:
    with path.open("rb") as reader:
        reader.seek(-1, os.SEEK_END)
        return reader.read() == b"\n"


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
