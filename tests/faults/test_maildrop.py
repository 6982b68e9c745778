"""F22: POP3 at its worst. A message goes only after its row is committed, and counts once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import BounceMailbox, Team
from campaigns.mailer.pop3 import Maildrop
from campaigns.models import Campaign, Feedback, MaildropMessage, Suppression
from campaigns.pipeline import collect
from tests.fakes.scripted_pop3 import Drop, ScriptedPop3
from tests.pipeline import returned_mail as mail

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def news() -> Campaign:
    return mail.a_sent_campaign(Team.objects.create(name="甲公司"))


def bounces(news: Campaign, number: int) -> list[bytes]:
    sent = [mail.a_delivery(news, f"p{index}@customer.example") for index in range(number)]
    return [mail.a_bounce(each.address, to=mail.return_path(each)) for each in sent]


def poll(mailbox: BounceMailbox, times: int = 1) -> str:
    for _ in range(times):
        BounceMailbox.objects.filter(pk=mailbox.pk).update(poll_lease_until=None)
        collect.poll(mailbox.pk)
    mailbox.refresh_from_db()
    return mailbox.last_error


def recorded_once(number: int) -> None:
    assert Feedback.objects.count() == number
    assert Feedback.objects.values("delivery").distinct().count() == number
    assert Suppression.objects.count() == number


def test_a_maildrop_that_is_down_loses_nothing_and_says_so(news: Campaign) -> None:
    with ScriptedPop3(bounces(news, 3)) as server:
        mailbox = mail.a_mailbox(news.team, server.port)
        port = server.port
    assert poll(mailbox) != ""
    assert not Feedback.objects.exists()
    with ScriptedPop3(list(server.messages.values())) as back:
        BounceMailbox.objects.filter(pk=mailbox.pk).update(port=back.port)
        assert poll(mailbox) == ""
    assert port != back.port
    recorded_once(3)


@pytest.mark.parametrize("command", ["GREETING", "UIDL", "RETR", "TOP", "DELE", "QUIT"])
@pytest.mark.parametrize("answer", [b"-ERR busy\r\n", Drop(), Drop(b"+OK hal")])
def test_any_failure_anywhere_is_made_good_by_the_next_poll(
    news: Campaign, command: str, answer: bytes | Drop
) -> None:
    with ScriptedPop3(bounces(news, 3), answers={command: answer}) as server:
        mailbox = mail.a_mailbox(news.team, server.port)
        poll(mailbox, 2)
        server.answers.clear()
        # One that broke a session is put off for a while.
        MaildropMessage.objects.update(seen_at=timezone.now() - timedelta(hours=2))
        poll(mailbox, 3)
        left = len(server.messages)
    assert Feedback.objects.values("delivery").distinct().count() == 3
    recorded_once(3)
    assert left == 0


def test_a_message_is_deleted_only_after_its_row_is_committed(
    news: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each DELE another connection of the database sees the row."""
    import threading

    from django.db import connection

    seen: list[int] = []
    delete = Maildrop.delete

    def look() -> None:
        seen.append(Feedback.objects.count())
        connection.close()

    def deleting(self: Maildrop, *arguments: int) -> object:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return delete(self, *arguments)

    monkeypatch.setattr(Maildrop, "delete", deleting)
    with ScriptedPop3(bounces(news, 3)) as server:
        assert poll(mail.a_mailbox(news.team, server.port)) == ""
    assert len(seen) == 3
    assert all(count >= index for index, count in enumerate(seen, 1))


@pytest.mark.slow
def test_a_maildrop_of_two_polls_with_a_poison_message_in_it_is_read_to_its_end(
    news: Campaign,
) -> None:
    letters = [mail.a_letter(f"No. {number}") for number in range(2_360)]
    ours = bounces(news, 39)
    poison = (
        b"From: x\r\nContent-Type: multipart/report; boundary=\r\n\r\n" + b"\xff\x00--\r\n" * 50
    )
    with ScriptedPop3([*letters[:2_000], poison, *ours, *letters[2_000:]]) as server:
        mailbox = mail.a_mailbox(news.team, server.port)
        for _ in range(40):
            poll(mailbox)
            if MaildropMessage.objects.count() >= 2_400:
                break
        assert len(server.messages) == 2_400 - 39, "what is not ours stays in somebody's own inbox"
    recorded_once(39)
    assert MaildropMessage.objects.count() == 2_400


def test_the_same_bounce_twice_counts_once(news: Campaign) -> None:
    (one,) = bounces(news, 1)
    with ScriptedPop3([one, one]) as server:
        assert poll(mail.a_mailbox(news.team, server.port)) == ""
    assert Suppression.objects.count() == 1
    assert Feedback.objects.values("delivery").distinct().count() == 1
