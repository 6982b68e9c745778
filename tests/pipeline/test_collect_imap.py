"""The poller by IMAP: what POP3 has no words for. The rest is the same code (test_collect.py)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import BounceMailbox, Team
from campaigns.models import Campaign, Feedback, MaildropMessage, Probe, Suppression
from campaigns.pipeline import collect, probe
from tests.fakes.scripted_imap import ScriptedImap
from tests.fakes.scripted_pop3 import ScriptedPop3
from tests.pipeline import returned_mail as mail

pytestmark = pytest.mark.django_db

BOB, CAROL = "bob@customer.example", "carol@customer.example"


@pytest.fixture
def news() -> Campaign:
    return mail.a_sent_campaign(Team.objects.create(name="甲公司"))


def reports(news: Campaign, *addresses: str) -> list[bytes]:
    sent = [mail.a_delivery(news, address) for address in addresses]
    return [mail.a_bounce(each.address, to=mail.return_path(each)) for each in sent]


def an_imap_mailbox(news: Campaign, server: ScriptedImap, **fields: object) -> BounceMailbox:
    return mail.a_mailbox(news.team, server.port, protocol="imap", **fields)


def poll(mailbox: BounceMailbox) -> str:
    collect.poll(mailbox.pk)
    mailbox.refresh_from_db()
    return mailbox.last_error


def test_ours_are_moved_from_every_folder_and_letters_stay(news: Campaign) -> None:
    bob, carol = reports(news, BOB, CAROL)
    folders = {"INBOX": [mail.a_letter(), bob], "Spam": [carol]}
    with ScriptedImap(folders) as server:
        mailbox = an_imap_mailbox(news, server, leaving="ours_moved", moved_to="done")
        assert poll(mailbox) == ""
        assert server.folders == {
            "INBOX": {1: mail.a_letter()},
            "Spam": {},
            "done": {1: bob, 2: carol},
        }
    assert Suppression.objects.count() == 2
    assert MaildropMessage.objects.exclude(deleted_at=None).count() == 2


def test_a_server_that_numbers_anew_has_nothing_recorded_twice(news: Campaign) -> None:
    with ScriptedImap({"INBOX": [mail.a_letter(), *reports(news, BOB)]}) as server:
        mailbox = an_imap_mailbox(news, server, leaving="nothing_deleted")
        assert poll(mailbox) == poll(mailbox) == ""
        server.renumber()
        assert poll(mailbox) == ""
        mailbox.leaving = "ours_deleted"
        mailbox.save()
        assert poll(mailbox) == ""
        assert list(server.folders["INBOX"].values()) == [mail.a_letter()]
    assert Feedback.objects.count() == 1
    assert MaildropMessage.objects.count() == 4


def test_a_mailbox_that_goes_from_pop3_to_imap_has_nothing_recorded_twice(news: Campaign) -> None:
    mails = reports(news, BOB)
    with ScriptedPop3(mails) as pop3, ScriptedImap({"INBOX": mails}) as imap:
        mailbox = mail.a_mailbox(news.team, pop3.port, leaving="nothing_deleted")
        assert poll(mailbox) == ""
        mailbox.protocol, mailbox.port = "imap", imap.port
        mailbox.save()
        assert poll(mailbox) == ""
    assert Feedback.objects.count() == 1


def test_a_message_that_somebody_takes_away_meanwhile_is_no_trouble(news: Campaign) -> None:
    with ScriptedImap({"INBOX": reports(news, BOB, CAROL)}) as server:
        mailbox = an_imap_mailbox(news, server)
        server.answers["BODY"] = b"{tag} OK nothing\r\n"
        assert poll(mailbox) == ""
        assert not MaildropMessage.objects.exists()
        del server.answers["BODY"]
        assert poll(mailbox) == ""
    assert Feedback.objects.count() == 2


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_they_are_deleted_some_days_later_where_that_was_asked(
    news: Campaign, protocol: str
) -> None:
    mails = reports(news, BOB)
    with ScriptedPop3(mails) as pop3, ScriptedImap({"INBOX": mails}) as imap:
        port = pop3.port if protocol == "pop3" else imap.port
        mailbox = mail.a_mailbox(news.team, port, protocol=protocol, leave_days=3)
        left = pop3.messages if protocol == "pop3" else imap.folders["INBOX"]
        assert poll(mailbox) == poll(mailbox) == ""
        assert len(left) == 1
        MaildropMessage.objects.update(seen_at=timezone.now() - timedelta(days=3, minutes=1))
        assert poll(mailbox) == ""
        assert len(left) == 0


@pytest.mark.parametrize(
    ("fields", "answers", "code"),
    [
        ({"folders": "没有这个"}, {}, "folder_missing"),
        ({}, {"AUTHENTICATE": b"{tag} NO [AUTHENTICATIONFAILED] no\r\n"}, "auth_refused"),
        ({}, {"EXAMINE": b"{tag} NO EXAMINE Unsafe Login\r\n"}, "login_unsafe"),
        ({}, {"EXAMINE": b"{tag} OK no validity\r\n"}, "uidl_missing"),
    ],
)
def test_each_trouble_has_its_code_in_the_test_too(
    news: Campaign, fields: dict[str, str], answers: dict[str, bytes], code: str
) -> None:
    with ScriptedImap({"INBOX": []}, answers=answers) as server:
        mailbox = an_imap_mailbox(news, server, **fields)
        assert poll(mailbox) == code
        asked = Probe.objects.create(team=news.team, mailbox=mailbox)
        probe.run(asked.pk)
        asked.refresh_from_db()
    assert (asked.state, asked.steps[-1]["reason"]) == ("failed", code)
