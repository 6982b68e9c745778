"""Both servers over one store, started and stopped together."""

import errno
import ipaddress
import socket
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from .pop3 import Pop3Server
from .rules import SandboxRules
from .smtp import SmtpServer
from .store import MAX_MESSAGES, MailStore


class SandboxError(Exception):
    """The sandbox cannot start; the text is a sentence for the person who started it."""


class Ports(NamedTuple):
    """Where the servers listen."""

    smtp: int
    pop3: int


class MailSandbox:
    """The mail sandbox. Port 0 takes a free one; `start` returns the real ones.

    SMTP logs in with `username` and `password`. POP3 takes `username` for the bounce mailbox, or
    any address for the maildrop of that address, with the same password. `answer_after` is the
    delay of bounces and automatic replies in seconds. Also a context manager.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        host: str = "127.0.0.1",
        smtp_port: int = 0,
        pop3_port: int = 0,
        username: str = "sandbox",
        password: str = "sandbox",  # noqa: S107 - loopback, demo mail: nothing to protect
        bounce_mailbox: str = "bounce@sandbox.test",
        max_messages: int = MAX_MESSAGES,
        answer_after: float = 1.0,
    ) -> None:
        if not _is_loopback(host):
            raise SandboxError(f"沙箱只能监听本机回环地址，不能监听 {host}。")
        self.host = host
        self.username = username
        self.password = password
        self.bounce_mailbox = bounce_mailbox
        self.store = MailStore(folder, max_messages=max_messages, bounce_mailbox=bounce_mailbox)
        self._wanted = Ports(smtp_port, pop3_port)
        self._answer_after = answer_after
        self._servers: tuple[SmtpServer, Pop3Server] | None = None

    def start(self) -> Ports:
        """Listen on both ports, or on none: SandboxError says which one is taken."""
        if self._servers is not None:
            raise SandboxError("沙箱已经在运行。")
        smtp = _listen(self.host, self._wanted.smtp, "SMTP")
        try:
            pop3 = _listen(self.host, self._wanted.pop3, "POP3")
        except SandboxError:
            smtp.close()
            raise
        ports = Ports(smtp.getsockname()[1], pop3.getsockname()[1])
        rules = SandboxRules(
            self.store,
            username=self.username,
            password=self.password,
            answer_after=self._answer_after,
        )
        self._servers = (
            SmtpServer(smtp, rules),
            Pop3Server(pop3, self.store, username=self.username, password=self.password),
        )
        for server in self._servers:
            server.start()
        return ports

    def stop(self) -> None:
        """End both servers; outstanding answers are written first. Stopping twice is harmless."""
        servers, self._servers = self._servers, None
        for server in servers or ():
            server.stop()
        self.store.close()

    def __enter__(self) -> Self:
        self.ports = self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may mean anything tomorrow


def _listen(host: str, port: int, protocol: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(200)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise SandboxError(f"沙箱的 {protocol} 端口 {port} 已被占用。") from error
        raise SandboxError(f"沙箱不能监听 {protocol} 端口 {port}：{error}。") from error
    return listener
