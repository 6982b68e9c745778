"""PostgreSQL and Redis, from the system and from wheels: start, restart, and never outlive us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_client

from tests.servers import postgres, redis
from tests.servers.folder import temporary_folder
from tests.servers.process import DidNotStart, Process, becomes_true

ROOT = Path(__file__).parents[2]
POSTGRES = [postgres.system_binaries(), postgres.wheel_binaries()]
REDIS = [redis.system_binary(), redis.wheel_binary()]


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@pytest.mark.parametrize("binaries", [found for found in POSTGRES if found], ids=str)
def test_postgres_starts_and_keeps_its_data_over_a_restart(folder: Path, binaries: Path) -> None:
    with postgres.Postgres(folder / "postgres", binaries=binaries) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE note AS SELECT '工资条' AS text")
        server.restart()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT text, lower('Ä') FROM note").fetchone() == (
                "工资条",
                "ä",
            )
            assert connection.execute("SHOW fsync").fetchone() == ("off",)


def test_postgres_is_durable_if_asked(folder: Path) -> None:
    with (
        postgres.Postgres(folder / "postgres", fsync=True) as server,
        psycopg.connect(server.url) as connection,
    ):
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


@pytest.mark.parametrize("binary", [found for found in REDIS if found], ids=str)
def test_redis_forgets_at_a_restart_unless_it_is_persistent(folder: Path, binary: Path) -> None:
    for persistent in (False, True):
        place = folder / f"redis-{persistent}"
        with redis.Redis(place, binary=binary, persistent=persistent) as server:
            address = server.url
            with redis_client.Redis.from_url(address) as client:
                client.set("known", "yes")
            server.restart()
            with redis_client.Redis.from_url(server.url) as client:
                assert (client.get("known") == b"yes") is persistent
            assert server.url == address


def test_a_server_that_ends_at_once_is_reported_with_its_log(folder: Path) -> None:
    server = redis.Redis(folder / "redis", binary=Path("/bin/false"))
    with pytest.raises(DidNotStart, match="ended with 1"):
        server.start()


PARENT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from tests.servers.folder import temporary_folder
from tests.servers import postgres, redis
with temporary_folder() as folder:
    database = postgres.Postgres(folder / "postgres").start()
    broker = redis.Redis(folder / "redis").start()
    print(folder, database.pid, broker._process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_parent_that_is_killed(how: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        place, *pids = parent.stdout.readline().split()
        assert Path(place).exists()
        parent.send_signal(how)
        assert parent.wait(15) != 0
    gone = [lambda pid=pid: not Path(f"/proc/{pid}").exists() for pid in pids]
    assert all(becomes_true(condition, seconds=5) for condition in gone)
    assert becomes_true(lambda: not Path(place).exists(), seconds=5)


def test_stopping_kills_children_that_stay_behind(tmp_path: Path) -> None:
    script = "sleep 60 & echo $!; wait"
    process = Process(["/bin/sh", "-c", script], log=tmp_path / "log")
    assert becomes_true(lambda: process.tail().strip() != "", seconds=5)
    child = process.tail().strip()
    process.stop()
    # A zombie that nobody has reaped yet is as good as gone.
    stat = Path(f"/proc/{child}/stat")
    assert becomes_true(lambda: not stat.exists() or ") Z " in stat.read_text(), seconds=5)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DidNotStart, match="no-such-program"):
        Process(["no-such-program"], log=tmp_path / "log")


def test_a_wheel_in_a_closed_folder_is_copied_to_where_its_user_can_run_it(folder: Path) -> None:
    found = postgres.wheel_binaries()
    assert found is not None
    package = found.parents[1]
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for source in (package, package.with_name(f"{postgres.WHEEL}.libs")):
        (closed / source.name).symlink_to(source)
    binaries = closed / package.name / found.parent.name / "bin"
    with postgres.Postgres(folder / "postgres", binaries=binaries) as server:
        is_copy = server.binaries.is_relative_to(server.folder)
    assert is_copy is (os.geteuid() == 0)


def test_a_server_does_not_run_as_root(folder: Path) -> None:
    with postgres.Postgres(folder / "postgres") as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
