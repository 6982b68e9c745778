"""What a recipient costs in small and in large campaigns: plan, claim, compose, record."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any, Self
from unittest.mock import patch

from campaigns.mailer.reply import Reply
from campaigns.mailer.smtp import Connection, GoAhead
from campaigns.mailer.smtp_wire import Steps
from campaigns.models import Campaign, Delivery
from campaigns.models.template import Kind
from campaigns.pipeline import claim as claims
from campaigns.pipeline import control, plan, send
from tests import cast
from tests.benchmarks import cpu, scene
from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings

# Recipients → how often it is repeated, so that each size is measured for some seconds.
SIZES = {1_000: 6, 10_000: 1, 100_000: 1}
MILLION = 1_000_000
_GO = GoAhead(ok=True)
_REPLY = Reply(250, "2.0.0", "Ok")


class NoLine:
    """Stands in for the network alone: accepts every message at once."""

    is_open = True

    @classmethod
    def open(cls, *_settings: Any) -> Self:
        return cls()

    def start_steps(self, _envelope: object) -> Steps[None]:
        yield from ()

    def go_ahead_steps(self) -> Steps[GoAhead]:
        yield from ()
        return _GO

    def content_steps(
        self, _payload: bytes, _then: object = None, *, armour: int = 0
    ) -> Steps[Reply]:
        yield from ()
        return _REPLY

    def quit_steps(self) -> Steps[None]:
        yield from ()

    def abandon(self) -> None: ...


def without_network() -> AbstractContextManager[Any]:
    return patch.object(Connection, "open", NoLine.open)


def a_campaign(size: int) -> Campaign:
    """A short newsletter: what is measured is the rows, not the rendering."""
    team = cast.a_team(f"公司 {size} {time.monotonic()}")
    template = cast.a_template(
        team,
        Kind.NEWSLETTER,
        subject="{{ 姓名 }}",
        html="<p>{{ 姓名 }}，您好</p>",
        text="{{ 姓名 }}",
    )
    relay = scene.a_relay(team, 1)
    return cast.a_campaign(relay, template=template, contact_list=scene.a_list(team, size))


def planned(campaign: Campaign) -> float:
    """Seconds that the plan took."""
    assert control.launch(campaign, None)
    plan.start_due()
    started = time.perf_counter()
    assert plan.plan(campaign.pk)
    return time.perf_counter() - started


def costs(ground: Ground, size: int, times: int) -> tuple[float, float, float]:
    """µs a recipient: plan (elapsed), CPU of worker and PostgreSQL, elapsed in all."""
    plans = processor = elapsed = 0.0
    for _ in range(times):
        ground.clear()
        campaign = a_campaign(size)
        before, thread, started = cpu.spent(), time.thread_time(), time.perf_counter()
        plans += planned(campaign)
        with without_network():
            while send.send_batch(campaign.relay_id, "benchmark"):
                pass
        processor += time.thread_time() - thread + cpu.since(before)["PostgreSQL"]
        elapsed += time.perf_counter() - started
        assert Delivery.objects.filter(state="accepted").count() == size
    recipients = size * times / 1e6
    return plans / recipients, processor / recipients, elapsed / recipients


def million(ground: Ground, found: Findings) -> None:
    """A plan of 1,000,000 in one statement, and one claim of it."""
    ground.clear()
    campaign = a_campaign(MILLION)
    seconds = planned(campaign)
    claim = claims.open_claim(campaign.relay_id, "benchmark")
    assert claim is not None
    started = time.perf_counter()
    taken, _ = claims.take(claim, claim.relay, 200)
    found.figures["plan_million_seconds"] = round(seconds, 1)
    found.figures["claim_of_million_ms"] = round((time.perf_counter() - started) * 1000, 1)
    found.table(
        "1,000,000 recipients",
        ["", ""],
        [
            ["plan, s", seconds],
            [f"claim of {len(taken)}, ms", found.figures["claim_of_million_ms"]],
        ],
    )


def measure(ground: Ground) -> Findings:
    """Campaigns of 1,000 to 100,000 without the network: cost a recipient, and how it grows."""
    found = Findings()
    rows: list[list[str | int | float]] = []
    by_size: dict[int, float] = {}
    for size, times in SIZES.items():
        plan_cost, processor, elapsed = costs(ground, size, times)
        by_size[size] = processor
        rows.append([f"{size:,}", plan_cost, processor, elapsed])
    found.table(
        "µs a recipient, without the network (CPU: worker and PostgreSQL)",
        ["recipients", "plan, elapsed", "all, CPU", "all, elapsed"],
        rows,
    )
    found.figures["cost_growth_1k_to_100k"] = round(by_size[100_000] / by_size[1_000], 3)
    if ground.full:
        million(ground, found)
    return found
