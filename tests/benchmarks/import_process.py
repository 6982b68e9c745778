"""One process that does what a worker does with an uploaded workbook, and tells what it cost.

    python -m tests.benchmarks.import_process FILE list|payslip [--memory]

One line of JSON: `seconds` by the clock and CPU seconds of this `worker` and of the `child` that reads,
from the upload's bytes to the last row stored; the largest resident size of each (of the child only
with --memory, since looking costs time). A process of its own: what other benchmarks hold is not in it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import django

from tests.benchmarks import cpu

if TYPE_CHECKING:
    from accounts.models import Team, User


class Peak:
    """The largest resident size of any child, looked at all the time: rusage also counts our own."""

    def __init__(self) -> None:
        self.kilobytes = 0
        self._ended = threading.Event()

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            for pid in cpu.descendants(os.getpid()):
                self.kilobytes = max(self.kilobytes, peak_kilobytes(pid))

    @contextmanager
    def watched(self) -> Iterator[None]:
        watcher = threading.Thread(target=self._look)
        watcher.start()
        try:
            yield
        finally:
            self._ended.set()
            watcher.join()


def peak_kilobytes(pid: int | str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(at.split()[1]) for at in status.splitlines() if at.startswith("VmHWM")), 0)


def stored(team: Team, user: User, data: bytes, purpose: str) -> int:
    """Uploaded, read and, if it is a list, confirmed and imported; how many recipients there are."""
    from campaigns.models import ContactList, ListMember, Workbook
    from campaigns.models.workbook import Purpose
    from campaigns.pipeline import import_contacts, load

    book = load.upload(team=team, user=user, purpose=Purpose(purpose), name="名单.xlsx", data=data)
    load.read(book.pk)
    book = Workbook.objects.get(pk=book.pk)
    if book.purpose == Purpose.PAYSLIP:
        return book.row_count
    readers = ContactList.objects.create(team=team, name="读者")
    assert load.confirm(book, user, reading=book.reading)
    assert import_contacts.begin(book, readers)
    import_contacts.run(book.pk)
    return ListMember.objects.filter(contact_list=readers).count()


def main(path: str, purpose: str, *flags: str) -> None:
    django.setup()
    from tests import cast

    data, peak = Path(path).read_bytes(), Peak()
    team = cast.a_team()
    user = cast.a_user(
        team, email=f"hr{team.pk}@example.com"
    )  # whose password is hashed for a quarter of a second
    before, started = os.times(), time.perf_counter()
    with peak.watched() if "--memory" in flags else nullcontext():
        rows = stored(team, user, data, purpose)
    after, seconds = os.times(), time.perf_counter() - started
    found = {
        "rows": rows,
        "seconds": seconds,
        "worker": after.user - before.user + after.system - before.system,
        "child": sum(after[2:4]) - sum(before[2:4]),
        "worker_mb": peak_kilobytes("self") / 1024,
        "child_mb": peak.kilobytes / 1024,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
