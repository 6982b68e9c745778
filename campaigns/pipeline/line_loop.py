"""A loop over the lines of one batch: each goes on when its socket is ready, its commit is done or its
pause is over, and none waits for another one (docs/adr/0015-group-commit.md).

A line is a generator, its script. It yields what it waits for:

    (events, deadline)   its socket, as `mailer.smtp_wire.Wait` says; is sent the events, 0 at the deadline
    Entry                its place in the next commit; is sent what was recorded
    Until                a moment; is sent None
    Background           a call that blocks (name look-up, TLS, login), made in a thread; is sent the result

What has been asked for until no socket is ready any more is committed together. With nothing else to
do, the loop prepares ahead (`spare`).
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from campaigns.pipeline.outcome import Entry, Recorded

log = logging.getLogger(__name__)
# Deadlines are looked at this often (seconds), however busy the loop is.
LOOK_AGAIN = 0.25


@dataclass(frozen=True, slots=True)
class Until:
    """A moment of time.monotonic()."""

    moment: float


@dataclass(frozen=True, slots=True)
class Background:
    """`work` runs in a thread; `discard` gets a result that nobody waits for any more."""

    work: Callable[[], Any]
    discard: Callable[[Any], None]


Script = Generator[Any, Any, None]


class Scripted(Protocol):
    """A line, as the loop knows it."""

    def script(self) -> Script: ...

    def fileno(self) -> int: ...


@dataclass(slots=True, eq=False)
class _Turn:
    line: Scripted
    script: Script
    fd: int = -1
    deadline: float = 0.0


class LineLoop:
    """`commit` records entries and returns, for each, what came of it or the exception that it met;
    `spare` does a piece of work that nobody waits for, and says whether there was one."""

    def __init__(
        self,
        commit: Callable[[Sequence[Entry]], Sequence[Recorded | Exception]],
        spare: Callable[[], bool],
    ) -> None:
        self._commit, self._spare = commit, spare
        self._turns: set[_Turn] = set()
        self._new: list[_Turn] = []
        self._waiting: dict[int, _Turn] = {}
        self._sleeping: list[_Turn] = []
        self._entries: list[tuple[_Turn, Entry]] = []
        self._done: deque[tuple[_Turn, Background, Any, Exception | None]] = deque()
        self._closed = threading.Event()
        self._poll = select.poll()
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._poll.register(self._bell, select.POLLIN)
        self._look_at_deadlines = 0.0
        self.error: Exception | None = None

    def add(self, line: Scripted) -> None:
        """It starts with the loop's next round."""
        self._new.append(_Turn(line, line.script()))

    def run(self) -> None:
        """Until every script has ended. An exception of one ends that one, and is raised in the end."""
        idle = False
        try:
            while self._turns or self._new:
                self._start_new()
                waits = idle and not self._entries
                came = self._look(self._patience() if waits else 0.0)
                idle = False
                if self._entries:
                    self._commit_all()
                elif not came:
                    idle = not self._spare()
        finally:
            self._close()
        if self.error is not None:
            raise self.error

    def _start_new(self) -> None:
        new, self._new = self._new, []
        self._turns.update(new)
        for turn in new:
            self._go_on(turn, None)

    # Waiting -------------------------------------------------------------------------------------

    def _look(self, seconds: float) -> bool:
        """Goes on with every line that may; whether there was one."""
        ready = self._poll.poll(seconds * 1000)
        turns = [(self._awake(fd), events) for fd, events in ready if fd in self._waiting]
        came = bool(turns)
        now = time.monotonic()
        if now >= self._look_at_deadlines or seconds:
            self._look_at_deadlines = now + LOOK_AGAIN
            late = [turn for turn in self._waiting.values() if turn.deadline <= now]
            turns += [(self._awake(turn.fd), 0) for turn in late]
        for turn, events in turns:
            self._go_on(turn, events)
        if self._sleeping:
            came |= self._wake(now)
        if self._done or any(fd == self._bell.fileno() for fd, _ in ready):
            came |= self._collect()
        return came

    def _awake(self, fd: int) -> _Turn:
        self._poll.unregister(fd)
        return self._waiting.pop(fd)

    def _wake(self, now: float) -> bool:
        rested = [turn for turn in self._sleeping if turn.deadline <= now]
        if rested:
            self._sleeping = [turn for turn in self._sleeping if turn.deadline > now]
        for turn in rested:
            self._go_on(turn, None)
        return bool(rested)

    def _collect(self) -> bool:
        """What came out in the background."""
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4096)
        came = bool(self._done)
        while self._done:
            turn, _asked, result, error = self._done.popleft()
            self._go_on(turn, result, error)
        return came

    def _patience(self) -> float:
        """Seconds until something has to be looked at."""
        moments = [turn.deadline for turn in (*self._waiting.values(), *self._sleeping)]
        return max(0.0, min(min(moments, default=LOOK_AGAIN * 4) - time.monotonic(), 1.0)) + 0.001

    # Going on ------------------------------------------------------------------------------------

    def _go_on(self, turn: _Turn, value: Any, error: Exception | None = None) -> None:
        try:
            asked = turn.script.throw(error) if error else turn.script.send(value)
        except StopIteration:
            self._turns.discard(turn)
        except Exception as failure:
            log.error("A line of a batch broke: %s", type(failure).__name__)
            self._turns.discard(turn)
            self.error = self.error or failure
        else:
            self._sort(turn, asked)

    def _sort(self, turn: _Turn, asked: Any) -> None:
        if isinstance(asked, tuple):
            events, turn.deadline = asked
            turn.fd = turn.line.fileno()
            self._waiting[turn.fd] = turn
            self._poll.register(turn.fd, events)
        elif isinstance(asked, Entry):
            self._entries.append((turn, asked))
        elif isinstance(asked, Until):
            turn.deadline = asked.moment
            self._sleeping.append(turn)
        else:
            work = threading.Thread(target=self._work, args=(turn, asked), daemon=True)
            work.start()

    def _work(self, turn: _Turn, asked: Background) -> None:
        try:
            result, error = asked.work(), None
        except Exception as failure:
            result, error = None, failure
        self._done.append((turn, asked, result, error))
        with contextlib.suppress(OSError):
            self._ring.send(b"\0")
        if self._closed.is_set():
            self._discard()

    def _discard(self) -> None:
        """What came too late; by the thread that brought it or by the loop's end, whoever is later."""
        with contextlib.suppress(IndexError):
            while True:
                _turn, asked, result, error = self._done.popleft()
                if error is None:
                    asked.discard(result)

    def _commit_all(self) -> None:
        entries, self._entries = self._entries, []
        found = self._commit([entry for _, entry in entries])
        for (turn, _), recorded in zip(entries, found, strict=True):
            if isinstance(recorded, Exception):
                self._go_on(turn, None, recorded)
            else:
                self._go_on(turn, recorded)

    def _close(self) -> None:
        self._closed.set()
        for turn in self._turns:
            turn.script.close()
        self._discard()
        self._bell.close()
        self._ring.close()
