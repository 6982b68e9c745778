"""Who may open what (ASVS 8.2.1): strangers sign in first, and a role without the right gets a 403."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from tests.security.routes import PUBLIC, Route, guarded, outsiders, routes
from tests.security.world import World, everything_of

pytestmark = pytest.mark.django_db

CLOSED = [route for route in routes() if route.name not in PUBLIC]


@pytest.fixture
def world() -> World:
    return World()


def address(route: Route, world: World) -> str:
    return route.about(world.ids)


@pytest.mark.parametrize("route", CLOSED, ids=lambda route: route.name)
def test_a_stranger_is_sent_to_sign_in(route: Route, world: World) -> None:
    url, before = address(route, world), everything_of(world.team)
    for answer in (Client().get(url), Client().post(url), Client().delete(url)):
        assert answer.status_code == 302, url
        assert answer.headers["Location"].startswith(reverse("accounts:sign_in")), url
        assert answer.content == b""
    assert everything_of(world.team) == before


@pytest.mark.parametrize("role", Role)
def test_a_role_without_the_right_is_refused(role: Role, world: World) -> None:
    client = world.client(role)
    before = everything_of(world.team)
    refused = [route for route in guarded() if role in outsiders(route)]
    assert refused
    for route in refused:
        url = address(route, world)
        assert client.post(url).status_code == 403 or is_get_alone(client, url), url
        assert client.get(url).status_code in (403, 405), url
    assert everything_of(world.team) == before


def is_get_alone(client: Client, url: str) -> bool:
    return client.post(url).status_code == 405 and client.get(url).status_code == 403


@pytest.mark.parametrize("route", guarded(), ids=lambda route: route.name)
def test_someone_without_a_team_gets_nowhere(route: Route, world: World) -> None:
    from accounts.models import User

    client = Client()
    client.force_login(User.objects.create(email="nobody@x.example", is_superuser=True))
    url = address(route, world)
    assert {client.get(url).status_code, client.post(url).status_code} == {403}


def test_the_table_lets_somebody_in(world: World) -> None:
    """Else the tests above would pass on a site that refuses everybody."""
    client = world.client(user=world.hr)
    for route in guarded():
        if not route.ids:
            assert client.get(address(route, world)).status_code in (200, 302, 404, 405), route.name
