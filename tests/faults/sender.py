"""A worker without Celery: sends from the given relays until a file is there, perhaps behind a network of its own.

    python -m tests.faults.sender '{"relays": [1, 2], "stop": "/tmp/x/stop", "name": "host-a"}'

In a network namespace the site's addresses on 127.0.0.1 lead nowhere: `through` names the address of
the other side of the namespace's cable, and each of `ports` here is carried there.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults.carrier import carry


def work(relays: list[int], stop: str, name: str) -> None:
    """One batch after the other, of each relay in turn, until somebody makes the file."""
    import django

    django.setup()
    from campaigns.pipeline import send

    asked = Path(stop).exists
    Path(stop).with_name(f"ready-{name}").touch()
    while not asked():
        for relay in relays:
            send.send_batch(relay, name, asked)
        time.sleep(0.05)


def main(through: str = "", ports: Any = (), **given: Any) -> None:
    for port in ports:
        carry(("127.0.0.1", port), (through, port))
    work(**given)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
