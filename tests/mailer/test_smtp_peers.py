"""The SMTP client against servers that others wrote: aiosmtpd and Postfix's smtp-sink."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from campaigns.mailer.smtp import Connection
from tests.mailer.relay_client import PAYLOAD, connect, to


class Inbox:
    """Refuses one address and keeps the rest."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], bytes]] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.taken.append((envelope.rcpt_tos, envelope.content))
        return "250 2.0.0 kept"


def exchange(conn: Connection, names: list[str]) -> list[int]:
    """The code that decided each name."""
    codes = []
    conn.start(to(names[0]))
    for following in [*names[1:], None]:
        go = conn.go_ahead()
        envelope = to(following) if following else None
        if go.ok:
            codes.append(conn.content(PAYLOAD + b".dot\r\n", then=envelope).code)
        else:
            assert go.refused is not None
            codes.append(go.refused[1].code)
            if envelope:
                conn.start(envelope)
    return codes


def test_aiosmtpd_takes_each_message_once() -> None:
    inbox = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    try:
        with connect(port) as conn:
            codes = exchange(conn, ["a@example.cn", "gone@example.cn", "b@example.cn"])
    finally:
        controller.stop()
    assert codes == [250, 550, 250]
    assert inbox.taken == [
        (["a@example.cn"], PAYLOAD + b".dot\r\n"),
        (["b@example.cn"], PAYLOAD + b".dot\r\n"),
    ]


@pytest.fixture
def sink_port() -> Iterator[int]:
    sink = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if sink is None:
        pytest.skip("peer: postfix")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    drop_rights = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([sink, *drop_rights, f"127.0.0.1:{port}", "10"])
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.02)


def test_postfix_sink_takes_a_thousand_pipelined_messages(sink_port: int) -> None:
    names = [f"p{number}@example.cn" for number in range(1000)]
    with connect(sink_port) as conn:
        assert conn.capabilities.pipelining
        assert exchange(conn, names) == [250] * 1000
