"""Cross-site requests (ASVS 3.5.1): no POST without a token acts, but the one click of a mail client."""

from __future__ import annotations

import pytest
from django.test import Client

from campaigns.models import Suppression
from campaigns.pipeline.compose import links
from tests.security.routes import Route, routes
from tests.security.world import World, everything_of
from tests.views.scene import deliveries, launched

pytestmark = pytest.mark.django_db

# RFC 8058 section 3.1: a mail client has no page to take a token from. The form to join a list stands on
# any site; all that it does is to send one mail, within limits (pipeline/subscribe.py).
EXEMPT = {"campaigns:unsubscribe", "campaigns:subscribe_join", "campaigns:hook"}


@pytest.fixture
def world() -> World:
    return World()


def strict(world: World) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.hr)
    return client


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_a_post_without_a_token_is_refused(route: Route, world: World) -> None:
    if route.name in EXEMPT:
        return
    before = everything_of(world.team)
    fields = {"when": "now", "decision": "resend", "note": "x", "act": "remove", "language": "en"}
    answer = strict(world).post(route.about(world.ids), fields)
    # What takes no POST at all never comes to the token.
    assert answer.status_code in (403, 405), route.name
    assert everything_of(world.team) == before


def test_a_foreign_origin_does_not_help(world: World) -> None:
    client = strict(world)
    client.get("/", secure=True)
    answer = client.post(
        "/accounts/me/",
        {"save": "1", "csrfmiddlewaretoken": client.cookies["csrftoken"].value, "name": "x"},
        secure=True,
        headers={"origin": "https://evil.example", "referer": "https://evil.example/"},
    )
    assert answer.status_code == 403


def test_only_the_one_click_itself_needs_no_token(world: World) -> None:
    letter = launched(world.letter)
    (delivery,) = deliveries(letter, "accepted")
    path = links().unsubscribe(letter.pk, delivery.pk).split("/", 3)[3]
    client = Client(enforce_csrf_checks=True)
    for act in ("leave", "undo"):
        assert client.post(f"/{path}/{act}", {"scope": "all"}).status_code == 403
    assert client.post(f"/{path}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Suppression.objects.filter(address=delivery.address, reason="unsubscribed").exists()


def test_looking_changes_nothing(world: World) -> None:
    """GET and HEAD of every page: scanners and prefetching browsers follow links."""
    client = Client()
    client.force_login(world.hr)
    before = everything_of(world.team)
    for route in routes():
        url = route.about(world.ids)
        for answer in (client.get(url), client.head(url), client.options(url)):
            assert answer.status_code < 500, url
            if answer.streaming:
                b"".join(answer.streaming_content)
    assert everything_of(world.team) == before
