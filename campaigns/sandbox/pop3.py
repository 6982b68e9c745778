"""The sandbox's POP3 server (RFC 1939) over the same files: a thread per session, loopback alone.

CAPA (RFC 2449) is answered, and so are the response codes IN-USE and AUTH (RFC 3206). Messages
marked by DELE are removed at QUIT alone: a lost connection deletes nothing.
"""

import contextlib
import hmac
import itertools
import socket
import threading
from collections.abc import Callable, Iterator

from .store import MailStore, StoredMessage

MAX_SESSIONS = 32
MAX_LINE = 512
MAX_WRONG_LOGINS = 3
AUTOLOGOUT_SECONDS = 600.0  # RFC 1939 section 3: at least ten minutes

_CAPABILITIES = [
    "USER",
    "TOP",
    "UIDL",
    "PIPELINING",
    "RESP-CODES",
    "AUTH-RESP-CODE",
    "EXPIRE NEVER",
    "IMPLEMENTATION hongyan-sandbox",
]


class Pop3Server:
    """Accepts sessions until `stop`. `username` stands for the bounce mailbox; any other mailbox
    is opened under its address, all with the one password."""

    def __init__(
        self, listener: socket.socket, store: MailStore, *, username: str, password: str
    ) -> None:
        self.store = store
        self.username = username
        self.password = password
        self.locked: set[str] = set()
        self.lock = threading.Lock()
        self._listener = listener
        self._stopping = False
        self._sessions: dict[socket.socket, threading.Thread] = {}
        self._thread = threading.Thread(target=self._accept, name="sandbox-pop3", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Cut every session off, as a lost connection would, and wait for the threads."""
        self._stopping = True
        socket.create_connection(self._listener.getsockname(), timeout=1).close()  # ends accept()
        self._thread.join()
        self._listener.close()
        with self.lock:
            sessions = dict(self._sessions)
        for connection, thread in sessions.items():
            _wake(connection)
            thread.join()

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                continue  # the client was gone again, or too many files are open
            with self.lock:
                full = len(self._sessions) >= MAX_SESSIONS
                if not full:
                    thread = threading.Thread(target=self._serve, args=[connection], daemon=True)
                    self._sessions[connection] = thread
            if full:
                _turn_away(connection)
            else:
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(AUTOLOGOUT_SECONDS)
        session = _Session(self, connection)
        try:
            session.run()
        except OSError:
            pass  # the client is gone, or has said nothing for too long
        finally:
            session.release()
            with self.lock:
                self._sessions.pop(connection, None)
            connection.close()


class _Refused(Exception):
    """A command that is answered by -ERR; the text is the answer."""


class _Session:
    """One client, from its greeting to QUIT or the loss of the connection."""

    def __init__(self, server: Pop3Server, connection: socket.socket) -> None:
        self._server = server
        self._input = connection.makefile("rb")
        self._output = connection.makefile("wb")
        self._user: str | None = None
        self._mailbox: str | None = None
        self._drop: list[tuple[StoredMessage, int]] = []
        self._marked: set[int] = set()
        self._wrong_logins = 0

    def run(self) -> None:
        """Answer commands; a client may send ahead, they are read one after the other."""
        self._say("+OK Hongyan sandbox ready")
        going_on = True
        while going_on:
            line = self._input.readline(MAX_LINE + 1)
            if not line.endswith(b"\n"):
                return  # the end, or a line that no command is as long as
            verb, _, argument = line.decode("utf-8", "replace").strip("\r\n").partition(" ")
            going_on = self._answer(verb.upper(), argument)

    def release(self) -> None:
        """Unlock the maildrop and give the buffers back."""
        if self._mailbox is not None:
            with self._server.lock:
                self._server.locked.discard(self._mailbox)
            self._mailbox = None
        self._input.close()
        with contextlib.suppress(OSError):  # what is unwritten was for a client that is gone
            self._output.close()

    def _answer(self, verb: str, argument: str) -> bool:
        commands = self._authorization if self._mailbox is None else self._transaction
        command = commands().get(verb)
        try:
            if command is None:
                raise _Refused("unknown command in this state")
            command(argument.strip() if verb != "PASS" else argument)
        except _Refused as refused:
            self._say(f"-ERR {refused}")
        except OSError as error:
            if error.filename is None:
                raise  # the socket's
            self._say("-ERR [SYS/TEMP] the message cannot be read")
        self._output.flush()
        return verb != "QUIT" and self._wrong_logins < MAX_WRONG_LOGINS

    def _authorization(self) -> dict[str, Callable[[str], None]]:
        return {"CAPA": self._capa, "USER": self._set_user, "PASS": self._pass, "QUIT": self._bye}

    def _transaction(self) -> dict[str, Callable[[str], None]]:
        return {
            "CAPA": self._capa,
            "STAT": self._stat,
            "LIST": self._list,
            "UIDL": self._uidl,
            "RETR": self._retr,
            "TOP": self._top,
            "DELE": self._dele,
            "RSET": self._rset,
            "NOOP": lambda _: self._say("+OK"),
            "QUIT": self._update,
        }

    def _capa(self, _argument: str) -> None:
        self._say("+OK", *_CAPABILITIES, ".")

    def _set_user(self, argument: str) -> None:
        if not argument:
            raise _Refused("USER needs a name")
        self._user = argument
        self._say("+OK")

    def _pass(self, argument: str) -> None:
        if self._user is None:
            raise _Refused("USER first")
        user, self._user = self._user, None
        known = user == self._server.username or "@" in user
        right = hmac.compare_digest(argument.encode(), self._server.password.encode())
        if not (known and right):
            self._wrong_logins += 1
            raise _Refused("[AUTH] wrong user or password")
        self._open(self._server.store.bounce_mailbox if user == self._server.username else user)

    def _open(self, mailbox: str) -> None:
        mailbox = mailbox.lower()
        with self._server.lock:
            if mailbox in self._server.locked:
                raise _Refused("[IN-USE] the maildrop is open in another session")
            self._server.locked.add(mailbox)
        self._mailbox = mailbox
        store = self._server.store
        for message in store.mailbox(mailbox):
            try:
                size = len(_in_crlf(store.raw(message)))
            except FileNotFoundError:
                continue  # pruned, or removed by hand
            self._drop.append((message, size))
        self._say(f"+OK {len(self._drop)} messages")

    def _bye(self, _argument: str) -> None:
        self._say("+OK bye")

    def _update(self, _argument: str) -> None:
        """RFC 1939 section 6: the UPDATE state, entered by QUIT alone."""
        marked = [self._drop[number - 1][0].uid for number in sorted(self._marked)]
        try:
            self._server.store.delete(self._mailbox or "", marked)
        except OSError:
            raise _Refused("some deleted messages not removed") from None
        self._say("+OK bye")

    def _stat(self, _argument: str) -> None:
        sizes = [size for _, (_, size) in self._kept()]
        self._say(f"+OK {len(sizes)} {sum(sizes)}")

    def _list(self, argument: str) -> None:
        self._listing(argument, lambda _, size: str(size))

    def _uidl(self, argument: str) -> None:
        self._listing(argument, lambda message, _: message.uid)

    def _listing(self, argument: str, show: Callable[[StoredMessage, int], str]) -> None:
        if argument:
            number = self._number(argument)
            self._say(f"+OK {number} {show(*self._drop[number - 1])}")
        else:
            self._say("+OK", *(f"{number} {show(*entry)}" for number, entry in self._kept()), ".")

    def _retr(self, argument: str) -> None:
        content = self._content(argument)
        self._say(f"+OK {len(content)} octets")
        self._send(content)

    def _top(self, argument: str) -> None:
        number, _, count = argument.partition(" ")
        if not (count.strip().isascii() and count.strip().isdigit() and len(count) < 10):
            raise _Refused("TOP needs a message and a number of lines")
        head, _, body = self._content(number).partition(b"\r\n\r\n")
        lines = body.splitlines(keepends=True) if int(count) else []
        self._say("+OK")
        self._send(head.rstrip(b"\r\n") + b"\r\n\r\n" + b"".join(lines[: int(count)]))

    def _dele(self, argument: str) -> None:
        self._marked.add(self._number(argument))
        self._say("+OK")

    def _rset(self, _argument: str) -> None:
        self._marked.clear()
        self._say("+OK")

    def _content(self, argument: str) -> bytes:
        return _in_crlf(self._server.store.raw(self._drop[self._number(argument) - 1][0]))

    def _kept(self) -> Iterator[tuple[int, tuple[StoredMessage, int]]]:
        pairs = enumerate(self._drop, start=1)
        return itertools.filterfalse(lambda pair: pair[0] in self._marked, pairs)

    def _number(self, argument: str) -> int:
        plain = argument.isascii() and argument.isdigit() and len(argument) < 10
        number = int(argument) if plain else 0
        if not 1 <= number <= len(self._drop) or number in self._marked:
            raise _Refused("no such message")
        return number

    def _say(self, *lines: str) -> None:
        self._output.write("".join(f"{line}\r\n" for line in lines).encode())
        self._output.flush()

    def _send(self, content: bytes) -> None:
        """A multi-line answer: a leading dot is doubled, a lone one ends it (section 3)."""
        for line in content.split(b"\r\n")[:-1]:
            self._output.write((b"." if line.startswith(b".") else b"") + line + b"\r\n")
        self._output.write(b".\r\n")


def _in_crlf(raw: bytes) -> bytes:
    """As POP3 transports it. Mail with bare line feeds is kept as it came, but a client that
    reads by line feeds would take a dot after one for the end."""
    text = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def _turn_away(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.sendall(b"-ERR [SYS/TEMP] too many sessions\r\n")


def _wake(connection: socket.socket) -> None:
    """End a blocking call on the connection in its own thread."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
