"""Where the time of a message goes: CPU by stage in one process, and by process over the whole run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from campaigns.mailer.message import Message, Skeleton
from campaigns.mailer.signing import Signer
from campaigns.mailer.smtp import Connection
from campaigns.mailer.template import Renderer
from campaigns.pipeline import counts, send
from campaigns.pipeline.compose import Composer
from campaigns.pipeline.ledger import ledger
from tests.benchmarks import cpu, scene
from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings

SIZE = 2_000


class StageClock:
    """CPU of this thread by stage; a stage inside another one is taken out of the outer one."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            started = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                whole = time.thread_time() - started
                self.spent[stage] += whole - self._inner.pop()
                if self._inner:
                    self._inner[-1] += whole

        return wrapper


def _parts() -> Iterator[tuple[str, object, str]]:
    """(stage, owner, name) of every function that belongs to a stage."""
    yield from (("claim", send, name) for name in ("open_claim", "take", "close_claim"))
    yield "prepare", send, "_composer"
    yield "render", Renderer, "render"
    yield from (
        ("MIME", owner, name) for owner, name in ((Skeleton, "build"), (Message, "content"))
    )
    yield "sign", Signer, "sign"
    yield "compose, the rest", Composer, "compose"
    yield from (("SMTP", Connection, name) for name in ("open", "start", "go_ahead", "content"))
    yield from (("outcome", send, name) for name in ("begin", "record"))
    yield "counts", counts, "apply"
    yield from (("ledger", type(ledger()), name) for name in ("acquire", "settle", "close"))


@contextmanager
def watched(clock: StageClock) -> Iterator[None]:
    with ExitStack() as stack:
        for stage, owner, name in _parts():
            stack.enter_context(patch.object(owner, name, clock.timed(stage, getattr(owner, name))))
        yield


def measure(ground: Ground) -> Findings:
    """One RSA-signed campaign sent by this process: CPU seconds for 1,000 messages, stage by stage."""
    ground.clear()
    campaign = scene.launched(scene.a_campaign(SIZE, ground.sink.port, algorithm="rsa"))
    clock = StageClock()
    before, started = cpu.spent(), time.thread_time()
    with watched(clock):
        while send.send_batch(campaign.relay_id, "benchmark"):
            pass
    whole, others = time.thread_time() - started, cpu.since(before)
    clock.spent["the rest"] = whole - sum(clock.spent.values())
    thousands = SIZE / 1000
    found = Findings()
    found.table(
        "CPU seconds for 1,000 RSA-signed messages of 10 kB",
        ["stage", "s"],
        [[stage, seconds / thousands] for stage, seconds in clock.spent.items()]
        + [["worker, all stages", whole / thousands]]
        + [[name, spent / thousands] for name, spent in others.items() if name != "workers"],
    )
    for stage, seconds in clock.spent.items():
        name = stage.lower().replace(",", "").replace(" ", "_")
        found.figures[f"cpu_{name}"] = round(seconds / thousands, 4)
    found.figures["cpu_worker"] = round(whole / thousands, 4)
    served = sum(spent for name, spent in others.items() if name != "workers")
    found.figures["cpu_servers"] = round(served / thousands, 4)
    return found
