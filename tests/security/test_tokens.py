"""Tokens in links and return paths (ASVS 9.1.1, 9.2.2): forged, cut, swapped, of another purpose or team."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from campaigns.models import ListMember, Suppression
from campaigns.pipeline.compose import links, tokens
from tests.security.world import World, everything_of
from tests.views.scene import Scene, deliveries, launched

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def sent(world: World) -> tuple[int, int]:
    letter = launched(world.letter)
    (delivery,) = deliveries(letter, "accepted")
    return letter.pk, delivery.pk


def token_of(sent: tuple[int, int]) -> str:
    return links().unsubscribe(*sent).rpartition("/")[2]


def acts(token: str) -> set[int]:
    """The status of everything that a link can be used for."""
    client = Client()
    click = {"List-Unsubscribe": "One-Click"}
    return {
        client.get(f"/u/{token}").status_code,
        client.post(f"/u/{token}", click).status_code,
        client.post(f"/u/{token}/leave", {"scope": "all"}).status_code,
        client.post(f"/u/{token}/undo").status_code,
    }


def test_only_the_token_itself_is_taken(world: World, sent: tuple[int, int]) -> None:
    campaign, delivery = sent
    token, before = token_of(sent), everything_of(world.team)
    wrong = [
        token[:-1],
        token[:27],
        token + "a",
        "a" + token,
        ("b" if token[0] == "a" else "a") + token[1:],
        token[:-1] + ("b" if token[-1] == "a" else "a"),
        # Of the right key, but for another purpose or other ids.
        tokens().make("return-path", campaign, delivery),
        tokens().make("message-id", campaign, delivery),
        tokens().make("unsubscribe", campaign),
        tokens().make("unsubscribe", delivery + 1, delivery),
        tokens().make("unsubscribe", campaign, delivery + 1_000),
        tokens().make("unsubscribe", campaign, world.delivery.pk),
        # A payslip's delivery has nothing to leave.
        tokens().make("unsubscribe", world.campaign.pk, world.delivery.pk),
    ]
    for forged in wrong:
        assert acts(forged) == {404}, forged
    assert everything_of(world.team) == before


def test_the_same_answer_for_all_that_is_wrong(world: World, sent: tuple[int, int]) -> None:
    """Else one could ask which campaigns and deliveries exist."""
    wrong = (
        "nothing",
        token_of(sent)[:-1],
        tokens().make("unsubscribe", sent[0], sent[1] + 1_000),
        tokens().make("unsubscribe", world.campaign.pk, world.delivery.pk),
    )
    answers = {said_of(token) for token in wrong}
    assert len(answers) == 1


def said_of(token: str) -> bytes:
    """The page without what is new in every answer: the CSRF token, and the address itself."""
    page = Client().get(f"/u/{token}").content.replace(token.encode(), b"")
    return re.sub(rb'value="\w{32,}"', b"", page)


def test_a_token_has_128_bits_that_nobody_can_guess(sent: tuple[int, int]) -> None:
    import base64

    token = token_of(sent).upper()
    octets = base64.b32decode(token + "=" * (-len(token) % 8))
    assert len(octets) >= 16 + 2


def test_it_reaches_its_own_team_alone(world: World, sent: tuple[int, int]) -> None:
    other = Scene()
    letter = launched(other.newsletter("c0@x.example"))
    deliveries(letter, "accepted")
    before = everything_of(other.team)
    assert (
        Client().post(f"/u/{token_of(sent)}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    )
    assert everything_of(other.team) == before
    assert Suppression.objects.filter(team=world.team).count() == 2  # World has one of its own


def test_a_token_is_no_sign_in(sent: tuple[int, int]) -> None:
    client = Client()
    page = client.get(f"/u/{token_of(sent)}")
    assert page.status_code == 200
    assert "sessionid" not in client.cookies
    assert client.get("/").status_code == 302


def test_after_a_rotation_old_links_work_and_a_stolen_old_key_does_not(
    sent: tuple[int, int], settings: Any
) -> None:
    old, token = settings.SECRET_KEY, token_of(sent)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, [old]
    assert Client().get(f"/u/{token}").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert Client().get(f"/u/{token}").status_code == 404


def test_a_get_unsubscribes_nobody(world: World, sent: tuple[int, int]) -> None:
    before = everything_of(world.team)
    for method in ("get", "head", "options"):
        getattr(Client(), method)(f"/u/{token_of(sent)}?List-Unsubscribe=One-Click&scope=all")
    assert everything_of(world.team) == before
    assert not ListMember.objects.filter(status="unsubscribed").exists()


def test_the_key_of_tokens_is_not_the_key_of_sessions() -> None:
    """A signature of Django's own is none of ours, and the other way round."""
    from django.core import signing

    assert tokens().read("unsubscribe", signing.dumps([1, 2])) is None
    with pytest.raises(signing.BadSignature):
        signing.loads(tokens().make("unsubscribe", 1, 2))
    assert settings.SECRET_KEY
