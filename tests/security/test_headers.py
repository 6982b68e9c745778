"""The headers of every kind of answer (ASVS 3.4.1 to 3.4.6), also of a 404, a 500 and a static file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from tests.security.world import World
from tests.views.scene import launched

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(db: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Signed in, over https; an exception becomes a 500 as it does in production."""
    world = World()
    client = Client(raise_request_exception=False, headers={"x-forwarded-proto": "https"})
    client.force_login(world.hr)
    client.world = world
    return client


def policy(answer: HttpResponse) -> dict[str, list[str]]:
    parts = answer.headers["Content-Security-Policy"].split(";")
    return {name: values for name, *values in (part.split() for part in parts if part.strip())}


def answers(client: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, HttpResponse]:
    """One of each kind; each with the status that it should have."""
    world, stranger = client.world, Client(enforce_csrf_checks=True)
    viewer = world.client(*[])
    campaign = reverse("campaigns:campaign", args=[world.ids["campaign"]])
    found = {
        "page 200": client.get(campaign, secure=True),
        "overview 200": client.get("/", secure=True),
        "sign-in 200": stranger.get(reverse("accounts:sign_in"), secure=True),
        "redirect 302": stranger.get("/", secure=True),
        "no team 403": viewer.get("/", secure=True),
        "csrf 403": stranger.post(reverse("accounts:sign_in"), {}, secure=True),
        "unknown 404": client.get("/no-such-page/", secure=True),
        "unknown link 404": stranger.get("/u/nobodys", secure=True),
        "method 405": client.get(
            reverse("campaigns:campaign_launch", args=[world.ids["campaign"]]), secure=True
        ),
        "host 400": client.get("/", secure=True, headers={"host": "evil.example"}),
        "static 200": client.get("/static/hongyan/app.js", secure=True),
        "picture 200": client.get("/static/hongyan/favicon.svg", secure=True),
        "health 204": stranger.get("/healthz", secure=True),
        "invalid 422": client.post(reverse("accounts:change_password"), {}, secure=True),
        "download 200": client.get(
            reverse("campaigns:campaign_result", args=[world.ids["campaign"]]), secure=True
        ),
    }
    monkeypatch.setattr("campaigns.views.health.connection.cursor", broken)
    found["failure 500"] = client.get("/healthz", secure=True)
    monkeypatch.undo()
    for name, answer in found.items():
        assert answer.status_code == int(name.split()[-1]), name
        if answer.streaming:
            b"".join(answer.streaming_content)
    return found


def broken() -> None:
    raise RuntimeError("forced")


def test_every_answer_has_every_header(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, answer in answers(client, monkeypatch).items():
        csp = policy(answer)
        assert csp["default-src"] == ["'none'"], name
        assert csp["script-src"] == ["'self'"], name
        assert csp["style-src"] == ["'self'"], name
        assert csp["frame-ancestors"] == ["'none'"], name
        assert csp["base-uri"] == csp.get("object-src", ["'none'"]) == ["'none'"], name
        assert csp["form-action"] == ["'self'"], name
        assert answer.headers["X-Frame-Options"] == "DENY", name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer"), name
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", name
        assert re.fullmatch(r"max-age=31536000\b.*", answer.headers["Strict-Transport-Security"])


def test_every_cookie_is_for_this_site_over_tls_alone(db: None) -> None:
    world, client = World(), Client()
    world.hr.set_password("correct horse battery")
    world.hr.save()
    sign_in = reverse("accounts:sign_in")
    client.post(reverse("accounts:language"), {"language": "en"}, secure=True)
    client.get(sign_in, secure=True)
    typed = {"username": world.hr.email, "password": "correct horse battery"}
    assert client.post(sign_in, typed, secure=True).status_code == 302
    client.post(reverse("set_language"), {"language": "en"}, secure=True)
    assert client.cookies.keys() == {"sessionid", "csrftoken", "django_language"}
    for name, cookie in client.cookies.items():
        assert cookie["secure"], name
        assert cookie["samesite"] == "Lax", name
        assert not cookie["domain"], name
        assert cookie["httponly"] or name == "csrftoken", name


def test_no_page_with_content_is_kept_by_a_browser(client: Any) -> None:
    """Payslips, addresses and settings of a team (ASVS 14.3.2)."""
    world = client.world
    launched(world.campaign)
    ids = world.ids
    pages = [
        reverse("campaigns:campaign_preview", args=[ids["campaign"]]),
        reverse("campaigns:campaign_preview_html", args=[ids["campaign"]]) + f"?at={ids['row']}",
        reverse("campaigns:campaign_preflight", args=[ids["campaign"]]),
        reverse("campaigns:campaign_result", args=[ids["campaign"]]),
        reverse("campaigns:delivery", args=[ids["delivery"]]),
        reverse("campaigns:template_preview", args=[ids["template"]])
        + f"?workbook={ids['workbook']}",
        reverse("campaigns:template_fields") + f"?workbook={ids['workbook']}",
    ]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        assert "no-store" in answer.headers["Cache-Control"], page
        if answer.streaming:
            b"".join(answer.streaming_content)


@pytest.mark.parametrize("name", ["campaign_preview_html", "template_preview"])
def test_a_mails_html_is_a_sandbox_of_its_own(client: Any, name: str) -> None:
    world = client.world
    ids = world.ids
    about = "campaign" if name.startswith("campaign") else "template"
    url = reverse(f"campaigns:{name}", args=[ids[about]]) + f"?at={ids['row']}"
    answer = client.get(url, secure=True)
    csp = policy(answer)
    assert csp["sandbox"] == [], "no allow-scripts, no allow-same-origin"
    assert csp["default-src"] == csp["base-uri"] == csp["form-action"] == ["'none'"]
    assert "script-src" not in csp
    assert csp["frame-ancestors"] == ["'self'"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" in answer.headers


def test_no_template_of_ours_has_a_script_or_a_handler_in_it() -> None:
    """A CSP without unsafe-inline would refuse it; nobody should need to weaken it."""
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text), path
        assert not re.search(r"\son[a-z]+\s*=", text), path
        assert "javascript:" not in text, path
        assert not re.search(r"<style\b|\sstyle=", text), path
        assert not re.search(r"\|\s*safe\b|autoescape off", text), path


def test_every_frame_in_a_template_is_a_sandbox() -> None:
    frames = 0
    for path in (ROOT / "templates").rglob("*.html"):
        for frame in re.findall(r"<iframe[^>]*>", path.read_text(encoding="utf-8")):
            frames += 1
            assert re.search(r'\ssandbox(="")?[\s>]', frame), (path, frame)
    assert frames >= 2


@pytest.mark.parametrize(
    ("public_url", "secure", "seconds"),
    [("https://mail.corp.example", True, 31_536_000), ("http://mail.corp.example", False, 0)],
)
def test_https_alone_decides_on_hsts_and_secure_cookies(
    public_url: str, secure: bool, seconds: int
) -> None:
    """Settings are read once in a process, so each case is one."""
    say = (
        "from django.conf import settings as s;"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS, s.DEBUG)"
    )
    env = {name: value for name, value in os.environ.items() if name != "DEBUG"}
    done = subprocess.run(
        [sys.executable, "-c", say],
        cwd=ROOT,
        env=env | {"PUBLIC_URL": public_url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(secure), str(secure), str(seconds), "False"]
