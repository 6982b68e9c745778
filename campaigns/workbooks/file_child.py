"""Work on a workbook's bytes in a child process: a protected file opened, an own file given columns.

Like child.py, but a file goes in and a file comes out, both through pipes: no clear copy lies on any
disk, and a password is in no command line, no environment and no file.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from campaigns.workbooks.annotate import annotate
from campaigns.workbooks.child import environment, limit_myself
from campaigns.workbooks.containers import decrypted
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits

_MODULE = "campaigns.workbooks.file_child"
# Somebody waits for this one: a request of the web process.
UNLOCK_LIMITS = Limits(cpu_seconds=20, wall_seconds=30)


@dataclass(frozen=True, slots=True)
class Notes:
    """Columns to add beside a sheet: `rows` has the texts of each sheet row, `red` what failed."""

    sheet: str
    header_row: int | None
    headers: Sequence[str]
    rows: Mapping[int, Sequence[str]]
    red: frozenset[int] = frozenset()


def unlock(data: bytes, password: str, limits: Limits = UNLOCK_LIMITS) -> bytes:
    """The workbook without its password (MS-OFFCRYPTO). Raises WorkbookRejected: WRONG_PASSWORD,
    DAMAGED, or TIMEOUT for one whose key takes too long to derive."""
    _head, content = _run({"job": "unlock", "password": password}, data, limits)
    return content


def annotate_in_child(data: bytes, notes: Notes, limits: Limits | None = None) -> tuple[str, bytes]:
    """The suffix (.xlsx or .xlsm) and the bytes of the file with its new columns; WorkbookRejected."""
    request = {
        "job": "annotate",
        "sheet": notes.sheet,
        "header_row": notes.header_row,
        "headers": list(notes.headers),
        "rows": [[number, list(texts)] for number, texts in notes.rows.items()],
        "red": sorted(notes.red),
    }
    head, content = _run(request, data, limits or Limits())
    return head["suffix"], content


def _run(request: dict[str, Any], data: bytes, limits: Limits) -> tuple[dict[str, Any], bytes]:
    asked = json.dumps(request | {"limits": asdict(limits)}).encode() + b"\n"
    child = subprocess.Popen(
        [sys.executable, "-m", _MODULE],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            answer, _nothing = child.communicate(asked + data, timeout=limits.wall_seconds)
            head, newline, content = answer.partition(b"\n")
            if newline:
                return _judged(json.loads(head), content)
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):  # what it never read
                if pipe:
                    pipe.close()
    raise WorkbookRejected(RejectKind.TIMEOUT)


def _judged(head: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    if "rejected" in head:
        raise WorkbookRejected(RejectKind(head["rejected"]), head["detail"])
    if len(content) != head["size"]:
        raise WorkbookRejected(RejectKind.TIMEOUT)
    return head, content


def main() -> None:
    """The child: a JSON line and a file from stdin; a JSON line and a file, or a rejection, back."""
    request = json.loads(sys.stdin.buffer.readline())
    limits = Limits(**request["limits"])
    limit_myself(limits)
    data = sys.stdin.buffer.read()
    try:
        suffix, content = _work(request, data, limits)
    except WorkbookRejected as error:
        _say({"rejected": error.kind.value, "detail": error.detail})
    except (MemoryError, RecursionError):
        _say({"rejected": RejectKind.SIZE.value, "detail": "处理它要用的内存过多"})
    except Exception as error:  # the last wall: a damaged file must never become a traceback
        detail = f"内容不合规范，{type(error).__name__}"
        _say({"rejected": RejectKind.DAMAGED.value, "detail": detail})
    else:
        _say({"suffix": suffix, "size": len(content)})
        sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _work(request: dict[str, Any], data: bytes, limits: Limits) -> tuple[str, bytes]:
    if request["job"] == "unlock":
        return "", decrypted(data, request["password"])
    return annotate(
        data,
        sheet=request["sheet"],
        header_row=request["header_row"],
        headers=request["headers"],
        rows=dict(request["rows"]),
        red=frozenset(request["red"]),
        limits=limits,
    )


def _say(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
