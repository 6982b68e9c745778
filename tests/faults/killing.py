"""kill -9 of workers at random times, one after the other, each started again at once."""

from __future__ import annotations

import random
import time

from tests.faults.rig import Rig, Run

# So many messages before the end no worker is killed any more: there would be nothing to break.
TAIL = 200


def kill_at_random_times(rig: Rig, run: Run, *, kills: int, seed: int) -> int:
    """How many were killed: fewer than asked for if the campaign ends before."""
    rng = random.Random(seed)
    rig.until(lambda: bool(rig.states(run)), seconds=60)
    total = sum(rig.states(run).values())
    done = 0
    while done < kills and len(run.server.accepted) < total - TAIL:
        before = len(run.server.accepted)
        rig.until(lambda seen=before: len(run.server.accepted) > seen, seconds=60, every=0.01)
        time.sleep(rng.uniform(0.05, 0.8))
        number = rng.randint(1, 2)
        rig.worker(number).kill()
        done += 1
        rig.worker(number)
    return done
