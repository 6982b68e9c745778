"""Recipient domains that are limited or parked hold nobody else up, and are never sent one too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import redis as redis_client
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import Campaign, Claim, Delivery, DomainLimit
from campaigns.models.template import Kind
from campaigns.pipeline import claim as claims
from campaigns.pipeline import lanes, limited_domains, send, sweep, work
from campaigns.pipeline.ledger import EmbeddedLedger, ledger, redis_ledger
from campaigns.pipeline.limited_domains import limit_for, limited, limits_of
from campaigns.pipeline.park_domain import lift, park_domain, parked
from tests import cast
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.servers.redis import Redis

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def people(*counts: tuple[str, int]) -> list[str]:
    return [f"p{number}@{domain}" for domain, many in counts for number in range(many)]


def a_run(
    server: ScriptedRelay, addresses: Sequence[str], relay: Relay | None = None, **fields: object
) -> Campaign:
    if relay is None:
        team = cast.a_team(f"公司 {server.port}")
        cast.a_key(team)
        relay = cast.a_relay(team, server.port, **fields)
    return cast.launched(cast.a_campaign(relay, cast.a_payroll(relay.team, addresses)))


def a_limit(campaign: Campaign, *domains: str, **amounts: object) -> DomainLimit:
    return DomainLimit.objects.create(
        team=campaign.team, name="、".join(domains), domains=list(domains), **amounts
    )


def domains(rows: Sequence[Delivery]) -> Counter[str]:
    return Counter(row.domain for row in rows)


def accepted(campaign: Campaign) -> Counter[str]:
    return domains(list(campaign.deliveries.filter(state="accepted")))


def claimed(campaign: Campaign, limit: int = 100) -> list[Delivery]:
    mine = claims.open_claim(campaign.relay_id, "w")
    assert mine is not None
    return claims.take(mine, campaign.relay, limit)[0]


# Limits -------------------------------------------------------------------------------------------


def test_a_full_domain_is_passed_over_and_the_others_go_on(server: ScriptedRelay) -> None:
    campaign = a_run(server, people(("qq.com", 6), ("foxmail.com", 3), ("corp.cn", 5)))
    limit = a_limit(campaign, "qq.com", "foxmail.com", hour=4)
    send.send_batch(campaign.relay_id, "w")
    sent = accepted(campaign)
    assert sent["corp.cn"] == 5
    assert sent["qq.com"] + sent["foxmail.com"] == 4, "two domains of one limit count together"
    limit.refresh_from_db()
    assert campaign.deliveries.filter(state="queued", claim=None).count() == 5
    assert list(work.relays_with_work()) == [], "no worker is started only to find the domain full"
    assert not send.send_batch(campaign.relay_id, "w")
    assert len(server.accepted) == 9


def test_a_domain_goes_on_when_its_window_frees(server: ScriptedRelay) -> None:
    campaign = a_run(server, people(("qq.com", 3)))
    limit = a_limit(campaign, "qq.com", second=2)
    send.send_batch(campaign.relay_id, "w")
    assert accepted(campaign) == {"qq.com": 3}
    ended = sorted(message.ended for message in server.accepted)
    assert ended[2] - ended[0] >= 1.0
    assert limited(limit).windows


def test_the_limit_holds_across_relays_of_the_team(server: ScriptedRelay) -> None:
    first = a_run(server, people(("qq.com", 4)))
    limit = a_limit(first, "qq.com", hour=6)
    other = cast.a_relay(first.team, server.port, name="第二个")
    second = a_run(server, [f"q{number}@qq.com" for number in range(4)], relay=other)
    for campaign in (first, second, first):
        send.send_batch(campaign.relay_id, "w")
    assert len(server.accepted) == 6
    assert limited(limit).group in limited_domains.groups_beside(first.team_id)


def test_no_more_messages_than_connections_are_under_way_to_a_domain() -> None:
    with ScriptedRelay(RelayOptions(round_trip=0.02)) as server:
        campaign = a_run(server, people(("qq.com", 12), ("corp.cn", 24)), max_connections=4)
        a_limit(campaign, "qq.com", connections=1)
        send.send_batch(campaign.relay_id, "w")
        assert accepted(campaign) == {"qq.com": 12, "corp.cn": 24}
        mine = [one for one in server.accepted if one.rcpt_to[0].endswith("@qq.com")]
        edges = sorted([(one.ended, -1) for one in mine] + [(one.started, 1) for one in mine])
        under_way = most = 0
        for _moment, step in edges:
            under_way += step
            most = max(most, under_way)
        assert most == 1


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("qq.com", "a"),
        ("x.edu.cn", "b"),
        ("mail.x.edu.cn", "b"),
        ("edu.cn", None),
        ("v.edu.cn", "c"),
    ],
)
def test_a_domain_counts_against_the_limit_that_names_it_or_else_covers_it(
    domain: str, name: str | None
) -> None:
    team = cast.a_team()
    for title, patterns in (("a", ["qq.com"]), ("b", ["*.edu.cn"]), ("c", ["v.edu.cn"])):
        DomainLimit.objects.create(team=team, name=title, domains=patterns, hour=1)
    limits = limits_of(team.pk)
    found = limit_for(domain, limits)
    names = dict(DomainLimit.objects.values_list("pk", "name"))
    assert (names[found.limit_id] if found else None) == name


@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_a_new_ledger_remembers_what_went_to_the_domain_through_any_relay(
    kind: str, server: ScriptedRelay, tmp_path_factory: pytest.TempPathFactory
) -> None:
    campaign = a_run(server, people(("qq.com", 3), ("corp.cn", 2)))
    send.send_batch(campaign.relay_id, "w")
    found = limited(a_limit(campaign, "qq.com", hour=10))
    if kind == "embedded":
        assert len(EmbeddedLedger().acquire(found.group, found.windows, "1", 20).ids) == 7
        return
    with Redis(tmp_path_factory.mktemp("domains")) as running:
        client = redis_client.Redis.from_url(running.url)
        book = redis_ledger(client)
        assert len(book.acquire(found.group, found.windows, "1", 20).ids) == 7
        client.flushall()
        Claim.objects.create(
            team=campaign.team,
            relay=campaign.relay,
            worker="other",
            lease_until=datetime.now(UTC) + timedelta(minutes=1),
        )
        assert book.acquire(found.group, found.windows, "2", 20).ids == [], (
            "it may have some in flight"
        )


# Parks --------------------------------------------------------------------------------------------


def test_a_parked_domain_waits_on_that_relay_alone(server: ScriptedRelay) -> None:
    campaign = a_run(server, people(("qq.com", 2), ("corp.cn", 2)))
    until = timezone.now() + timedelta(hours=1)
    park_domain(campaign.relay, "QQ.com", until, "ratelimited")
    park_domain(campaign.relay, "qq.com", until - timedelta(minutes=30), "temporary")
    (park,) = parked(campaign.relay)
    assert (park.until, park.reason) == (until, "ratelimited"), "the longer park stays"
    send.send_batch(campaign.relay_id, "w")
    assert accepted(campaign) == {"corp.cn": 2}
    assert list(work.relays_with_work()) == []
    other = cast.a_relay(campaign.team, server.port, name="第二个")
    send.send_batch(a_run(server, people(("qq.com", 1)), relay=other).relay_id, "w")
    assert len(server.accepted) == 3
    lift(park)
    send.send_batch(campaign.relay_id, "w")
    assert accepted(campaign) == {"corp.cn": 2, "qq.com": 2}


def test_a_park_ends_by_itself(server: ScriptedRelay) -> None:
    campaign = a_run(server, people(("qq.com", 1)))
    park_domain(campaign.relay, "qq.com", timezone.now() - timedelta(seconds=1), "ratelimited")
    assert list(work.relays_with_work())
    send.send_batch(campaign.relay_id, "w")
    assert accepted(campaign) == {"qq.com": 1}


# Fairness -----------------------------------------------------------------------------------------


def test_a_limited_domain_holds_no_more_than_its_share_of_a_claim(server: ScriptedRelay) -> None:
    campaign = a_run(server, people(("qq.com", 90), ("corp.cn", 40)))
    a_limit(campaign, "qq.com", hour=1000)
    assert domains(claimed(campaign, 60)) == {"qq.com": 30, "corp.cn": 30}


def test_a_claim_takes_of_a_limited_domain_what_its_window_has_room_for(
    server: ScriptedRelay,
) -> None:
    campaign = a_run(server, people(("qq.com", 90), ("corp.cn", 80)))
    a_limit(campaign, "qq.com", hour=5)
    assert domains(claimed(campaign, 60)) == {"qq.com": 5, "corp.cn": 55}


def test_domains_take_turns_within_a_claim(server: ScriptedRelay) -> None:
    campaign = a_run(server, people(("qq.com", 5), ("a.cn", 1), ("b.cn", 2)))
    order = [row.domain for row in claimed(campaign)]
    assert order == ["qq.com", "a.cn", "b.cn", "qq.com", "b.cn", "qq.com", "qq.com", "qq.com"]


def test_payslips_go_before_newsletters_and_campaigns_of_a_kind_share(
    server: ScriptedRelay,
) -> None:
    payslips = a_run(server, people(("corp.cn", 10)))
    relay = payslips.relay
    letter = cast.a_template(relay.team, Kind.NEWSLETTER, html="<p>{{ unsubscribe_url }}</p>")
    lists = [
        cast.a_list(relay.team, [f"r{number}@{name}.cn" for number in range(many)], name)
        for name, many in (("giant", 300), ("small", 8))
    ]
    letters = [
        cast.launched(cast.a_campaign(relay, contact_list=one, template=letter, name=one.name))
        for one in lists
    ]
    rows = claimed(payslips, 30)
    assert [row.campaign_id for row in rows[:10]] == [payslips.pk] * 10
    shares = Counter(row.campaign_id for row in rows[10:])
    assert shares == {letters[0].pk: 12, letters[1].pk: 8}, (
        "what the small one leaves is the giant's"
    )


def test_a_test_message_goes_at_once_beside_a_giant_campaign(server: ScriptedRelay) -> None:
    campaign = a_run(server, people(("corp.cn", 200)))
    test = campaign.deliveries.earliest("pk")
    Delivery.objects.filter(pk=test.pk).update(purpose="test", priority=30)
    assert claimed(campaign, 20)[0].pk == test.pk


def test_whether_others_wait_is_asked_between_the_domains_that_rest(
    server: ScriptedRelay,
) -> None:
    campaign = a_run(server, people(("m.cn", 3), ("qq.com", 4)))
    rested = a_limit(campaign, "m.cn", "qq.com", hour=9)
    DomainLimit.objects.filter(pk=rested.pk).update(
        resting_until=timezone.now() + timedelta(minutes=5)
    )
    assert not lanes.anything_waits(campaign.relay, [campaign.pk])
    for other in ("a.cn", "n.cn", "z.cn"):
        Delivery.objects.filter(pk=campaign.deliveries.filter(domain="qq.com")[0].pk).update(
            domain=other
        )
        assert lanes.anything_waits(campaign.relay, [campaign.pk]), other
        campaign.deliveries.filter(domain=other).update(domain="qq.com")


def test_a_killed_workers_permits_count_as_sent(server: ScriptedRelay) -> None:
    campaign = a_run(server, people(("qq.com", 1)))
    found = limited(a_limit(campaign, "qq.com", hour=2))
    dead = claims.open_claim(campaign.relay_id, "dead")
    assert dead is not None
    assert ledger().acquire(found.group, found.windows, str(dead.pk), 1).ids
    Claim.objects.filter(pk=dead.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert sweep.end_dead_claims() == 1
    assert ledger().usage(found.group, found.windows) == [1]
    assert ledger().usage(campaign.relay.quota_group, []) == []
