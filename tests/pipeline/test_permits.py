"""A batch's permits over several connections: what Redis forgets, the batch still counts."""

from __future__ import annotations

import pytest
import redis as redis_client

from accounts.models import RelayLimit
from campaigns.models import Claim
from campaigns.pipeline.ledger import BLOCK, redis_ledger
from campaigns.pipeline.permits import Permits
from campaigns.pipeline.send import open_claims
from tests.cast import a_relay, a_team
from tests.servers.redis import Redis

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(tmp_path):
    with Redis(tmp_path / "redis") as server, redis_client.Redis.from_url(server.url) as found:
        yield found


def a_batch(client, connections=3, **limits: int) -> Permits:
    relay = a_relay(a_team(), max_connections=connections)
    for window, amount in limits.items():
        RelayLimit.objects.create(team=relay.team, relay=relay, window=window, amount=amount)
    claims: list[Claim] = open_claims(relay.pk, "worker", connections)
    return Permits(redis_ledger(client), relay, claims)


def in_flight(permits: Permits, number: int) -> list[str]:
    """So many messages under way, none of which was replied to."""
    return [taken(permits) for _ in range(number)]


def taken(permits: Permits) -> str:
    for _ in range(8):  # the ledger is new: it believes the other claims to hold a block each
        if not permits.at_hand:
            permits.ask(100)
    return permits.take()


@pytest.mark.parametrize("limits", [{"minute": 10}, {"second": 10, "minute": 10}])
def test_a_flush_while_messages_are_under_way_frees_none_of_their_places(client, limits) -> None:
    permits = a_batch(client, **limits)
    in_flight(permits, 8)
    granted = 0
    while permits.at_hand:
        permits.take()
        granted += 1
    client.flushall()
    for _ in range(6):  # each claim is heard twice
        permits.ask(100)
        while permits.at_hand:
            permits.take()
            granted += 1
    assert granted == 2


def test_after_a_flush_the_whole_allowance_can_still_be_used(client) -> None:
    permits = a_batch(client, second=100, minute=100)
    for permit in in_flight(permits, 5):
        permits.release(permit)
    client.flushall()
    for _ in range(3):
        permits.ask(1)
        permits.release(permits.take())
    assert len(in_flight(permits, 90)) == 90


def test_no_claim_ever_holds_more_than_a_rebuild_assumes_of_it(client) -> None:
    permits = a_batch(client, connections=2, day=1000)
    in_flight(permits, 2)
    for _ in range(12):
        in_flight(permits, 1)
        held = list(permits._held.values())
        assert max(held.count(claim) for claim in set(held)) <= BLOCK
