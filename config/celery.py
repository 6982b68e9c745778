"""The Celery application: it carries ids between processes, and ticks (campaigns/tasks.py)."""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


@worker_ready.connect
@worker_process_init.connect
def spare_the_collector(**_rest: Any) -> None:
    """What a worker has loaded by now stays: looking through it again and again would cost a message
    as much as its MIME. What a message leaves behind is freed without the collector."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


app = Celery("hongyan")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["campaigns"])
