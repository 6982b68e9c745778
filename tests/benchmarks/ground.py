"""The ground that benchmarks stand on: PostgreSQL with fsync, Redis, smtp-sink, and worker processes.

PostgreSQL writes to its disk as in production, since what a commit costs is part of what is measured.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import psycopg

from tests import environment
from tests.end_to_end.site import LiveSite
from tests.servers.folder import temporary_folder
from tests.servers.postgres import Postgres
from tests.servers.process import Process
from tests.servers.smtp_sink import SmtpSink

CORES = 2


@dataclass(frozen=True)
class Ground:
    """`full`: the long run, with the sizes that the issue names."""

    folder: Path
    site: LiveSite
    sink: SmtpSink
    postgres: Postgres
    full: bool

    @contextmanager
    def workers(self) -> Iterator[list[Process]]:
        """Two Celery workers, each with the pool that docker-compose.yml gives it."""
        pool = ("--pool", "threads", "--concurrency", "16")
        workers = [self.site.spawn("worker", *pool, name=f"worker{n}") for n in range(CORES)]
        try:
            yield workers
        finally:
            for worker in workers:
                worker.stop()

    def execute(self, statement: str) -> None:
        """One statement on the site's database, committed by itself (VACUUM asks for that)."""
        with psycopg.connect(self.site.env["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(statement)

    def clear(self) -> None:
        """Empties every table: each measurement begins with the same database."""
        for _attempt in range(5):
            # A worker that looks for more to do locks the same tables in another order.
            with contextlib.suppress(psycopg.errors.DeadlockDetected):
                self.execute(
                    "TRUNCATE accounts_team, accounts_user, campaigns_contact, campaigns_listmember"
                    " CASCADE"
                )
                break
        self.execute("VACUUM ANALYZE")


@contextmanager
def prepared(*, full: bool) -> Iterator[Ground]:
    """Servers started, the schema made, and Django in this process on the same database."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("hongyan-bench-"))
        postgres = stack.enter_context(Postgres(folder / "postgres", fsync=True))
        sink = stack.enter_context(SmtpSink(folder / "sink"))
        os.environ.update(environment.complete(os.environ, folder) | {"LOG_LEVEL": "WARNING"})
        site = LiveSite(folder / "site", postgres.url)
        stack.callback(site.close)
        os.environ.update(site.env)
        django.setup()
        yield Ground(folder, site, sink, postgres, full)
        from django.db import connections

        connections.close_all()
