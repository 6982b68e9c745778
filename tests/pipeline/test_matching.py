"""Which delivery a report concerns, and whom it may suppress: only what proves itself is believed."""

from __future__ import annotations

import pytest

from accounts.models import BounceMailbox, Team
from campaigns.mailer import bounce
from campaigns.mailer.return_path import ReturnPath
from campaigns.mailer.tokens import Tokens
from campaigns.models import Campaign, Feedback, MaildropMessage, Suppression
from campaigns.models.campaign import CampaignCount
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import DeliveryPurpose
from campaigns.models.feedback import FeedbackKind, Proof, SuppressionReason
from campaigns.models.template import Kind
from campaigns.pipeline.compose import tokens
from campaigns.pipeline.counts import BOUNCED
from campaigns.pipeline.recording import Fetched, Source, judge, record
from tests.pipeline import returned_mail as mail

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOB = "bob@customer.example"


@pytest.fixture
def team() -> Team:
    return Team.objects.create(name="甲公司")


@pytest.fixture
def mailbox(team: Team) -> BounceMailbox:
    return mail.a_mailbox(team)


@pytest.fixture
def news(team: Team) -> Campaign:
    return mail.a_sent_campaign(team)


def take(mailbox: BounceMailbox, raw: bytes, uidl: str = "1") -> bool:
    """Judges and records one message; whether it may be deleted."""
    return record(mailbox, uidl, judge(Source.of(mailbox), bounce.read(raw)), Fetched(raw))


def test_a_hard_bounce_to_the_signed_return_path_suppresses_the_address(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    delivery = mail.a_delivery(news, BOB)
    assert take(mailbox, mail.a_bounce(BOB, to=mail.return_path(delivery)))
    row = Feedback.objects.get()
    assert (row.kind, row.hard, row.proof) == (FeedbackKind.BOUNCE, True, Proof.RETURN_PATH)
    assert (row.delivery, row.campaign, row.status) == (delivery, news, "5.1.1")
    assert "User unknown" in row.text
    found = Suppression.objects.get()
    assert (found.address_key, found.reason) == (BOB, SuppressionReason.HARD_BOUNCE)
    assert (found.delivery, found.contact_list) == (delivery, None)


def test_servers_may_fold_the_case_of_the_return_path(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    delivery = mail.a_delivery(news, BOB)
    assert take(mailbox, mail.a_bounce(BOB, to=mail.return_path(delivery).upper()))
    assert Suppression.objects.count() == 1


def test_a_message_id_counts_with_its_recipient_alone(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    delivery = mail.a_delivery(news, BOB)
    carol = "carol@customer.example"
    assert not take(mailbox, mail.a_bounce(carol, message_id=delivery.message_id), "1")
    assert not Suppression.objects.exists()
    assert take(mailbox, mail.a_bounce("BOB@Customer.Example", message_id=delivery.message_id), "2")
    assert Feedback.objects.get().proof == Proof.MESSAGE_ID
    assert Suppression.objects.get().address_key == BOB


def test_a_forwarded_message_is_matched_by_the_address_that_we_wrote_to(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    delivery = mail.a_delivery(news, BOB)
    raw = mail.a_bounce("bob@new.example", original=BOB, message_id=delivery.message_id)
    assert take(mailbox, raw)
    assert Feedback.objects.get().proof == Proof.MESSAGE_ID
    assert Suppression.objects.get().address_key == BOB


def test_an_address_alone_is_shown_as_unproven_and_suppresses_nobody(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    mail.a_delivery(news, BOB)
    latest = mail.a_delivery(news, BOB)
    assert not take(mailbox, mail.a_bounce(BOB, reply="550 5.1.1 private words"))
    row = Feedback.objects.get()
    assert (row.proof, row.delivery, row.hard, row.text) == (Proof.NONE, latest, True, "")
    assert not Suppression.objects.exists()
    assert not CampaignCount.objects.filter(state=BOUNCED, number__gt=0).exists()


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_forged_return_path_suppresses_nobody(
    mailbox: BounceMailbox, news: Campaign, exclusive: bool
) -> None:
    mailbox.exclusive = exclusive
    delivery = mail.a_delivery(news, BOB)
    strangers_key = Tokens([b"guessed-by-a-stranger"])
    forged = ReturnPath(mail.PATTERN, strangers_key).make(news.pk, delivery.pk)
    other_purpose = tokens().make("unsubscribe", news.pk, delivery.pk)
    take(mailbox, mail.a_bounce(BOB, to=forged), "1")
    take(mailbox, mail.a_bounce(BOB, to=f"bounce+{other_purpose}@corp.example.com"), "2")
    take(mailbox, mail.a_bounce(BOB, to=mail.return_path(delivery)[:-30] + "@x.example"), "3")
    assert {row.proof for row in Feedback.objects.all()} == {Proof.NONE}
    assert Feedback.objects.count() == 3
    assert not Suppression.objects.exists()


def test_no_report_reaches_another_team(mailbox: BounceMailbox) -> None:
    others = mail.a_sent_campaign(Team.objects.create(name="乙公司"))
    delivery = mail.a_delivery(others, BOB)
    raw = mail.a_bounce(BOB, to=mail.return_path(delivery), message_id=delivery.message_id)
    assert not take(mailbox, raw)
    assert not Feedback.objects.exists()
    assert not Suppression.objects.exists()


def test_a_token_whose_campaign_is_another_one_proves_nothing(
    mailbox: BounceMailbox, news: Campaign, team: Team
) -> None:
    delivery = mail.a_delivery(news, BOB)
    other = mail.a_sent_campaign(team)
    mixed = ReturnPath(mail.PATTERN, tokens()).make(other.pk, delivery.pk)
    assert not take(mailbox, mail.a_bounce(BOB, to=mixed))
    assert not Suppression.objects.exists()


def test_the_bounce_of_a_test_suppresses_nobody_and_is_not_counted(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    test = mail.a_delivery(news, BOB, purpose=DeliveryPurpose.TEST)
    assert take(mailbox, mail.a_bounce(BOB, to=mail.return_path(test)))
    assert Feedback.objects.get().delivery == test
    assert not Suppression.objects.exists()
    assert not CampaignCount.objects.filter(state=BOUNCED, number__gt=0).exists()


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"status": "5.2.2", "reply": "552 5.2.2 Mailbox full"}, FeedbackKind.BOUNCE),
        (
            {"status": "4.4.1", "action": "delayed", "reply": "connection timed out"},
            FeedbackKind.DELAYED,
        ),
    ],
)
def test_soft_bounces_and_delays_suppress_nobody(
    mailbox: BounceMailbox, news: Campaign, changes: dict[str, str], kind: FeedbackKind
) -> None:
    delivery = mail.a_delivery(news, BOB)
    assert take(mailbox, mail.a_bounce(BOB, to=mail.return_path(delivery), **changes))
    row = Feedback.objects.get()
    assert (row.kind, row.hard) == (kind, False)
    assert not Suppression.objects.exists()


def test_a_report_of_delivery_is_recorded_as_that(mailbox: BounceMailbox, news: Campaign) -> None:
    delivery = mail.a_delivery(news, BOB)
    to = mail.return_path(delivery)
    raw = mail.a_bounce(BOB, to=to, status="2.0.0", action="delivered", reply="250 2.0.0 ok")
    assert take(mailbox, raw)
    assert Feedback.objects.get().kind == FeedbackKind.DELIVERED
    assert not Suppression.objects.exists()


def test_a_complaint_suppresses_and_a_report_of_the_contrary_does_not(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    delivery = mail.a_delivery(news, BOB)
    to = mail.return_path(delivery)
    assert take(mailbox, mail.a_complaint(BOB, to=to, kind="not-spam"), "1")
    assert not Suppression.objects.exists()
    assert take(mailbox, mail.a_complaint(BOB, to=to), "2")
    assert Suppression.objects.get().reason == SuppressionReason.COMPLAINT
    kinds = Feedback.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == [FeedbackKind.UNRECOGNISED, FeedbackKind.COMPLAINT]


def test_what_a_forwarded_address_says_is_noted(mailbox: BounceMailbox, news: Campaign) -> None:
    delivery = mail.a_delivery(news, BOB)
    take(mailbox, mail.a_bounce("robert@home.example", to=mail.return_path(delivery)))
    found = Suppression.objects.get()
    assert (found.address_key, found.note) == (BOB, "→ robert@home.example")
    assert Feedback.objects.get().address == "robert@home.example"


def test_one_dead_member_behind_an_address_does_not_suppress_it(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    delivery = mail.a_delivery(news, "all@customer.example")
    second = (
        b"\r\nFinal-Recipient: rfc822; full@customer.example\r\nAction: failed\r\nStatus: 5.2.2"
    )
    second += (
        b"\r\nDiagnostic-Code: smtp; 552 5.2.2 Mailbox full\r\n\r\n--b\r\nContent-Type: message/"
    )
    raw = mail.a_bounce("gone@customer.example", to=mail.return_path(delivery))
    raw = raw.replace(b"\r\n--b\r\nContent-Type: message/rfc822", second + b"rfc822")
    take(mailbox, raw)
    assert sorted(Feedback.objects.values_list("hard", flat=True)) == [False, True]
    assert not Suppression.objects.exists()


def test_bounced_deliveries_are_counted_once_each(mailbox: BounceMailbox, news: Campaign) -> None:
    for number, address in enumerate((BOB, "carol@customer.example")):
        delivery = mail.a_delivery(news, address)
        for copy in "ab":
            raw = mail.a_bounce(address, to=mail.return_path(delivery), returned=copy)
            take(mailbox, raw, f"{number}{copy}")
    assert CampaignCount.objects.get(campaign=news, state=BOUNCED).number == 2
    assert Feedback.objects.count() == 4
    assert Suppression.objects.count() == 2


def test_the_same_message_is_recorded_once(mailbox: BounceMailbox, news: Campaign) -> None:
    raw = mail.a_bounce(BOB, to=mail.return_path(mail.a_delivery(news, BOB)))
    assert take(mailbox, raw) is take(mailbox, raw) is True
    assert (Feedback.objects.count(), MaildropMessage.objects.count()) == (1, 1)


def test_a_letter_in_somebodys_inbox_is_not_stored(mailbox: BounceMailbox, news: Campaign) -> None:
    mail.a_delivery(news, "zhang@friends.example")
    assert not take(mailbox, mail.a_letter())
    assert not Feedback.objects.exists()
    row = MaildropMessage.objects.get()
    assert (row.uidl, row.verdict, row.ours) == ("1", "ordinary", False)


def test_a_bounce_of_somebodys_private_letter_is_not_stored(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    assert not take(mailbox, mail.a_bounce("friend@elsewhere.example", message_id="<x@y.example>"))
    assert not Feedback.objects.exists()


def test_an_automatic_reply_in_somebodys_inbox_stays_there(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    delivery = mail.a_delivery(news, BOB)
    assert not take(mailbox, mail.an_auto_reply(BOB, to=mail.return_path(delivery)))
    row = Feedback.objects.get()
    assert (row.kind, row.delivery, row.text) == (FeedbackKind.AUTO_REPLY, delivery, "")


def test_a_mailbox_for_bounces_only_keeps_everything(team: Team, news: Campaign) -> None:
    mailbox = mail.a_mailbox(team, exclusive=True)
    to = mail.return_path(mail.a_delivery(news, BOB))
    assert take(mailbox, mail.an_auto_reply(BOB, to=to), "1")
    assert take(mailbox, mail.a_bounce("x@elsewhere.example"), "2")
    assert not take(mailbox, mail.a_letter("Who are you?"), "3")
    rows = list(Feedback.objects.order_by("pk"))
    assert [row.kind for row in rows] == [
        FeedbackKind.AUTO_REPLY,
        FeedbackKind.BOUNCE,
        FeedbackKind.REPLY,
    ]
    assert "away until Monday" in rows[0].text
    assert (rows[1].delivery, rows[1].proof) == (None, Proof.NONE)
    assert "Who are you?" in rows[2].text
    assert not Suppression.objects.exists()


class TestPayslips:
    SALARY = "实发工资 23,456.78"

    def bounce(self, payslips: Campaign, **fields: str) -> bytes:
        delivery = mail.a_delivery(payslips, BOB)
        reply = f"550 5.1.1 User unknown {self.SALARY}"
        to = mail.return_path(delivery)
        return mail.a_bounce(BOB, **({"to": to, "reply": reply, "returned": self.SALARY} | fields))

    def test_its_texts_are_sealed_and_what_came_back_is_dropped(self, team: Team) -> None:
        payslips = mail.a_sent_campaign(team, Kind.PAYSLIP)
        take(mail.a_mailbox(team), self.bounce(payslips))
        row = Feedback.objects.get()
        assert (row.text, row.hard) == ("", True)
        assert self.SALARY.encode() not in bytes(row.sealed_text)
        assert payslips.workbook is not None
        key = payslips.workbook.data_key
        assert "User unknown" in key.open(row.sealed_text).decode()
        key.key = ""
        key.__dict__.pop("_aesgcm", None)
        with pytest.raises(ContentDestroyed):
            key.open(row.sealed_text)

    @pytest.mark.parametrize("exclusive", [True, False])
    def test_what_is_not_proven_leaves_no_text_where_payslips_are_sent(
        self, team: Team, exclusive: bool
    ) -> None:
        mailbox = mail.a_mailbox(team, exclusive=exclusive)
        payslips = mail.a_sent_campaign(team, Kind.PAYSLIP)
        take(mailbox, self.bounce(payslips, to=mail.LOGIN), "1")
        take(mailbox, mail.a_letter(f"您的工资条没有送到：{self.SALARY}"), "2")
        assert Feedback.objects.exists()
        for row in Feedback.objects.all():
            assert (row.text, row.sealed_text) == ("", None)

    def test_without_its_key_the_bounce_still_counts(self, team: Team) -> None:
        payslips = mail.a_sent_campaign(team, Kind.PAYSLIP)
        assert payslips.workbook is not None
        payslips.workbook.data_key.key = ""
        payslips.workbook.data_key.save()
        assert take(mail.a_mailbox(team), self.bounce(payslips))
        assert Feedback.objects.get().sealed_text is None
        assert Suppression.objects.count() == 1


def test_text_that_no_database_takes_is_recorded_all_the_same(
    mailbox: BounceMailbox, news: Campaign
) -> None:
    to = mail.return_path(mail.a_delivery(news, BOB))
    raw = mail.a_bounce(
        BOB, to=to, reply="550 5.1.1 User\0unknown \udcff".encode("utf-8", "ignore").decode()
    )
    assert take(mailbox, raw)
    assert "\0" not in Feedback.objects.get().text


@pytest.mark.parametrize(
    "raw", [b"", b"\0" * 5000, b"\xff\xfe" * 999, b"Content-Type: multipart/x\r\n" * 99]
)
def test_rubbish_gets_a_verdict(mailbox: BounceMailbox, raw: bytes) -> None:
    mailbox.exclusive = True
    assert take(mailbox, raw) is False
    assert MaildropMessage.objects.count() == 1
