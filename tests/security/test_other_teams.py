"""IDOR (ASVS 8.2.2, 8.4.1): another team's row is not there, whatever address or form names it."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from tests.security.routes import NEEDS, PUBLIC, SELF, Route, routes
from tests.security.world import EVERY_ROLE, World, everything_of
from tests.views.scene import Scene

pytestmark = pytest.mark.django_db

WITH_IDS = [route for route in routes() if route.ids]


@pytest.fixture
def theirs() -> World:
    return World()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(params=[False, True], ids=["member", "superuser"])
def me(request: pytest.FixtureRequest, world: World) -> Client:
    """Every role of a team of his own, and no grant and no role in the other one."""
    return world.client(user=world.user(*EVERY_ROLE, is_superuser=request.param))


def test_every_route_is_classified() -> None:
    known = PUBLIC | SELF | NEEDS.keys()
    assert [route.name for route in routes() if route.name not in known] == []
    assert known - {route.name for route in routes()} == set()


@pytest.mark.parametrize(
    "route", [route for route in WITH_IDS if len(route.ids) > 1], ids=lambda route: route.name
)
def test_a_foreign_id_is_not_there_beside_an_own_one(
    route: Route, world: World, theirs: World, me: Client
) -> None:
    before = everything_of(theirs.team)
    for name, thing in route.things.items():
        url = route.about(world.ids | {thing: theirs.ids[thing]})
        assert me.post(url).status_code == 404, name
    assert everything_of(theirs.team) == before


@pytest.mark.parametrize("route", WITH_IDS, ids=lambda route: route.name)
def test_another_teams_id_in_an_address_is_not_there(
    route: Route, theirs: World, me: Client
) -> None:
    before = everything_of(theirs.team)
    url = route.about(theirs.ids)
    posted = me.post(url, {"decision": "resend", "note": "x", "roles": ["owner"], "when": "now"})
    # A page that knows one method alone says so before it looks at the id.
    answers = [posted.status_code, me.get(url).status_code]
    assert sorted(answers) in ([404, 404], [404, 405]), url
    assert everything_of(theirs.team) == before


def test_the_same_addresses_are_there_for_the_teams_own_people(theirs: World) -> None:
    """Else the test above would pass on a site where nothing is there."""
    client = theirs.client(user=theirs.hr)
    for route in WITH_IDS:
        url = route.about(theirs.ids)
        if not route.name.startswith("campaigns:campaign_preview_"):  # which also want a row's id
            answer = client.get(url)
            assert answer.status_code in (200, 302, 405), url
            body_of(answer)


# Ids beside the path: (route, whether its own id is in the path, parameter, whose id, before it).
INNER = [
    ("campaigns:deliveries", False, "campaign", "campaign", ""),
    ("campaigns:template_fields", False, "workbook", "workbook", ""),
    ("campaigns:template_draft_preview", False, "workbook", "workbook", ""),
    ("campaigns:template_preview", True, "workbook", "workbook", ""),
    ("campaigns:campaign_new", False, "template", "template", ""),
    ("campaigns:campaign_new", False, "relay", "relay", ""),
    ("campaigns:campaign_new", False, "audience", "workbook", "workbook:"),
    ("campaigns:campaign_new", False, "audience", "list", "list:"),
    ("campaigns:workbook_upload", False, "repairs", "campaign", ""),
    ("campaigns:campaign_edit", True, "template", "template", ""),
    ("campaigns:campaign_edit", True, "relay", "relay", ""),
    ("campaigns:campaign_edit", True, "audience", "workbook", "workbook:"),
    ("campaigns:campaign_preview", True, "at", "row", ""),
    ("campaigns:campaign_preview_html", True, "at", "row", ""),
    ("campaigns:campaign_test", True, "at", "row", ""),
]


@pytest.mark.parametrize(("name", "own", "parameter", "thing", "before"), INNER)
def test_another_teams_id_beside_the_path_is_not_there(
    name: str, own: bool, parameter: str, thing: str, before: str, world: World, theirs: World
) -> None:
    client = world.client(user=world.hr)
    route = next(route for route in routes() if route.name == name)
    url = route.about(world.ids) if own else route.url()
    given = {parameter: f"{before}{theirs.ids[thing]}", "kind": "payslip", "html": "x"}
    answers = [client.get(url, given).status_code, client.post(url, given).status_code]
    # What looks at no parameter of a GET (or takes none) shows its own row alone.
    assert 404 in answers, url
    assert set(answers) <= {404, 405}, url


def test_another_teams_grant_is_none_here(theirs: World) -> None:
    """Only the team's own people read its content, whatever else they are."""
    colleague = theirs.client(Role.OWNER, Role.MAIL_ADMIN, Role.MARKETER, Role.HR)
    root = theirs.client(user=theirs.user(Role.OWNER, is_superuser=True, is_staff=True))
    for client in (colleague, root):
        for name in ("campaign_preview", "campaign_preview_html"):
            url = reverse(f"campaigns:{name}", args=[theirs.campaign.pk])
            assert client.get(url).status_code == 403
        result = client.get(reverse("campaigns:campaign_result", args=[theirs.campaign.pk]))
        assert b"8888.88" not in unzipped(body_of(result))


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def unzipped(workbook: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(workbook)) as parts:
        return b"".join(parts.read(name) for name in parts.namelist())


def test_a_team_that_one_has_left_is_gone_at_once(theirs: World) -> None:
    client = theirs.client(user=theirs.hr)
    client.post(reverse("accounts:choose_team", args=[theirs.team.pk]))
    other = Scene()
    theirs.hr.memberships.all().delete()
    assert client.get("/").status_code == 403
    theirs.hr.memberships.create(team=other.team, role=Role.OWNER)
    url = reverse("campaigns:campaign", args=[theirs.campaign.pk])
    assert client.get(url).status_code == 404
