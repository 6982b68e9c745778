"""`make soak`: F1 at full size. 100 kills -9 of workers over 20,000 recipients; minutes, not for CI.

    python -m tests.faults.soak [--kills 100] [--recipients 20000] [--kind payslip] [--seed N]

Starts servers of its own, prints what happened and, last, one line of JSON; exit code 1 if a recipient
was lost or mailed twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time

from tests import environment
from tests.faults import truth
from tests.faults.killing import kill_at_random_times
from tests.faults.rig import ENVIRONMENT, Rig
from tests.servers.folder import temporary_folder
from tests.servers.postgres import Postgres

CONNECTIONS = 4
# Slow enough for all the kills to happen while there is mail to send.
ROUND_TRIP = 0.02


def soak(rig: Rig, given: argparse.Namespace) -> dict[str, object]:
    """The figures; raises AssertionError for a recipient that is lost or was mailed twice."""
    rig.ready()
    run = rig.launch(
        given.recipients,
        kind=given.kind,
        round_trip=ROUND_TRIP,
        relay={"max_connections": CONNECTIONS, "final_dot_timeout": 20},
    )
    begun = time.monotonic()
    rig.until_sent(run, 50)
    kills = kill_at_random_times(rig, run, kills=given.kills, seed=given.seed)
    killing = time.monotonic() - begun
    rig.until_finished(run, seconds=900)
    found = rig.rows(run)
    states = truth.check(found, run.server.accepted)
    doubts = truth.check_doubts(found)
    return {
        "kills": kills,
        "recipients": given.recipients,
        "kind": given.kind,
        "seed": given.seed,
        "accepted": states["accepted"],
        "in_doubt": doubts,
        "in_doubt_that_arrived": len(run.server.accepted) - states["accepted"],
        "lost": 0,
        "twice": 0,
        "seconds_of_killing": round(killing, 1),
        "seconds": round(time.monotonic() - begun, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--recipients", type=int, default=20_000)
    parser.add_argument("--kind", choices=("payslip", "newsletter"), default="payslip")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    with temporary_folder() as folder, Postgres(folder / "postgres") as postgres:
        os.environ.update(environment.complete(os.environ, folder))
        # Late: it starts Redis and migrates in the environment that was made just now.
        from tests.end_to_end.site import LiveSite

        site = LiveSite(folder / "site", postgres.url)
        site.env |= ENVIRONMENT
        rig = Rig(site, postgres)
        try:
            figures = soak(rig, given)
        except AssertionError as error:
            print(f"hongyan: the soak FAILED (seed {given.seed}): {error}", file=sys.stderr)
            return 1
        finally:
            rig.close()
            site.close()
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
