"""A resend is a message of its own, beside its campaign's state."""

from __future__ import annotations

import pytest

from campaigns.models import Campaign, Delivery
from campaigns.pipeline import resend, send
from tests import cast
from tests.fakes.scripted_relay import ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def sent(server: ScriptedRelay) -> Delivery:
    team = cast.a_team()
    relay = cast.a_relay(team, server.port)
    campaign = cast.launched(cast.a_campaign(relay, cast.a_payroll(team, ["p0@example.com"])))
    send.send_batch(relay.pk, "worker")
    Campaign.objects.update(state="finished")
    return campaign.deliveries.select_related("campaign__workbook__data_key").get()


def to(address: str) -> dict[str, str]:
    return {"address": address, "address_key": address, "note": "改了地址"}


def test_it_arrives_while_the_campaign_stays_finished(server: ScriptedRelay) -> None:
    delivery = sent(server)
    again = resend.resend(delivery, **to("right@example.com"))
    assert again is not None
    send.send_batch(again.relay_id, "worker")
    first, second = server.accepted
    assert second.rcpt_to == ("right@example.com",)
    assert first.message_id != second.message_id
    assert Campaign.objects.get().state == "finished"
    again.refresh_from_db()
    assert (again.state, again.message_id) == ("accepted", second.message_id)


def test_a_second_one_waits_for_the_end_of_the_first(server: ScriptedRelay) -> None:
    delivery = sent(server)
    first = resend.resend(delivery, **to("b@example.com"))
    assert first is not None
    assert resend.resend(delivery, **to("c@example.com")) is None
    send.send_batch(first.relay_id, "worker")
    second = resend.resend(delivery, **to("c@example.com"))
    assert second is not None
    assert (first.sequence, second.sequence) == (0, 1)
