"""Postfix's smtp-sink(1) and smtp-source(1): the fastest way to take mail or to make it (benchmarks)."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.folder import owned_folder, server_user
from tests.servers.process import DidNotStart, Process, free_port, greets, with_system_path

ATTEMPTS = 3


class SmtpSink:
    """Takes every message. `keep=True` leaves each as a file in `messages`; else they are dropped.

    `options` are smtp-sink's own: ("-w", "1") waits a second before each reply to DATA, and so on.
    """

    def __init__(self, folder: Path, *, keep: bool = False, options: tuple[str, ...] = ()) -> None:
        self._user = server_user()
        self.folder = owned_folder(folder, self._user)
        self.keep = keep
        self.options = options
        self.port = 0
        self._process: Process | None = None

    @property
    def messages(self) -> Path:
        return self.folder / "messages"

    def start(self) -> Self:
        owned_folder(self.messages, self._user)
        for attempt in range(ATTEMPTS):
            port = self.port or free_port()
            try:
                self._start_on(port)
            except DidNotStart:
                if self.port or attempt == ATTEMPTS - 1:
                    raise
            else:
                self.port = port
                break
        return self

    def _start_on(self, port: int) -> None:
        keep = ("-d", f"{self.messages}/%s.") if self.keep else ()
        process = Process(
            ["smtp-sink", *self.options, *keep, f"127.0.0.1:{port}", "1024"],
            log=self.folder / "smtp-sink.log",
            user=self._user,
            folder=self.folder,
        )
        try:
            process.wait_until(lambda: greets(port, b"220"), seconds=10, what="smtp-sink")
        except DidNotStart:
            process.stop()
            raise
        self._process = process

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.stop(how)
            self._process = None

    def contents(self) -> list[bytes]:
        """The kept messages, each with smtp-sink's X-Client-* lines on top."""
        return [path.read_bytes() for path in sorted(self.messages.iterdir())]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()


def smtp_source(port: int, *, messages: int, sessions: int = 1, size: int = 4096) -> float:
    """Sends so many messages of so many bytes over parallel sessions; the seconds that it took."""
    command = ["smtp-source", "-d", "-m", str(messages), "-s", str(sessions), "-l", str(size)]
    started = time.perf_counter()
    subprocess.run(
        [*command, f"127.0.0.1:{port}"],
        env=with_system_path(),
        check=True,
        capture_output=True,
        timeout=600,
    )
    return time.perf_counter() - started
