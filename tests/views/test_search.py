"""A search is posted, and no address of a page holds what was looked for."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from accounts.models import Role
from campaigns.models import Contact
from tests.views.scene import Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
WORDS = "han@corp"


def test_the_words_are_sealed_and_everything_else_stays(scene: Scene) -> None:
    hr = scene.user(Role.HR)
    campaign = launched(scene.payslips(hr))
    deliveries(campaign, "accepted", "refused", "refused")
    client = scene.client(Role.VIEWER)
    page = f"/campaigns/{campaign.pk}/deliveries/"
    assert f'value="{page}"' in client.get(page).content.decode()
    answer = client.post("/search/", {"to": page, "q": WORDS, "state": "refused"})
    assert urlsplit(answer["Location"]).path == page
    assert "han" not in answer["Location"]
    found = client.get(answer["Location"])
    assert [row["delivery"].address for row in found.context["rows"]] == ["han@corp.example"]
    text = found.content.decode()
    assert f'name="q" value="{WORDS}"' in text
    sealed = parse_qs(urlsplit(answer["Location"]).query)["s"][0]
    assert (
        f"state=accepted&amp;s={sealed.split('=')[0]}" in text
        or f"s={sealed.split('=')[0]}" in text
    )
    assert client.post("/search/", {"to": page, "q": " "})["Location"] == page


@pytest.mark.parametrize("page", ["/campaigns/", "/deliveries/", "/contacts/", "/suppressions/"])
def test_every_list_is_searched_so(scene: Scene, page: str) -> None:
    Contact.objects.create(team=scene.team, address="a@x.example", address_key="a@x.example")
    client = scene.client(Role.MARKETER, Role.MAIL_ADMIN)
    answer = client.post("/search/", {"to": page, "q": "nobody\0"}, follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[0][0].startswith(f"{page}?s=")


@pytest.mark.parametrize(
    "to", ["", "https://evil.example/", "//evil.example/deliveries/", "/relays/"]
)
def test_it_leads_nowhere_else(scene: Scene, to: str) -> None:
    answer = scene.client(Role.OWNER).post("/search/", {"to": to, "q": "x"})
    assert answer.status_code == 404


def test_a_word_that_was_not_sealed_here_finds_everything(scene: Scene) -> None:
    deliveries(launched(scene.newsletter()), "accepted")
    page = scene.client(Role.VIEWER).get("/deliveries/?s=gAAAAAforged")
    assert len(page.context["rows"]) == 1
