"""A worker without Celery that does nothing but poll one mailbox, until somebody kills it.

python -m tests.faults.poller 7
"""

from __future__ import annotations

import sys
import time


def work(mailbox: int) -> None:
    import django

    django.setup()
    from campaigns.pipeline import collect

    while True:
        collect.poll(mailbox)
        time.sleep(0.05)


if __name__ == "__main__":
    work(int(sys.argv[1]))
