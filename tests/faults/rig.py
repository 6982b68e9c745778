"""A live site under fault: its database, Redis, workers and beat, and a relay whose log is the truth."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import redis

from tests.end_to_end.site import ROOT, LiveSite
from tests.fakes.relay_script import Rule
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.faults import truth
from tests.servers.postgres import Postgres
from tests.servers.process import Process, becomes_true

# Short, so that a test sees a lease end; long beside what a message takes.
ENVIRONMENT = {
    "CLAIM_LEASE_SECONDS": "4",
    "TICK_SECONDS": "1",
    "BATCH_SECONDS": "10",
    "CLAIM_BATCH": "100",
    "LOG_LEVEL": "INFO",
}


@dataclass
class Run:
    """A launched campaign and the relay that it goes to."""

    campaign: int
    relay: int
    server: ScriptedRelay


class Rig:
    """One site for all fault tests; each test gets a company and a relay of its own."""

    def __init__(self, site: LiveSite, postgres: Postgres) -> None:
        self.site, self.postgres = site, postgres
        self.servers: list[ScriptedRelay] = []
        self._database: psycopg.Connection[tuple[object, ...]] | None = None
        self._names = 0

    # Processes -----------------------------------------------------------------------------------

    def worker(self, number: int = 1) -> Process:
        """The worker of that number, started unless it runs."""
        name = f"worker-{number}"
        running = self.site.processes.get(name)
        if running is None or running.returncode is not None:
            return self.site.spawn("worker", name=name)
        return running

    def beat(self, number: int = 1) -> Process:
        name = f"beat-{number}"
        running = self.site.processes.get(name)
        if running is None or running.returncode is not None:
            schedule = ("--scheduler", "celery.beat:Scheduler")
            return self.site.spawn("beat", *schedule, name=name)
        return running

    def ready(self, workers: int = 2) -> None:
        """Workers and one beat, whatever the test before left behind."""
        for number in range(1, workers + 1):
            self.worker(number)
        self.beat()

    def start_without_waiting(self) -> None:
        """Workers and beat as an init system starts them: their servers may not be there yet."""
        for kind, number in (("worker", 1), ("worker", 2), ("beat", 1)):
            self.site.spawn(kind, name=f"{kind}-{number}", wait=False)

    # Campaigns -----------------------------------------------------------------------------------

    def launch(
        self,
        count: int,
        *,
        rules: Sequence[Rule] = (),
        round_trip: float = 0.0,
        prepare: Callable[[ScriptedRelay], object] = lambda server: None,
        **fields: Any,
    ) -> Run:
        """A campaign to `count` people that starts at once; `fields` as of `actor.launch`.

        `prepare` gets the relay before the launch: afterwards the first messages may be there.
        """
        server = ScriptedRelay(RelayOptions(round_trip=round_trip), rules)
        server.start()
        prepare(server)
        self.servers.append(server)
        made = self._act({"port": server.port, "count": count, **fields})
        return Run(made["campaign"], made["relay"], server)

    def _act(self, arguments: dict[str, Any]) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.actor", json.dumps(arguments)],
            cwd=ROOT,
            env=self.site.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    # What the database says ------------------------------------------------------------------------

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of one statement, over a connection that is made anew when it broke."""
        try:
            cursor = self.database.execute(statement, values)  # type: ignore[call-overload]
        except psycopg.OperationalError:
            self.database.close()
            cursor = self.database.execute(statement, values)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []

    def admin(self, statement: str) -> None:
        """A statement on the server that no database's transaction may hold."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def move(self, statement: str) -> None:
        """The same for one that wants the site's database for itself."""
        self.site.stop()
        self.close()
        self.admin(statement)

    @property
    def database(self) -> psycopg.Connection[tuple[object, ...]]:
        if self._database is None or self._database.closed:
            self._database = psycopg.connect(self.site.env["DATABASE_URL"], autocommit=True)
        return self._database

    def states(self, run: Run) -> dict[str, int]:
        return dict(
            self.sql(
                "SELECT state, count(*) FROM campaigns_delivery WHERE campaign_id = %s GROUP BY 1",
                run.campaign,
            )
        )

    def state(self, run: Run) -> str:
        return str(
            self.sql("SELECT state FROM campaigns_campaign WHERE id = %s", run.campaign)[0][0]
        )

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.site.redis.url)

    def rows(self, run: Run) -> list[truth.Row]:
        self.sql("SELECT 1")
        return truth.rows(self.database, run.campaign)

    def check(self, run: Run, *, repeats: int = 0) -> Counter[str]:
        """Rows and relay agree, and no connection left more than one in doubt."""
        found = self.rows(run)
        truth.check_doubts(found)
        return truth.check(found, run.server.accepted, repeats=repeats)

    # Waiting ---------------------------------------------------------------------------------------

    def until(self, done: Callable[[], bool], *, seconds: float, every: float = 0.1) -> float:
        """Waits; how long it took. The logs' ends are in the error."""
        begun = time.monotonic()
        assert becomes_true(done, seconds=seconds, every=every), self.logs()
        return time.monotonic() - begun

    def until_sent(self, run: Run, number: int, *, seconds: float = 30) -> None:
        """The relay has taken so many messages."""
        self.until(lambda: len(run.server.accepted) >= number, seconds=seconds, every=0.005)

    def until_finished(self, run: Run, *, seconds: float) -> float:
        return self.until(lambda: self.state(run) == "finished", seconds=seconds)

    def logs(self) -> str:
        live = "WHERE state IN ('scheduled', 'running', 'paused')"
        found = [
            self.sql(
                "SELECT now(), id, enabled, park_reason, parked_until, resting_until FROM accounts_relay"
            ),
            self.sql(f"SELECT id, state, hold_reason, planned_at FROM campaigns_campaign {live}"),
            self.sql("SELECT id, worker, lease_until FROM campaigns_claim WHERE ended_at IS NULL"),
            [len(server.accepted) for server in self.servers],
        ]
        parts = [str(found)]
        parts += [
            f"--- {name}\n{process.tail(40)}" for name, process in self.site.processes.items()
        ]
        return "\n".join(parts)

    # Between two tests -----------------------------------------------------------------------------

    def mend(self) -> None:
        """PostgreSQL and Redis run, also after a test that failed while they were away."""
        try:
            self.sql("SELECT 1")
        except psycopg.OperationalError:
            self.postgres.restart(signal.SIGKILL)
        try:
            self.redis().ping()
        except redis.RedisError:
            self.site.redis.restart(signal.SIGKILL)

    def clear(self) -> None:
        """No campaign goes on, no relay listens."""
        self.sql(
            "UPDATE campaigns_campaign SET state = 'cancelled' "
            "WHERE state IN ('scheduled', 'running', 'paused')"
        )
        for server in self.servers:
            server.stop()
        self.servers.clear()

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
