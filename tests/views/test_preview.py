"""Preview: a row exactly as it will be sent, for those who may read it, in a frame of its own."""

import email
import html
import re
from email.policy import default

import pytest
import time_machine

from accounts.models import Role
from campaigns.models import Campaign
from campaigns.pipeline import preview
from campaigns.pipeline.compose import Composer
from tests.views.scene import CANARY, PAYROLL, Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TWICE = [*PAYROLL, ("王小明", "WANG@corp.example", "1.00", "77.70")]
LOOP = (
    "<p>{{ 姓名 }}</p>{% for cell in cells %}<p>{{ cell.label }} {{ cell.value }}</p>{% endfor %}"
)


@pytest.fixture
def scene():
    scene = Scene()
    scene.key()
    return scene


def text(response):
    assert response.status_code == 200
    return response.content.decode()


def test_a_row_is_shown_in_every_way(scene, hr, django_assert_max_num_queries):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    row = campaign.workbook.rows.get(number=3)
    url = f"/campaigns/{campaign.pk}/preview/?at={row.pk}"
    with django_assert_max_num_queries(18):
        page = client.get(url)
    assert "2 / 3" in text(page)
    assert "no-store" in page["Cache-Control"]
    assert f'src="/campaigns/{campaign.pk}/preview/html/?at={row.pk}"' in text(page)
    assert 'width="375"' in text(client.get(f"{url}&view=phone"))
    assert CANARY in text(client.get(f"{url}&view=text"))
    header = text(client.get(f"{url}&view=headers"))
    assert "hr@corp.example" in header
    assert "DKIM-Signature" in header
    assert "李雷" in header
    assert "Content-Type: multipart/alternative" in text(client.get(f"{url}&view=source"))


def test_the_html_stands_alone_in_a_sandbox(scene, hr):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    row = campaign.workbook.rows.get(number=3)
    answer = client.get(f"/campaigns/{campaign.pk}/preview/html/?at={row.pk}")
    assert CANARY in text(answer)
    assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert "no-store" in answer["Cache-Control"]
    assert client.get(f"/campaigns/{campaign.pk}/preview/html/").status_code == 404


def test_what_is_previewed_is_what_is_sent(scene, hr):
    campaign = launched(scene.payslips(hr))
    row = campaign.workbook.rows.get(number=3)
    planned = deliveries(campaign, "queued", "queued")[1]
    planned.source_key = f"r{row.number}.{row.part}"
    planned.save()
    with time_machine.travel("2026-11-30T01:00:00Z", tick=False):
        shown = preview.show(campaign, preview.delivery_for(campaign, row))
        campaign = Campaign.objects.get(pk=campaign.pk)
        planned.refresh_from_db()
        planned.campaign = campaign
        sent = Composer(campaign, campaign.relay).compose(planned)
    assert shown.source == sent.content
    assert shown.envelope == sent.envelope
    planned.refresh_from_db()
    assert planned.message_id == ""


def test_next_previous_and_search(scene, hr):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    url = f"/campaigns/{campaign.pk}/preview/"
    first = text(client.get(url))
    assert "1 / 3" in first
    following = re.search(r'href="[^"]*(\?at=\d+)[^"]*" rel="next"', first)
    assert "2 / 3" in text(client.get(url + following[1]))
    assert 'rel="prev"' not in first
    for words, found in (
        ("4", "han@"),
        ("LILEI@", "lilei@"),
        ("韩梅", "han@"),
        ("王小明", "wang@"),
    ):
        answer = client.post(f"{url}search/", {"q": words, "view": "text"})
        assert answer.status_code == 302
        assert re.fullmatch(rf"{url}\?at=\d+&view=text", answer["Location"])
        assert f"{found}corp.example" in text(client.get(answer["Location"]))
    missed = text(client.post(f"{url}search/", {"q": "<b>"}))
    assert "没有找到“<b>”" not in missed
    assert "没有找到“&lt;b&gt;”" in missed


def test_a_name_is_searched_for_without_standing_in_an_address(scene, hr):
    rows = [*PAYROLL, ("王小明", "other@corp.example", "1.00", "2.00")]
    campaign = scene.payslips(hr, workbook=scene.workbook(hr, rows=rows))
    client, url = scene.client(user=hr), f"/campaigns/{campaign.pk}/preview/"
    assert 'method="post"' in text(client.get(url)).partition('role="search"')[0][-200:]
    # ?q= is nothing any more: the first slip is shown.
    assert "1 / 4" in text(client.get(url, {"q": "韩梅梅"}))
    page = text(client.post(f"{url}search/", {"q": "王小明"}))
    assert "找到 2 位" in page
    for row in campaign.workbook.rows.filter(number__in=(2, 5)):
        assert f"{url}?at={row.pk}&amp;view=html" in page
    assert client.get(f"{url}search/?q=王小明").status_code == 405


def test_without_a_grant_nothing_is_shown_superusers_included(scene, hr):
    campaign = scene.payslips(hr)
    row = campaign.workbook.rows.first()
    stranger = scene.user(Role.HR, Role.OWNER, Role.VIEWER, is_superuser=True)
    client = scene.client(user=stranger)
    for path in ("preview/", f"preview/html/?at={row.pk}"):
        answer = client.get(f"/campaigns/{campaign.pk}/{path}")
        assert answer.status_code == 403
        assert CANARY not in answer.content.decode()


def test_a_row_of_another_workbook_is_not_there(scene, hr):
    campaign, foreign = scene.payslips(hr), scene.workbook().rows.first()
    client = scene.client(user=hr)
    assert client.get(f"/campaigns/{campaign.pk}/preview/?at={foreign.pk}").status_code == 404
    assert client.get(f"/campaigns/{campaign.pk}/preview/html/?at={foreign.pk}").status_code == 404


def test_a_row_that_cannot_be_rendered_says_which_cell_and_why(scene, hr):
    rows = [("王", "w@corp.example", None, "2")]
    campaign = scene.payslips(hr, workbook=scene.workbook(hr, rows=rows))
    page = text(scene.client(user=hr).get(f"/campaigns/{campaign.pk}/preview/"))
    assert "11月工资!C2" in page
    assert "读不出来" in page
    assert "<iframe" not in page


def test_merged_rows_are_one_message_with_every_slip(scene, hr):
    campaign = scene.payslips(
        hr,
        workbook=scene.workbook(hr, rows=TWICE),
        template=scene.template(html=LOOP),
        duplicates="merged",
    )
    client = scene.client(user=hr)
    page = text(client.get(f"/campaigns/{campaign.pk}/preview/?view=text"))
    assert "1 / 3" in page
    assert "9533.50" in page
    assert "77.70" in page
    assert "第 2 份" in page
    Campaign.objects.filter(pk=campaign.pk).update(duplicates="both")
    assert "1 / 4" in text(client.get(f"/campaigns/{campaign.pk}/preview/"))


def test_a_newsletter_is_seen_by_the_team_with_its_unsubscribe_link(scene):
    campaign = scene.newsletter()
    client = scene.client(Role.VIEWER)
    shown = client.get(f"/campaigns/{campaign.pk}/preview/?view=headers")
    assert "List-Unsubscribe" in text(shown)
    assert "把这一封发给自己" not in text(shown)
    contact = preview.recipients(campaign).first()
    page = text(client.get(f"/campaigns/{campaign.pk}/preview/html/?at={contact.pk}"))
    assert re.search(r'href="https://[^"]+/u/', html.unescape(page))


def test_a_preview_changes_nothing(scene, hr):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    url = f"/campaigns/{campaign.pk}/preview/"
    text(client.get(url))
    assert client.post(url).status_code == 405
    assert not campaign.deliveries.exists()


def test_no_recipients_is_said(scene):
    campaign = scene.newsletter(contact_list=scene.contacts())
    page = text(scene.client(Role.MARKETER).get(f"/campaigns/{campaign.pk}/preview/"))
    assert "没有收件人" in page


def test_the_source_is_a_message_that_a_mail_program_reads(scene, hr):
    campaign = scene.payslips(hr)
    row = campaign.workbook.rows.get(number=3)
    shown = preview.show(campaign, preview.delivery_for(campaign, row))
    message = email.message_from_bytes(shown.source, policy=default)
    assert message["To"].addresses[0].addr_spec == "lilei@corp.example"
    assert CANARY in message.get_body(("plain",)).get_content()
    assert "List-Unsubscribe" not in message
