"""The team's settings: an owner's name and zone, and a superuser's word on links that lead inside."""

from __future__ import annotations

import pytest

from accounts.models import Role, Team
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
URL = "/accounts/team/"


@pytest.fixture
def scene():
    return Scene()


def test_an_owner_changes_name_and_time_zone(scene):
    client = scene.client(user=scene.user(Role.OWNER))
    answer = client.post(URL, {"name": "华东", "time_zone": "Europe/Berlin"})
    assert answer.status_code == 302
    team = Team.objects.get(pk=scene.team.pk)
    assert (team.name, team.time_zone) == ("华东", "Europe/Berlin")


def test_a_zone_that_is_none_is_named(scene):
    client = scene.client(user=scene.user(Role.OWNER))
    answer = client.post(URL, {"name": "华东", "time_zone": "Beijing"})
    assert answer.status_code == 422
    assert "Beijing" in answer.content.decode()
    assert Team.objects.get(pk=scene.team.pk).time_zone == "Asia/Shanghai"


@pytest.mark.parametrize("superuser", [True, False])
def test_links_that_lead_inside_are_a_superusers_decision(scene, superuser):
    user = scene.user(Role.OWNER)
    user.is_superuser = superuser
    user.save()
    client = scene.client(user=user)
    assert ("intranet_links_allowed" in client.get(URL).content.decode()) is superuser
    given = {"name": "华东", "time_zone": "Asia/Shanghai", "intranet_links_allowed": "on"}
    client.post(URL, given)
    assert Team.objects.get(pk=scene.team.pk).intranet_links_allowed is superuser


@pytest.mark.parametrize("role", [Role.HR, Role.MARKETER, Role.MAIL_ADMIN, Role.VIEWER])
def test_other_roles_have_no_such_page(scene, role):
    assert scene.client(user=scene.user(role)).get(URL).status_code == 403


def test_an_owner_asks_for_a_second_pair_of_eyes_and_a_countdown(scene):
    client = scene.client(Role.OWNER)
    values = {
        "name": "甲", "time_zone": "Asia/Shanghai", "payslip_release": "on",
        "release_above": "500", "undo_seconds": "60",
    }  # fmt: skip
    assert client.post("/accounts/team/", values).status_code == 302
    scene.team.refresh_from_db()
    rules = (scene.team.payslip_release, scene.team.release_above, scene.team.undo_seconds)
    assert rules == (True, 500, 60)
    wrong = client.post("/accounts/team/", values | {"undo_seconds": "3601"})
    assert wrong.status_code == 422
