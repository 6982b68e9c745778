"""What a tick costs when nothing is to be done: with and without a long history."""

from __future__ import annotations

import statistics
import time

from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.pipeline import import_contacts, load, plan, probe, sweep, work
from tests.benchmarks import scene
from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings

CAMPAIGNS, RECIPIENTS, TICKS = 1_000, 20, 30

_HISTORY = """
WITH made AS (
    INSERT INTO campaigns_campaign SELECT (json_populate_record(NULL::campaigns_campaign,
        (to_jsonb(c) || jsonb_build_object('id', c.id + n, 'state', 'finished'))::json)).*
    FROM campaigns_campaign c, generate_series(1, %s) n WHERE c.id = %s RETURNING id)
INSERT INTO campaigns_delivery SELECT (json_populate_record(NULL::campaigns_delivery,
    (to_jsonb(d) || jsonb_build_object('id', d.id + 1000000 + m.id * 1000, 'campaign_id', m.id,
        'state', 'accepted'))::json)).*
FROM made m, campaigns_delivery d WHERE d.campaign_id = %s
"""


def tick() -> None:
    """The pipeline's part of `campaigns.tick`."""
    plan.start_due()
    sweep.sweep()
    list(work.relays_with_work())
    list(load.unread())
    import_contacts.waiting()
    probe.waiting()


def tick_milliseconds() -> float:
    """Median of some ticks, elapsed."""
    times = []
    for _ in range(TICKS):
        started = time.perf_counter()
        tick()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def measure(ground: Ground) -> Findings:
    """A tick of an empty system, and of one with 1,000 finished campaigns of 20 recipients."""
    ground.clear()
    tick()
    empty = tick_milliseconds()
    campaign = scene.launched(scene.a_campaign(RECIPIENTS, 1))
    campaign.deliveries.update(state="accepted")
    sweep.sweep()
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, [CAMPAIGNS - 1, campaign.pk, campaign.pk])
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as queries:
        tick()
    full = tick_milliseconds()
    found = Findings()
    found.figures |= {"idle_tick_ms": round(full, 2), "idle_tick_growth": round(full / empty, 2)}
    found.table(
        f"A tick with nothing to do ({len(queries)} statements)",
        ["finished campaigns", "ms"],
        [["0", empty], [f"{CAMPAIGNS:,}", full]],
    )
    return found
