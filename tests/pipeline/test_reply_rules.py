"""A team's own rules on replies, in the loop that sends: what they stop, what they leave alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Relay, Team
from campaigns.mailer.reply import Phase, Reply, Scope, classify
from campaigns.mailer.reply_rules import RULES
from campaigns.models import (
    Alert,
    Attempt,
    Campaign,
    DomainPark,
    RelayPark,
    ReplyRule,
    ShippedRuleOff,
    Suppression,
)
from campaigns.models.reply_rule import RuleAction
from campaigns.pipeline import reply_rules, send
from tests import cast
from tests.fakes.relay_script import Rule, Say
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def a_rule(relay: Relay, action: str, *, everywhere: bool = False, **fields: Any) -> ReplyRule:
    given = {"sentence": "网关说慢一点", "seconds": 1800, "action": action}
    given["relay"] = None if everywhere else relay
    return ReplyRule.objects.create(team=relay.team, **(given | fields))


def campaign_of(server: ScriptedRelay, *addresses: str) -> Campaign:
    team = cast.a_team()
    payroll = cast.a_payroll(team, addresses or ["p0@a.example", "p1@b.example", "p2@a.example"])
    return cast.launched(cast.a_campaign(cast.a_relay(team, server.port), payroll))


def sent(campaign: Campaign) -> dict[str, str]:
    send.send_batch(campaign.relay_id, "worker")
    return dict(campaign.deliveries.values_list("address", "state"))


def test_an_own_rule_parks_the_relay_and_no_recipient_pays(server: ScriptedRelay) -> None:
    server.script.add(Rule("rcpt", Say("550 5.7.1 hourly quota of tenant used up"), "p0@*"))
    campaign = campaign_of(server)
    rule = a_rule(campaign.relay, "park_relay", code="55x", text="quota * used up")
    now = timezone.now()
    assert set(sent(campaign).values()) == {"queued"}
    relay = Relay.objects.get()
    assert timedelta(minutes=29) < relay.parked_until - now < timedelta(minutes=31)
    assert (relay.enabled, relay.park_rule) == (True, rule.key)
    assert RelayPark.objects.get().rule == rule.key
    assert Attempt.objects.get().rule == rule.key
    assert not Suppression.objects.exists()
    assert campaign.deliveries.filter(attempts__gt=0).count() == 0


def test_it_parks_one_domain_and_the_others_go_on(server: ScriptedRelay) -> None:
    server.script.add(Rule("rcpt", Say("550 too many for this domain"), "*@a.example"))
    campaign = campaign_of(server)
    a_rule(campaign.relay, "park_domain", text="too many for this domain")
    states = sent(campaign)
    assert states["p1@b.example"] == "accepted"
    assert {states["p0@a.example"], states["p2@a.example"]} == {"deferred", "queued"}
    park = DomainPark.objects.get()
    assert (park.domain, park.reason) == ("a.example", "网关说慢一点")
    assert Attempt.objects.filter(outcome="deferred").count() == 1
    assert Relay.objects.get().parked_until is None


def test_it_refuses_without_suppressing(server: ScriptedRelay) -> None:
    server.script.add(Rule("rcpt", Say("550 5.1.1 user unknown"), "p0@*"))
    campaign = campaign_of(server)
    a_rule(campaign.relay, "refuse", enhanced="5.1.*")
    assert sent(campaign)["p0@a.example"] == "refused"
    assert not Suppression.objects.exists()


def test_it_tries_a_recipient_again_later(server: ScriptedRelay) -> None:
    server.script.add(Rule("rcpt", Say("550 5.1.1 user unknown"), "p0@*"))
    campaign = campaign_of(server)
    a_rule(campaign.relay, "retry", enhanced="5.1.1", seconds=3600)
    assert sent(campaign)["p0@a.example"] == "deferred"
    due = campaign.deliveries.get(address="p0@a.example").due_at
    assert due - timezone.now() > timedelta(minutes=59)


def test_it_holds_the_campaign(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Say("571 policy 4711"), "p0@*"))
    campaign = campaign_of(server)
    a_rule(campaign.relay, "hold", text="policy 4711")
    sent(campaign)
    campaign.refresh_from_db()
    assert campaign.hold_reason == "content_verdict"


def test_a_wrong_password_parks_the_relay_alerts_and_fails_nobody() -> None:
    with ScriptedRelay(RelayOptions(accounts={"hr": "right"})) as server:
        team = cast.a_team()
        relay = cast.a_relay(team, server.port, username="hr", secret="wrong")
        campaign = cast.launched(cast.a_campaign(relay, cast.a_payroll(team, ["a@x.example"])))
        assert sent(campaign) == {"a@x.example": "queued"}
    relay = Relay.objects.get()
    assert (relay.enabled, relay.park_reason) == (False, "auth_refused")
    alert = Alert.objects.get()
    assert (alert.kind, alert.subject_id) == ("relay_login", relay.pk)
    assert alert.params == {"name": relay.name, "reason": "auth_refused"}


# Which rules, in which order ----------------------------------------------------------------------


@pytest.fixture
def relay() -> Relay:
    return cast.a_relay(cast.a_team())


def said(relay: Relay, line: str, phase: Phase = Phase.CONTENT) -> str:
    reply = Reply.parse(int(line[:3]), [line[4:].encode()])
    return classify(phase, reply, reply_rules.rules_of(relay)).rule


def test_own_rules_come_first_in_their_order(relay: Relay) -> None:
    later = a_rule(relay, "park_relay", text="MI:SFQ", order=20)
    first = a_rule(relay, "retry", text="MI:SFQ", order=10, enabled=False)
    assert said(relay, "451 MI:SFQ") == later.key
    ReplyRule.objects.filter(pk=first.pk).update(enabled=True)
    assert said(relay, "451 MI:SFQ") == first.key


def test_a_rule_of_the_team_holds_for_each_relay_and_nobody_elses_does(relay: Relay) -> None:
    other = cast.a_relay(relay.team, name="另一个")
    stranger = cast.a_relay(cast.a_team("别家"))
    mine = a_rule(relay, "retry", code="450")
    everybodys = a_rule(relay, "retry", code="450", everywhere=True, order=99)
    assert said(relay, "450 x") == mine.key
    assert said(other, "450 x") == everybodys.key
    assert said(stranger, "450 x") == ""


def test_a_shipped_rule_is_switched_off_for_one_relay(relay: Relay) -> None:
    other = cast.a_relay(relay.team, name="另一个")
    ShippedRuleOff.objects.create(team=relay.team, relay=relay, key="netease/mi-sfq")
    assert said(relay, "451 MI:SFQ") == ""
    assert said(other, "451 MI:SFQ") == "netease/mi-sfq"


def test_what_is_about_a_recipient_is_never_read_before_rcpt(relay: Relay) -> None:
    a_rule(relay, "refuse", code="5xx")
    assert said(relay, "550 go away", Phase.MAIL) == ""
    assert said(relay, "535 wrong password", Phase.AUTH) == ""
    assert said(relay, "550 no", Phase.RCPT).startswith("own:")


@pytest.mark.parametrize("fields", [{"code": "2xx"}, {"phase": "auth", "code": "5xx"}])
def test_a_row_that_cannot_be_read_is_left_out(relay: Relay, fields: dict[str, str]) -> None:
    a_rule(relay, "refuse", **fields)
    assert reply_rules.rules_of(relay) == RULES


def test_every_shipped_rule_can_be_copied_and_does_the_same(relay: Relay) -> None:
    for rule in RULES:
        row = reply_rules.row_of(rule, relay)
        row.pk = 1
        made = reply_rules.compiled(row)
        assert (made.words, made.codes, made.enhanced) == (rule.words, rule.codes, rule.enhanced)
        same = (rule.outcome, rule.meaning)
        assert (made.outcome, made.meaning) == same
        if row.action != RuleAction.REFUSE:
            assert made.scope is rule.scope


def test_two_queries_make_the_rules(relay: Relay, django_assert_num_queries: Any) -> None:
    for _ in range(5):
        a_rule(relay, "retry", code="450")
    with django_assert_num_queries(2):
        reply_rules.rules_of(relay)


def test_at_a_recipients_own_server_a_busy_relay_is_a_busy_domain(relay: Relay) -> None:
    relay.kind = "direct"
    scopes = {rule.scope for rule in reply_rules.shipped_for(relay)}
    assert Scope.RELAY not in scopes
    assert Scope.DOMAIN in scopes


# Trying a reply out -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pasted", "code", "text"),
    [
        ("451 MI:SFQ 163 smtp1", 451, "MI:SFQ 163 smtp1"),
        ("host smtp.163.com said: 451 MI:SFQ (in reply to end of DATA)", 451, "MI:SFQ (in"),
        ("550-5.1.1 first\n550 5.1.1 second", 550, "first second"),
        ("192.0.2.550 x\n  421 4.7.0 later", 421, "later"),
    ],
)
def test_a_reply_is_found_in_what_was_pasted(pasted: str, code: int, text: str) -> None:
    trial = reply_rules.tried(pasted, "content", RULES)
    assert trial is not None
    assert trial.reply.code == code
    assert text in trial.reply.text


def test_what_is_no_refusal_is_not_found() -> None:
    for pasted in ("", "250 ok", "hello 5500 x", "x" * 5000):
        assert reply_rules.tried(pasted, "content", RULES) is None


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("<wang@qq.com>: sent too much, see https://x.cn/a?b=1", "sent too much, see"),
        (
            "Mail from 192.0.2.7 refused by 0A1B2C3D4E5F6A gateway",
            "Mail from * refused by * gateway",
        ),
        ("", ""),
    ],
)
def test_a_phrase_leaves_out_what_differs_each_time(text: str, phrase: str) -> None:
    assert reply_rules.phrase_of(text) == phrase


def test_a_sealed_reply_is_not_asked_for_its_words(server: ScriptedRelay) -> None:
    server.script.add(Rule("rcpt", Say("450 4.2.0 quotes 8888.88"), "p0@*"))
    campaign = campaign_of(server)
    sent(campaign)
    team: Team = campaign.team
    past = reply_rules.past_replies(campaign.relay, team)
    by_words = reply_rules.compiled(a_rule(campaign.relay, "retry", text="8888"))
    by_code = reply_rules.compiled(a_rule(campaign.relay, "retry", code="450"))
    assert [one.sealed for one in past] == [True]
    assert reply_rules.would_catch(by_words, past) == []
    assert len(reply_rules.would_catch(by_code, past)) == 1
