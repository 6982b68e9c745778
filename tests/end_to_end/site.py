"""A whole Hongyan in processes of its own: web, workers and beat on a fresh, committed database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import psycopg

from tests.servers import template
from tests.servers.process import Process, free_port, greets
from tests.servers.redis import Redis

ROOT = Path(__file__).parents[2]
CELERY = ("-m", "celery", "-A", "config.celery")


class LiveSite:
    """Made by the fixture `live_site`. Its processes share `env`; a test may change it before it spawns.

    `server_url` names any database of a PostgreSQL server: the site's own is made there and dropped by
    `close()`. Redis is the site's alone (`redis`), so that a test may flush, stop or restart it.
    """

    def __init__(self, folder: Path, server_url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = f"hongyan_{uuid.uuid4().hex[:12]}"
        self._server_url = server_url
        self.processes: dict[str, Process] = {}
        self.port = 0
        self.redis = Redis(folder / "redis").start()
        self.env = dict(os.environ) | {
            "DATABASE_URL": template.new_postgres_database(server_url, self.name),
            "REDIS_URL": self.redis.url,
            "HONGYAN_VAR": str(folder / "var"),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def address(self) -> str:
        """The web server's, once it was spawned."""
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *arguments: str, stdin: str = "", seconds: float = 120) -> str:
        """Runs manage.py in the site's environment; its stdout. A failure raises with both outputs."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if done.returncode != 0:
            raise AssertionError(f"manage.py {arguments}: {done.stdout}\n{done.stderr}")
        return done.stdout

    def act(self, step: str, **arguments: object) -> Any:
        """Does one step of `tests.end_to_end.actor` in the site's environment; its answer."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.end_to_end.actor", step, json.dumps(arguments)],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            raise AssertionError(f"{step}: {done.stdout}\n{done.stderr}")
        return json.loads(done.stdout)

    def spawn(self, kind: str, *arguments: str, name: str = "", wait: bool = True) -> Process:
        """Starts "web", "worker" or "beat" as production does, its log in `<name>.log`.

        A second of a kind needs a name. Without `wait` it need not be ready yet. `kill()` of the result is kill -9 with all its children;
        spawning under the name of a dead process is its restart.
        """
        name = name or kind
        assert name not in self.processes or self.processes[name].returncode is not None
        process = Process(
            [sys.executable, *self._command(kind, name), *arguments],
            log=self.folder / f"{name}.log",
            env=self.env,
            folder=ROOT,
            death_signal=signal.SIGKILL,
        )
        self.processes[name] = process
        if not wait:
            return process
        if kind == "web":
            request = b"HEAD / HTTP/1.0\r\n\r\n"
            process.wait_until(
                lambda: greets(self.port, b"HTTP/1", send=request), seconds=30, what="web"
            )
        elif kind == "worker":
            # Celery's own words for "listening": before that a kill would test nothing.
            process.wait_until(
                lambda: f"{name}@" in process.tail(200) and " ready." in process.tail(200),
                seconds=30,
                what=name,
            )
        return process

    def _command(self, kind: str, name: str) -> tuple[str, ...]:
        if kind == "web":
            self.port = self.port or free_port()
            bind = f"127.0.0.1:{self.port}"
            return (
                "-m",
                "gunicorn",
                "config.wsgi",
                "--bind",
                bind,
                "--workers",
                "1",
                "--threads",
                "4",
            )
        if kind == "worker":
            pool = ("--pool", "threads", "--concurrency", "4")
            quiet = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")
            return (*CELERY, "worker", "--hostname", f"{name}@site", *pool, *quiet)
        if kind == "beat":
            schedule = str(self.folder / "celerybeat-schedule")
            return (*CELERY, "beat", "--schedule", schedule, "--pidfile", "", "--loglevel", "INFO")
        raise ValueError(f"a site has web, worker and beat, no {kind!r}")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """The site's database, past Django: to count rows from outside."""
        return psycopg.connect(self.env["DATABASE_URL"])

    def stop(self) -> None:
        """Ends every process in order; those that don't within 10 s are killed."""
        for process in reversed(self.processes.values()):
            process.stop()
        self.processes.clear()

    def close(self) -> None:
        """Stops everything and drops the database."""
        self.stop()
        self.redis.stop()
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
