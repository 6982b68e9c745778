"""The POP3 client against a real Dovecot: TLS, thousands of messages, a drop before QUIT."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.mailer.pop3 import Maildrop
from campaigns.mailer.pop3_errors import MaildropFailure, Phase, Problem
from campaigns.mailer.pop3_settings import Pop3Settings, PopTls
from tests import peers
from tests.servers.certificate import Certificate, make_certificate
from tests.servers.dovecot import Account, Dovecot
from tests.servers.folder import temporary_folder

LOGIN, PASSWORD = "bounces@hongyan.example", "for this-test 授权码"
MANY = 2_500


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    peers.need("dovecot-pop3d")
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Certificate:
    return make_certificate(folder / "tls")


@pytest.fixture(scope="module")
def server(folder: Path, certificate: Certificate) -> Iterator[Dovecot]:
    account = Account(PASSWORD, folder / "bounces" / "Maildir")
    accounts = {LOGIN: account}
    with Dovecot(folder / "dovecot", accounts=accounts, certificate=certificate) as dovecot:
        yield dovecot


@pytest.fixture
def maildir(server: Dovecot) -> Path:
    """The empty mailbox."""
    maildir = server.accounts[LOGIN].maildir
    for found in maildir.iterdir():
        shutil.rmtree(found) if found.is_dir() else found.unlink()
    return maildir


def fill(maildir: Path, messages: list[bytes]) -> None:
    owner = maildir.stat()
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(exist_ok=True)
        os.chown(maildir / name, owner.st_uid, owner.st_gid)
    for number, raw in enumerate(messages, 1):
        path = maildir / "new" / f"{1_700_000_000 + number}.M{number}.host"
        path.write_bytes(raw)
        os.chown(path, owner.st_uid, owner.st_gid)


def mail(number: int, size: int = 0) -> bytes:
    return f"Subject: n{number}\n\n.dot\n..\n{'x' * size}\n".encode()


def settings(server: Dovecot, certificate: Certificate, **changes: object) -> Pop3Settings:
    values: dict[str, object] = {
        "host": "localhost",
        "port": server.port,
        "tls": PopTls.STLS,
        "username": LOGIN,
        "password": PASSWORD,
        "ca_pem": certificate.authority.read_text("ascii"),
        "allow_private": True,
    }
    return Pop3Settings(**(values | changes))  # type: ignore[arg-type]


def open_on(server: Dovecot, certificate: Certificate, **changes: object) -> Maildrop:
    return Maildrop.open(
        settings(server, certificate, **changes), resolver=lambda host, port: ["127.0.0.1"]
    )


def test_it_reads_over_stls_and_over_tls(
    server: Dovecot, certificate: Certificate, maildir: Path
) -> None:
    fill(maildir, [mail(1)])
    expected = mail(1).replace(b"\n", b"\r\n")
    with open_on(server, certificate) as maildrop:
        [(number, uidl, size)] = maildrop.list()
        assert size == len(expected)
        assert maildrop.retrieve(number, 1000) == expected
        maildrop.quit()
    with open_on(server, certificate, tls=PopTls.IMPLICIT, port=server.tls_port) as maildrop:
        assert maildrop.list()[0][1] == uidl
        assert maildrop.top(1, 1) == b"Subject: n1\r\n\r\n.dot\r\n"
        maildrop.quit()


def test_it_refuses_a_wrong_password_with_a_sentence(
    server: Dovecot, certificate: Certificate, maildir: Path
) -> None:
    with pytest.raises(MaildropFailure) as caught:
        open_on(server, certificate, password="wrong")
    assert (caught.value.phase, caught.value.kind) == (Phase.LOGIN, Problem.AUTH_REFUSED)
    assert caught.value.sentence_zh


def test_it_does_not_trust_a_ca_it_was_not_given(
    server: Dovecot, certificate: Certificate, maildir: Path
) -> None:
    with pytest.raises(MaildropFailure) as caught:
        open_on(server, certificate, ca_pem=None)
    assert caught.value.kind is Problem.CERTIFICATE_UNTRUSTED


def test_what_was_marked_comes_again_after_a_drop_before_quit(
    server: Dovecot, certificate: Certificate, maildir: Path
) -> None:
    fill(maildir, [mail(n) for n in range(1, 6)])
    with open_on(server, certificate) as maildrop:
        before = maildrop.list()
        for number, _, _ in before:
            maildrop.delete(number)
    with open_on(server, certificate) as maildrop:
        assert [uidl for _, uidl, _ in maildrop.list()] == [uidl for _, uidl, _ in before]
        maildrop.delete(2)
        maildrop.quit()
    with open_on(server, certificate) as maildrop:
        left = [uidl for _, uidl, _ in maildrop.list()]
    assert left == [uidl for number, uidl, _ in before if number != 2]


def test_thousands_are_read_and_removed_in_several_sessions(
    server: Dovecot, certificate: Certificate, maildir: Path
) -> None:
    fill(maildir, [mail(n, size=n % 700) for n in range(1, MANY + 1)])
    recorded: dict[str, bytes] = {}
    for stop_after in (900, None):
        with open_on(server, certificate) as maildrop:
            listed = maildrop.list()
            for number, uidl, size in listed[:stop_after]:
                raw = maildrop.retrieve(number, 10_000)
                assert len(raw) == size
                recorded[uidl] = raw
                maildrop.delete(number)
            maildrop.quit()
    assert len(recorded) == MANY
    assert {raw.partition(b"\r\n")[0] for raw in recorded.values()} == {
        f"Subject: n{n}".encode() for n in range(1, MANY + 1)
    }
    with open_on(server, certificate) as maildrop:
        assert maildrop.list() == []


def test_a_big_message_is_left_and_its_beginning_read(
    server: Dovecot, certificate: Certificate, maildir: Path
) -> None:
    lines = b"Subject: big\n\n" + b"0123456789\n" * 200_000
    fill(maildir, [lines])
    with open_on(server, certificate) as maildrop:
        maildrop.list()
        with pytest.raises(MaildropFailure) as caught:
            maildrop.retrieve(1, 1_000_000)
        assert (caught.value.kind, caught.value.is_open) == (Problem.TOO_BIG, True)
        assert maildrop.top(1, 3).count(b"0123456789") == 3
        assert len(maildrop.retrieve(1, 10_000_000)) == 14 + 2 + 200_000 * 12
