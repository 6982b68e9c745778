"""A recall stops what has not left and closes the pages of what has; the same month goes out twice only as a correction."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from campaigns.models import Campaign
from campaigns.pipeline import confirm, control, preflight, recall, remind, resend, send, sweep
from campaigns.pipeline.compose import links
from tests import cast
from tests.fakes.scripted_relay import ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def a_campaign(port: int = 1, count: int = 3, **fields: object) -> Campaign:
    team = cast.a_team()
    relay = cast.a_relay(team, port)
    workbook = cast.a_payroll(team, [f"p{number}@example.com" for number in range(count)])
    return cast.a_campaign(relay, workbook, **{"confirm_days": 14, **fields})


def sent(server: ScriptedRelay, **fields: object) -> Campaign:
    campaign = cast.launched(a_campaign(server.port, **fields))
    send.send_batch(campaign.relay_id, "worker")
    sweep.sweep()
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    return campaign


def taken_back(campaign: Campaign) -> Campaign:
    user, _created = User.objects.get_or_create(email="hr@corp.example.com")
    assert recall.recall(campaign, user, "用错了表")
    return Campaign.objects.get(pk=campaign.pk)


def again(campaign: Campaign, **fields: object) -> Campaign:
    """A draft on the same workbook."""
    return cast.a_campaign(campaign.relay, campaign.workbook, **{"name": "另一个名字", **fields})


def kinds(campaign: Campaign) -> set[str]:
    return {found.kind for found in preflight.check(Campaign.objects.get(pk=campaign.pk))}


class TestARecall:
    @pytest.mark.parametrize("state", ["scheduled", "running", "paused"])
    def test_stops_what_waits(self, server: ScriptedRelay, state: str) -> None:
        campaign = cast.launched(a_campaign(server.port))
        Campaign.objects.update(state=state)
        campaign = taken_back(campaign)
        assert (campaign.state, campaign.recall_reason) == ("cancelled", "用错了表")
        send.send_batch(campaign.relay_id, "worker")
        assert server.accepted == []
        assert set(campaign.deliveries.values_list("state", flat=True)) == {"cancelled"}

    def test_of_what_has_left_closes_the_pages(self, server: ScriptedRelay) -> None:
        campaign = sent(server)
        delivery = campaign.deliveries.first()
        token = links().slip(campaign.pk, delivery.pk).rpartition("/")[2]
        assert confirm.slip(token).dead == ""
        campaign = taken_back(campaign)
        assert confirm.slip(token).dead == "recalled"
        assert campaign.state == "finished"
        assert set(campaign.deliveries.values_list("state", flat=True)) == {"accepted"}

    def test_ends_reminders_and_resends_and_allows_no_more(self, server: ScriptedRelay) -> None:
        campaign = sent(server)
        remind.remind(campaign)
        delivery = campaign.deliveries.filter(purpose="campaign").first()
        assert resend.resend(delivery, address="a@b.example", address_key="a@b.example", note="x")
        campaign = taken_back(campaign)
        before = len(server.accepted)
        send.send_batch(campaign.relay_id, "worker")
        assert len(server.accepted) == before
        assert remind.remind(campaign) == 0
        delivery = campaign.deliveries.filter(purpose="campaign").first()
        assert not resend.may_resend(delivery)

    def test_sends_no_doubtful_one_again(self, server: ScriptedRelay) -> None:
        campaign = sent(server)
        campaign.deliveries.update(state="in_doubt")
        campaign = taken_back(campaign)
        delivery = campaign.deliveries.first()
        assert not control.resolve_doubt(delivery, resend=True, note="x")
        assert control.resolve_doubt(delivery, resend=False, note="x")

    def test_happens_once_and_to_launched_payslips_alone(self, server: ScriptedRelay) -> None:
        draft = a_campaign()
        assert not recall.recall(draft, User.objects.create(email="bob@corp.example.com"), "x")
        campaign = taken_back(cast.launched(draft))
        assert not recall.recall(campaign, campaign.recalled_by, "y")
        assert Campaign.objects.get().recall_reason == "用错了表"
        Campaign.objects.update(recalled_at=None, kind="newsletter", state="finished")
        assert not recall.recall(campaign, campaign.recalled_by, "y")


class TestTheSameMonthTwice:
    def test_the_same_workbook_blocks_whatever_the_name(self, server: ScriptedRelay) -> None:
        campaign = sent(server)
        Campaign.objects.update(launched_at=timezone.now() - timedelta(days=200))
        (found,) = [f for f in preflight.check(again(campaign)) if f.kind == "sent_before"]
        assert (found.severity, found.params["name"]) == ("block", campaign.name)

    def test_the_same_name_blocks_within_a_month(self, server: ScriptedRelay) -> None:
        campaign = sent(server)
        other = again(campaign, name=campaign.name)
        other.workbook = cast.a_payroll(campaign.team, ["p0@example.com"])
        other.workbook.sha256 = "f" * 64
        other.workbook.save()
        other.save()
        assert "sent_before" in kinds(other)
        Campaign.objects.filter(pk=campaign.pk).update(
            launched_at=timezone.now() - timedelta(days=30)
        )
        assert "sent_before" not in kinds(other)

    def test_one_that_waits_to_be_sent_blocks_too(self) -> None:
        campaign = cast.launched(a_campaign())
        assert "sent_before" in kinds(again(campaign))

    def test_one_that_was_stopped_before_anything_left_does_not(self) -> None:
        campaign = taken_back(cast.launched(a_campaign()))
        assert "sent_before" not in kinds(again(campaign))

    def test_another_teams_does_not(self, server: ScriptedRelay) -> None:
        sent(server)
        assert "sent_before" not in kinds(a_campaign())

    def test_a_correction_may_and_a_correction_of_it_too(self, server: ScriptedRelay) -> None:
        campaign = taken_back(sent(server))
        first = again(campaign, corrects=campaign)
        assert "sent_before" not in kinds(first)
        assert "correction" in kinds(first)
        cast.launched(first)
        send.send_batch(campaign.relay_id, "worker")
        assert "sent_before" in kinds(again(campaign, name="再一个", corrects=campaign))
        assert "sent_before" not in kinds(again(campaign, name="再一个", corrects=first))


def test_a_corrected_slip_refers_to_the_one_that_it_replaces(server: ScriptedRelay) -> None:
    campaign = taken_back(sent(server, count=1))
    cast.launched(again(campaign, corrects=campaign))
    send.send_batch(campaign.relay_id, "worker")
    first, second = server.accepted
    read = email.message_from_bytes(second.content, policy=email.policy.default)
    assert read["In-Reply-To"] == read["References"] == first.message_id
    text = read.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert f"这一份代替“{campaign.name}”" in text
    plain = email.message_from_bytes(first.content, policy=email.policy.default)
    assert plain["In-Reply-To"] is None
    assert "更正" not in plain.get_body(("plain",)).get_content()  # type: ignore[union-attr]
