"""A running sandbox and its two clients, both of the standard library."""

import poplib
import smtplib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from campaigns.sandbox import MailSandbox

SENDER = "bounce+17.abc@sandbox.test"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[MailSandbox]:
    with MailSandbox(tmp_path / "mail", answer_after=0.05) as running:
        yield running


@pytest.fixture
def smtp(sandbox: MailSandbox) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=5) as client:
        client.login(sandbox.username, sandbox.password)
        yield client


@pytest.fixture
def pop3(sandbox: MailSandbox) -> Iterator[Callable[..., poplib.POP3]]:
    clients = []

    def login(user: str = sandbox.bounce_mailbox) -> poplib.POP3:
        client = poplib.POP3("127.0.0.1", sandbox.ports.pop3, timeout=5)
        clients.append(client)
        client.user(user)
        client.pass_(sandbox.password)
        return client

    yield login
    for client in clients:
        client.close()


def message(to: str = "li@example.cn", *, message_id: str = "<1@pay.example>") -> bytes:
    lines = [
        "From: hr@pay.example",
        f"To: {to}",
        "Subject: =?utf-8?b?5bel6LWE5p2h?=",
        f"Message-ID: {message_id}",
        "",
        "工资",
        "..two dots",
        ". one dot",
        "",
    ]
    return "\r\n".join(lines).encode()


def eventually(wanted: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Wait for what another thread does, no longer than needed."""
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
