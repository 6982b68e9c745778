"""One client's dialogue with the scripted relay (RFC 5321, server side)."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from tests.fakes.relay_script import Drip, Reset, Rule, Say, Stall

if TYPE_CHECKING:
    from tests.fakes.scripted_relay import ScriptedRelay

_PATH = re.compile(r"<([^>]*)>")


class HangUp(Exception):
    """The session ends."""


class Session:
    """Reads commands and answers each, or does what the script says."""

    def __init__(self, relay: ScriptedRelay, sock: socket.socket, number: int) -> None:
        self._relay = relay
        self._sock = sock
        self._number = number
        self._input = b""
        self._output = b""
        self._encrypted = False
        self._user: str | None = None
        self._ended = threading.Event()
        self._clear()

    def _clear(self) -> None:
        self._mail_from: str | None = None
        self._rcpt_to: list[str] = []
        self._refused_rcpt = ""

    def run(self) -> None:
        with contextlib.suppress(
            OSError
        ):  # stopped before its thread began: the first read ends it
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, HangUp):
            if self._relay.options.tls == "implicit":
                self._encrypt()
            self._answer("banner", "220 scripted.test ESMTP")
            while True:
                self._command(self._line())

    def close(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    # --- octets

    def _encrypt(self) -> None:
        assert self._relay.options.issued is not None
        context = self._relay.options.issued.server_context()
        self._sock = context.wrap_socket(self._sock, server_side=True)
        self._encrypted = True

    def _receive(self) -> None:
        octets = self._sock.recv(1 << 18)
        if not octets:
            raise HangUp
        self._input += octets

    def _line(self) -> bytes:
        while b"\n" not in self._input:
            self._flush()
            self._receive()
        line, _, self._input = self._input.partition(b"\n")
        self._relay.hear(self._number, line.rstrip(b"\r"))
        if self._input and not self._relay.options.pipelining:
            self._relay.early_commands += 1
        return line.rstrip(b"\r")

    def _flush(self) -> None:
        output, self._output = self._output, b""
        if output:
            self._sock.sendall(output)

    # --- answers

    def _answer(self, phase: str, line: str, recipient: str = "") -> bool:
        """Answers; True where the answer is positive."""
        rule = self._relay.script.at(phase, recipient)
        octets = f"{line}\r\n".encode() if rule is None else self._act(rule)
        self._output += octets
        if octets.startswith(b"421"):
            self._flush()
            raise HangUp
        return octets[:1] in (b"2", b"3")

    def _act(self, rule: Rule) -> bytes:
        """What the rule says, or its silence; everything but saying ends the session."""
        action = rule.action
        if isinstance(action, Say):
            return action.octets
        self._flush()
        if isinstance(action, Stall):
            self._ended.wait(action.seconds)
        elif isinstance(action, Drip):
            for octet in action.octets:
                self._sock.sendall(bytes([octet]))
                if self._ended.wait(action.every):
                    break
        elif isinstance(action, Reset):
            linger = struct.pack("ii", 1, 0)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._sock.close()
        raise HangUp

    # --- commands

    def _command(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        verb = text.split(":", 1)[0].split(" ", 1)[0].upper()
        handler = getattr(self, f"_on_{verb.lower()}", None) if verb.isalpha() else None
        if handler is None:
            self._output += b"500 5.5.2 what?\r\n"
        else:
            handler(text)

    def _on_ehlo(self, text: str) -> None:
        options = self._relay.options
        offered = ["scripted.test", *options.extensions]
        if options.pipelining:
            offered.append("PIPELINING")
        if options.tls == "starttls" and not self._encrypted:
            offered.append("STARTTLS")
        if options.accounts or options.tokens:
            offered.append(f"AUTH {options.mechanisms}")
        lines = [f"250-{name}" for name in offered[:-1]] + [f"250 {offered[-1]}"]
        self._answer("ehlo", "\r\n".join(lines))

    def _on_starttls(self, text: str) -> None:
        if not self._answer("starttls", "220 2.0.0 go ahead"):
            return
        self._output += self._relay.options.inject_after_starttls
        self._flush()
        self._encrypt()
        self._input = b""

    def _on_auth(self, text: str) -> None:
        words = text.split(" ")
        if words[1].upper() == "XOAUTH2":
            self._by_token(words[2] if len(words) > 2 else self._challenge(""))
            return
        if words[1].upper() == "PLAIN":
            given = words[2] if len(words) > 2 else self._challenge("")
            _, user, password = base64.b64decode(given).decode().split("\0")
        else:
            user = base64.b64decode(self._challenge("VXNlcm5hbWU6")).decode()
            password = base64.b64decode(self._challenge("UGFzc3dvcmQ6")).decode()
        good = self._relay.options.accounts.get(user) == password
        line = "235 2.7.0 welcome" if good else "535 5.7.8 authentication failed"
        if self._answer("auth", line, user) and good:
            self._user = user

    def _by_token(self, given: str) -> None:
        """Gmail's way: a refusal is a challenge first, and the client has to answer it with nothing."""
        said = base64.b64decode(given).decode()
        good = [
            user
            for user, token in self._relay.options.tokens.items()
            if said == f"user={user}\x01auth=Bearer {token}\x01\x01"
        ]
        if good:
            self._user = good[0]
            self._answer("auth", "235 2.7.0 Accepted", good[0])
            return
        error = b'{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}'
        if self._challenge(base64.b64encode(error).decode()):
            self._output += b"501 5.5.2 the answer to a refusal is empty\r\n"
        else:
            self._answer("auth", "535 5.7.8 Username and Password not accepted.")

    def _challenge(self, text: str) -> str:
        self._output += f"334 {text}\r\n".encode()
        return self._line().decode()

    def _on_mail(self, text: str) -> None:
        options = self._relay.options
        if (options.accounts or options.tokens) and self._user is None:
            self._output += b"530 5.7.0 authentication required\r\n"
        elif self._mail_from is not None:
            self._output += b"503 5.5.1 nested MAIL\r\n"
        elif self._answer("mail", "250 2.1.0 ok", _path(text)):
            self._started = time.time()
            self._mail_from = _path(text)

    def _on_rcpt(self, text: str) -> None:
        recipient = _path(text)
        if self._mail_from is None:
            self._output += b"503 5.5.1 need MAIL\r\n"
        elif self._answer("rcpt", "250 2.1.5 ok", recipient):
            self._rcpt_to.append(recipient)
        else:
            self._refused_rcpt = recipient

    def _on_data(self, text: str) -> None:
        if not self._rcpt_to and not self._relay.options.grant_data_always:
            self._output += b"554 5.5.1 no valid recipients\r\n"
            return
        recipient = self._rcpt_to[0] if self._rcpt_to else self._refused_rcpt
        if self._answer("data", "354 go ahead", recipient):
            self._content(recipient)

    def _content(self, recipient: str) -> None:
        self._flush()
        rule = self._relay.script.at("content", recipient)
        if rule is not None:
            while len(self._input) < rule.after:
                self._receive()
            self._output += self._act(rule)
        content = self._body()
        if not self._rcpt_to:
            self._relay.empty_contents += 1
            self._output += b"554 5.5.1 no valid recipients\r\n"
            self._clear()
            return
        envelope = (self._mail_from or "", tuple(self._rcpt_to))
        message = self._relay.make_accepted(envelope, content, self._started, self._number)
        self._clear()
        self._end(message, recipient)

    def _end(self, message: object, recipient: str) -> None:
        rule = self._relay.script.at("dot", recipient)
        answer = b"250 2.0.0 accepted\r\n"
        if rule is not None and not rule.accept:
            answer = self._act(rule)
        if answer.startswith(b"2"):
            self._relay.take(message)  # type: ignore[arg-type]
        if rule is not None and rule.accept:
            answer = self._act(rule)
        self._output += answer
        if answer.startswith(b"421"):
            self._flush()
            raise HangUp

    def _body(self) -> bytes:
        """Up to the dot, which is taken off; dots unstuffed."""
        chunks = bytearray(b"\r\n" + self._input)  # so that a dot on the first line is found too
        searched = 0
        while (end := chunks.find(b"\r\n.\r\n", searched)) < 0:
            searched = max(0, len(chunks) - 4)
            self._input = b""
            self._receive()
            chunks += self._input
        self._input = bytes(chunks[end + 5 :])
        return bytes(chunks[: end + 2]).replace(b"\r\n..", b"\r\n.")[2:]

    def _on_rset(self, text: str) -> None:
        self._clear()
        self._answer("rset", "250 2.0.0 ok")

    def _on_noop(self, text: str) -> None:
        self._answer("noop", "250 2.0.0 ok")

    def _on_quit(self, text: str) -> None:
        self._answer("quit", "221 2.0.0 bye")
        self._flush()
        raise HangUp


def _path(text: str) -> str:
    found = _PATH.search(text)
    return found[1] if found else ""
