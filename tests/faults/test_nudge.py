"""F4 at the pages: a broker that is away breaks no page that announces work, nor keeps it waiting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import environment
from tests.end_to_end.site import ROOT
from tests.servers.process import free_port

# In a process of its own, as a web server's: Celery keeps its pools of connections for good.
SCRIPT = """
import json, time, django
django.setup()
from campaigns import tasks
from campaigns.models.signals import work_waiting
took = {}
for kind in tasks._BY_KIND:
    begun = time.monotonic()
    takes_id = tasks._BY_KIND[kind].__wrapped__.__code__.co_argcount
    work_waiting.send(sender=None, kind=kind, id=1 if takes_id else None)
    took[kind] = time.monotonic() - begun
print(json.dumps(took))
"""


@pytest.mark.slow
def test_no_kind_of_work_needs_its_nudge_nor_waits_for_it(tmp_path: Path) -> None:
    away = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment.complete(os.environ, tmp_path) | away,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    took = json.loads(done.stdout)
    assert {"tick", "read_workbook"} <= set(took)
    assert max(took.values()) < 1.5, took
