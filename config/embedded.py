"""Defaults of the embedded first run: SQLite, one process, keys made once and kept in var/."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parent.parent
# Where quickstart listens unless it is told another port.
DEFAULT_URL = "http://127.0.0.1:8000"


# These touch no data of ours: they run without any environment at all.
READING = {"read_workbook", "read_bounce"}


def prepare(arguments: list[str]) -> None:
    """Fills in the environment for a command line; what is set already stays.

    `quickstart` makes var/ with its keys; once that is there, every other command works on it.
    With DATABASE_URL set this is a production environment, and nothing is filled in.
    """
    command = arguments[0] if arguments else ""
    if "DATABASE_URL" in os.environ:
        return
    if command in READING:
        _defaults(ROOT / "var", secrets.token_urlsafe(50), Fernet.generate_key().decode())
    elif command == "quickstart" or (_folder() / "secret.key").exists():
        _prepare_folder(check=command == "quickstart" and "--check" in arguments)


def _folder() -> Path:
    return Path(os.environ.get("HONGYAN_VAR", ROOT / "var"))


def _prepare_folder(*, check: bool) -> None:
    if check and "HONGYAN_VAR" not in os.environ:
        # The check works in a folder of its own, which its command removes at the end.
        os.environ["HONGYAN_VAR"] = tempfile.mkdtemp(prefix="hongyan-check-")
        os.environ["HONGYAN_CHECK_FOLDER"] = os.environ["HONGYAN_VAR"]
        os.environ.setdefault("LOG_LEVEL", "WARNING")
    folder = _folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = _kept(folder / "secret.key", secrets.token_urlsafe(50))
        encryption = _kept(folder / "encryption.key", Fernet.generate_key().decode())
    except OSError as error:
        sys.exit(f"hongyan: {folder}: {error.strerror}.")
    _defaults(folder, secret, encryption)


def _defaults(folder: Path, secret: str, encryption: str) -> None:
    for name, value in {
        "SECRET_KEY": secret,
        "HONGYAN_ENCRYPTION_KEYS": encryption,
        "HONGYAN_EMBEDDED": "1",
        "HONGYAN_SANDBOX": "1",
        "HONGYAN_VAR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'hongyan.sqlite3'}",
        "PUBLIC_URL": DEFAULT_URL,
        "TICK_SECONDS": "1",
        "POLL_SECONDS": "5",
    }.items():
        os.environ.setdefault(name, value)


def _kept(path: Path, fresh: str) -> str:
    """What the file holds; a new one is written with `fresh` for its owner's eyes alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(fresh)
    return fresh
