"""A migrated database made once for a whole run of `make test`: each other one is a copy of it.

Only on servers that the runner started (`environment.TEMPLATES` names its folder): one that somebody
named by DATABASE_URL may hold an older template.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests import environment

ROOT = Path(__file__).parents[2]
NAME = "hongyan_template"
# Any number: who holds its lock makes the template, and the others wait.
LOCK = 20251124


def folder() -> Path | None:
    """Where templates may be kept; None if every database is to be migrated by itself."""
    named = os.environ.get(environment.TEMPLATES)
    return Path(named) if named else None


def new_postgres_database(server_url: str, name: str) -> str:
    """Makes a migrated database of that name on the server of that URL; its own URL."""
    copied = f" TEMPLATE {on_postgres(server_url)}" if folder() else ""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}{copied}")
    url = _url_of(server_url, name)
    if not copied:
        _migrate(url)
    return url


def on_postgres(server_url: str) -> str:
    """The template's name on that server, which any of its databases' URL tells."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        made = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
        if made.fetchone() is None:
            connection.execute(f"CREATE DATABASE {NAME}_unfinished")
            _migrate(_url_of(server_url, f"{NAME}_unfinished"))
            connection.execute(f"ALTER DATABASE {NAME}_unfinished RENAME TO {NAME}")
    return NAME


def sqlite_copy(folder: Path, target: Path) -> None:
    """A migrated SQLite file at `target`."""
    template = folder / f"{NAME}.sqlite3"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            unfinished = template.with_suffix(".unfinished")
            _migrate(f"sqlite:///{unfinished}")
            unfinished.rename(template)
    shutil.copyfile(template, target)


def _url_of(server_url: str, database: str) -> str:
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


def _migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        timeout=120,
    )
