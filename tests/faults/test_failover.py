"""Two relays, one of which dies half-way: the other takes over, and rows say what moved and why."""

from __future__ import annotations

import pytest

from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.faults import truth
from tests.faults.rig import Rig

pytestmark = pytest.mark.slow

RECIPIENTS = 400


@pytest.mark.timeout(120)
def test_a_relay_that_dies_is_taken_over_from_and_everybody_has_it_once(rig: Rig) -> None:
    with ScriptedRelay(RelayOptions()) as other:
        run = rig.launch(
            RECIPIENTS,
            relay={"max_connections": 2},
            other_port=other.port,
            round_trip=0.05,
        )
        rig.until_sent(run, 20)
        run.server.stop()
        rig.until_finished(run, seconds=60)
        states = truth.check(rig.rows(run), [*run.server.accepted, *other.accepted])
        doubts = states["in_doubt"]
        assert doubts <= 2, "at most one for each connection that was cut"
        assert states["accepted"] == RECIPIENTS - doubts
        assert len(other.accepted) > RECIPIENTS / 2
    moved = rig.sql(
        "SELECT e.relay_from_id, e.reason, e.number, count(d.id) FROM campaigns_campaignevent e "
        "JOIN campaigns_deliveryevent d ON d.event_id = e.id WHERE e.campaign_id = %s "
        "GROUP BY e.id",
        run.campaign,
    )
    assert moved, "no silent move"
    assert {row[0] for row in moved} == {run.relay}
    assert all(reason for _from, reason, _number, _rows in moved)
    assert all(number == rows for _from, _reason, number, rows in moved)
    # Whoever was accepted by the other and is not one of its own moved, and has a row that says so.
    untold = rig.sql(
        "SELECT count(*) FROM campaigns_delivery d WHERE d.campaign_id = %s AND d.relay_id <> %s "
        "AND d.id NOT IN (SELECT delivery_id FROM campaigns_deliveryevent)",
        run.campaign,
        run.relay,
    )
    assert untold == [(RECIPIENTS // 2,)], "its own half"
