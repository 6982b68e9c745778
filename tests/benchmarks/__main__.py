"""`make bench`: every figure is a ratio of rates measured in one run, on this machine.

    python -m tests.benchmarks [--only NAME] [--full]

Tables, then one line of JSON as the last (contracts.md). `--full` takes the sizes that the project
promises (50,000 signed messages, a plan of 1,000,000) and twice as long.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time

from tests.benchmarks.ground import prepared
from tests.servers.process import DidNotStart

# In the order of running; each is a module of this package with a function `measure`.
NAMES = (
    "raw_rates",
    "stages",
    "throughput",
    "slow_line",
    "growth",
    "idle",
    "bounces",
    "workbooks",
    "contacts",
    "tracking",
)


def machine() -> str:
    """Processor, cores, load and versions: a figure without them says nothing."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        models = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, load"
        f" {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, commit {commit or '?'}"
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--only", choices=NAMES, help="run one benchmark")
    parser.add_argument("--full", action="store_true", help="the full sizes")
    options = parser.parse_args(arguments)
    print(machine(), flush=True)
    figures: dict[str, object] = {}
    try:
        with prepared(full=options.full) as ground:
            for name in [options.only] if options.only else NAMES:
                started = time.monotonic()
                module = importlib.import_module(f"tests.benchmarks.{name}")
                found = module.measure(ground)
                figures |= found.figures
                print("\n".join(found.tables), flush=True)
                print(f"({name}: {time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
    except DidNotStart as error:
        print(f"hongyan: {error}", file=sys.stderr)
        return 2
    print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
