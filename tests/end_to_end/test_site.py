"""The live site itself: its own database, its processes, and nothing left of them."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from tests.end_to_end.site import LiveSite
from tests.servers.process import becomes_true


@pytest.mark.timeout(120)
def test_a_site_runs_web_two_workers_and_beat_and_survives_a_killed_worker(
    live_site: LiveSite,
) -> None:
    live_site.spawn("web")
    workers = [live_site.spawn("worker", name=name) for name in ("worker-1", "worker-2")]
    live_site.spawn("beat")
    with urllib.request.urlopen(live_site.address, timeout=10) as answer:
        assert answer.status == 200
    workers[0].kill()
    assert workers[0].returncode == -9
    live_site.spawn("worker", name="worker-1")
    assert workers[1].returncode is None
    pids = [process.pid for process in live_site.processes.values()]
    live_site.stop()
    assert becomes_true(lambda: not any(Path(f"/proc/{p}").exists() for p in pids), seconds=5)


def test_two_sites_share_no_rows(live_site: LiveSite, postgres_url: str, tmp_path: Path) -> None:
    other = LiveSite(tmp_path / "other", postgres_url)
    try:
        assert other.env["DATABASE_URL"] != live_site.env["DATABASE_URL"]
        other.manage("shell", "--no-imports", "-c", MAKE_A_TEAM)
        assert live_site.manage("shell", "--no-imports", "-c", COUNT_TEAMS).strip() == "0"
        assert other.manage("shell", "--no-imports", "-c", COUNT_TEAMS).strip() == "1"
    finally:
        other.close()


MAKE_A_TEAM = "from accounts.models import Team; Team.objects.create(name='华东')"
COUNT_TEAMS = "from accounts.models import Team; print(Team.objects.count())"
