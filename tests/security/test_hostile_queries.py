"""What a query string or a form may hold: nothing in it breaks a page or comes back unescaped."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.test import Client

from tests.security.routes import Route, routes
from tests.security.world import World

pytestmark = pytest.mark.django_db

VALUES = [
    "a\0b@x.example",
    "9" * 5000,
    "-1",
    "²",
    # What is a word to whoever takes it at all.
    "' OR 1=1 -- %s%d{}{{x}}<script>x</script>\ufffe\u2028",
]
NAMES = (
    *("q", "state", "page", "after", "before", "at", "kind", "view", "row", "workbook"),
    *("campaign", "preset", "domain", "purpose", "seen", "audience", "template", "relay"),
)
# Every name of a field in a form of the site, and what views read besides.
POSTED = (
    *NAMES,
    *("name", "title", "address", "addresses", "note", "subject", "html", "text", "when", "wall"),
    *("decision", "email", "roles", "language", "username", "password", "scope", "host", "port"),
    *("sheet", "reading", "take", "leave", "header_first", "new_name", "contact_list", "act"),
    *("lines", "attributes", "from_name", "from_address", "reply_to", "duplicates", "selector"),
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_no_query_breaks_a_page(route: Route, world: World) -> None:
    client = world.client(user=world.hr)
    url = route.about(world.ids)
    for value in VALUES:
        query = "&".join(f"{name}={quote(value)}" for name in NAMES)
        # A foreign id ends a page at once; these let it go on.
        harmless = "&".join(f"{name}={quote(value)}" for name in ("q", "state", "page", "after"))
        for asked in (query, harmless, f"at={quote(value)}"):
            answer = client.get(f"{url}?{asked}")
            assert answer.status_code < 500, (url, value)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert b"<script>x" not in body, (url, asked)


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_no_form_breaks_a_page(route: Route, world: World) -> None:
    if route.name.endswith(("delete", "remove", "cancel")):
        return  # these read nothing but the id, and what they end is asked for again
    url = route.about(world.ids)
    for value in VALUES:
        client: Client = world.client(user=world.hr)
        answer = client.post(url, dict.fromkeys(POSTED, value))
        assert answer.status_code < 500, (url, value)
        if not answer.streaming:
            assert b"<script>x" not in answer.content, url
