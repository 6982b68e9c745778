"""Reads a workbook in a child process with limits of its own, so that a hostile file harms nobody.

The parent writes one JSON request to the child's stdin (a password never stands on a command line)
and reads lines: progress and rows, then the reading or why it was rejected.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from campaigns.workbooks.blocks import Block, BlockWriter
from campaigns.workbooks.grid import Tick
from campaigns.workbooks.problems import Problem, ProblemKind, RejectKind, WorkbookRejected
from campaigns.workbooks.reader import read_rows
from campaigns.workbooks.results import (
    Choices,
    Columns,
    ColumnTotal,
    Limits,
    Reading,
    ReadRow,
    SentRow,
)

_ROOT = Path(__file__).resolve().parents[2]
_PLAIN = (
    "outcome", "sheet", "sheets", "hidden", "header_rows", "columns", "invalid", "duplicates",
    "skipped_rows", "address_column", "name_column", "letters", "suggestions",
    "first_rows", "left_out",
)  # fmt: skip


Take = Callable[[SentRow], None]
TakeBlock = Callable[[Block], None]
#: So much of what the child has found may lie between us: neither waits for the other all the time.
_PIPE_BYTES = 1 << 20


def read_in_child(
    path: Path,
    *,
    sheet: str | None = None,
    password: str | None = None,
    choices: Choices | None = None,
    limits: Limits | None = None,
    progress: Tick | None = None,
) -> Reading:
    """`reader.read` in a process with limits on memory, CPU and wall time; same errors, plus TIMEOUT.

    Whatever breaks the child is a WorkbookRejected. An exception from `progress` ends the child.
    """
    rows: list[ReadRow] = []
    limits = limits or Limits()
    request = _request(path, sheet, choices, limits) | {"password": password}
    with _child(limits) as child:
        reading = _converse(child, request, progress, take=lambda row: rows.append(row.opened()))
    return replace(reading, rows=rows)


def rows_from_child(
    path: Path,
    take: Take,
    *,
    sheet: str | None = None,
    choices: Choices | None = None,
    limits: Limits | None = None,
    progress: Tick | None = None,
) -> Reading:
    """The same, but `take` has each recipient as soon as it is found and the reading has none.

    What it has taken is nothing if this raises. An exception from `take` ends the child too.
    """
    limits = limits or Limits()
    with _child(limits) as child:
        return _converse(child, _request(path, sheet, choices, limits), progress, take=take)


def blocks_from_child(
    path: Path,
    take: TakeBlock,
    *,
    sheet: str | None = None,
    choices: Choices | None = None,
    limits: Limits | None = None,
    progress: Tick | None = None,
) -> Reading:
    """Like `rows_from_child`, with a list's recipients by the hundred."""
    limits = limits or Limits()
    request = _request(path, sheet, choices, limits) | {"blocks": True}
    with _child(limits) as child:
        return _converse(child, request, progress, take_block=take)


def _request(
    path: Path, sheet: str | None, choices: Choices | None, limits: Limits
) -> dict[str, Any]:
    return {
        "path": str(path.resolve()),
        "sheet": sheet,
        "password": None,
        "blocks": False,
        "choices": (choices or Choices()).as_json(),
        "limits": asdict(limits),
    }


@contextlib.contextmanager
def _child(limits: Limits) -> Iterator[subprocess.Popen[bytes]]:
    """The process, which does not outlive this."""
    child = subprocess.Popen(
        [sys.executable, "-m", "campaigns.workbooks.child"],
        cwd=_ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pipesize=_PIPE_BYTES,
    )
    clock = threading.Timer(limits.wall_seconds, child.kill)
    clock.daemon = True
    clock.start()
    try:
        yield child
    finally:
        clock.cancel()
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def environment() -> dict[str, str]:
    """The child needs no secret of ours: no database URL, no master key."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    path = os.pathsep.join([str(_ROOT), *(p for p in sys.path if p)])
    return kept | {"PYTHONPATH": path, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _converse(
    child: subprocess.Popen[bytes],
    request: dict[str, Any],
    progress: Tick | None,
    *,
    take: Take | None = None,
    take_block: TakeBlock | None = None,
) -> Reading:
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child has no pipes")
    with contextlib.suppress(BrokenPipeError), child.stdin as stdin:
        stdin.write(json.dumps(request).encode() + b"\n")
    for line in child.stdout:
        if not line.endswith(b"\n"):
            break  # killed in the middle of a line
        if take_block is not None and line.startswith(b"#"):
            number, people, *sizes = map(int, line[1:].split())
            keys, content = (child.stdout.read(size) for size in sizes)
            if len(content) < sizes[1]:
                break
            take_block(Block(number, people, keys, content))
            continue
        if take is not None and not line.startswith(b"{"):
            take(SentRow.from_line(line))
            continue
        message = json.loads(line)
        if "progress" in message and progress:
            progress(*message["progress"])
        elif "rejected" in message:
            raise WorkbookRejected(RejectKind(message["rejected"]), message["detail"])
        elif "reading" in message:
            return _reading_from(message["reading"])
    child.wait()
    raise WorkbookRejected(RejectKind.TIMEOUT)


def _reading_from(data: dict[str, Any]) -> Reading:
    problems = [
        Problem(p["sheet"], p["row"], p["column"], ProblemKind(p["kind"]), p["params"])
        for p in data["problems"]
    ]
    totals = {name: ColumnTotal(*pair) for name, pair in data["totals"].items()}
    plain = {name: data[name] for name in _PLAIN}
    return Reading(rows=[], problems=problems, totals=totals, **plain)


class _Answer:
    """What the child says, in lines; a block's keys and content follow its line as they are."""

    def __init__(self, out: BinaryIO, *, blocks: bool) -> None:
        self._out = out
        self._blocks = BlockWriter(self._put) if blocks else None

    def say(self, message: dict[str, Any]) -> None:
        self._out.write(json.dumps(message, ensure_ascii=True).encode() + b"\n")

    def taker(self, columns: Columns) -> Callable[[ReadRow], object]:
        if self._blocks is not None:
            return self._blocks.begin(columns)
        return lambda row: self._out.write(row.as_line())

    def _put(self, block: Block) -> None:
        number, people, keys, content = block
        self._out.write(b"#%d %d %d %d\n" % (number, people, len(keys), len(content)))
        self._out.write(keys + content)

    def end(self, reading: Reading) -> None:
        if self._blocks is not None:
            self._blocks.flush()
        _tell(reading, self.say)


def main() -> None:
    """The child: one request from stdin, its answer in lines on stdout."""
    request = json.loads(sys.stdin.buffer.readline())
    limits = Limits(**request["limits"])
    limit_myself(limits)
    answer = _Answer(sys.stdout.buffer, blocks=request["blocks"])
    # A short life that makes a million small objects and no cycles: looking for those costs a fifth.
    gc.disable()
    try:
        reading = read_rows(
            Path(request["path"]),
            answer.taker,
            sheet=request["sheet"],
            password=request["password"],
            choices=Choices.from_json(request["choices"]),
            progress=_every_percent(answer.say),
            limits=limits,
        )
    except WorkbookRejected as error:
        answer.say({"rejected": error.kind.value, "detail": error.detail})
    except (MemoryError, RecursionError):
        answer.say({"rejected": RejectKind.SIZE.value, "detail": "读取它要用的内存过多"})
    except Exception as error:  # the last wall: a damaged file must never become a traceback
        detail = f"内容不合规范，{type(error).__name__}"
        answer.say({"rejected": RejectKind.DAMAGED.value, "detail": detail})
    else:
        answer.end(reading)
    sys.stdout.flush()


def limit_myself(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    cpu = limits.cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))


def _every_percent(say: Callable[[dict[str, Any]], None]) -> Tick:
    told = -1

    def tick(done: int, total: int) -> None:
        nonlocal told
        percent = done * 100 // total if total else 100
        if percent != told:
            told = percent
            say({"progress": [done, total]})
            sys.stdout.flush()

    return tick


def _tell(reading: Reading, say: Callable[[dict[str, Any]], None]) -> None:
    data: dict[str, Any] = {name: getattr(reading, name) for name in _PLAIN}
    data["problems"] = [problem.as_json() for problem in reading.problems]
    data["totals"] = {name: [t.shown, t.computed] for name, t in reading.totals.items()}
    say({"reading": data})


if __name__ == "__main__":
    main()
