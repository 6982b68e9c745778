"""Temporary folders that are removed however we end, and the users that servers run as."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Reads until we have closed our end of the pipe or are dead; the servers get a moment to end first.
_REAPER = 'read -r gone; for wait in 1 2 3; do rm -rf -- "$1" && exit 0; sleep 1; done'


@contextlib.contextmanager
def temporary_folder(prefix: str = "hongyan-") -> Iterator[Path]:
    """A folder that other users may pass through, gone afterwards, also after a kill -9 of us.

    It lies where servers' own users can reach it: /tmp if TMPDIR is closed to them.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_reachable_base()))
    folder.chmod(0o755)
    reaper = subprocess.Popen(
        ["/bin/sh", "-c", _REAPER, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        reaper.communicate()


def _reachable_base() -> str:
    base = Path(tempfile.gettempdir()).resolve()
    closed = any(not folder.stat().st_mode & stat.S_IXOTH for folder in (base, *base.parents))
    # A unix socket's path must fit into 107 bytes.
    return "/tmp" if closed or len(str(base)) > 40 else str(base)


def server_user(*preferred: str) -> str | None:
    """Who runs a server that refuses root: the first of these users that exists; None: we ourselves."""
    if os.geteuid() != 0:
        return None
    for name in (*preferred, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("no unprivileged user on this system to run a server as")


def owned_folder(path: Path, user: str | None, *, mode: int = 0o755) -> Path:
    """Makes the folder and gives it to that user (None: to us)."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return path
