"""A POP3 server that misbehaves to order, one thread a session, on loopback.

    with ScriptedPop3(messages, answers={"RETR": Drop(after=10)}) as server: server.port

`answers` maps a command's first word (or "GREETING") to what is done instead of the right thing: bytes
to send, or a `Drop`, `Stall`, `Trickle`. Removed messages are gone only after QUIT.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Drop:
    """Sends `sends`, then closes."""

    sends: bytes = b""


@dataclass(frozen=True)
class Stall:
    """Sends `sends`, then nothing until the client goes."""

    sends: bytes = b""


@dataclass(frozen=True)
class Trickle:
    """Sends `sends` over and over, a piece each `seconds`."""

    sends: bytes
    seconds: float = 0.02


Answer = bytes | Drop | Stall | Trickle
CAPABILITIES = b"+OK\r\nUSER\r\nUIDL\r\nTOP\r\nSASL PLAIN\r\nSTLS\r\n.\r\n"


class ScriptedPop3:
    """`log` holds every command line received, in order; `messages` what is still there."""

    def __init__(
        self,
        messages: Sequence[bytes] = (),
        *,
        answers: Mapping[str, Answer] | None = None,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
    ) -> None:
        self.messages = {f"uid{n}": raw for n, raw in enumerate(messages, 1)}
        self.answers = dict(answers or {})
        self.log: list[str] = []
        self._tls = tls
        self._implicit = implicit
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sessions: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._accepting.join(2)
        self._listener.close()
        for session in self._sessions:
            with contextlib.suppress(OSError):
                session.shutdown(socket.SHUT_RDWR)
            session.close()
        for thread in self._threads:
            thread.join(2)

    def _accept(self) -> None:
        while True:
            session, _ = self._listener.accept()
            if self._stopped.is_set():
                session.close()
                return
            thread = threading.Thread(target=self._serve, args=(session,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, session: socket.socket) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            stack.callback(session.close)
            if self._implicit and self._tls is not None:
                session = stack.enter_context(self._tls.wrap_socket(session, server_side=True))
            dialogue = _Session(self, session, self._tls)
            stack.callback(dialogue.close)
            self._sessions.append(session)
            dialogue.run()


class _Session:
    def __init__(
        self, server: ScriptedPop3, sock: socket.socket, tls: ssl.SSLContext | None
    ) -> None:
        self.server = server
        self.sock = sock
        self.tls = tls
        self.uids = list(server.messages)
        self.marked: set[str] = set()

    def close(self) -> None:
        self.sock.close()  # by STLS another than at the beginning

    def run(self) -> None:
        self.answer("GREETING", b"+OK ready\r\n")
        received = b""
        while True:
            while b"\r\n" not in received:
                octets = self.sock.recv(4096)
                if not octets:
                    return
                received += octets
            line, _, received = received.partition(b"\r\n")
            text = line.decode("utf-8", "replace")
            self.server.log.append(text)
            if not self.obey(text):
                return

    def answer(self, name: str, usual: bytes) -> None:
        planned = self.server.answers.get(name, usual)
        if isinstance(planned, bytes):
            self.sock.sendall(planned)
            return
        if isinstance(planned, Trickle):
            while True:
                self.sock.sendall(planned.sends)
                time.sleep(planned.seconds)
        self.sock.sendall(planned.sends)
        if isinstance(planned, Stall):
            self.sock.recv(1)  # until the client closes
        raise ConnectionError

    def obey(self, text: str) -> bool:
        name, _, rest = text.partition(" ")
        name = name.upper()
        usual = getattr(self, f"do_{name.lower()}", None)
        reply = usual(rest) if usual is not None else b"+OK\r\n"
        if name == "QUIT" and isinstance(self.server.answers.get(name, reply), bytes):
            # Before the answer, after which nobody waits; a QUIT that is not answered removes nothing.
            for uid in self.marked:
                self.server.messages.pop(uid, None)
        self.answer(name, reply)
        if name == "STLS" and self.server.answers.get("STLS") is None and self.tls is not None:
            self.sock = self.tls.wrap_socket(self.sock, server_side=True)
        return name != "QUIT"

    def do_capa(self, rest: str) -> bytes:
        return CAPABILITIES

    def do_list(self, rest: str) -> bytes:
        return self._listing([str(len(self.server.messages[uid])) for uid in self.uids])

    def do_uidl(self, rest: str) -> bytes:
        return self._listing(self.uids)

    def _listing(self, values: list[str]) -> bytes:
        lines = "".join(f"{n} {value}\r\n" for n, value in enumerate(values, 1))
        return f"+OK\r\n{lines}.\r\n".encode()

    def do_retr(self, rest: str) -> bytes:
        return b"+OK\r\n" + stuffed(self.server.messages[self.uids[int(rest) - 1]])

    def do_top(self, rest: str) -> bytes:
        number, lines = (int(word) for word in rest.split())
        head, _, body = self.server.messages[self.uids[number - 1]].partition(b"\r\n\r\n")
        kept = b"\r\n".join(body.split(b"\r\n")[:lines])
        return b"+OK\r\n" + stuffed(head + b"\r\n\r\n" + kept + b"\r\n")

    def do_dele(self, rest: str) -> bytes:
        self.marked.add(self.uids[int(rest) - 1])
        return b"+OK\r\n"


def stuffed(message: bytes) -> bytes:
    """As RFC 1939, 3 sends it: dots doubled at line starts, ended by a dot alone."""
    lines = message.removesuffix(b"\r\n").split(b"\r\n")
    return (
        b"".join((b"." if ln.startswith(b".") else b"") + ln + b"\r\n" for ln in lines) + b".\r\n"
    )


def plain_response(username: str, password: str) -> str:
    """What AUTH PLAIN sends (RFC 4616)."""
    return base64.b64encode(f"\0{username}\0{password}".encode()).decode("ascii")
