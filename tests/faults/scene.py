"""Campaigns whose batches run in the test's own process, held against the relay's log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.utils import timezone

from campaigns.models import Campaign, Delivery
from campaigns.pipeline import send, sweep
from tests import cast
from tests.fakes.scripted_relay import ScriptedRelay
from tests.faults import truth

# What a relay is asked in at most; short, since tests wait for it.
QUICK = {"connect_timeout": 1, "command_timeout": 1, "final_dot_timeout": 1}


def a_campaign(
    server: ScriptedRelay,
    count: int = 5,
    *,
    addresses: Sequence[str] = (),
    relay: dict[str, object] | None = None,
    **fields: object,
) -> Campaign:
    """A planned payslip campaign to p0…@example.com through that relay."""
    team = cast.a_team(f"公司 {server.port}")
    cast.a_key(team)
    made = cast.a_relay(team, server.port, **(QUICK | (relay or {})))
    given = addresses or [f"p{number}@example.com" for number in range(count)]
    return cast.launched(cast.a_campaign(made, cast.a_payroll(team, given), **fields))


def run(campaign: Campaign, times: int = 1) -> None:
    """So many batches, as ticks would start them; a broken connection's pause is not waited for."""
    for _ in range(times):
        send.send_batch(campaign.relay_id, "worker")
        campaign.deliveries.filter(state="deferred", attempts=0).update(due_at=timezone.now())


def unpark(campaign: Campaign) -> None:
    """The time for which the relay was parked has passed."""
    campaign.relay.refresh_from_db()
    type(campaign.relay).objects.filter(pk=campaign.relay_id).update(parked_until=None)
    campaign.deliveries.filter(state="deferred").update(due_at=timezone.now())


def states(campaign: Campaign) -> Counter[str]:
    return Counter(campaign.deliveries.values_list("state", flat=True))


def of(campaign: Campaign, address: str) -> Delivery:
    return campaign.deliveries.get(address=address)


def check(campaign: Campaign, server: ScriptedRelay) -> Counter[str]:
    """Rows and relay agree; nobody is lost, nobody twice."""
    rows = [
        truth.Row(
            delivery.pk,
            delivery.address,
            delivery.state,
            delivery.message_id,
            delivery.claim_id,
            delivery.attempts,
            delivery.reason,
            delivery.tries.filter(content_began=True).count(),
        )
        for delivery in campaign.deliveries.all()
    ]
    return truth.check(rows, server.accepted)


def finished(campaign: Campaign) -> bool:
    sweep.sweep()
    campaign.refresh_from_db()
    return campaign.state == "finished"
