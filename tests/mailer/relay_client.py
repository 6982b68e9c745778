"""What the SMTP client's tests share: settings for a relay on loopback, and an envelope."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from campaigns.mailer.smtp import Connection
from campaigns.mailer.smtp_envelope import Envelope
from campaigns.mailer.smtp_session import Connector, connect_tcp
from campaigns.mailer.smtp_settings import RelaySettings, Timeouts, TlsMode

PAYLOAD = b"Message-ID: <1@example.cn>\r\nSubject: x\r\n\r\nhello\r\n"
PASSWORD = "S3cret-工资"
#: Short enough for tests, long enough for a busy machine.
QUICK = Timeouts(
    connect=2,
    greeting=2,
    command=2,
    data_go_ahead=2,
    final_dot=2,
    write=2,
    setup=5,
    quit=1,
)


def settings(port: int, **changes: Any) -> RelaySettings:
    base = RelaySettings(
        host="localhost", port=port, tls=TlsMode.NONE, allow_private=True, timeouts=QUICK
    )
    return replace(base, **changes)


def connect(port: int, connector: Connector = connect_tcp, **changes: Any) -> Connection:
    return Connection.open(
        settings(port, **changes),
        resolver=lambda host, port: ["127.0.0.1"],
        connector=connector,
    )


def to(recipient: str, **changes: Any) -> Envelope:
    return replace(Envelope("hr@example.cn", recipient, len(PAYLOAD)), **changes)


@contextmanager
def canned(*answers: bytes) -> Iterator[tuple[int, bytearray]]:
    """A server that greets with the first answer and gives the next one to each packet; then it hangs up.

    Yields its port and, after the block, everything that it heard.
    """
    heard = bytearray()

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(answers[0])
            for answer in answers[1:]:
                heard.extend(sock.recv(1 << 16))
                sock.sendall(answer)
            sock.shutdown(socket.SHUT_WR)
            while octets := sock.recv(1 << 16):
                heard.extend(octets)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            thread.join()
