"""Rules for the unrecognised: asked last, applied to what is kept, and no proof of anything."""

from __future__ import annotations

import time

import pytest

from accounts.models import BounceMailbox, Membership, Role, Team, User
from accounts.models.team import rights_of
from campaigns.mailer.bounces.own_rules import Meaning, OwnRule, first_said, normalised
from campaigns.mailer.reply_patterns import words_of
from campaigns.models import BounceRule, Campaign, Feedback, MaildropMessage, Original, Suppression
from campaigns.models.template import Kind
from campaigns.pipeline import bounce_rules, originals
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
def news(team: Team) -> Campaign:
    return mail.a_sent_campaign(team)


@pytest.fixture
def admin(team: Team) -> User:
    user = User.objects.create(email="admin@corp.example")
    Membership.objects.create(team=team, user=user, role=Role.MAIL_ADMIN)
    return user


def odd(to: str = mail.LOGIN, text: str = "此信箱已不再使用，请勿来信") -> bytes:
    """What no shipped reader knows."""
    return (
        f"From: 王五 <wang@odd.example>\r\nTo: {to}\r\nSubject: 通知\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


def take(mailbox: BounceMailbox, raw: bytes, uidl: str = "1") -> bool:
    judged = bounce_rules.understand(Source.of(mailbox), raw)
    return record(mailbox, uidl, judged, Fetched(raw))


def a_rule(team: Team, meaning: str = "hard", **fields: object) -> BounceRule:
    given = {"phrase": "不再使用 * 请勿来信", "meaning": meaning, "reason": "userunknown"}
    return BounceRule.objects.create(team=team, **(given | fields))


def test_a_hard_one_at_a_signed_address_suppresses_and_may_be_deleted(
    own: BounceMailbox, news: Campaign
) -> None:
    rule = a_rule(own.team)
    assert take(own, odd(to=mail.return_path(mail.a_delivery(news, BOB))))
    row = Feedback.objects.get()
    assert (row.kind, row.hard, row.reason, row.address) == ("bounce", True, "userunknown", BOB)
    assert Suppression.objects.get().address == BOB
    rule.refresh_from_db()
    assert rule.hits == 1
    assert Original.objects.get().rule == rule


def test_what_is_not_proven_suppresses_nobody_whatever_a_rule_means(
    own: BounceMailbox, news: Campaign
) -> None:
    mail.a_delivery(news, BOB)
    a_rule(own.team)
    take(own, odd(text=f"<{BOB}> 此信箱已不再使用，请勿来信"))
    row = Feedback.objects.get()
    assert (row.kind, row.address, row.proof) == ("bounce", BOB, "")
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("meaning", "kinds", "verdict"),
    [
        ("soft", ["bounce"], "bounce"),
        ("auto_reply", ["auto_reply"], "autoreply"),
        ("ignore", [], "ignored"),
    ],
)
def test_the_other_meanings(
    own: BounceMailbox, news: Campaign, meaning: str, kinds: list[str], verdict: str
) -> None:
    a_rule(own.team, meaning, reason="mailboxfull" if meaning == "soft" else "")
    assert take(own, odd(to=mail.return_path(mail.a_delivery(news, BOB))))
    assert [row.kind for row in Feedback.objects.all()] == kinds
    assert MaildropMessage.objects.get().verdict == verdict
    assert not Suppression.objects.exists()


def test_the_shipped_readers_come_first_and_other_teams_rules_never(
    own: BounceMailbox, news: Campaign
) -> None:
    a_rule(own.team, "ignore", phrase="User unknown")
    a_rule(Team.objects.create(name="乙公司"), "ignore")
    a_rule(own.team, "ignore", phrase="通知", enabled=False)
    take(own, mail.a_bounce(BOB, to=mail.return_path(mail.a_delivery(news, BOB))), "1")
    take(own, odd(), "2")
    assert sorted(Feedback.objects.values_list("kind", flat=True)) == ["bounce", "reply"]


def test_in_somebodys_inbox_a_rule_takes_only_what_is_proven(team: Team, news: Campaign) -> None:
    inbox = mail.a_mailbox(team)
    a_rule(team, "ignore", phrase="请勿来信")
    assert not take(inbox, odd(), "1")
    BounceRule.objects.update(meaning="hard")
    assert not take(inbox, odd(text="还是请勿来信"), "2")
    assert take(inbox, odd(to=mail.return_path(mail.a_delivery(news, BOB))), "3")
    assert Original.objects.count() == 1


def test_a_phrase_is_tried_on_what_is_kept_and_then_applied_to_it_once(
    own: BounceMailbox, news: Campaign, admin: User
) -> None:
    to = mail.return_path(mail.a_delivery(news, BOB))
    take(own, odd(to=to), "1")
    take(own, odd(text="别的事"), "2")
    assert Feedback.objects.filter(kind="reply").count() == 2
    reader = originals.Reader(admin, own.team_id, rights_of(admin, own.team))
    trial = bounce_rules.tried(reader, "已不再使用 *  请勿来信")
    assert (trial.looked, len(trial.caught), trial.sealed) == (2, 1, 0)
    rule = a_rule(own.team, created_by=admin, apply_asked_at="2026-01-01T00:00:00Z")
    assert bounce_rules.waiting() == [rule.pk]
    bounce_rules.apply(rule.pk)
    bounce_rules.apply(rule.pk)
    rule.refresh_from_db()
    assert (rule.hits, rule.applied_number, bounce_rules.waiting()) == (1, 1, [])
    assert sorted(Feedback.objects.values_list("kind", flat=True)) == ["bounce", "reply"]
    assert Suppression.objects.get().address == BOB
    assert MaildropMessage.objects.get(uidl="1").ours, "the next poll may delete it"


def test_it_is_neither_tried_on_nor_applied_to_what_its_author_may_not_read(
    own: BounceMailbox, admin: User
) -> None:
    mail.a_sent_campaign(own.team, Kind.PAYSLIP)
    take(own, odd())
    reader = originals.Reader(admin, own.team_id, rights_of(admin, own.team))
    trial = bounce_rules.tried(reader, "请勿来信")
    assert (trial.looked, trial.caught, trial.sealed) == (0, [], 1)
    rule = a_rule(own.team, created_by=admin, apply_asked_at="2026-01-01T00:00:00Z")
    bounce_rules.apply(rule.pk)
    assert Original.objects.get().verdict == "ordinary"


def test_no_phrase_is_slow_on_a_hundred_kilobytes_of_nonsense() -> None:
    rules = [
        OwnRule(number, words_of(" * ".join(["ab"] * 7 + ["x"])), Meaning.HARD)
        for number in range(20)
    ]
    nonsense = normalised("ab a " * 20_000)
    began = time.perf_counter()
    assert first_said(nonsense, rules) is None
    assert time.perf_counter() - began < 0.1
