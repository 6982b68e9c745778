"""Starting and stopping, and what is refused before it starts."""

import smtplib
import socket
import threading
import time

import pytest

from campaigns.sandbox import MailSandbox, SandboxError
from campaigns.sandbox.behaviour import Behaviour, Greylist, behaviour_of

from .conftest import SENDER, message


def test_it_takes_free_ports_and_gives_them_back(tmp_path):
    with MailSandbox(tmp_path) as sandbox:
        ports = sandbox.ports
        assert 0 < ports.smtp != ports.pop3 > 0
    with MailSandbox(tmp_path, smtp_port=ports.smtp, pop3_port=ports.pop3) as again:
        assert again.ports == ports


def test_it_listens_on_loopback_alone(sandbox):
    with socket.create_connection(("127.0.0.1", sandbox.ports.smtp)) as client:
        assert client.recv(3) == b"220"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", sandbox.ports.smtp), timeout=1)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "mail.example", "", "127.0.0.1 "])
def test_it_refuses_any_other_host(tmp_path, host):
    with pytest.raises(SandboxError, match="回环"):
        MailSandbox(tmp_path, host=host)


@pytest.mark.parametrize("protocol", ["SMTP", "POP3"])
def test_a_busy_port_is_named(tmp_path, protocol):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sandbox = MailSandbox(tmp_path, **{f"{protocol.lower()}_port": port})
        with pytest.raises(SandboxError, match=f"{protocol} 端口 {port} 已被占用"):
            sandbox.start()
        sandbox.stop()
    with sandbox:
        assert port in sandbox.ports


def test_a_port_out_of_range_is_a_sentence(tmp_path):
    with pytest.raises(SandboxError, match="POP3 端口 99999"):
        MailSandbox(tmp_path, pop3_port=99999).start()


def test_it_starts_once(sandbox):
    with pytest.raises(SandboxError, match="已经在运行"):
        sandbox.start()


def test_it_can_start_again_after_a_stop(tmp_path):
    sandbox = MailSandbox(tmp_path)
    for number in (1, 2):
        with sandbox, smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=5) as client:
            client.login("sandbox", "sandbox")
            client.sendmail(SENDER, ["li@x.test"], message())
        assert len(sandbox.store.messages()) == number


def test_it_stops_within_a_second_whatever_clients_do(tmp_path):
    sandbox = MailSandbox(tmp_path)
    before = threading.active_count()
    with sandbox:
        smtp_clients = [socket.create_connection(("127.0.0.1", sandbox.ports.smtp))]
        pop3_clients = [socket.create_connection(("127.0.0.1", sandbox.ports.pop3))]
        stalled = smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=5)
        stalled.login("sandbox", "sandbox")
        stalled.mail(SENDER)
        stalled.rcpt("stall-li@x.test")
        stalled.docmd("DATA")
        stalled.send(b"x: y\r\n\r\n.\r\n")
        begin = time.monotonic()
    assert time.monotonic() - begin < 1
    assert threading.active_count() == before
    stalled.close()
    for client in smtp_clients + pop3_clients:
        client.close()


def test_stopping_twice_is_harmless(tmp_path):
    sandbox = MailSandbox(tmp_path)
    sandbox.start()
    sandbox.stop()
    sandbox.stop()


@pytest.mark.parametrize(
    ("address", "behaviour"),
    [
        ("refuse-a@x.test", Behaviour.REFUSE),
        ("Defer-a@x.test", Behaviour.DEFER),
        ("bounce-a@x.test", Behaviour.BOUNCE),
        ("away-@x.test", Behaviour.AWAY),
        ('"stall-a b"@x.test', Behaviour.STALL),
        ("bounce@x.test", Behaviour.STORE),
        ("bounce+1@x.test", Behaviour.STORE),
        ("a@refuse-x.test", Behaviour.STORE),
        ("", Behaviour.STORE),
    ],
)
def test_behaviour_is_read_from_the_local_part(address, behaviour):
    assert behaviour_of(address) is behaviour


def test_the_greylist_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr("campaigns.sandbox.behaviour._REMEMBERED_DEFERRALS", 2)
    greylist = Greylist()
    tries = [greylist.is_first_try("hr@p.test", f"defer-{n}@x.test") for n in (1, 2, 2, 3, 3, 1)]
    assert tries == [True, True, False, True, False, True]
