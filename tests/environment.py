"""What Django's settings need in tests: one place for `make test`, for plain pytest and for live sites."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet

# From the runner of `make test` to its pytest: which tests to keep, where to leave the totals.
ONLY_BOTH_DATABASES = "HONGYAN_ONLY_BOTH_DATABASES"
TOTALS = "HONGYAN_TOTALS"
# Where templates of databases are kept, if the runner started the servers itself.
TEMPLATES = "HONGYAN_TEMPLATES"


def defaults(folder: Path) -> dict[str, str]:
    """The variables that a test run sets unless they are set; the databases are SQLite in that folder.

    The encryption key is new in every run. There is no Redis at port 9 (discard): a test that needs
    one says so by its fixture, and `make test` names a real one.
    """
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "for-tests-alone-" + "x" * 50,
        "HONGYAN_ENCRYPTION_KEYS": Fernet.generate_key().decode("ascii"),
        "HONGYAN_VAR": str(folder / "var"),
        "PUBLIC_URL": "https://hongyan.example",
        "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost,hongyan.example",
        "DATABASE_URL": sqlite_url(folder),
        "REDIS_URL": "redis://127.0.0.1:9/0",
        # The browser's event loop lives in the session's thread: Django would take us for async.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
    }


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'hongyan.sqlite3'}"


def complete(given: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Those variables and, where they say nothing, the defaults."""
    return {**defaults(folder), **given}


def prepare() -> None:
    """Gives this process the defaults; called before Django reads its settings."""
    folder = Path(tempfile.mkdtemp(prefix="hongyan-pytest-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, value in defaults(folder).items():
        os.environ.setdefault(name, value)
