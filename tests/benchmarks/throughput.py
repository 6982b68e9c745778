"""Throughput of the whole way, over Celery worker processes, as ratios to what bounds it."""

from __future__ import annotations

import statistics
import time
from typing import Any

from campaigns.tasks import tick
from tests.benchmarks import cpu, raw_rates, scene
from tests.benchmarks.ground import CORES, Ground
from tests.benchmarks.tables import Findings
from tests.benchmarks.yardstick.post_office import PostOffice

ROUNDS = 3
YARDSTICK = 1_500
# What an own relay takes; each of the two workers drives half of them.
CONNECTIONS = 32
# What many providers allow.
FEW = 2
KINDS = ("rsa", "ed25519", "unsigned")


class Rates:
    """What each round came to. Ratios are made within a round, and the median of them is reported."""

    def __init__(self) -> None:
        self.rates: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    def add(self, name: str, rate: float, cpu_seconds: float = 0.0) -> None:
        """A rate, and CPU seconds of all processes for 1,000 messages."""
        self.rates.setdefault(name, []).append(rate)
        self.cpu.setdefault(name, []).append(cpu_seconds)

    def rate(self, name: str) -> float:
        return statistics.median(self.rates[name])

    def ratio(self, name: str, to: str, *, times: int = 1) -> float:
        pairs = zip(self.rates[name], self.rates[to], strict=True)
        return statistics.median(rate / (times * other) for rate, other in pairs)

    def seconds(self, kind: str) -> float:
        """CPU seconds of all processes for 1,000 messages."""
        return statistics.median(self.cpu[kind])


def send_all(
    ground: Ground, size: int, kind: str, rates: Rates, connections: int = CONNECTIONS
) -> None:
    """Launches a campaign and waits until the workers have sent it."""
    ground.clear()
    algorithm = "" if kind == "unsigned" else kind.split(maxsplit=1)[0]
    campaign = scene.launched(
        scene.a_campaign(size, ground.sink.port, algorithm=algorithm, connections=connections)
    )
    give_up = time.monotonic() + 60 + size / 50
    ticked, before = 0.0, cpu.spent()
    while not (seconds := _finished(ground, campaign.pk, size)):
        if time.monotonic() > give_up:
            raise RuntimeError(f"not sent in time\n{ground.site.log('worker0')[-2000:]}")
        if time.monotonic() - ticked > 2:  # what beat does
            tick.delay()
            ticked = time.monotonic()
        time.sleep(0.1)
    rates.add(kind, size / seconds, sum(cpu.since(before).values()) / size * 1000)


def _finished(ground: Ground, campaign_id: int, size: int) -> float | None:
    """Seconds from the first attempt's start to the last one's end, once all are accepted."""
    with ground.site.connect() as connection:
        accepted = _one(
            connection,
            "SELECT number FROM campaigns_campaigncount WHERE campaign_id = %s"
            " AND state = 'accepted'",
            campaign_id,
        )
        if accepted is None or accepted < size:
            return None
        return float(
            _one(
                connection,
                "SELECT extract(epoch FROM max(ended_at) - min(started_at))"
                " FROM campaigns_attempt a JOIN campaigns_delivery d ON d.id = a.delivery_id"
                " WHERE d.campaign_id = %s",
                campaign_id,
            )
        )


def _one(connection: Any, statement: str, *values: object) -> Any:
    row = connection.execute(statement, values).fetchone()
    return row[0] if row else None


def measure(ground: Ground) -> Findings:
    """Campaigns of 10 kB messages over 2 Celery processes, each outcome committed by itself.

    RSA-2048 as a share of what both cores could sign if they did nothing else; Ed25519 and unsigned
    as multiples of django-post_office's batch sender (unsigned, 2 processes). Everything runs on
    these cores: workers, PostgreSQL, Redis and the sink.
    """
    size = 50_000 if ground.full else 10_000
    rates = Rates()
    yardstick = PostOffice(ground)
    found = Findings()
    with ground.workers() as workers:
        for _ in range(ROUNDS):
            raw, raw_by_cpu = raw_rates.rsa_rate()
            rates.add("raw", raw)
            rates.add("raw by CPU", raw_by_cpu)
            for kind in KINDS:
                send_all(ground, size, kind, rates)
            rates.add("post_office", *yardstick.rate(YARDSTICK))
        send_all(ground, size // 4, "rsa few", rates, FEW)
        found.figures["worker_peak_mb"] = round(
            max(cpu.peak_megabytes(worker.pid) for worker in workers), 1
        )
    ground.site.env["ASYNC_NEWSLETTERS"] = "false"
    with ground.workers():
        send_all(ground, size // 4, "rsa synchronous", rates)
    del ground.site.env["ASYNC_NEWSLETTERS"]
    _report(found, rates, size)
    return found


def _report(found: Findings, rates: Rates, size: int) -> None:
    raw = rates.rate("raw")
    # 1,000 messages cost so many seconds; signing alone would have taken 1000 / raw.
    by_cpu = 1000 / rates.rate("raw by CPU") / rates.seconds("rsa")
    yardstick = rates.seconds("post_office")
    found.figures |= {
        "signed_ratio": round(rates.ratio("rsa", "raw", times=CORES), 3),
        "signed_ratio_by_cpu": round(by_cpu, 3),
        "signed_synchronous_ratio": round(rates.rate("rsa synchronous") / CORES / raw, 3),
        "signed_few_connections_ratio": round(rates.rate("rsa few") / CORES / raw, 3),
        "unsigned_vs_post_office": round(rates.ratio("unsigned", "post_office"), 2),
        "ed25519_vs_post_office": round(rates.ratio("ed25519", "post_office"), 2),
        "unsigned_vs_post_office_by_cpu": round(yardstick / rates.seconds("unsigned"), 2),
        **{
            f"{name.replace(' ', '_')}_per_second": round(rates.rate(name), 1)
            for name in ("rsa", "ed25519", "unsigned", "rsa synchronous", "post_office")
        },
    }
    rows: list[list[str | float]] = [["raw RSA-2048, one core", raw, ""]]
    named = {kind: kind for kind in KINDS} | {
        "rsa synchronous": "rsa, each outcome on the disk",
        "rsa few": f"rsa, {FEW} connections in all",
    }
    for kind, name in named.items():
        rows.append([f"Hongyan, {name}", rates.rate(kind), rates.seconds(kind)])
    rows.append(
        ["django-post_office, unsigned", rates.rate("post_office"), rates.seconds("post_office")]
    )
    found.table(
        f"{size:,} recipients, 2 worker processes, {CONNECTIONS} connections, medians of {ROUNDS} rounds",
        ["", "a second", "CPU s per 1,000, all processes"],
        rows,
    )
