"""Originals: who may read what came back, how long it is kept, and what is never kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import BounceMailbox, Right, Team, User
from campaigns.mailer import bounce
from campaigns.models import Campaign, ContentGrant, Feedback, Original
from campaigns.models.content import ContentDestroyed
from campaigns.models.template import Kind
from campaigns.pipeline import bounce_rules, originals
from campaigns.pipeline.destroy import destroy
from campaigns.pipeline.originals import Reader
from campaigns.pipeline.recording import Fetched, Source, record
from tests.pipeline import returned_mail as mail

pytestmark = pytest.mark.django_db

BOB = "bob@customer.example"


@pytest.fixture
def team() -> Team:
    return Team.objects.create(name="甲公司")


@pytest.fixture
def own(team: Team) -> BounceMailbox:
    return mail.a_mailbox(team, exclusive=True)


@pytest.fixture
def inbox(team: Team) -> BounceMailbox:
    """Somebody's own."""
    return mail.a_mailbox(team, name="公共")


def take(mailbox: BounceMailbox, raw: bytes, uidl: str = "1") -> None:
    judged = bounce_rules.understand(Source.of(mailbox), raw)
    record(mailbox, uidl, judged, Fetched(raw))


def reader(team: Team, *rights: Right, grant: Campaign | None = None) -> Reader:
    user = User.objects.create(email=f"u{User.objects.count()}@corp.example")
    if grant is not None:
        ContentGrant.objects.create(team=team, user=user, campaign=grant)
    return Reader(user, team.pk, frozenset(rights))


def payslips(team: Team) -> Campaign:
    return mail.a_sent_campaign(team, Kind.PAYSLIP)


def test_a_bounce_is_kept_as_it_came_and_lies_sealed(own: BounceMailbox, team: Team) -> None:
    news = mail.a_sent_campaign(team)
    raw = mail.a_bounce(BOB, to=mail.return_path(mail.a_delivery(news, BOB)), returned="SECRET")
    take(own, raw)
    row = Feedback.objects.get().original
    assert row is not None
    assert originals.source_of(row) == raw
    assert b"SECRET" not in bytes(row.sealed)
    assert reader(team, Right.RELAYS).may_read(row)
    assert not reader(team, Right.PAYSLIPS).may_read(row)
    assert not reader(Team.objects.create(name="乙公司"), Right.RELAYS).may_read(row)


def test_of_somebodys_inbox_only_proven_reports_are_kept(inbox: BounceMailbox, team: Team) -> None:
    to = mail.return_path(mail.a_delivery(mail.a_sent_campaign(team), BOB))
    take(inbox, mail.a_letter("私信"), "1")
    take(inbox, mail.an_auto_reply(BOB, to=to), "2")
    take(inbox, mail.a_bounce(BOB, message_id="<forged@x.example>"), "3")
    assert not Original.objects.exists()
    take(inbox, mail.a_bounce(BOB, to=to), "4")
    assert Original.objects.get().verdict == "bounce"


def test_a_payslips_is_its_hrs_alone(own: BounceMailbox, team: Team) -> None:
    campaign = payslips(team)
    take(own, mail.a_bounce(BOB, to=mail.return_path(mail.a_delivery(campaign, BOB))))
    row = originals.rows(team.pk).get()
    assert row.campaign == campaign
    assert str(row.key) == ""
    assert not reader(team, Right.RELAYS, Right.PAYSLIPS).may_read(row)
    assert reader(team, Right.PAYSLIPS, grant=campaign).may_read(row)


def test_its_message_id_alone_is_enough_to_seal_it_with_the_payslip(
    own: BounceMailbox, team: Team
) -> None:
    """Whoever it is about: what it quotes is that payslip's."""
    sent = mail.a_delivery(payslips(team), BOB)
    take(own, mail.a_bounce("else@where.example", message_id=sent.message_id))
    assert originals.rows(team.pk).get().campaign == sent.campaign


def test_what_may_quote_any_payslip_is_read_by_whoever_may_read_all(
    own: BounceMailbox, team: Team
) -> None:
    first, second = payslips(team), payslips(team)
    take(own, mail.a_letter("查无此人"))
    row = originals.rows(team.pk).get()
    assert row.maybe_payslip
    one = reader(team, Right.PAYSLIPS, grant=first)
    assert not one.may_read(row)
    ContentGrant.objects.create(team=team, user=one.user, campaign=second)
    assert Reader(one.user, team.pk, one.rights).may_read(row)
    assert not Reader(one.user, team.pk, frozenset()).may_read(row)


def test_with_the_content_goes_what_belongs_to_it(own: BounceMailbox, team: Team) -> None:
    campaign = payslips(team)
    Campaign.objects.filter(pk=campaign.pk).update(state="finished")
    take(own, mail.a_bounce(BOB, to=mail.return_path(mail.a_delivery(campaign, BOB))), "1")
    take(own, mail.a_letter("查无此人"), "2")
    kept = originals.rows(team.pk).first()
    assert campaign.workbook is not None
    assert destroy(campaign.workbook) == []
    assert not Original.objects.exists()
    assert Feedback.objects.count() == 2
    assert kept is not None
    fresh = type(kept.campaign.workbook.data_key).objects.get()  # type: ignore[union-attr]
    with pytest.raises(ContentDestroyed):
        fresh.open(kept.sealed)


@pytest.mark.parametrize(("age", "left"), [(29, 1), (31, 0)])
def test_it_is_destroyed_after_its_time(
    own: BounceMailbox, team: Team, age: int, left: int
) -> None:
    take(own, mail.a_letter())
    Original.objects.update(received_at=timezone.now() - timedelta(days=age))
    originals.expire()
    assert Original.objects.count() == left
    assert Feedback.objects.count() == 1


def test_a_team_that_keeps_none_has_none(own: BounceMailbox, team: Team) -> None:
    take(own, mail.a_letter("1"), "1")
    Team.objects.update(originals_days=0)
    take(own, mail.a_letter("2"), "2")
    assert Original.objects.count() == 1
    assert originals.expire() == 1


def test_a_message_that_is_numbered_anew_is_kept_and_told_once(own: BounceMailbox) -> None:
    take(own, mail.a_letter(), "7.1")
    take(own, mail.a_letter(), "8.1")
    assert (Original.objects.count(), Feedback.objects.count()) == (1, 1)
    assert own.messages.count() == 2


def test_erasing_removes_what_names_the_person(own: BounceMailbox, team: Team) -> None:
    take(own, mail.a_letter(f"ask {BOB.upper()}"), "1")
    take(own, mail.a_bounce(BOB), "2")
    take(own, mail.a_letter("somebody else"), "3")
    originals.erase(team.pk, BOB, Feedback.objects.filter(address_key=BOB))
    assert [originals.said_of(row)[-13:] for row in originals.rows(team.pk)] == ["somebody else"]


def test_a_broken_message_is_kept_too(own: BounceMailbox) -> None:
    raw = b"\xff\xfe\0 no header at all \xd5\xe2"
    take(own, raw)
    assert originals.source_of(Original.objects.get()) == raw
    assert bounce.read(raw).kind in ("ordinary", "unrecognised")
