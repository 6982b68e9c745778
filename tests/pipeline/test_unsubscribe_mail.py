"""Unsubscribing by mail to the signed address in List-Unsubscribe: once, of that list, and by nothing else."""

from __future__ import annotations

import email
import email.policy
from urllib.parse import unquote

import pytest

from accounts.models import BounceMailbox, Team
from campaigns.mailer import bounce
from campaigns.mailer.return_path import ReturnPath
from campaigns.mailer.tokens import Tokens
from campaigns.models import (
    Campaign,
    Contact,
    ContactList,
    Feedback,
    ListMember,
    MaildropMessage,
    Suppression,
)
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import DeliveryPurpose
from campaigns.models.feedback import FeedbackKind, SuppressionReason
from campaigns.models.template import Kind
from campaigns.pipeline import collect, send
from campaigns.pipeline.compose import tokens
from campaigns.pipeline.recording import Fetched, Source, judge, record
from tests import cast
from tests.fakes.scripted_pop3 import ScriptedPop3
from tests.fakes.scripted_relay import ScriptedRelay
from tests.pipeline import returned_mail as mail

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOB = "bob@customer.example"


@pytest.fixture
def readers() -> ContactList:
    return cast.a_list(Team.objects.create(name="甲公司"), [BOB])


@pytest.fixture
def mailbox(readers: ContactList) -> BounceMailbox:
    return mail.a_mailbox(readers.team)


@pytest.fixture
def news(readers: ContactList) -> Campaign:
    return mail.a_sent_campaign(readers.team, contact_list=readers)


def take(mailbox: BounceMailbox, raw: bytes, uidl: str = "1") -> bool:
    return record(mailbox, uidl, judge(Source.of(mailbox), bounce.read(raw)), Fetched(raw))


def status() -> str:
    return ListMember.objects.get().status


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_mail_to_the_signed_address_takes_its_recipient_off_the_list(
    mailbox: BounceMailbox, news: Campaign, readers: ContactList, exclusive: bool
) -> None:
    mailbox.exclusive = exclusive
    delivery = mail.a_delivery(news, BOB)
    raw = mail.an_unsubscribe_mail("bob@home.example", to=mail.unsubscribe_address(delivery))
    assert take(mailbox, raw)
    row = Suppression.objects.get()
    assert (row.contact_list, row.address_key, row.note) == (readers, BOB, "mail")
    assert (row.reason, row.delivery) == (SuppressionReason.UNSUBSCRIBED, delivery)
    assert status() == MemberStatus.UNSUBSCRIBED
    assert MaildropMessage.objects.get().verdict == "unsubscribe"


def test_the_mail_is_recorded_once_and_nothing_that_it_says_is_kept(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    delivery = mail.a_delivery(news, BOB)
    to = mail.unsubscribe_address(delivery)
    raw = mail.an_unsubscribe_mail(BOB, to=to, text="My private words.")
    for _ in range(3):
        assert take(mailbox, raw)
    row = Feedback.objects.get()
    assert (row.kind, row.delivery, row.text) == (FeedbackKind.UNSUBSCRIBE, delivery, "")
    assert Suppression.objects.count() == 1


def test_servers_may_fold_the_case_of_the_address(mailbox: BounceMailbox, news: Campaign) -> None:
    to = mail.unsubscribe_address(mail.a_delivery(news, BOB)).upper()
    assert take(mailbox, mail.an_unsubscribe_mail(BOB, to=to))
    assert status() == MemberStatus.UNSUBSCRIBED


def test_an_ordinary_mail_is_left_alone_even_if_it_asks_to_unsubscribe(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    mail.a_delivery(news, BOB)
    assert not take(mailbox, mail.an_unsubscribe_mail(BOB, to=mail.LOGIN))
    assert not Feedback.objects.exists()
    assert not Suppression.objects.exists()


def test_a_forged_address_and_one_of_another_purpose_unsubscribe_nobody(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    delivery = mail.a_delivery(news, BOB)
    stranger = ReturnPath(mail.PATTERN, Tokens([b"guessed-by-a-stranger"]), purpose="unsubscribe")
    slip = tokens().make("slip", news.pk, delivery.pk)
    for number, to in enumerate(
        (
            stranger.make(news.pk, delivery.pk),
            mail.return_path(delivery),
            f"bounce+{slip}@corp.example.com",
            mail.unsubscribe_address(delivery)[:20] + "@corp.example.com",
        )
    ):
        take(mailbox, mail.an_unsubscribe_mail(BOB, to=to), str(number))
    assert not Suppression.objects.exists()
    assert status() == MemberStatus.SUBSCRIBED


def test_a_bounce_to_the_address_is_no_wish_to_leave(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    take(mailbox, mail.a_bounce(BOB, to=mail.unsubscribe_address(mail.a_delivery(news, BOB))))
    assert not Suppression.objects.exists()


def test_another_teams_mailbox_unsubscribes_nobody(news: Campaign) -> None:
    foreign = mail.a_mailbox(Team.objects.create(name="乙公司"))
    to = mail.unsubscribe_address(mail.a_delivery(news, BOB))
    assert not take(foreign, mail.an_unsubscribe_mail(BOB, to=to))
    assert not Suppression.objects.exists()


def test_a_test_message_and_a_payslip_unsubscribe_nobody(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    test = mail.a_delivery(news, BOB, purpose=DeliveryPurpose.TEST)
    payslip = mail.a_delivery(mail.a_sent_campaign(news.team, Kind.PAYSLIP), BOB)
    for uidl, delivery in (("1", test), ("2", payslip)):
        raw = mail.an_unsubscribe_mail(BOB, to=mail.unsubscribe_address(delivery))
        take(mailbox, raw, uidl)
    assert not Suppression.objects.exists()


def test_the_poller_deletes_the_mail_that_it_obeyed_and_leaves_the_letters(
    news: Campaign,
) -> None:
    to = mail.unsubscribe_address(mail.a_delivery(news, BOB))
    with ScriptedPop3([mail.a_letter(), mail.an_unsubscribe_mail(BOB, to=to)]) as server:
        collect.poll(mail.a_mailbox(news.team, server.port, name="另一个").pk)
    rows = MaildropMessage.objects.order_by("uidl")
    assert [row.deleted_at is not None for row in rows] == [False, True]
    assert status() == MemberStatus.UNSUBSCRIBED


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        ({"return_path_pattern": mail.PATTERN}, True),
        ({"return_path_pattern": ""}, False),
        ({"return_path_pattern": mail.PATTERN, "enabled": False}, False),
    ],
)
def test_the_newsletter_names_the_address_only_where_it_would_be_read(
    server: ScriptedRelay, fields: dict[str, object], offered: bool
) -> None:
    team = cast.a_team()
    mailbox = mail.a_mailbox(team, **fields)
    relay = cast.a_relay(team, server.port, bounce_mailbox=mailbox, own_return_path=False)
    template = cast.a_template(
        team, "newsletter", subject="新闻", html='<a href="{{ unsubscribe_url }}">退订</a>'
    )
    readers = cast.a_list(team, [BOB])
    campaign = cast.launched(cast.a_campaign(relay, contact_list=readers, template=template))
    send.send_batch(relay.pk, "worker")
    (message,) = server.accepted
    read = email.message_from_bytes(message.content, policy=email.policy.default)
    ways = read["List-Unsubscribe"].split(", ")
    assert len(ways) == 1 + offered
    if offered:
        to = unquote(ways[1].removeprefix("<mailto:").partition("?")[0])
        assert take(mailbox, mail.an_unsubscribe_mail(BOB, to=to))
        assert ListMember.objects.get(contact_list=readers).status == MemberStatus.UNSUBSCRIBED
        assert Suppression.objects.get().delivery == campaign.deliveries.get()
        assert Contact.objects.count() == 1
