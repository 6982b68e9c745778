"""django-post_office's own batch sender in processes of its own: the yardstick for throughput."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time

import psycopg

from tests.benchmarks import cpu
from tests.benchmarks.ground import CORES, Ground

NAME = "post_office"


class PostOffice:
    """Its queue in a database of its own; `rate` fills and empties it."""

    def __init__(self, ground: Ground) -> None:
        server = ground.postgres
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {NAME}")
            connection.execute(f"CREATE DATABASE {NAME}")
        self._env = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.benchmarks.yardstick.settings",
            "POST_OFFICE_DATABASE": server.url_of(NAME),
            "POST_OFFICE_PORT": str(ground.sink.port),
        }
        self._lock = str(ground.folder / "post_office.lock")
        self._manage("migrate", "--verbosity", "0")

    def rate(self, messages: int) -> tuple[float, float]:
        """Unsigned messages a second with 2 processes, and CPU seconds of all for 1,000 messages.

        What starting its command takes is left out.
        """
        starting, starting_cpu = self._send()
        self._manage("fill_post_office", str(messages))
        seconds, busy = self._send()
        return messages / (seconds - starting), (busy - starting_cpu) / messages * 1000

    def _send(self) -> tuple[float, float]:
        """Seconds elapsed and of CPU."""
        servers, ended = cpu.spent(), resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        self._manage("send_queued_mail", "--processes", str(CORES), "--lockfile", self._lock)
        elapsed, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        senders = now.ru_utime + now.ru_stime - ended.ru_utime - ended.ru_stime
        return elapsed, senders + sum(cpu.since(servers).values())

    def _manage(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "django", *arguments]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False)
        failed = re.search(r"(\d+) failed", done.stdout + done.stderr)
        if done.returncode or (failed and failed[1] != "0"):
            raise RuntimeError(f"post_office {arguments}: {done.stderr[-2000:]}")
