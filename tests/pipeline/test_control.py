"""What a person does to a campaign: once, whoever else does the same at that moment."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.pipeline import control, plan, sweep
from tests import cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def campaign() -> Campaign:
    team = cast.a_team()
    workbook = cast.a_payroll(team, [f"p{number}@example.com" for number in range(5)])
    return cast.a_campaign(cast.a_relay(team), workbook)


def test_twenty_clicks_launch_once_and_plan_once(campaign: Campaign) -> None:
    launched: list[bool] = []

    def click() -> None:
        try:
            launched.append(control.launch(Campaign.objects.get(pk=campaign.pk), None))
            for campaign_id in plan.start_due():
                plan.plan(campaign_id)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert launched.count(True) == 1
    assert campaign.deliveries.count() == 5


def test_a_launch_freezes_the_template(campaign: Campaign) -> None:
    control.launch(campaign, None)
    campaign.template.subject = "别的主题"
    campaign.template.save()
    campaign.refresh_from_db()
    assert campaign.frozen_subject != "别的主题"
    assert campaign.frozen_html == campaign.template.prepared_html


def test_a_scheduled_campaign_starts_when_its_time_has_come(campaign: Campaign) -> None:
    zone = campaign.team.zone
    later = (timezone.now() + timedelta(hours=1)).astimezone(zone).replace(tzinfo=None)
    control.launch(campaign, None, wall=later)
    assert plan.start_due() == []
    Campaign.objects.update(scheduled_at=timezone.now() - timedelta(seconds=1))
    assert plan.start_due() == [campaign.pk]


def test_one_that_is_hours_late_asks_instead_of_sending(campaign: Campaign) -> None:
    control.launch(campaign, None)
    Campaign.objects.update(scheduled_at=cast.long_ago())
    assert plan.start_due() == []
    campaign.refresh_from_db()
    assert (campaign.state, campaign.hold_reason) == ("scheduled", "late_start")
    assert control.resume(campaign)
    assert plan.start_due() == [campaign.pk]


def test_what_was_unscheduled_can_be_changed_again(campaign: Campaign) -> None:
    control.launch(campaign, None)
    assert control.unschedule(campaign)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.frozen_html) == ("draft", "")


def test_a_running_campaign_cannot_be_unscheduled(campaign: Campaign) -> None:
    cast.launched(campaign)
    assert not control.unschedule(campaign)


def test_a_plan_that_is_run_again_adds_nobody_twice(campaign: Campaign) -> None:
    cast.launched(campaign)
    Campaign.objects.update(planned_at=None, plan_lease_until=None)
    assert plan.plan(campaign.pk)
    assert campaign.deliveries.count() == 5


def test_a_plan_in_chunks_loses_nobody(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SQLITE_CHUNK", 2)
    cast.launched(campaign)
    assert campaign.deliveries.count() == 5
    assert campaign.counts["queued"] == 5


def test_two_rows_of_one_mailbox_are_two_deliveries_or_one_as_hr_decides() -> None:
    team = cast.a_team()
    relay = cast.a_relay(team)
    addresses = ["both@example.com", "Both@example.com", "other@example.com"]
    for duplicates, expected in (("both", 3), ("merged", 2)):
        workbook = cast.a_payroll(team, addresses)
        campaign = cast.launched(cast.a_campaign(relay, workbook, duplicates=duplicates))
        assert campaign.deliveries.count() == expected


def test_the_domain_of_an_address_is_what_stands_behind_the_last_at() -> None:
    team = cast.a_team()
    workbook = cast.a_payroll(team, ["a@qq.com", '"x@y"@163.com'])
    campaign = cast.launched(cast.a_campaign(cast.a_relay(team), workbook))
    assert set(campaign.deliveries.values_list("domain", flat=True)) == {"qq.com", "163.com"}


def test_cancelling_is_final(campaign: Campaign) -> None:
    cast.launched(campaign)
    assert control.cancel(campaign)
    assert not control.resume(campaign)
    assert not control.pause(campaign)
    sweep.sweep()
    campaign.refresh_from_db()
    assert campaign.state == "cancelled"
    assert set(campaign.deliveries.values_list("state", flat=True)) == {"cancelled"}


def test_rows_of_a_parked_relay_expire_too(campaign: Campaign) -> None:
    cast.launched(campaign)
    campaign.deliveries.update(deliver_until=cast.long_ago())
    sweep.sweep()
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    assert campaign.counts["expired"] == 5


@pytest.mark.parametrize(
    ("wall", "zone", "instant"),
    [
        ("2026-11-25T09:00", "Asia/Shanghai", "2026-11-25T01:00"),
        # Clocks in Berlin skip 02:00 to 03:00 on 29 March, and repeat it on 25 October.
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30"),
    ],
)
def test_a_wall_time_means_one_instant(wall: str, zone: str, instant: str) -> None:
    meant = control.instant_of(datetime.fromisoformat(wall), ZoneInfo(zone))
    assert meant == datetime.fromisoformat(instant).replace(tzinfo=UTC)
