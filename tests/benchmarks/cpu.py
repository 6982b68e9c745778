"""CPU seconds and memory of our child processes, from /proc (proc(5)).

On a machine that others use too, CPU per message is what stays the same from run to run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
# comm of a process → what it is called in the tables
_GROUPS = {"postgres": "PostgreSQL", "redis-server": "Redis", "smtp-sink": "smtp-sink"}


def spent() -> dict[str, float]:
    """CPU seconds so far of all our descendants, those that ended too, by what they are."""
    total = {"workers": 0.0, **dict.fromkeys(_GROUPS.values(), 0.0)}
    for pid in descendants(os.getpid()):
        fields = _stat(pid)
        if fields is None:
            continue
        # utime, stime, and those of children that have ended and were waited for.
        seconds = sum(int(number) for number in fields[12:16]) / _TICK
        total[_GROUPS.get(fields[0], "workers")] += seconds
    return total


def since(before: dict[str, float]) -> dict[str, float]:
    """What was spent after `before`."""
    return {name: seconds - before[name] for name, seconds in spent().items()}


def descendants(root: int) -> Iterator[int]:
    """Every living process below this one."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[2]), []).append(int(entry.name))
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        waiting += below
        yield from below


def peak_megabytes(root: int) -> float:
    """The largest resident size that this process or one below it ever had (VmHWM)."""
    peaks = [0]
    for pid in (root, *descendants(root)):
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            continue
        peaks += [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks) / 1024


def _stat(pid: int) -> list[str] | None:
    """comm, state, ppid, … of a process; None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    before, _, after = text.rpartition(")")
    return [before.partition("(")[2], *after.split()]
