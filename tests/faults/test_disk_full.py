"""F15: the database's disk is full. Nothing accepted is lost, a start refuses, and space mends it all."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.faults.rig import Rig
from tests.servers.folder import owned_folder, server_user, temporary_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]
BALLAST = "ballast"


class SmallDisk:
    """A disk of its own under the site's database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={self.folder / BALLAST}", "bs=64k"],
            stderr=subprocess.DEVNULL,
            check=False,
        )

    def free(self) -> None:
        (self.folder / BALLAST).unlink()


@pytest.fixture
def disk(whole_rig: Rig) -> Iterator[SmallDisk]:
    """The site's database moves to a tmpfs and, after the test, back."""
    rig, name = whole_rig, whole_rig.site.name
    with temporary_folder() as folder:
        small = owned_folder(folder / "small", server_user("postgres"))
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0777", "tmpfs", small],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip(f"{peers.REASON}root that may mount a tmpfs")
        try:
            owned_folder(small / "data", server_user("postgres"), mode=0o700)
            rig.admin(f"CREATE TABLESPACE small LOCATION '{small / 'data'}'")
            rig.move(f"ALTER DATABASE {name} SET TABLESPACE small")
            yield SmallDisk(small)
            (small / BALLAST).unlink(missing_ok=True)
            rig.move(f"ALTER DATABASE {name} SET TABLESPACE pg_default")
            rig.admin("DROP TABLESPACE small")
        finally:
            subprocess.run(["umount", "-l", small], check=True)


def test_a_full_disk_loses_no_outcome_and_is_mended_by_space(
    whole_rig: Rig, disk: SmallDisk
) -> None:
    rig = whole_rig
    connections = 2
    rig.ready()
    run = rig.launch(2_500, relay={"max_connections": connections})
    rig.until_sent(run, 50)
    disk.fill()
    sent = -1
    while sent != len(run.server.accepted):  # what still fits into pages that are there
        sent = len(run.server.accepted)
        time.sleep(2.5)
    assert sent < 2_500
    states = rig.states(run)
    unknown = states.get("sending", 0) + states.get("in_doubt", 0)
    assert sent - states.get("accepted", 0) <= unknown <= connections * 2
    with pytest.raises(AssertionError, match="DiskFull"):
        rig.launch(500)
    disk.free()
    rig.until_finished(run, seconds=60)
    ended = rig.check(run)
    assert ended["accepted"] + ended["in_doubt"] == 2_500
    assert ended["in_doubt"] == 0, "the workers kept what they knew until there was space"
    rig.clear()
