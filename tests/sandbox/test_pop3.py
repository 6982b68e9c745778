"""The POP3 server, seen by poplib and by a client without manners."""

import contextlib
import poplib
import socket

import pytest

from campaigns.sandbox import MailSandbox
from campaigns.sandbox import pop3 as pop3_module

from .conftest import eventually, message

BOX = "bounce@sandbox.test"


@pytest.fixture
def three(sandbox):
    return [
        sandbox.store.add(message(message_id=f"<{n}@p>"), mail_from="", rcpt_to=[BOX])
        for n in range(3)
    ]


def raw_session(sandbox, *commands: bytes) -> bytes:
    """Everything that the server says until it closes."""
    with socket.create_connection(("127.0.0.1", sandbox.ports.pop3), timeout=5) as client:
        client.sendall(b"".join(commands))
        said = b""
        while more := client.recv(65536):
            said += more
    return said


def test_it_lists_and_reads_a_maildrop(sandbox, three, pop3):
    client = pop3()
    size = len(message(message_id="<0@p>"))
    assert client.stat() == (3, 3 * size)
    assert client.list()[1] == [f"{n} {size}".encode() for n in (1, 2, 3)]
    assert client.list(2) == f"+OK 2 {size}".encode()
    assert client.uidl()[1] == [f"{n} {m.uid}".encode() for n, m in enumerate(three, 1)]
    assert client.uidl(3) == f"+OK 3 {three[2].uid}".encode()


def test_retr_gives_back_every_line_with_its_dots(sandbox, three, pop3):
    assert pop3().retr(1)[1] == message(message_id="<0@p>").split(b"\r\n")[:-1]


def test_top_gives_the_headers_and_so_many_lines(sandbox, three, pop3):
    client = pop3()
    head, _, body = message(message_id="<0@p>").partition(b"\r\n\r\n")
    assert client.top(1, 0)[1] == [*head.split(b"\r\n"), b""]
    assert client.top(1, 2)[1] == [*head.split(b"\r\n"), b"", *body.split(b"\r\n")[:2]]
    assert client.top(1, 99)[1] == client.retr(1)[1]


def test_bare_line_feeds_never_end_a_message_early(sandbox, pop3):
    sandbox.store.add(b"Subject: x\r\n\r\na\n.\nb", mail_from="", rcpt_to=[BOX])
    client = pop3()
    assert client.retr(1)[1] == [b"Subject: x", b"", b"a", b".", b"b"]
    assert client.noop() == b"+OK"


def test_dele_takes_effect_at_quit_alone(sandbox, three, pop3):
    client = pop3()
    client.dele(2)
    assert client.stat()[0] == 2
    assert len(sandbox.store.mailbox(BOX)) == 3
    with pytest.raises(poplib.error_proto):
        client.retr(2)
    client.quit()
    assert [m.seq for m in sandbox.store.mailbox(BOX)] == [1, 3]
    assert sandbox.store.raw(three[1])


def test_a_lost_connection_deletes_nothing(sandbox, three, pop3):
    client = pop3()
    client.dele(1)
    client.close()
    eventually(lambda: not pop3_is_locked(sandbox))
    assert pop3().stat()[0] == 3


def pop3_is_locked(sandbox) -> bool:
    answer = raw_session(sandbox, b"USER sandbox\r\nPASS sandbox\r\nQUIT\r\n")
    return b"[IN-USE]" in answer


def test_rset_unmarks(sandbox, three, pop3):
    client = pop3()
    client.dele(1)
    client.rset()
    client.quit()
    assert len(sandbox.store.mailbox(BOX)) == 3


def test_a_maildrop_is_open_in_one_session_at_a_time(sandbox, three, pop3):
    pop3()
    with pytest.raises(poplib.error_proto, match="IN-USE"):
        pop3()
    assert pop3("li@x.test").stat() == (0, 0)


def test_the_lock_ends_with_the_session(sandbox, three, pop3):
    pop3().quit()
    eventually(lambda: not pop3_is_locked(sandbox))


def test_the_login_name_means_the_bounce_mailbox(sandbox, three, pop3):
    assert pop3("sandbox").stat()[0] == 3


@pytest.mark.parametrize(("user", "password"), [(BOX, "wrong"), ("nobody", "sandbox")])
def test_it_rejects_a_wrong_login(sandbox, user, password):
    answer = raw_session(sandbox, f"USER {user}\r\nPASS {password}\r\nQUIT\r\n".encode())
    assert b"-ERR [AUTH]" in answer


def test_it_hangs_up_after_three_wrong_passwords(sandbox):
    answer = raw_session(sandbox, b"USER sandbox\r\nPASS no\r\n" * 3)
    assert answer.count(b"-ERR [AUTH]") == 3


def test_capa_names_what_it_can_do(sandbox, pop3):
    assert {"USER", "TOP", "UIDL", "PIPELINING", "RESP-CODES"} <= set(pop3().capa())


def test_it_answers_a_client_that_sends_ahead(sandbox, three):
    answer = raw_session(sandbox, b"USER sandbox\r\nPASS sandbox\r\nDELE 1\r\nNOOP\r\nQUIT\r\n")
    assert answer.count(b"+OK") == 6
    assert len(sandbox.store.mailbox(BOX)) == 2


def test_uids_are_the_same_after_a_restart(sandbox, three, pop3, tmp_path):
    before = pop3().uidl()[1]
    sandbox.stop()
    with MailSandbox(sandbox.store.folder) as again:
        client = poplib.POP3("127.0.0.1", again.ports.pop3, timeout=5)
        client.user("sandbox")
        client.pass_("sandbox")
        assert client.uidl()[1] == before
        client.quit()


def test_a_message_removed_by_hand_leaves_the_others(sandbox, three, pop3):
    sandbox.store.path(three[0]).unlink()
    client = pop3()
    assert [line.split()[1].decode() for line in client.uidl()[1]] == [m.uid for m in three[1:]]
    sandbox.store.path(three[1]).unlink()
    with pytest.raises(poplib.error_proto, match="cannot be read"):
        client.retr(1)
    assert client.retr(2)


@pytest.mark.parametrize(
    "command",
    [
        b"RETR", b"RETR 0", b"RETR 4", b"RETR -1", b"RETR \xc2\xb2", b"RETR 99999999999999999999",
        b"TOP 1", b"TOP 1 x", b"TOP 1 -1", b"DELE x", b"LIST 9", b"UIDL 1 1", b"WHAT", b"",
        b"\xff\xfe", b"USER again", b"PASS again",
    ],
)  # fmt: skip
def test_nonsense_is_an_error_and_the_session_goes_on(sandbox, three, command):
    login = b"USER sandbox\r\nPASS sandbox\r\n"
    answer = raw_session(sandbox, login, command, b"\r\nNOOP\r\nQUIT\r\n").split(b"\r\n")
    assert answer[3].startswith(b"-ERR")
    assert answer[4:] == [b"+OK", b"+OK bye", b""]


@pytest.mark.parametrize("command", [b"STAT", b"PASS x", b"USER", b"RETR 1", b"DELE 1"])
def test_nothing_works_before_a_login(sandbox, command):
    answer = raw_session(sandbox, command, b"\r\nQUIT\r\n").split(b"\r\n")
    assert answer[1].startswith(b"-ERR")


def test_an_endless_line_ends_the_session(sandbox, pop3):
    with contextlib.suppress(ConnectionError):  # it closes with unread bytes: a reset, or an end
        assert raw_session(sandbox, b"USER " + b"x" * 100_000).count(b"\n") == 1
    assert pop3().stat() == (0, 0)


def test_it_turns_away_more_sessions_than_it_serves(sandbox, pop3, monkeypatch):
    monkeypatch.setattr(pop3_module, "MAX_SESSIONS", 1)
    pop3()
    assert raw_session(sandbox) == b"-ERR [SYS/TEMP] too many sessions\r\n"


def test_a_silent_client_is_cut_off(sandbox, monkeypatch):
    monkeypatch.setattr(pop3_module, "AUTOLOGOUT_SECONDS", 0.05)
    assert raw_session(sandbox) == b"+OK Hongyan sandbox ready\r\n"


def test_a_full_disk_at_quit_says_so_and_deletes_nothing(sandbox, three, pop3, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    client = pop3()
    client.dele(1)
    monkeypatch.setattr(sandbox.store, "delete", full)
    with pytest.raises(poplib.error_proto, match="not removed"):
        client.quit()
    assert len(sandbox.store.mailbox(BOX)) == 3
