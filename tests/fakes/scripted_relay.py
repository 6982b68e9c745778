"""An SMTP relay on loopback that can do what real servers can't be made to do, and logs the truth.

    with ScriptedRelay(RelayOptions(), [Rule("rcpt", Say("451 4.7.1 later"), "defer-*", first=1)]) as relay:
        ...  # connect to 127.0.0.1:relay.port
        relay.accepted  # every message it took, with envelope and time

As a program: `python -m tests.fakes.scripted_relay --port 2525 --log accepted.jsonl --rule '{…}'`.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from tests.fakes.certificates import Issued, issue
from tests.fakes.relay_script import Rule, Script
from tests.fakes.relay_session import Session
from tests.fakes.slow_line import SlowLine


@dataclass(frozen=True)
class RelayOptions:
    """What the relay offers. `tls`: none, starttls, implicit, or stripped (STARTTLS not offered)."""

    extensions: tuple[str, ...] = (
        "SIZE 35882577",
        "8BITMIME",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "SMTPUTF8",
    )
    pipelining: bool = True
    tls: str = "none"
    issued: Issued | None = None
    inject_after_starttls: bytes = b""
    accounts: Mapping[str, str] = field(default_factory=dict)
    mechanisms: str = "PLAIN LOGIN"
    #: User to the access token that XOAUTH2 has to bring.
    tokens: Mapping[str, str] = field(default_factory=dict)
    grant_data_always: bool = False
    round_trip: float = 0.0
    host: str = "127.0.0.1"
    port: int = 0
    log: Path | None = None


@dataclass(frozen=True)
class Accepted:
    """A message that the relay took. Times are UNIX seconds; `content` as sent, dots unstuffed."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    content: bytes
    started: float
    ended: float
    connection: int

    @property
    def message_id(self) -> str:
        head = self.content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
        for line in head.split("\r\n"):
            if line.lower().startswith("message-id:"):
                return line.partition(":")[2].strip()
        return ""

    def as_json(self) -> str:
        record = {
            "mail_from": self.mail_from,
            "rcpt_to": list(self.rcpt_to),
            "message_id": self.message_id,
            "started": self.started,
            "ended": self.ended,
            "connection": self.connection,
            "content": base64.b64encode(self.content).decode(),
        }
        return json.dumps(record)


class ScriptedRelay:
    """A relay in threads of this process. `with` starts and stops it."""

    def __init__(self, options: RelayOptions | None = None, rules: Sequence[Rule] = ()) -> None:
        self.options = options or RelayOptions()
        self.script = Script(rules)
        self.accepted: list[Accepted] = []
        #: (connection, command line) of everything that clients said, credentials included.
        self.dialogue: deque[tuple[int, str]] = deque(maxlen=100_000)
        #: Messages that ended without any accepted recipient (a bare dot after a granted DATA).
        self.empty_contents = 0
        #: Commands that came before the reply to the one before, from a client that may not pipeline.
        self.early_commands = 0
        self.connections = 0
        self.open_connections = 0
        self.most_open_connections = 0
        self._lock = threading.Lock()
        self._sessions: set[Session] = set()
        self._threads: list[threading.Thread] = []
        self._log: TextIO | None = None
        self._line: SlowLine | None = None

    def __enter__(self) -> ScriptedRelay:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        options = self.options
        if options.tls != "none" and options.issued is None:
            options = self.options = replace(options, issued=issue())
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        inner_port = 0 if options.round_trip else options.port
        self._listener = socket.create_server(
            (options.host, inner_port), family=family, backlog=128
        )
        self.port: int = self._listener.getsockname()[1]
        if options.round_trip:
            self._line = SlowLine(self.port, options.round_trip, options.port)
            self.port = self._line.port
        if options.log is not None:
            self._log = options.log.open("a", encoding="utf-8")
        self._spawn(self._accept)

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._line is not None:
            self._line.stop()
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()
        for thread in self._threads:
            thread.join(timeout=5)
        if self._log is not None:
            self._log.close()

    def take(self, message: Accepted) -> None:
        """Logs a message as accepted; on disk before its sender may hear of it."""
        with self._lock:
            self.accepted.append(message)
            if self._log is not None:
                self._log.write(message.as_json() + "\n")
                self._log.flush()

    def hear(self, connection: int, line: bytes) -> None:
        self.dialogue.append((connection, line.decode("utf-8", "replace")))

    def commands(self) -> list[str]:
        """The verbs and arguments heard so far, of all connections."""
        return [line for _, line in self.dialogue]

    def _spawn(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self.open_connections += 1
                self.most_open_connections = max(self.most_open_connections, self.open_connections)
                session = Session(self, sock, self.connections)
                self._sessions.add(session)
            self._spawn(self._serve, session)

    def _serve(self, session: Session) -> None:
        try:
            session.run()
        finally:
            session.close()
            with self._lock:
                self.open_connections -= 1
                self._sessions.discard(session)

    def make_accepted(
        self, envelope: tuple[str, tuple[str, ...]], content: bytes, started: float, connection: int
    ) -> Accepted:
        return Accepted(*envelope, content, started, time.time(), connection)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until SIGINT or SIGTERM; prints the port on the first line."""
    parser = argparse.ArgumentParser(prog="scripted_relay", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, help="append accepted messages, a JSON line each")
    parser.add_argument("--rule", action="append", default=[], help="a rule as JSON; may repeat")
    parser.add_argument("--account", action="append", default=[], help="user:password; may repeat")
    parser.add_argument(
        "--tls", choices=("none", "starttls", "implicit", "stripped"), default="none"
    )
    parser.add_argument("--ca-out", type=Path, help="write the CA certificate there")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--round-trip", type=float, default=0.0, help="seconds")
    given = parser.parse_args(arguments)
    options = RelayOptions(
        host=given.host,
        port=given.port,
        log=given.log,
        tls=given.tls,
        accounts=dict(account.split(":", 1) for account in given.account),
        pipelining=not given.no_pipelining,
        round_trip=given.round_trip,
        issued=issue(),
    )
    if given.ca_out:
        given.ca_out.write_text(issue().ca_pem)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with ScriptedRelay(options, [Rule.from_json(json.loads(rule)) for rule in given.rule]) as relay:
        print(relay.port, flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
