"""Polling a maildrop: everything recorded once, deleted after that, and no message stops the poller."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError
from django.utils import timezone

from accounts.models import BounceMailbox, Team
from accounts.models.bounce_mailbox import Leaving
from campaigns.mailer.pop3 import Maildrop
from campaigns.models import Campaign, Feedback, MaildropMessage, Suppression
from campaigns.pipeline import collect
from campaigns.pipeline.recording import Source
from campaigns.sandbox.sandbox import MailSandbox
from tests.fakes.scripted_pop3 import Drop, ScriptedPop3
from tests.pipeline import returned_mail as mail

pytestmark = pytest.mark.django_db

BOB, CAROL, DAVE = (f"{name}@customer.example" for name in ("bob", "carol", "dave"))


@pytest.fixture
def news() -> Campaign:
    return mail.a_sent_campaign(Team.objects.create(name="甲公司"))


def reports(news: Campaign, *addresses: str) -> list[bytes]:
    """A hard bounce for each, to its signed return path."""
    sent = [mail.a_delivery(news, address) for address in addresses]
    return [mail.a_bounce(each.address, to=mail.return_path(each)) for each in sent]


@pytest.fixture
def inbox(news: Campaign) -> Iterator[tuple[ScriptedPop3, BounceMailbox]]:
    """Three reports on our deliveries among two letters, in somebody's own inbox."""
    ours = reports(news, BOB, CAROL, DAVE)
    with ScriptedPop3([mail.a_letter(), *ours, mail.a_letter("No.")]) as server:
        yield server, mail.a_mailbox(news.team, server.port)


Inbox = tuple[ScriptedPop3, BounceMailbox]


def error_after(mailbox: BounceMailbox) -> str:
    collect.poll(mailbox.pk)
    mailbox.refresh_from_db()
    assert mailbox.poll_lease_until is None
    assert mailbox.polled_at is not None
    return mailbox.last_error


def again(verdict: str) -> None:
    """Makes what was postponed due."""
    past = timezone.now() - timedelta(hours=1)
    assert MaildropMessage.objects.filter(verdict=verdict).update(seen_at=past)


def bounced() -> list[str]:
    return sorted(Feedback.objects.values_list("address_key", flat=True))


def test_reports_on_our_deliveries_are_recorded_and_removed(inbox: Inbox) -> None:
    server, mailbox = inbox
    assert error_after(mailbox) == ""
    assert bounced() == [BOB, CAROL, DAVE]
    assert list(server.messages) == ["uid1", "uid5"]
    rows = MaildropMessage.objects.order_by("uidl")
    assert [row.ours for row in rows] == [False, True, True, True, False]
    assert [row.deleted_at is not None for row in rows] == [False, True, True, True, False]


def test_what_was_read_is_not_read_again(inbox: Inbox) -> None:
    server, mailbox = inbox
    collect.poll(mailbox.pk)
    server.log.clear()
    assert error_after(mailbox) == ""
    assert not [line for line in server.log if line.startswith(("RETR", "TOP", "DELE"))]
    assert Feedback.objects.count() == 3


def test_nothing_is_removed_where_everything_is_to_stay(inbox: Inbox) -> None:
    server, mailbox = inbox
    mailbox.leaving = Leaving.NOTHING_DELETED
    mailbox.save()
    assert error_after(mailbox) == ""
    assert len(server.messages) == 5
    assert Suppression.objects.count() == 3
    assert "DELE" not in " ".join(server.log)


def test_a_mailbox_for_bounces_only_keeps_what_is_not_understood_for_a_person(inbox: Inbox) -> None:
    server, mailbox = inbox
    mailbox.exclusive = True
    mailbox.save()
    collect.poll(mailbox.pk)
    assert list(server.messages) == ["uid1", "uid5"]
    assert Feedback.objects.filter(kind="reply").count() == 2


def test_a_drop_before_quit_removes_at_the_next_poll_and_records_nothing_twice(
    inbox: Inbox,
) -> None:
    server, mailbox = inbox
    server.answers["QUIT"] = Drop()
    assert error_after(mailbox) == "lost"
    assert len(server.messages) == 5
    assert not MaildropMessage.objects.exclude(deleted_at=None).exists()
    del server.answers["QUIT"]
    assert error_after(mailbox) == ""
    assert list(server.messages) == ["uid1", "uid5"]
    assert Feedback.objects.count() == 3
    assert MaildropMessage.objects.exclude(deleted_at=None).count() == 3


@pytest.mark.parametrize("command", ["CAPA", "PASS", "AUTH", "LIST", "UIDL", "RETR", "DELE"])
def test_a_drop_anywhere_loses_nothing_and_records_nothing_twice(
    inbox: Inbox, command: str
) -> None:
    server, mailbox = inbox
    server.answers[command] = Drop()
    collect.poll(mailbox.pk)
    del server.answers[command]
    MaildropMessage.objects.filter(verdict="broke").update(seen_at=timezone.now() - timedelta(1))
    for _ in range(2):
        collect.poll(mailbox.pk)
    assert bounced() == [BOB, CAROL, DAVE]
    assert list(server.messages) == ["uid1", "uid5"]


class Killed(BaseException):
    """As SIGKILL: nothing of the poller runs after it."""


@pytest.mark.parametrize("method", ["list", "retrieve", "delete", "quit"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_poller_loses_nothing_and_records_nothing_twice(
    inbox: Inbox, method: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, mailbox = inbox
    right = getattr(Maildrop, method)

    def dying(self: Maildrop, *arguments: int) -> None:
        if when == "after":
            right(self, *arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Maildrop, method, dying)
        with pytest.raises(Killed):
            collect.poll(mailbox.pk)
    assert collect.due() == []  # its lease still holds
    collect.poll(mailbox.pk)
    assert (
        "uid2" in server.messages or MaildropMessage.objects.filter(uidl__endswith=":uid2").exists()
    )
    BounceMailbox.objects.update(poll_lease_until=timezone.now() - timedelta(seconds=1))
    assert error_after(mailbox) == ""
    assert bounced() == [BOB, CAROL, DAVE]
    assert list(server.messages) == ["uid1", "uid5"]


def test_a_database_that_goes_away_leaves_the_message_for_the_next_poll(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, mailbox = inbox

    def away(*_: object) -> bool:
        raise OperationalError("the server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(collect, "record", away)
        collect.poll(mailbox.pk)
    assert len(server.messages) == 5
    BounceMailbox.objects.update(poll_lease_until=None)
    assert error_after(mailbox) == ""
    assert bounced() == [BOB, CAROL, DAVE]


def test_a_message_that_trips_the_code_stays_and_stops_no_other(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server, mailbox = inbox
    right = collect.understand

    def tripping(source: Source, raw: bytes) -> object:
        if CAROL.encode() in raw:
            raise KeyError("工资 23,456")
        return right(source, raw)

    with monkeypatch.context() as patch, caplog.at_level(logging.INFO):
        patch.setattr(collect, "understand", tripping)
        collect.poll(mailbox.pk)
    assert bounced() == [BOB, DAVE]
    assert list(server.messages) == ["uid1", "uid3", "uid5"]
    assert "KeyError" in caplog.text
    assert "23,456" not in caplog.text
    again("broke")
    assert error_after(mailbox) == ""
    assert bounced() == [BOB, CAROL, DAVE]


def test_a_log_line_never_holds_what_a_message_says(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    _server, mailbox = inbox
    with caplog.at_level(logging.DEBUG):
        collect.poll(mailbox.pk)
    assert not [word for word in (BOB, "Dinner", "User unknown") if word in caplog.text]


class Breaks(bytes):
    """A message at which the server hangs up."""

    def removesuffix(self, suffix: bytes, /) -> bytes:
        raise ConnectionError

    def partition(self, separator: bytes, /) -> tuple[bytes, bytes, bytes]:
        raise ConnectionError


class Understated(bytes):
    """A message that the server says is small."""

    def __len__(self) -> int:
        return 500


def test_a_message_that_breaks_the_session_is_tried_after_all_others(inbox: Inbox) -> None:
    server, mailbox = inbox
    whole = server.messages["uid2"]
    server.messages["uid2"] = Breaks(whole)
    assert error_after(mailbox) == "lost"
    assert bounced() == []
    assert error_after(mailbox) == ""
    assert bounced() == [CAROL, DAVE]
    again("broke")
    assert error_after(mailbox) == "lost"
    assert error_after(mailbox) == ""
    server.messages["uid2"] = whole
    again("broke")
    assert error_after(mailbox) == ""
    assert bounced() == [BOB, CAROL, DAVE]
    assert list(server.messages) == ["uid1", "uid5"]


def test_a_bomb_is_judged_by_its_beginning(inbox: Inbox) -> None:
    server, mailbox = inbox
    bomb = b"x" * 70 + b"\r\n"
    server.messages["uid2"] += bomb * 20_000
    server.messages["uid3"] = Understated(server.messages["uid3"] + bomb * 20_000)
    assert error_after(mailbox) == "flooded"
    assert bounced() == [BOB]
    assert error_after(mailbox) == ""
    assert bounced() == [BOB, DAVE]
    again("flooded")
    collect.poll(mailbox.pk)
    assert bounced() == [BOB, CAROL, DAVE]
    assert Suppression.objects.count() == 3


def test_a_refused_retrieval_is_tried_again_at_the_next_poll(inbox: Inbox) -> None:
    server, mailbox = inbox
    server.answers["RETR"] = b"-ERR [SYS/TEMP] try later\r\n"
    assert error_after(mailbox) == "temporary"
    assert not MaildropMessage.objects.exists()
    del server.answers["RETR"]
    assert error_after(mailbox) == ""
    assert bounced() == [BOB, CAROL, DAVE]


def test_a_refused_deletion_is_tried_again_at_the_next_poll(inbox: Inbox) -> None:
    server, mailbox = inbox
    server.answers["DELE"] = b"-ERR not now\r\n"
    before = dict(server.messages)
    assert error_after(mailbox) == "refused"
    assert not MaildropMessage.objects.exclude(deleted_at=None).exists()
    del server.answers["DELE"]
    server.messages = before  # this server removes what it said it would not
    assert error_after(mailbox) == ""
    assert list(server.messages) == ["uid1", "uid5"]


def test_a_unique_id_that_names_two_messages_is_left_alone(inbox: Inbox) -> None:
    server, mailbox = inbox
    listing = "".join(f"{n} same\r\n" if n < 4 else f"{n} uid{n}\r\n" for n in range(1, 6))
    server.answers["UIDL"] = f"+OK\r\n{listing}.\r\n".encode()
    assert error_after(mailbox) == "uidl_missing"
    assert bounced() == [DAVE]
    assert list(server.messages) == ["uid1", "uid2", "uid3", "uid5"]


def test_a_unique_id_of_any_length_is_told_from_others(inbox: Inbox) -> None:
    server, mailbox = inbox
    listing = "".join(f"{n} {'x' * 200}{n}\r\n" for n in range(1, 6))
    server.answers["UIDL"] = f"+OK\r\n{listing}.\r\n".encode()
    collect.poll(mailbox.pk)
    assert MaildropMessage.objects.count() == 5
    collect.poll(mailbox.pk)
    assert bounced() == [BOB, CAROL, DAVE]


def test_the_same_message_twice_is_two_messages_and_recorded_once(news: Campaign) -> None:
    (report,) = reports(news, BOB)
    with ScriptedPop3([report, report]) as server:
        collect.poll(mail.a_mailbox(news.team, server.port).pk)
        assert server.messages == {}
    assert (Feedback.objects.count(), Suppression.objects.count()) == (1, 1)
    assert MaildropMessage.objects.exclude(deleted_at=None).count() == 2


def test_a_poll_stops_at_its_limit_and_the_next_goes_on(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    _server, mailbox = inbox
    monkeypatch.setattr(collect, "MAX_MESSAGES", 2)
    for seen in (2, 4, 5, 5):
        collect.poll(mailbox.pk)
        assert MaildropMessage.objects.count() == seen
    assert bounced() == [BOB, CAROL, DAVE]


@pytest.mark.parametrize(
    ("fields", "answers", "code"),
    [
        ({}, {"AUTH": b"-ERR [AUTH] wrong\r\n"}, "auth_refused"),
        ({}, {"GREETING": b"-ERR [SYS/TEMP] too many connections\r\n"}, "temporary"),
        ({}, {"GREETING": b"220 smtp ready\r\n"}, "protocol"),
        ({"tls_mode": "starttls"}, {"STLS": b"-ERR no\r\n"}, "tls_missing"),
        ({"internal_allowed": False}, {}, "address_forbidden"),
        ({"secret": ""}, {}, "settings"),
    ],
)
def test_a_failure_is_told_by_its_code(
    inbox: Inbox, fields: dict[str, object], answers: dict[str, bytes], code: str
) -> None:
    server, mailbox = inbox
    server.answers |= answers
    BounceMailbox.objects.filter(pk=mailbox.pk).update(**fields)
    assert error_after(mailbox) == code
    assert not MaildropMessage.objects.exists()


def test_a_secret_without_its_key_is_told_by_its_code(inbox: Inbox) -> None:
    _server, mailbox = inbox
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_bouncemailbox SET secret = 'sealed by another key'")
    collect.poll(mailbox.pk)
    found = BounceMailbox.objects.values_list("last_error", "poll_lease_until").get(pk=mailbox.pk)
    assert found == ("secret_unreadable", None)


def test_another_account_with_the_same_unique_ids_is_read_anew(
    inbox: Inbox, news: Campaign
) -> None:
    server, mailbox = inbox
    mailbox.leaving = Leaving.NOTHING_DELETED
    mailbox.save()
    collect.poll(mailbox.pk)
    unread = reports(news, "erin@customer.example")
    BounceMailbox.objects.update(username="other@corp.example.com", leaving=Leaving.OURS_DELETED)
    server.messages = {"uid2": mail.a_letter("Not recorded."), "uid3": unread[0]}
    assert error_after(mailbox) == ""
    assert list(server.messages) == ["uid2"]
    assert bounced() == [BOB, CAROL, DAVE, "erin@customer.example"]


def test_it_collects_what_the_sandbox_answers(tmp_path: Path, news: Campaign) -> None:
    ours = reports(news, BOB, CAROL)
    with MailSandbox(tmp_path, bounce_mailbox=mail.LOGIN, username=mail.LOGIN) as sandbox:
        for raw in (*ours, mail.a_letter()):
            sandbox.store.add(raw, mail_from="", rcpt_to=[mail.LOGIN], returned=True)
        mailbox = mail.a_mailbox(news.team, sandbox.ports.pop3, secret=sandbox.password)
        assert error_after(mailbox) == ""
        assert len(sandbox.store.mailbox(mail.LOGIN)) == 1
    assert bounced() == [BOB, CAROL]
