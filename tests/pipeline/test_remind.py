"""A reminder goes to those who have not answered, once a round, and to nobody else."""

from __future__ import annotations

import email
import email.policy

import pytest
from django.utils import timezone

from campaigns.models import Campaign, Confirmation, Feedback
from campaigns.pipeline import control, counts, preflight, remind, send, sweep
from tests import cast
from tests.fakes.scripted_relay import ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def sent_campaign(server: ScriptedRelay, count: int = 4, **fields: object) -> Campaign:
    team = cast.a_team()
    relay = cast.a_relay(team, server.port)
    workbook = cast.a_payroll(team, [f"p{number}@example.com" for number in range(count)])
    campaign = cast.launched(cast.a_campaign(relay, workbook, **{"confirm_days": 14, **fields}))
    go_on(campaign)
    assert campaign.state == "finished"
    return campaign


def go_on(campaign: Campaign) -> None:
    while send.send_batch(campaign.relay_id, "worker"):
        pass
    sweep.sweep()
    campaign.refresh_from_db()


def answered(campaign: Campaign, address: str, **facts: object) -> None:
    delivery = campaign.deliveries.get(address=address, purpose="campaign")
    Confirmation.objects.create(team=campaign.team, campaign=campaign, delivery=delivery, **facts)


def reminded(campaign: Campaign) -> list[str]:
    rows = campaign.deliveries.filter(purpose="reminder")
    return sorted(rows.values_list("address", flat=True))


def test_only_those_who_have_not_answered_get_it(server: ScriptedRelay) -> None:
    campaign = sent_campaign(server)
    now = timezone.now()
    answered(campaign, "p0@example.com", opened_at=now, confirmed_at=now)
    answered(campaign, "p1@example.com", opened_at=now, disputed_at=now)
    answered(campaign, "p2@example.com", opened_at=now)
    before = len(server.accepted)
    assert remind.remind(campaign) == 2
    campaign.refresh_from_db()
    assert campaign.state == "running"
    go_on(campaign)
    assert campaign.state == "finished"
    messages = server.accepted[before:]
    assert sorted(message.rcpt_to[0] for message in messages) == ["p2@example.com", "p3@example.com"]  # fmt: skip
    read = email.message_from_bytes(messages[0].content, policy=email.policy.default)
    assert read["Subject"].startswith("[提醒] ")
    assert "/slip/" in read.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    ids = [message.message_id for message in server.accepted]
    assert len(ids) == len(set(ids))


def test_two_clicks_make_one_round_and_a_later_one_another(server: ScriptedRelay) -> None:
    campaign = sent_campaign(server, 2)
    assert [remind.remind(campaign), remind.remind(campaign)] == [2, 0]
    go_on(campaign)
    assert remind.remind(campaign) == 2
    assert sorted(
        campaign.deliveries.filter(purpose="reminder").values_list("sequence", flat=True)
    ) == [1, 1, 2, 2]


def test_who_never_got_the_payslip_gets_no_reminder(server: ScriptedRelay) -> None:
    campaign = sent_campaign(server)
    campaign.deliveries.filter(address="p0@example.com").update(state="refused")
    campaign.deliveries.filter(address="p1@example.com").update(state="in_doubt")
    bounced = campaign.deliveries.get(address="p2@example.com")
    Feedback.objects.create(
        team=campaign.team, kind="bounce", delivery=bounced, campaign=campaign,
        proof="return_path", hard=True, address=bounced.address, address_key=bounced.address_key,
    )  # fmt: skip
    remind.remind(campaign)
    assert reminded(campaign) == ["p3@example.com"]


def test_it_goes_to_the_corrected_address(server: ScriptedRelay) -> None:
    campaign = sent_campaign(server, 1)
    again = campaign.deliveries.get()
    again.pk, again.purpose = None, "resend"
    again.address = again.address_key = "right@example.com"
    again.save()
    remind.remind(campaign)
    assert reminded(campaign) == ["right@example.com"]


@pytest.mark.parametrize("state", ["cancelled", "draft", "scheduled"])
def test_a_campaign_that_is_not_sending_reminds_nobody(server: ScriptedRelay, state: str) -> None:
    campaign = sent_campaign(server, 1)
    campaign.state = state
    campaign.save()
    assert remind.remind(campaign) == 0


def test_nobody_is_reminded_of_what_was_not_asked(server: ScriptedRelay) -> None:
    assert remind.remind(sent_campaign(server, 1, confirm_days=0)) == 0


def test_reminders_stop_with_the_campaign(server: ScriptedRelay) -> None:
    campaign = sent_campaign(server, 3)
    remind.remind(campaign)
    assert control.cancel(Campaign.objects.get(pk=campaign.pk))
    before = len(server.accepted)
    go_on(campaign)
    assert len(server.accepted) == before
    assert counts.recount(campaign.pk)["cancelled"] == 3


def test_a_template_without_the_link_blocks_the_launch() -> None:
    team = cast.a_team()
    workbook = cast.a_payroll(team, ["a@example.com"])
    campaign = cast.a_campaign(cast.a_relay(team), workbook, confirm_days=7)
    assert not preflight.blocks(preflight.check(campaign))
    campaign.template = cast.a_template(team, html="<p>{{ 姓名 }}</p>")
    assert "no_confirm_link" in {found.kind for found in preflight.check(campaign)}


def test_a_link_that_opens_nowhere_blocks_the_launch(settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    team = cast.a_team()
    workbook = cast.a_payroll(team, ["a@example.com"])
    campaign = cast.a_campaign(cast.a_relay(team), workbook, confirm_days=7)
    assert "public_url" in {found.kind for found in preflight.check(campaign)}
    campaign.confirm_days = 0
    assert "public_url" not in {found.kind for found in preflight.check(campaign)}
