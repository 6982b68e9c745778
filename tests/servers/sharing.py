"""How the processes of `make test` share the files of tests, and which begin first.

Tests that wait for kills, leases and restarts keep their process busy and the processors idle: begun
first, they have the others' whole run to wait in. Those under one live site (the fixture `rig`) stay
in one process. Then the files with most tests, so that the last ones are short.
"""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

RIG = "rig"
# Real servers and browsers: few tests that take long.
SLOW = ("tests/end_to_end/", "tests/faults/", "tests/servers/", "tests/test_peers.py")


class ByFile(LoadScopeScheduling):
    """A file's tests run in one process, and the rig's files too."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return RIG if needs_rig(self.config.rootpath / path) else path


def put_slow_first(items: list[pytest.Item]) -> None:
    """The order in which files are handed out; within a file nothing changes."""
    sizes = Counter(item.path for item in items)

    def place(item: pytest.Item) -> tuple[bool, bool, int]:
        is_slow = item.nodeid.startswith(SLOW)
        return (not needs_rig(item.path), not is_slow, 0 if is_slow else -sizes[item.path])

    items.sort(key=place)


@functools.cache
def needs_rig(path: Path) -> bool:
    # A test outside of the root has an id that is no path.
    return path.is_file() and ": Rig" in path.read_text(encoding="utf-8")
