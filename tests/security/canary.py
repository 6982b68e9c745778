"""Where a canary may lie, and how it is found there: texts in disguise, Redis, files, tables."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

from tests.end_to_end.site import LiveSite
from tests.fakes.scripted_relay import Accepted


@dataclass
class Monitor:
    """Everything that Redis is asked to do, as its MONITOR tells it."""

    port: int
    seen: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Monitor:
        self.line = socket.create_connection(("127.0.0.1", self.port))
        self.line.sendall(b"MONITOR\r\n")
        assert self.line.recv(5) == b"+OK\r\n"
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_RDWR)
        self.reader.join(5)
        self.line.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while octets := self.line.recv(65536):
                self.seen += octets

    def with_bodies(self) -> bytes:
        """Also what Celery wraps into base64: the arguments of its tasks."""
        bodies = re.findall(rb'body[\\]*": [\\]*"([A-Za-z0-9+/=]+)', bytes(self.seen))
        assert bodies, "no task was ever seen"
        opened = b"\n".join(base64.b64decode(body) for body in bodies)
        assert re.search(rb"\[\[\d+\], \{\}", opened), "tasks carry ids"
        return bytes(self.seen) + opened


def disguises(canary: str) -> Iterator[bytes]:
    """The ways in which a text may lie somewhere: plain, in an address, hex (bytea), base64, JSON."""
    octets = canary.encode()
    yield octets
    yield quote(canary).encode()
    yield octets.hex().encode()
    yield json.dumps(canary).strip('"').encode()
    yield "".join(f"\\x{octet:02x}" for octet in octets).encode()
    yield canary.encode("utf-16-le").hex().encode()
    for shift in range(3):
        # The letters of base64 that depend on the canary alone, wherever it begins.
        whole = base64.b64encode(b"\0" * shift + octets)
        first = (shift * 8 + 5) // 6
        last = (shift + len(octets)) * 8 // 6
        if last - first >= 8:
            yield whole[first:last]


def hits(place: bytes, canaries: tuple[str, ...]) -> list[str]:
    return [
        f"{canary!r} as {found[:24]!r}"
        for canary in canaries
        for found in disguises(canary)
        if found in place
    ]


def tree(folder: Path, *, but: Path | None = None) -> bytes:
    """Every file below: VAR_DIR, logs, celery's schedule, what was left in the temporary folder."""
    found = b""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (but is None or but not in path.parents):
            found += path.name.encode() + path.read_bytes()
    return found


def dump_of(site: LiveSite) -> dict[str, bytes]:
    """Every row of every table as COPY writes it."""
    with site.connect() as database:
        tables = database.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).fetchall()
        dump: dict[str, bytes] = {}
        for (table,) in tables:
            with database.cursor().copy(f'COPY "{table}" TO STDOUT') as rows:  # type: ignore[arg-type]
                dump[str(table)] = b"".join(bytes(row) for row in rows)
    return dump


def parsed(message: Accepted) -> EmailMessage:
    found = email.message_from_bytes(message.content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def content_of(message: Accepted) -> str:
    """All texts of a message, without its files."""
    parts = [part for part in parsed(message).walk() if part.get_content_maintype() == "text"]
    return "".join(part.get_content() for part in parts)
