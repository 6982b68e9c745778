"""Stored XSS (ASVS 1.2.1, 1.3.1, 3.2.1): every place that shows foreign text, in a real Chromium.

What came from a workbook, a form, a server or a returned mail holds a script that would set
`window.__xss`, a handler and an address that would be asked for. No page of the site runs or asks.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page

from campaigns.models import Attempt, Feedback, MaildropMessage, MessageTemplate
from campaigns.pipeline import preview
from tests.security.routes import guarded
from tests.security.world import World

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

ATTACK = (
    "\"'></option></script></textarea></title></style>--><script>window.__xss=1</script>"
    "<img src=/xss-asked onerror=window.__xss=1><svg/onload=window.__xss=1>"
    "{{constructor.constructor('window.__xss=1')()}}"
    '<a href="javascript:window.__xss=1" x-init="window.__xss=1" hx-get="/xss-asked" hx-trigger="load">x'
)
HTML = '<p title="{{ 姓名 }}">{{ 姓名 }}</p><a href="{{ 姓名 }}">x</a>'
# What no template may hold, should it ever come through.
NAKED = f"<p>{ATTACK}</p><script>window.__xss=1;document.title='ran'</script>"


def poisoned(world: World) -> None:
    """Every text of every row of the team, as far as it fits; what is a code or an id stays."""
    delivery, relay, mailbox = world.delivery, world.campaign.relay, world.mailbox
    now = timezone.now()
    book = world.campaign.workbook
    assert book is not None
    Attempt.objects.create(
        team=world.team, delivery=delivery, relay=relay, started_at=now, ended_at=now,
        phase="content", outcome="refused", content_began=True,
        sealed_text=book.data_key.seal(f"550 {ATTACK}".encode()),
    )  # fmt: skip
    for kind, sealed in (("bounce", True), ("complaint", False)):
        Feedback.objects.create(
            team=world.team, kind=kind, mailbox=mailbox, delivery=delivery, proof="message_id",
            campaign=world.campaign, address=ATTACK[:320], address_key=ATTACK[:320], text=ATTACK,
            sealed_text=book.data_key.seal(ATTACK.encode()) if sealed else None, reason=ATTACK[:30],
        )  # fmt: skip
    MaildropMessage.objects.create(team=world.team, mailbox=mailbox, uidl="1", verdict=ATTACK[:20])
    for row in book.rows:
        row.sealed = book.data_key.seal_json({"name": ATTACK, "values": [ATTACK] * 4})
        row.save()
    book.columns = [{"name": f"{ATTACK}{n}", "letter": "A"} for n in range(4)]
    book.sheets = [ATTACK]
    book.sealed_findings = book.data_key.seal_json(findings())
    book.problem_count = 1
    book.save()
    for model in apps.get_models():
        if any(field.name == "team" for field in model._meta.get_fields()):
            poison(model, model._default_manager.filter(team=world.team))
    type(world.team).objects.filter(pk=world.team.pk).update(name=ATTACK[:100])
    type(world.hr).objects.filter(pk=world.hr.pk).update(name=ATTACK[:100])
    # One message can still be composed, so that the preview shows it.
    type(world.campaign).objects.filter(team=world.team).update(
        from_address="hr@corp.example", reply_to="", subject="", frozen_html=""
    )
    book.all_rows.filter(pk=world.ids["row"]).update(
        address="p@x.example", address_key="p@x.example"
    )
    source = {"subject": "<script>window.__xss=1</script>", "html": HTML, "text": "{{ 姓名 }}"}
    prepared = {"prepared_html": HTML, "prepared_text": "{{ 姓名 }}"}
    MessageTemplate.objects.filter(team=world.team).update(**source, **prepared)


def findings() -> dict[str, Any]:
    place = {"sheet": ATTACK, "row": 4, "column": "B"}
    return {
        "outcome": "import",
        "hidden": {"sheets": [ATTACK], "rows": [], "columns": []},
        "invalid": [{"row": 4, "column": "B", "raw": ATTACK, "why": ATTACK}],
        "duplicates": [{"row": 5, "email": ATTACK, "first_row": 4}],
        "skipped_rows": [{"row": 6, "why": "total"}],
        "problems": [
            {**place, "kind": "invalid_address", "params": {"raw": ATTACK}, "text": ATTACK}
        ],
        "suggestions": {},
        "totals": {ATTACK: {"shown": ATTACK, "computed": ATTACK}},
    }


SPARED = {"state", "kind", "purpose", "tls_mode", "preset", "message_id", "source_key", "outcome",
          "phase", "verdict", "time_zone", "scheduled_zone", "zone", "window", "algorithm",
          "host", "quota_group", "in_doubt_policy", "duplicates", "leaving", "hold_reason",
          "uidl", "role", "sha256", "logo", "suffix", "html", "prepared_html", "status", "public_key", "part"}  # fmt: skip


def poison(model: type[models.Model], rows: models.QuerySet[Any]) -> None:
    fields = [
        field
        for field in model._meta.local_fields
        if type(field) in (models.CharField, models.TextField, models.EmailField)
        and field.name not in SPARED
        and not field.choices
    ]
    for row, field in itertools.product(rows, fields):
        text = f"{ATTACK}{row.pk}" if field.max_length is None else ""
        text = text or f"{row.pk}{ATTACK}"[: field.max_length]
        model._default_manager.filter(pk=row.pk).update(**{field.name: text})


@pytest.fixture
def page(browser: Browser, live_server: Any) -> Any:
    world = World()
    poisoned(world)
    client = Client()
    client.force_login(world.hr)
    context: BrowserContext = browser.new_context()
    # The test's site speaks http, so the cookie of https would not be sent.
    cookie = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    context.asked = []
    # What was answered: Chromium also tells of requests that a policy then forbade.
    context.on("response", lambda answer: context.asked.append(answer.url))
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.world = world
    yield page
    context.close()


def ran(page: Page) -> list[str]:
    """The frames in which the script ran."""
    found = []
    for frame in page.frames:
        try:
            if frame.evaluate("typeof window.__xss") != "undefined":
                found.append(frame.url)
        except Exception:  # a frame that is gone, or a sandbox without scripts: nothing ran there
            continue
    return found


def test_no_page_runs_what_it_shows(page: Any, live_server: Any) -> None:
    world, seen = page.world, 0
    ids = world.ids
    pages = [route.about(ids) for route in guarded()]
    pages += [
        reverse("campaigns:campaign_preview", args=[ids["campaign"]]) + f"?view={view}"
        for view in ("html", "phone", "text", "headers", "source")
    ]
    pages += [
        reverse("campaigns:campaign_preview_html", args=[ids["campaign"]]) + f"?at={ids['row']}",
        reverse("campaigns:template_preview", args=[ids["template"]])
        + f"?workbook={ids['workbook']}",
        reverse("campaigns:template_fields") + f"?workbook={ids['workbook']}",
        reverse("campaigns:campaign_new") + "?kind=newsletter",
        reverse("campaigns:template_new") + "?kind=payslip",
        reverse("campaigns:workbook_rows", args=[ids["workbook"]]) + "?kind=invalid_address",
        reverse("accounts:account"),
        "/?q=" + "%22%3E%3Cscript%3Ewindow.__xss%3D1%3C/script%3E",
        "/campaigns/?q=%22%3E%3Cscript%3Ewindow.__xss%3D1%3C/script%3E",
        "/deliveries/?q=%22%3E%3Cscript%3Ewindow.__xss%3D1%3C/script%3E",
    ]
    reader = Client()
    reader.force_login(world.hr)
    for path in pages:
        if path.endswith(("/result/", "/export/", "/workbook/file/")):
            continue  # a download
        first = reader.get(path)
        if first.status_code == 405 or not first.content:
            continue  # a POST alone
        page.goto(f"{live_server.url}{path}", wait_until="load")
        page.wait_for_timeout(60)  # for what htmx loads and for a handler of a picture
        assert ran(page) == [], path
        seen += "__xss" in page.content()
    foreign = [url for url in page.context.asked if urlsplit(url).path == "/xss-asked"]
    assert foreign == []
    assert seen > 15, "the pages did show it"
    outside = {urlsplit(url).netloc for url in page.context.asked} - {
        urlsplit(live_server.url).netloc
    }
    assert outside <= {""}


def test_the_canary_would_be_seen(page: Any, live_server: Any) -> None:
    """The same text in a page that escapes nothing and has no policy."""
    page.route("**/naked", lambda route: route.fulfill(body=ATTACK, content_type="text/html"))
    page.goto(f"{live_server.url}/naked")
    assert ran(page) == [f"{live_server.url}/naked"]


def test_a_mails_own_script_has_no_rights_in_its_frame(
    page: Any, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its address is opened by itself, past the frame of our page."""
    real = preview.show
    monkeypatch.setattr(
        preview, "show", lambda *given, **more: replace(real(*given, **more), html=NAKED)
    )
    ids = page.world.ids
    path = reverse("campaigns:campaign_preview_html", args=[ids["campaign"]])
    answer = page.goto(f"{live_server.url}{path}?at={ids['row']}")
    assert answer.status == 200
    assert "<script>window.__xss" in answer.text()
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert page.title() != "ran"
    assert ran(page) == []
    whole = reverse("campaigns:campaign_preview", args=[ids["campaign"]])
    page.goto(f"{live_server.url}{whole}?at={ids['row']}")
    assert len(page.frames) > 1
    page.wait_for_timeout(100)
    assert ran(page) == []
    assert [url for url in page.context.asked if urlsplit(url).path == "/xss-asked"] == []


def test_an_upload_is_never_served_as_a_page(page: Any, live_server: Any) -> None:
    """There is no address below which an uploaded file could be opened (SVG, HTML)."""
    for path in ("/media/", "/uploads/", "/files/", "/var/", "/static/../var/"):
        answer = page.goto(f"{live_server.url}{path}")
        assert answer.status in (400, 404)
