"""Four eyes: what one person launches, another one releases, and exactly that; and a countdown to think again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Membership, Role, User
from campaigns.models import Campaign, Release
from campaigns.pipeline import control, enclose, plan, release
from tests import cast
from tests.documents.test_archive import a_zip

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def a_campaign(*, kind: str = "payslip", **rules: object) -> Campaign:
    team = cast.a_team()
    for name, value in {"payslip_release": True, **rules}.items():
        setattr(team, name, value)
    team.save()
    relay = cast.a_relay(team)
    if kind == "newsletter":
        readers = cast.a_list(team, ["a@x.example", "b@x.example"])
        return cast.a_campaign(relay, contact_list=readers)
    return cast.a_campaign(relay, cast.a_payroll(team, ["a@x.example", "b@x.example"]))


def a_person(campaign: Campaign, name: str, *, reads: bool = True) -> User:
    user = User.objects.create(email=f"{name}@corp.example.com")
    Membership.objects.create(team=campaign.team, user=user, role=Role.HR)
    if reads:
        cast.grant(user, campaign)
    return user


def fresh(campaign: Campaign) -> Campaign:
    return Campaign.objects.select_related("team", "workbook").get(pk=campaign.pk)


def starts(campaign: Campaign) -> bool:
    plan.start_due()
    return fresh(campaign).state == "running"


def test_a_payslip_waits_for_a_second_person() -> None:
    campaign = a_campaign()
    alice, bob = a_person(campaign, "alice"), a_person(campaign, "bob")
    control.launch(campaign, alice)
    assert fresh(campaign).hold_reason == "release_awaited"
    assert not starts(campaign)
    assert release.release(fresh(campaign), bob)
    assert Release.objects.get().user == bob
    assert starts(campaign)


def test_nobody_releases_what_he_launched_or_may_not_read() -> None:
    campaign = a_campaign()
    alice, carol = a_person(campaign, "alice"), a_person(campaign, "carol", reads=False)
    carol.is_superuser = True
    control.launch(campaign, alice)
    for user in (alice, carol):
        assert not release.release(fresh(campaign), user)
    assert not control.resume(fresh(campaign))
    assert not starts(campaign)


def test_a_second_release_and_one_of_a_draft_do_nothing() -> None:
    campaign = a_campaign()
    alice, bob = a_person(campaign, "alice"), a_person(campaign, "bob")
    assert not release.release(fresh(campaign), bob)
    control.launch(campaign, alice)
    stale = fresh(campaign)
    assert release.release(fresh(campaign), bob)
    assert not release.release(stale, bob)


def test_a_release_is_void_when_the_content_changes_and_only_then() -> None:
    campaign = a_campaign()
    alice, bob = a_person(campaign, "alice"), a_person(campaign, "bob")
    control.launch(campaign, alice)
    release.release(fresh(campaign), bob)
    control.unschedule(fresh(campaign))
    control.launch(fresh(campaign), alice)
    assert fresh(campaign).hold_reason == ""
    control.unschedule(fresh(campaign))
    Campaign.objects.update(from_name="别人")
    control.launch(fresh(campaign), alice)
    assert fresh(campaign).hold_reason == "release_awaited"


def test_a_release_is_void_for_other_files_of_peoples_own() -> None:
    campaign = a_campaign()
    alice, bob = a_person(campaign, "alice"), a_person(campaign, "bob")

    def enclosed(octets: bytes) -> None:
        zipped = a_zip(("00004.pdf", octets))
        enclose.upload(
            fresh(campaign), alice, name="f.zip", data=zipped, column="工号", protect=False
        )

    enclosed(b"one")
    control.launch(fresh(campaign), alice)
    release.release(fresh(campaign), bob)
    control.unschedule(fresh(campaign))
    enclosed(b"two")
    control.launch(fresh(campaign), alice)
    assert fresh(campaign).hold_reason == "release_awaited"


def test_what_was_changed_while_it_was_checked_is_not_launched() -> None:
    """A pre-flight takes a while; what it and a second person have seen goes, and nothing else."""
    campaign = a_campaign()
    alice, bob = a_person(campaign, "alice"), a_person(campaign, "bob")
    control.launch(campaign, alice)
    release.release(fresh(campaign), bob)
    control.unschedule(fresh(campaign))
    checked = fresh(campaign)
    Campaign.objects.update(from_name="别人")
    assert not control.launch(checked, alice)
    assert fresh(campaign).state == "draft"
    seen = control.content_of(fresh(campaign))
    zipped = {"name": "f.zip", "data": a_zip(("00004.pdf", b"x")), "column": "工号"}
    enclose.upload(fresh(campaign), alice, **zipped, protect=False)  # type: ignore[arg-type]
    assert not control.launch(fresh(campaign), alice, seen=seen)


def test_who_released_cannot_launch_on_his_own_word() -> None:
    campaign = a_campaign()
    alice, bob = a_person(campaign, "alice"), a_person(campaign, "bob")
    control.launch(campaign, alice)
    release.release(fresh(campaign), bob)
    control.unschedule(fresh(campaign))
    control.launch(fresh(campaign), bob)
    assert fresh(campaign).hold_reason == "release_awaited"


def test_a_release_of_what_was_launched_anew_meanwhile_does_nothing() -> None:
    campaign = a_campaign()
    alice, bob = a_person(campaign, "alice"), a_person(campaign, "bob")
    control.launch(campaign, alice)
    seen = fresh(campaign)
    control.unschedule(fresh(campaign))
    Campaign.objects.update(from_name="别人")
    control.launch(fresh(campaign), alice)
    assert not release.release(seen, bob)
    assert not Release.objects.exists()


@pytest.mark.parametrize(("above", "waits"), [(None, False), (2, False), (1, True), (0, True)])
def test_above_a_number_every_campaign_waits(above: int | None, waits: bool) -> None:
    campaign = a_campaign(kind="newsletter", release_above=above)
    control.launch(campaign, None)
    assert (fresh(campaign).hold_reason == "release_awaited") is waits


def test_without_rules_a_payslip_goes_at_once() -> None:
    campaign = a_campaign(payslip_release=False)
    control.launch(campaign, None)
    assert starts(campaign)


class TestTheCountdown:
    def test_it_holds_an_immediate_launch_back_and_can_be_undone(self) -> None:
        campaign = a_campaign(payslip_release=False, undo_seconds=60)
        control.launch(campaign, None)
        assert not starts(campaign)
        assert control.unschedule(fresh(campaign))
        control.launch(fresh(campaign), None)
        with time_machine.travel(timezone.now() + timedelta(seconds=61)):
            assert starts(campaign)
            assert not control.unschedule(fresh(campaign))

    def test_it_begins_with_the_release(self) -> None:
        campaign = a_campaign(undo_seconds=60)
        alice, bob = a_person(campaign, "alice"), a_person(campaign, "bob")
        control.launch(campaign, alice)
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            release.release(fresh(campaign), bob)
            assert not starts(campaign)
            assert fresh(campaign).scheduled_at > timezone.now() + timedelta(seconds=50)

    def test_a_schedule_keeps_its_own_time(self) -> None:
        campaign = a_campaign(payslip_release=False, undo_seconds=60)
        wall = datetime(2030, 1, 1, 9, 0)
        control.launch(campaign, None, wall)
        assert fresh(campaign).scheduled_at == control.instant_of(wall, campaign.team.zone)
