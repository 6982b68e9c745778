"""An IMAP server for what Dovecot cannot be made to do: one thread a session, on loopback.

    with ScriptedImap({"INBOX": [b"..."]}, answers={"FETCH": b"* BYE\\r\\n"}) as server: server.port

`answers` maps a command (UID's by its second word, "BODY" for a message's FETCH, or "GREETING") to what is sent in place of the right
thing; `{tag}` in it stands for the command's tag, and what has none ends the session after it. Commands
are those of one client that behaves; `log` holds every line received.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

CAPABILITIES = "IMAP4rev1 AUTH=PLAIN SASL-IR ID UIDPLUS MOVE"


class ScriptedImap:
    """`folders`: name as it goes over the wire → UID → message; `validity` is every folder's."""

    def __init__(
        self,
        folders: Mapping[str, Sequence[bytes]],
        *,
        answers: Mapping[str, bytes] | None = None,
        capabilities: str = CAPABILITIES,
        needs_id: bool = False,
    ) -> None:
        self.folders = {name: dict(enumerate(messages, 1)) for name, messages in folders.items()}
        self.flags: dict[tuple[str, int], str] = {}
        self.answers = dict(answers or {})
        self.capabilities, self.needs_id = capabilities, needs_id
        self.validity = 7
        self.log: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._stopped.set()
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._accepting.join(2)
        self._listener.close()
        for thread in self._threads:
            thread.join(2)

    def renumber(self) -> None:
        """The server lost its index: every message has a new UID and every folder another validity."""
        self.validity += 1
        for name, messages in self.folders.items():
            self.folders[name] = {uid + 100: raw for uid, raw in messages.items()}

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._stopped.is_set():
                sock.close()
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            sock.settimeout(5)
            _Session(self, sock).run()


class _Session:
    def __init__(self, server: ScriptedImap, sock: socket.socket) -> None:
        self.server, self.sock = server, sock
        self.folder, self.identified = "", False

    def run(self) -> None:
        self.sock.sendall(self.server.answers.get("GREETING", b"* OK ready\r\n"))
        lines = self.sock.makefile("rb")
        with lines:
            while line := lines.readline():
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                self.server.log.append(text)
                if not self._obey(text):
                    return

    def _obey(self, text: str) -> bool:
        if not text:
            return True  # the empty answer to a challenge
        tag, _, rest = text.partition(" ")
        words = rest.split(" ")
        name = (words[1] if words[0].upper() == "UID" else words[0]).upper()
        scripted = self.server.answers.get("BODY" if "BODY.PEEK" in rest else name)
        if scripted is not None:
            self.sock.sendall(scripted.replace(b"{tag}", tag.encode()))
            return b"{tag}" in scripted
        lines, ending = getattr(self, f"do_{name.lower()}")(rest)
        self.sock.sendall(b"".join(lines) + f"{tag} {ending}\r\n".encode())
        return name != "LOGOUT"

    @property
    def messages(self) -> dict[int, bytes]:
        return self.server.folders[self.folder]

    def _chosen(self, rest: str) -> list[int]:
        found = re.search(r"[\d,:*]+", rest.split(" ", 2)[2])
        assert found is not None
        if found[0] == "1:*":
            return list(self.messages)
        return [int(uid) for uid in found[0].split(",") if int(uid) in self.messages]

    def do_capability(self, rest: str) -> tuple[list[bytes], str]:
        return [f"* CAPABILITY {self.server.capabilities}\r\n".encode()], "OK"

    def do_login(self, rest: str) -> tuple[list[bytes], str]:
        return [], "OK"

    do_authenticate = do_login
    do_logout = do_login

    def do_id(self, rest: str) -> tuple[list[bytes], str]:
        self.identified = True
        return [b'* ID ("name" "Scripted")\r\n'], "OK"

    def do_list(self, rest: str) -> tuple[list[bytes], str]:
        return [
            f'* LIST (\\HasNoChildren) "/" "{name}"\r\n'.encode() for name in self.server.folders
        ], "OK"

    def do_examine(self, rest: str) -> tuple[list[bytes], str]:
        if self.server.needs_id and not self.identified:
            return [], "NO EXAMINE Unsafe Login. Please contact kefu@188.com for help"
        self.folder = rest.partition(" ")[2].strip('"')
        return [
            f"* {len(self.messages)} EXISTS\r\n".encode(),
            f"* OK [UIDVALIDITY {self.server.validity}] UIDs valid\r\n".encode(),
        ], "OK"

    do_select = do_examine

    def do_fetch(self, rest: str) -> tuple[list[bytes], str]:
        lines = []
        for uid in self._chosen(rest):
            raw = self.messages[uid]
            if "BODY.PEEK" in rest:
                head = f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(raw)}}}\r\n".encode()
                lines.append(head + raw + b" FLAGS ())\r\n")
            else:
                lines.append(f"* 1 FETCH (UID {uid} RFC822.SIZE {len(raw)})\r\n".encode())
        return lines, "OK"

    def do_move(self, rest: str) -> tuple[list[bytes], str]:
        target = rest.rpartition(" ")[2].strip('"')
        if target not in self.server.folders:
            return [], "NO [TRYCREATE] no such folder"
        for uid in self._chosen(rest):
            moved = self.messages.pop(uid)
            self.server.folders[target][len(self.server.folders[target]) + 1] = moved
        return [], "OK"

    def do_copy(self, rest: str) -> tuple[list[bytes], str]:
        target = self.server.folders[rest.rpartition(" ")[2].strip('"')]
        for uid in self._chosen(rest):
            target[len(target) + 1] = self.messages[uid]
        return [], "OK"

    def do_create(self, rest: str) -> tuple[list[bytes], str]:
        self.server.folders[rest.partition(" ")[2].strip('"')] = {}
        return [], "OK"

    def do_store(self, rest: str) -> tuple[list[bytes], str]:
        for uid in self._chosen(rest):
            self.server.flags[self.folder, uid] = "deleted"
        return [], "OK"

    def do_search(self, rest: str) -> tuple[list[bytes], str]:
        flagged = [str(uid) for uid in self.messages if (self.folder, uid) in self.server.flags]
        return [f"* SEARCH {' '.join(flagged)}\r\n".encode()], "OK"

    def do_expunge(self, rest: str) -> tuple[list[bytes], str]:
        chosen = self._chosen(rest) if rest.startswith("UID") else list(self.messages)
        for uid in chosen:
            if (self.folder, uid) in self.server.flags:
                del self.messages[uid]
        return [], "OK"
