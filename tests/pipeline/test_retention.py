"""What a workbook says is destroyed some days after its last use, and never while it is needed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Team
from campaigns import tasks
from campaigns.models import Campaign, Delivery, Workbook, WorkbookRow
from campaigns.pipeline import retention
from tests.cast import a_campaign, a_payroll, a_relay, a_team

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
LONG_AGO = timedelta(days=40)


@pytest.fixture
def workbook() -> Workbook:
    """Uploaded forty days ago, in a team that keeps content for thirty."""
    team = a_team()
    Team.objects.filter(pk=team.pk).update(keep_days=30)
    made = a_payroll(team, ["wang@corp.example", "li@corp.example"])
    Workbook.objects.update(uploaded_at=timezone.now() - LONG_AGO)
    return Workbook.objects.get(pk=made.pk)


def a_finished(workbook: Workbook, ago: timedelta = LONG_AGO, **fields: object) -> Campaign:
    campaign = a_campaign(a_relay(workbook.team), workbook)
    Campaign.objects.filter(pk=campaign.pk).update(
        state="finished", finished_at=timezone.now() - ago, **fields
    )
    return campaign


def test_after_its_time_the_content_goes_and_the_campaign_stays(
    workbook: Workbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = a_finished(workbook)
    monkeypatch.setattr(tasks.retire_workbook, "delay", tasks.retire_workbook)
    tasks.retire_workbooks()
    assert Workbook.objects.get(pk=workbook.pk).is_destroyed
    assert not WorkbookRow.objects.exists()
    assert Campaign.objects.filter(pk=campaign.pk).exists()
    assert retention.due() == []


def test_a_workbook_that_none_used_goes_altogether(workbook: Workbook) -> None:
    assert retention.due() == [workbook.pk]
    retention.run(workbook.pk)
    assert not Workbook.objects.exists()


@pytest.mark.parametrize("days", [None, 41])
def test_what_a_team_keeps_stays(workbook: Workbook, days: int | None) -> None:
    Team.objects.update(keep_days=days)
    assert retention.due() == []


def test_time_counts_from_the_last_campaign(workbook: Workbook) -> None:
    a_finished(workbook, ago=timedelta(days=29))
    assert retention.due() == []


def test_a_page_that_employees_may_still_open_keeps_it(workbook: Workbook) -> None:
    a_finished(workbook, confirm_days=14)
    assert retention.due() == []


@pytest.mark.parametrize("state", ["draft", "scheduled", "running", "paused"])
def test_a_campaign_that_has_to_send_keeps_it(workbook: Workbook, state: str) -> None:
    a_finished(workbook, created_at=timezone.now() - LONG_AGO)
    Campaign.objects.update(state=state, finished_at=None)
    assert retention.due() == []


def test_a_doubt_keeps_it(workbook: Workbook) -> None:
    campaign = a_finished(workbook)
    now = timezone.now()
    Delivery.objects.create(
        team=workbook.team,
        campaign=campaign,
        source_key="r4.0",
        address="wang@corp.example",
        address_key="wang@corp.example",
        domain="corp.example",
        state="in_doubt",
        due_at=now,
        changed_at=now,
        deliver_until=now,
    )
    assert retention.due() == []
