"""Throughput of the whole way, over Celery worker processes, as ratios to what bounds it."""

from __future__ import annotations

import statistics
import time
from typing import Any

from campaigns.tasks import tick
from tests.benchmarks import cpu, raw_rates, scene
from tests.benchmarks.ground import CORES, Ground
from tests.benchmarks.tables import Findings

ROUNDS = 3


def send_all(ground: Ground, size: int, *, algorithm: str = "") -> float:
    """Launches a campaign and waits until beat and workers have sent it; messages a second."""
    ground.clear()
    campaign = scene.launched(
        scene.a_campaign(size, ground.sink.port, algorithm=algorithm, connections=CORES)
    )
    give_up = time.monotonic() + 60 + size / 100
    ticked = 0.0
    while not (seconds := _finished(ground, campaign.pk, size)):
        if time.monotonic() > give_up:
            raise RuntimeError(f"not sent in time\n{ground.site.log('worker')[-2000:]}")
        if time.monotonic() - ticked > 2:  # what beat does
            tick.delay()
            ticked = time.monotonic()
        time.sleep(0.1)
    return size / seconds


def _finished(ground: Ground, campaign_id: int, size: int) -> float | None:
    """Seconds from the first attempt to the last, once every delivery is accepted."""
    with ground.site.connect() as connection:
        (accepted,) = _one(
            connection,
            "SELECT count(*) FROM campaigns_delivery WHERE campaign_id = %s AND state = 'accepted'",
            campaign_id,
        )
        if accepted < size:
            return None
        (seconds,) = _one(
            connection,
            "SELECT extract(epoch FROM max(ended_at) - min(started_at)) FROM campaigns_attempt a"
            " JOIN campaigns_delivery d ON d.id = a.delivery_id WHERE d.campaign_id = %s",
            campaign_id,
        )
        return float(seconds)


def _one(connection: Any, statement: str, *values: object) -> tuple[Any, ...]:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return tuple(row)


def measure(ground: Ground) -> Findings:
    """Signed and unsigned campaigns over 2 Celery processes, each outcome committed by itself."""
    found = Findings()
    size = 50_000 if ground.full else 5_000
    rates: dict[str, list[float]] = {"rsa": [], "ed25519": [], "unsigned": []}
    raw: list[float] = []
    with ground.workers() as worker:
        for _ in range(ROUNDS):
            raw.append(raw_rates.rsa_rate())
            for algorithm, runs in rates.items():
                runs.append(send_all(ground, size, algorithm=algorithm.replace("unsigned", "")))
        found.figures["worker_peak_mb"] = round(cpu.peak_megabytes(worker.pid), 1)
    ratios = [rate / (CORES * limit) for rate, limit in zip(rates["rsa"], raw, strict=True)]
    found.figures["signed_ratio"] = round(statistics.median(ratios), 3)
    found.table(
        f"{size:,} recipients, 2 worker processes (medians of {ROUNDS})",
        ["", "messages/s"],
        [[name, statistics.median(runs)] for name, runs in rates.items()],
    )
    return found
