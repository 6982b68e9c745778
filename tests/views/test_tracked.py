"""The door of tracked links: a redirect to what is signed, a picture, a log; nothing else, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from campaigns.models import Hit
from campaigns.pipeline import follow, hits
from campaigns.pipeline.compose import links, tracked_links
from campaigns.views.tracked import PICTURE, TrackingDoor
from tests.views.scene import Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TARGET = "https://shop.example/a?b=1"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


@pytest.fixture(autouse=True)
def buffer(monkeypatch: pytest.MonkeyPatch) -> hits.HitBuffer:
    """Without its thread, which would write into another transaction."""
    made = hits.HitBuffer()
    monkeypatch.setattr(made, "_start", lambda: None)
    monkeypatch.setattr(follow, "BUFFER", made)
    return made


def behind(environment: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("418 Behind", [])
    return [environment["PATH_INFO"].encode()]


def knock(url: str, method: str = "GET", **environment: str) -> tuple[str, dict[str, str], bytes]:
    """What the door answers to a request for this address."""
    given: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        given.update(status=status, headers=dict(headers))

    path = url.removeprefix("https://hongyan.example")
    asked = {"PATH_INFO": path, "REQUEST_METHOD": method, "REMOTE_ADDR": "203.0.113.5"}
    asked |= {"HTTP_USER_AGENT": BROWSER} | environment
    body = b"".join(TrackingDoor(behind)(asked, start_response))
    return given["status"], given["headers"], body


def test_a_link_leads_to_what_is_signed_and_is_remembered(buffer: hits.HitBuffer) -> None:
    campaign = launched(Scene().newsletter(tracking="individual"))
    [delivery] = deliveries(campaign, "accepted")
    status, headers, body = knock(tracked_links().click(campaign.pk, delivery.pk, 2, TARGET))
    assert (status, headers["Location"], body) == ("302 Found", TARGET, b"")
    assert headers["Cache-Control"] == "no-store, private"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in headers
    assert buffer.flush() == 1
    hit = Hit.objects.get()
    assert (hit.team, hit.campaign, hit.delivery, hit.link) == (
        campaign.team,
        campaign,
        delivery,
        2,
    )


def test_the_picture_is_43_octets_that_no_cache_keeps(buffer: hits.HitBuffer) -> None:
    campaign = launched(Scene().newsletter(tracking="aggregated"))
    status, headers, body = knock(tracked_links().opened(campaign.pk, 0))
    assert (status, headers["Content-Type"], body) == ("200 OK", "image/gif", PICTURE)
    assert len(PICTURE) == 43
    assert headers["Content-Length"] == "43"
    assert "no-store" in headers["Cache-Control"]
    buffer.flush()
    assert Hit.objects.get().link == 0


def test_head_gets_no_body_and_is_a_machines(buffer: hits.HitBuffer) -> None:
    campaign = launched(Scene().newsletter(tracking="aggregated"))
    assert knock(tracked_links().opened(campaign.pk, 0), "HEAD")[2] == b""
    buffer.flush()
    assert Hit.objects.get().visitor == "scanner"


@pytest.mark.parametrize(
    "path",
    [
        "/t/",
        "/t/nobodys",
        "/t/https://evil.example/",
        "/t/?u=https://evil.example/",
        "/t//evil.example",
        "/t/%0d%0aLocation:%20https://evil.example",
        "/campaigns/",
    ],
)
def test_whatever_is_no_address_of_ours_is_djangos(path: str, buffer: hits.HitBuffer) -> None:
    status, headers, _body = knock(path)
    assert status == "418 Behind"
    assert "Location" not in headers
    assert buffer.flush() == 0


def test_the_token_of_another_page_opens_nothing_here_and_the_other_way_round() -> None:
    unsubscribe = links().unsubscribe(1, 2).rpartition("/")[2]
    assert knock(f"/t/{unsubscribe}")[0] == "418 Behind"
    token = tracked_links().click(1, 2, 1, TARGET).rpartition("/")[2]
    assert Client().get(f"/u/{token}").status_code == 404


def test_an_address_with_another_target_at_its_end_is_broken() -> None:
    url = tracked_links().click(1, 2, 1, TARGET)
    for more in ("x", "/", "https://evil.example", "%2Fevil"):
        assert knock(url + more)[0] == "418 Behind"


def test_a_post_is_djangos() -> None:
    assert knock(tracked_links().click(1, 2, 1, TARGET), "POST")[0] == "418 Behind"
    assert Client().post(tracked_links().click(1, 2, 1, TARGET)).status_code == 405


def test_django_answers_the_same_without_the_door(buffer: hits.HitBuffer) -> None:
    campaign = launched(Scene().newsletter(tracking="aggregated"))
    answer = Client().get(tracked_links().click(campaign.pk, 0, 1, TARGET))
    assert (answer.status_code, answer["Location"]) == (302, TARGET)
    picture = Client().get(tracked_links().opened(campaign.pk, 0))
    assert picture.content == PICTURE
    assert picture["Content-Type"] == "image/gif"
    assert buffer.flush() == 2
    assert "session" not in answer.cookies


def test_a_broken_link_gets_a_page_in_words() -> None:
    answer = Client().get("/t/nobodys")
    assert answer.status_code == 404
    assert "链接" in answer.content.decode()


def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_wrote(
    buffer: hits.HitBuffer, settings: Any
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    campaign = launched(Scene().newsletter(tracking="aggregated"))
    url = tracked_links().click(campaign.pk, 0, 1, TARGET)
    knock(url, HTTP_X_FORWARDED_FOR="203.0.113.9, 209.222.80.7", REMOTE_ADDR="127.0.0.1")
    knock(url, HTTP_X_FORWARDED_FOR="209.222.80.7, 203.0.113.9", REMOTE_ADDR="127.0.0.1")
    buffer.flush()
    assert [hit.visitor for hit in Hit.objects.order_by("pk")] == ["scanner", ""]


def test_a_tests_link_leads_on_and_is_counted_nowhere(buffer: hits.HitBuffer) -> None:
    assert knock(tracked_links().click(0, 0, 1, TARGET))[1]["Location"] == TARGET
    assert buffer.flush() == 0
