"""Where the time of a message goes: CPU by stage in one process, and by process over the whole run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from django.conf import settings

from campaigns.mailer.message import Message, Skeleton
from campaigns.mailer.signing import Signer
from campaigns.mailer.smtp import Connection
from campaigns.mailer.template import Renderer
from campaigns.pipeline import counts, outcome, send, upcoming
from campaigns.pipeline.compose import Composer
from campaigns.pipeline.ledger import ledger
from campaigns.pipeline.line_loop import LineLoop
from tests.benchmarks import cpu, scene
from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings

SIZE = 2_000
# Connections of the one process: what a provider allows, and what an own relay takes.
CONNECTIONS = (1, 8)


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

    def timed_steps(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same of a generator, from one of its waits to the next."""

        def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            send = self.timed(stage, function(*args, **kwargs).send)
            came = None
            while True:
                try:
                    asked = send(came)
                except StopIteration as end:
                    return end.value
                came = yield asked

        return wrapper


def _parts() -> Iterator[tuple[str, object, str]]:
    """(stage, owner, name) of every function that belongs to a stage."""
    yield from (("claim", send, name) for name in ("open_claim", "open_claims", "take"))
    yield "claim", send, "close_claims"
    yield "prepare", upcoming, "_composer"
    yield "render", Renderer, "render"
    yield from (
        ("MIME", owner, name) for owner, name in ((Skeleton, "build"), (Message, "content"))
    )
    yield "sign", Signer, "sign"
    yield "compose, the rest", Composer, "compose"
    yield from (("SMTP", Connection, f"{name}_steps") for name in ("start", "go_ahead", "content"))
    yield "outcome", send, "record"
    yield "outcome, statement", outcome, "write"
    yield "counts", counts, "apply"
    yield from (("ledger", type(ledger()), name) for name in ("acquire", "settle", "close"))
    yield "loop", LineLoop, "_look"


@contextmanager
def watched(clock: StageClock) -> Iterator[None]:
    with ExitStack() as stack:
        for stage, owner, name in _parts():
            timed = clock.timed_steps if name.endswith("_steps") else clock.timed
            stack.enter_context(patch.object(owner, name, timed(stage, getattr(owner, name))))
        yield


def _spent(ground: Ground, connections: int) -> dict[str, float]:
    """CPU seconds for 1,000 messages over so many connections of this one process.

    Sent twice: looking at the clock at each stage's ends costs a tenth of it all.
    """
    clock = StageClock()
    with watched(clock):
        watched_whole = _send(ground, connections)["worker, unwatched"]
    spent = dict(sorted(clock.spent.items()))
    spent["the rest"] = watched_whole - sum(clock.spent.values())
    spent |= _send(ground, connections)
    return {name: seconds / SIZE * 1000 for name, seconds in spent.items()}


def _send(ground: Ground, connections: int) -> dict[str, float]:
    """CPU seconds of this thread and of the servers for one campaign."""
    ground.clear()
    campaign = scene.a_campaign(
        SIZE, ground.sink.port, algorithm="rsa", connections=connections * settings.WORKERS
    )
    scene.launched(campaign)
    before, started = cpu.spent(), time.thread_time()
    while send.send_batch(campaign.relay_id, "benchmark"):
        pass
    spent, others = {"worker, unwatched": time.thread_time() - started}, cpu.since(before)
    return spent | {name: seconds for name, seconds in others.items() if name != "workers"}


def measure(ground: Ground) -> Findings:
    """One RSA-signed campaign sent by this process: CPU seconds for 1,000 messages, stage by stage."""
    columns = [_spent(ground, connections) for connections in CONNECTIONS]
    found = Findings()
    found.table(
        "CPU seconds for 1,000 RSA-signed messages of 10 kB",
        ["stage", *(f"{number} connections" for number in CONNECTIONS)],
        [[name, *(column.get(name, 0.0) for column in columns)] for name in columns[-1]],
    )
    for connections, column in zip(CONNECTIONS, columns, strict=True):
        served = sum(column[name] for name in ("PostgreSQL", "Redis", "smtp-sink"))
        found.figures[f"cpu_worker_{connections}"] = round(column["worker, unwatched"], 4)
        found.figures[f"cpu_servers_{connections}"] = round(served, 4)
    return found
