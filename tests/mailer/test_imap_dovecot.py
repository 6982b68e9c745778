"""Our IMAP client at a real Dovecot: what it takes away, and that it marks nothing of anybody's."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator

import pytest

from campaigns.mailer.imap import ImapMaildrop
from campaigns.mailer.imap_settings import ImapSettings
from campaigns.mailer.imap_syntax import encoded
from campaigns.mailer.pop3_errors import MaildropFailure, Problem
from campaigns.mailer.pop3_settings import PopTls
from tests import peers
from tests.servers.dovecot import Account, Dovecot
from tests.servers.folder import temporary_folder

LOGIN, PASSWORD, JUNK = "bounces@corp.example", "only-for-tests", "垃圾邮件"


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    peers.need("dovecot-imapd")
    with temporary_folder() as folder:
        accounts = {LOGIN: Account(PASSWORD, folder / "bounces" / "Maildir")}
        with Dovecot(folder / "dovecot", accounts=accounts, imap=True) as dovecot:
            yield dovecot


@pytest.fixture
def beside(server: Dovecot) -> Iterator[imaplib.IMAP4]:
    """Somebody else's client at the same mailbox, which is empty at first but for a junk folder."""
    client = imaplib.IMAP4("127.0.0.1", server.imap_port, timeout=10)
    client.login(LOGIN, PASSWORD)
    for name in ("INBOX", encoded(JUNK), encoded("退信 & 已处理")):
        status, count = client.select(f'"{name}"')
        if status == "OK" and count != [b"0"]:
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()
    client.create(f'"{encoded(JUNK)}"')
    yield client
    client.logout()


def append(client: imaplib.IMAP4, text: str, folder: str = "INBOX", flags: str = "") -> None:
    status, _ = client.append(f'"{encoded(folder)}"', flags, None, letter(text))  # type: ignore[arg-type]
    assert status == "OK"


def letter(text: str) -> bytes:
    return f"Subject: {text}\r\n\r\n{text}\r\n".encode()


def opened(server: Dovecot, **changes: object) -> ImapMaildrop:
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "port": server.imap_port,
        "tls": PopTls.NONE,
        "username": LOGIN,
        "password": PASSWORD,
        "allow_private": True,
    }
    return ImapMaildrop.open(ImapSettings(**(values | changes)))  # type: ignore[arg-type]


def subjects(client: imaplib.IMAP4, folder: str = "INBOX") -> list[tuple[str, str]]:
    """(first line, flags) of what lies there."""
    client.select(f'"{encoded(folder)}"', readonly=True)
    _, found = client.fetch("1:*", "(FLAGS BODY.PEEK[]<0.40>)")
    return [
        (part[1].decode().split("\r\n")[0], " ".join(imaplib_flags(part[0])))
        for part in found
        if isinstance(part, tuple)
    ]


def imaplib_flags(line: bytes) -> list[str]:
    return [flag.decode() for flag in imaplib.ParseFlags(line) if flag != rb"\Recent"]


def test_it_reads_the_inbox_and_the_junk_folder_and_marks_nothing(
    server: Dovecot, beside: imaplib.IMAP4
) -> None:
    append(beside, "one")
    append(beside, "in junk", JUNK)
    append(beside, "flagged", flags=r"(\Flagged)")
    with opened(server) as maildrop:
        listed = maildrop.list()
        read = [maildrop.retrieve(number, 10_000) for number, _, _ in listed]
        assert maildrop.top(1, 5) == letter("one")
        maildrop.quit()
    assert read == [letter("one"), letter("flagged"), letter("in junk")]
    assert len({uid for _, uid, _ in listed}) == 3
    assert [size for _, _, size in listed] == [len(raw) for raw in read]
    assert subjects(beside) == [("Subject: one", ""), ("Subject: flagged", r"\Flagged")]


def test_ours_are_moved_to_a_folder_that_is_made_and_the_others_stay(
    server: Dovecot, beside: imaplib.IMAP4
) -> None:
    for text in ("ours", "private", "ours too"):
        append(beside, text)
    append(beside, "theirs, deleted", flags=r"(\Deleted)")
    with opened(server, move_to="退信 & 已处理") as maildrop:
        numbers = [number for number, _, _ in maildrop.list()]
        maildrop.delete(numbers[0])
        maildrop.delete(numbers[2])
        maildrop.quit()
    assert subjects(beside) == [("Subject: private", ""), ("Subject: theirs, deleted", r"\Deleted")]
    assert [text for text, _ in subjects(beside, "退信 & 已处理")] == [
        "Subject: ours",
        "Subject: ours too",
    ]


def test_deleting_expunges_ours_alone(server: Dovecot, beside: imaplib.IMAP4) -> None:
    append(beside, "theirs, deleted", flags=r"(\Deleted)")
    append(beside, "ours")
    with opened(server, folders=("INBOX",)) as maildrop:
        number = maildrop.list()[-1][0]
        maildrop.delete(number)
        maildrop.quit()
    assert subjects(beside) == [("Subject: theirs, deleted", r"\Deleted")]


def test_without_quit_everything_stays_under_its_id(server: Dovecot, beside: imaplib.IMAP4) -> None:
    append(beside, "ours")
    with opened(server) as maildrop:
        before = maildrop.list()
        maildrop.delete(1)
    with opened(server) as maildrop:
        assert maildrop.list() == before


def test_a_message_that_somebody_took_away_leaves_the_session_open(
    server: Dovecot, beside: imaplib.IMAP4
) -> None:
    append(beside, "gone")
    append(beside, "there")
    with opened(server) as maildrop:
        maildrop.list()
        beside.select("INBOX")
        beside.store("1", "+FLAGS", r"(\Deleted)")
        beside.expunge()
        with pytest.raises(MaildropFailure) as caught:
            maildrop.retrieve(1, 1000)
        assert caught.value.kind is Problem.VANISHED
        assert caught.value.is_open
        assert maildrop.retrieve(2, 1000) == letter("there")


def test_a_wrong_password_and_a_missing_folder_are_named(server: Dovecot) -> None:
    with pytest.raises(MaildropFailure) as caught:
        opened(server, password="wrong")
    assert caught.value.kind is Problem.AUTH_REFUSED
    with pytest.raises(MaildropFailure) as caught, opened(server, folders=("没有",)) as maildrop:
        maildrop.list()
    assert caught.value.kind is Problem.FOLDER_MISSING
