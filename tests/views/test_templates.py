"""Templates: list, editor with every fault and its place, preview in a frame of its own."""

import re

import pytest

from accounts.models import Role
from campaigns.models import MessageTemplate
from tests.views.scene import CANARY, Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

GOOD = {"name": "十一月", "subject": "{{ title }}", "html": "<p>{{ 姓名 }}</p>", "text": ""}


def test_the_list_shows_the_kinds_that_one_may_write(scene, django_assert_num_queries):
    payslip, letter = scene.template("payslip"), scene.template("newsletter")
    client = scene.client(Role.HR)
    with django_assert_num_queries(6):
        page = client.get("/templates/").content.decode()
    assert payslip.name in page
    assert letter.name not in page
    assert letter.name in scene.client(Role.MARKETER).get("/templates/").content.decode()


def test_an_empty_list_offers_the_ready_made_ones(scene):
    page = scene.client(Role.HR).get("/templates/").content.decode()
    assert "/templates/new/?kind=payslip" in page
    assert "kind=newsletter" not in page


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MAIL_ADMIN])
def test_others_may_not_write_templates(scene, role):
    assert scene.client(role).get("/templates/").status_code == 403


def test_a_new_one_starts_from_the_ready_made_and_saves(scene):
    client = scene.client(Role.HR)
    page = client.get("/templates/new/?kind=payslip").content.decode()
    assert "for cell in cells" in page
    answer = client.post("/templates/new/", GOOD | {"kind": "payslip"})
    saved = MessageTemplate.objects.get(team=scene.team)
    assert answer.url == f"/templates/{saved.pk}/"
    assert "{{ 姓名 }}" in saved.prepared_text
    assert saved.prepared_html.startswith("<html>")


def test_every_fault_is_named_with_its_part_line_and_column(scene):
    bad = GOOD | {"html": "<p>\n{{ 姓名</p>\n<script>1</script>", "subject": "{% include x %}"}
    answer = scene.client(Role.HR).post("/templates/new/", bad | {"kind": "payslip"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "主题 · 第 1 行 · 第 1 列" in page
    assert "HTML 正文 · 第 2 行 · 第 1 列" in page
    assert page.count('class="problem-error"') >= 2
    assert not MessageTemplate.objects.exists()
    assert "&lt;script&gt;1" in page


def test_a_name_is_taken_once_in_a_team_and_again_in_another(scene):
    client, other = scene.client(Role.HR), Scene()
    client.post("/templates/new/", GOOD | {"kind": "payslip"})
    again = client.post("/templates/new/", GOOD | {"kind": "payslip"})
    assert again.status_code == 422
    assert "已有同名" in again.content.decode()
    assert (
        other.client(Role.HR).post("/templates/new/", GOOD | {"kind": "payslip"}).status_code == 302
    )


def test_an_edit_changes_what_is_rendered(scene):
    template, client = scene.template(), scene.client(Role.HR)
    client.post(f"/templates/{template.pk}/", GOOD | {"html": "<p>新 {{ 姓名 }}</p>"})
    template.refresh_from_db()
    assert "新 {{ 姓名 }}" in template.prepared_html
    assert "新 {{ 姓名 }}" in template.prepared_text


@pytest.mark.parametrize("path", ["", "preview/", "delete/"])
def test_another_teams_template_is_not_there(scene, path):
    client = Scene().client(Role.HR)
    template = scene.template()
    assert client.post(f"/templates/{template.pk}/{path}", GOOD).status_code == 404
    assert client.get(f"/templates/{template.pk}/").status_code == 404
    assert MessageTemplate.objects.filter(pk=template.pk, name=template.name).exists()


def test_a_marketer_may_not_open_a_payslip_template(scene):
    template = scene.template()
    assert scene.client(Role.MARKETER).get(f"/templates/{template.pk}/").status_code == 403
    posted = GOOD | {"kind": "payslip"}
    assert scene.client(Role.MARKETER).post("/templates/new/", posted).status_code == 403


def test_a_preview_stands_in_a_sandbox_and_is_not_kept(scene):
    answer = scene.client(Role.HR).get(f"/templates/{scene.template().pk}/preview/")
    assert "李雷" in answer.content.decode()
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "frame-ancestors 'self'" in policy
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert "no-store" in answer["Cache-Control"]


def test_what_is_being_written_is_previewed_and_not_stored(scene):
    answer = scene.client(Role.HR).post(
        "/templates/preview/", GOOD | {"html": "<p>{{ 部门 }}!</p>"}
    )
    assert "市场部!" in answer.content.decode()
    assert not MessageTemplate.objects.exists()
    text = scene.client(Role.HR).post("/templates/preview/", GOOD | {"view": "text"})
    assert "<pre>" in text.content.decode()


def test_a_preview_of_what_is_wrong_says_so(scene):
    page = (
        scene.client(Role.HR)
        .post("/templates/preview/", GOOD | {"html": "<p>{{ x"})
        .content.decode()
    )
    assert "HTML 正文 · 第 1 行 · 第 4 列" in page


def test_a_preview_takes_a_workbooks_row_from_those_who_may_read_it(scene):
    reader = scene.user(Role.HR)
    workbook = scene.workbook(reader)
    posted = GOOD | {"html": "<p>{{ 实发 }}</p>", "workbook": workbook.pk, "row": "3"}
    client = scene.client(user=reader)
    assert CANARY in client.post("/templates/preview/", posted).content.decode()
    assert scene.client(Role.HR).post("/templates/preview/", posted).status_code == 404
    assert Scene().client(Role.HR).post("/templates/preview/", posted).status_code == 404
    for wrong in ("x", "-1", "9" * 30):
        assert client.post("/templates/preview/", posted | {"workbook": wrong}).status_code == 404


def test_merge_fields_of_a_workbook_are_offered(scene):
    reader = scene.user(Role.HR)
    workbook = scene.workbook(reader, columns=["姓名", "邮箱", "应发/基本", "实发"])
    page = (
        scene.client(user=reader).get(f"/templates/fields/?workbook={workbook.pk}").content.decode()
    )
    assert 'data-insert="{{ row[&quot;应发/基本&quot;] }}"' in page
    assert (
        scene.client(Role.HR).get(f"/templates/fields/?workbook={workbook.pk}").status_code == 404
    )


def test_a_deleted_template_is_gone_unless_a_draft_uses_it(scene):
    client = scene.client(Role.HR)
    campaign = scene.payslips()
    client.post(f"/templates/{campaign.template.pk}/delete/")
    assert MessageTemplate.objects.filter(pk=campaign.template.pk).exists()
    spare = scene.template()
    assert client.get(f"/templates/{spare.pk}/delete/").status_code == 405
    client.post(f"/templates/{spare.pk}/delete/")
    assert not MessageTemplate.objects.filter(pk=spare.pk).exists()


def test_what_a_person_wrote_never_becomes_the_pages_own_html(scene):
    client = scene.client(Role.HR)
    client.post("/templates/new/", GOOD | {"kind": "payslip", "name": "<b>x</b>"})
    page = client.get("/templates/").content.decode()
    assert re.search("&lt;b&gt;x", page)
    assert "<b>x" not in page
