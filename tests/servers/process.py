"""A child process with a log that cannot outlive us, and waiting for what it serves."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
SYSTEM_PATH = "/usr/sbin:/sbin"


class DidNotStart(RuntimeError):
    """A server that could not be started or stopped; its message ends with the log's last lines."""


class Process:
    """One child in a session of its own, its output in a file.

    It gets `death_signal` when the *thread* that made it ends (prctl(2)), so make it in the main
    thread. Ctrl-C does not reach it (its own session): whoever made it stops it.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        death_signal: int = signal.SIGTERM,
    ) -> None:
        self.log = log
        surroundings = with_system_path(env)
        program = shutil.which(command[0], path=surroundings["PATH"])
        if program is None:
            raise DidNotStart(f"{command[0]}: no such program")
        leash = [sys.executable, "-I", "-S", LEASH, str(os.getpid()), str(int(death_signal))]
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [*leash, user or "-", program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=surroundings,
                cwd=folder,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._child.poll()

    def wait(self, seconds: float) -> int:
        """Its exit code; `DidNotStart` if it still runs after so many seconds."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise DidNotStart(f"still running after {seconds} s\n{self.tail()}") from error

    def stop(self, how: int = signal.SIGTERM, *, seconds: float = 10) -> None:
        """Asks it to end and waits; kills it with all its children if it does not."""
        if self.returncode is None:
            self._child.send_signal(how)
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._signal_group(signal.SIGKILL)

    def kill(self) -> None:
        """kill -9 of the child and of its children that stayed in its session."""
        self._signal_group(signal.SIGKILL)
        self._child.wait()

    def _signal_group(self, number: int) -> None:
        # What a child left behind keeps its process group alive, so the number can't be another's.
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def tail(self, lines: int = 20) -> str:
        """The log's last lines, for an error message."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def wait_until(self, ready: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Polls until `ready()`; `DidNotStart` with the log when time is up or the child has ended."""

        def alive_and_ready() -> bool:
            if self.returncode is not None:
                raise DidNotStart(f"{what}: ended with {self.returncode}\n{self.tail()}")
            return ready()

        if not becomes_true(alive_and_ready, seconds=seconds):
            raise DidNotStart(f"{what}: not ready after {seconds} s\n{self.tail()}")


class Guard:
    """Kills a child when we die, where the death signal can't: it is cleared when a program changes
    its credentials, as Postfix's master does. A shell waits at a pipe that ends with us.

    `mark` is part of the child's command line: nobody else who got its number is ever killed.
    """

    _SCRIPT = 'read -r gone; grep -q -- "$2" "/proc/$1/cmdline" && kill -9 "$1"'

    def __init__(self, pid: int, mark: str | Path) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", self._SCRIPT, "sh", str(pid), str(mark)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def release(self) -> None:
        """The child may live on, or is being stopped in order."""
        self._shell.kill()
        self._shell.communicate()


def with_system_path(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment with the folders of Debian's daemons, which an ordinary user's PATH lacks."""
    result = dict(os.environ if env is None else env)
    result["PATH"] = f"{result.get('PATH', os.defpath)}:{SYSTEM_PATH}"
    return result


def becomes_true(condition: Callable[[], bool], *, seconds: float, every: float = 0.02) -> bool:
    """Polls a condition; False if it never held within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def free_port() -> int:
    """A TCP port on loopback that nobody had a moment ago: whoever takes it must be ready to retry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def greets(port: int, greeting: bytes, *, send: bytes = b"") -> bool:
    """Whether a server on loopback answers with those first bytes."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            if send:
                connection.sendall(send)
            return connection.recv(64).startswith(greeting)
    except OSError:
        return False
