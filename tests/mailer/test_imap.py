"""Our IMAP client at a server that does what Dovecot would not."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer import imap_syntax
from campaigns.mailer.imap import ImapMaildrop
from campaigns.mailer.imap_settings import ImapSettings
from campaigns.mailer.imap_wire import Response
from campaigns.mailer.pop3_errors import MaildropFailure, Phase, Problem
from campaigns.mailer.pop3_settings import PopTimeouts, PopTls
from tests.fakes.scripted_imap import ScriptedImap

QUICK = PopTimeouts(1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 5.0)
PASSWORD, TOKEN = "sesame-open-7", "ya29.secret-token"
ONE, TWO = b"Subject: one\r\n\r\none\r\n", b"Subject: two\r\n\r\n(two) {3}\r\n"


def opened(server: ScriptedImap, **changes: object) -> ImapMaildrop:
    values: dict[str, object] = {
        "host": "localhost",
        "port": server.port,
        "tls": PopTls.NONE,
        "username": "bounces@163.com",
        "password": PASSWORD,
        "timeouts": QUICK,
        "allow_private": True,
    }
    settings = ImapSettings(**(values | changes))  # type: ignore[arg-type]
    return ImapMaildrop.open(settings, resolver=lambda host, port: ["127.0.0.1"])


def failure(server: ScriptedImap, act: Callable[[ImapMaildrop], object]) -> MaildropFailure:
    with pytest.raises(MaildropFailure) as caught, opened(server) as maildrop:
        act(maildrop)
    assert PASSWORD not in str(caught.value)
    return caught.value


def test_netease_hears_who_we_are_before_a_folder_is_opened() -> None:
    with ScriptedImap({"INBOX": [ONE]}, needs_id=True) as server:
        with opened(server) as maildrop:
            assert len(maildrop.list()) == 1
        heard = [line.split(" ")[1] for line in server.log]
    assert heard.index("ID") < heard.index("EXAMINE")


def test_an_unsafe_login_is_named_for_a_person() -> None:
    refusing = {"ID": b"{tag} BAD what\r\n"}
    with ScriptedImap({"INBOX": []}, needs_id=True, answers=refusing) as server:
        assert failure(server, ImapMaildrop.list).kind is Problem.LOGIN_UNSAFE


def test_a_chinese_junk_folder_is_read_and_another_folder_is_not() -> None:
    junk = imap_syntax.encoded("垃圾邮件")
    assert junk == "&V4NXPpCuTvY-"
    folders = {"INBOX": [ONE], "Private": [b"x"], junk: [TWO]}
    with ScriptedImap(folders) as server, opened(server) as maildrop:
        read = [maildrop.retrieve(number, 1000) for number, _, _ in maildrop.list()]
    assert read == [ONE, TWO]


def test_nothing_but_what_was_marked_is_ever_flagged_or_moved() -> None:
    with ScriptedImap({"INBOX": [ONE, TWO]}) as server:
        with opened(server, move_to="done") as maildrop:
            maildrop.list()
            maildrop.retrieve(1, 1000)
            maildrop.delete(2)
            maildrop.quit()
        changing = [line for line in server.log if " UID MOVE" in line or "STORE" in line]
        reading = [line for line in server.log if "BODY" in line]
    assert [line.partition(" ")[2] for line in changing] == ['UID MOVE 2 "done"'] * 2
    assert all("BODY.PEEK[]" in line for line in reading)
    assert server.folders == {"INBOX": {1: ONE}, "done": {1: TWO}}


def test_without_move_it_copies_and_expunges_by_uid() -> None:
    scripted = ScriptedImap({"INBOX": [ONE, TWO], "done": []}, capabilities="UIDPLUS")
    with scripted as server, opened(server, move_to="done") as maildrop:
        maildrop.list()
        maildrop.delete(1)
        maildrop.quit()
    assert server.folders == {"INBOX": {2: TWO}, "done": {1: ONE}}


@pytest.mark.parametrize("theirs", [True, False])
def test_without_uidplus_it_never_expunges_what_somebody_else_flagged(theirs: bool) -> None:
    with ScriptedImap({"INBOX": [ONE, TWO]}, capabilities="IMAP4rev1") as server:
        if theirs:
            server.flags["INBOX", 2] = "deleted"
        with opened(server) as maildrop:
            maildrop.list()
            maildrop.delete(1)
            maildrop.quit()
    assert server.folders["INBOX"] == ({1: ONE, 2: TWO} if theirs else {2: TWO})
    assert ("INBOX", 1) in server.flags


def test_a_folder_that_was_numbered_anew_is_not_touched() -> None:
    with ScriptedImap({"INBOX": [ONE]}) as server:
        with opened(server) as maildrop:
            (before,) = maildrop.list()
            maildrop.delete(1)
            server.renumber()
            server.folders["INBOX"][1] = TWO  # what its old UID means now
            with pytest.raises(MaildropFailure):
                maildrop.quit()
        with opened(server) as maildrop:
            assert before[1] not in {uid for _, uid, _ in maildrop.list()}
    assert TWO in server.folders["INBOX"].values()
    assert not server.flags


def test_a_token_logs_in_and_its_refusal_is_told() -> None:
    challenge = base64.b64encode(b'{"status":"400","error":"expired"}')
    answers = {"AUTHENTICATE": b"+ " + challenge + b"\r\n{tag} NO [AUTHENTICATIONFAILED] no\r\n"}
    with ScriptedImap({"INBOX": []}) as server, opened(server, access_token=TOKEN, password=""):
        assert "AUTHENTICATE XOAUTH2" in server.log[-3]
    with (
        ScriptedImap({"INBOX": []}, answers=answers) as server,
        pytest.raises(MaildropFailure) as caught,
    ):
        opened(server, access_token=TOKEN, password="", host="imap.example")
    assert caught.value.phase is Phase.LOGIN
    assert TOKEN not in str(caught.value)


def test_no_password_goes_where_login_is_disabled() -> None:
    with ScriptedImap({"INBOX": []}, capabilities="IMAP4rev1 LOGINDISABLED") as server:
        assert failure(server, ImapMaildrop.list).kind is Problem.TLS_MISSING
        assert not any("LOGIN" in line for line in server.log)


def test_a_name_that_is_not_ascii_is_logged_in_by_literals() -> None:
    answers = {"LOGIN": b"+ go\r\n"}
    with ScriptedImap({"INBOX": []}, capabilities="IMAP4rev1", answers=answers) as server:
        with pytest.raises(MaildropFailure):
            opened(server, username="退信@例子.中国")
        assert server.log[-1].endswith("LOGIN {20}")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"* 1 FETCH (UID 1 BODY[] {99999999}\r\n", Problem.FLOODED),
        (b"* " + b"x" * 300_000 + b"\r\n", Problem.FLOODED),
        (b"* BYE [UNAVAILABLE] later\r\n", Problem.TEMPORARY),
        (b"* BYE\r\n", Problem.LOST),
        (b"whatever\r\n", Problem.PROTOCOL),
        (b"* 1 FETCH (UID 1 BODY[] {10}\r\nhalf", Problem.LOST),
        (b"{tag} NO [SERVERBUG] oops\r\n", Problem.TEMPORARY),
        (b"{tag} OK nothing\r\n", Problem.VANISHED),
        (b"* 9 FETCH (UID 9 BODY[] {2}\r\nhi)\r\n{tag} OK\r\n", Problem.VANISHED),
    ],
)
def test_each_way_to_answer_a_fetch_wrongly_has_its_word(answer: bytes, kind: Problem) -> None:
    with ScriptedImap({"INBOX": [ONE]}) as server:

        def act(maildrop: ImapMaildrop) -> None:
            maildrop.list()
            server.answers["BODY"] = answer
            maildrop.retrieve(1, 1000)

        assert failure(server, act).kind is kind


@pytest.mark.parametrize(
    "said",
    [
        b'* 1 FETCH (UID 5 BODY[]<0> "a \\"b\\" \\\\ c")',
        b'* 1 FETCH (BODY[] "a \\"b\\" \\\\ c" FLAGS (\\Seen) UID 5)',
    ],
)
def test_a_short_body_may_come_as_a_quoted_string(said: bytes) -> None:
    assert imap_syntax.body_of(Response(said), 5) == b'a "b" \\ c'


def test_a_literal_may_be_marked_as_non_synchronising_or_binary() -> None:
    for mark in (b"{4+}", b"~{4}"):
        answer = b"* 1 FETCH (UID 1 BODY[]<0> %b\r\nfour)\r\n{tag} OK\r\n" % mark
        with ScriptedImap({"INBOX": [ONE]}) as server, opened(server) as maildrop:
            maildrop.list()
            server.answers["BODY"] = answer
            assert maildrop.retrieve(1, 1000) == b"four"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_a_folders_name_survives_modified_utf_7(name: str) -> None:
    wire = imap_syntax.encoded(name)
    assert wire.isascii()
    assert imap_syntax.decoded(wire) == name


def test_a_number_that_no_server_counts_to_is_passed_over() -> None:
    """Python refuses to read more than 4,300 digits."""
    said = [Response(b"* SEARCH 2 " + b"9" * 5000 + b" 84")]
    assert imap_syntax.numbers_of(said, "SEARCH") == [2, 84]
