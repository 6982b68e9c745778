"""A campaign is made and changed by those who may, from rows of their own team, while it is a draft."""

import pytest

from accounts.models import Role
from campaigns.models import Campaign, ContentGrant
from tests.views.scene import Scene, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def scene():
    scene = Scene()
    scene.key()
    return scene


def settings_of(scene, reader, **changes):
    """What the form of a payslip campaign posts."""
    values = {
        "kind": "payslip",
        "name": "十一月",
        "audience": f"workbook:{scene.workbook(reader).pk}",
        "template": scene.template().pk,
        "relay": scene.relay().pk,
        "from_name": "人力资源部",
        "from_address": "hr@corp.example",
        "reply_to": "",
        "duplicates": "both",
        "in_doubt_policy": "ask",
    }
    return values | changes


def text(response):
    return response.content.decode()


def test_hr_makes_a_payslip_campaign_and_may_read_it(scene, hr):
    client = scene.client(user=hr)
    assert client.get("/campaigns/new/").status_code == 200
    answer = client.post("/campaigns/new/", settings_of(scene, hr))
    made = Campaign.objects.get(team=scene.team)
    assert answer.url == f"/campaigns/{made.pk}/"
    assert (made.kind, made.state, made.created_by) == ("payslip", "draft", hr)
    assert made.content_visible_to(hr)
    assert not made.content_visible_to(scene.user(Role.HR, is_superuser=True))


def test_who_may_make_both_chooses_first(scene):
    client = scene.client(Role.HR, Role.MARKETER)
    page = text(client.get("/campaigns/new/"))
    assert "?kind=payslip" in page
    assert "?kind=newsletter" in page
    assert client.get("/campaigns/new/?kind=spam").status_code == 404


def test_a_marketer_makes_newsletters_and_no_payslips(scene, hr):
    client = scene.client(Role.MARKETER)
    assert client.get("/campaigns/new/?kind=payslip").status_code == 403
    assert client.post("/campaigns/new/", settings_of(scene, hr)).status_code == 403
    letter = {
        "kind": "newsletter", "name": "通讯", "audience": f"list:{scene.contacts('a@x.cn').pk}",
        "template": scene.template("newsletter").pk, "relay": scene.relay().pk,
        "from_address": "news@corp.example", "in_doubt_policy": "ask",
    }  # fmt: skip
    client.post("/campaigns/new/", letter)
    made = Campaign.objects.get(team=scene.team)
    assert made.contact_list is not None
    assert not ContentGrant.objects.filter(campaign=made).exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MAIL_ADMIN])
def test_others_make_none(scene, role):
    assert scene.client(role).get("/campaigns/new/").status_code == 403


def test_foreign_ids_in_the_form_are_not_there(scene, hr):
    client, other = scene.client(user=hr), Scene()
    stranger = other.user(Role.HR)
    for changes in (
        {"template": other.template().pk},
        {"relay": other.relay().pk},
        {"audience": f"workbook:{other.workbook(stranger).pk}"},
        {"audience": f"workbook:{scene.workbook(stranger).pk}"},
        {"audience": f"list:{other.contacts().pk}"},
        {"template": "1 OR 1=1"},
    ):
        answer = client.post("/campaigns/new/", settings_of(scene, hr, **changes))
        assert answer.status_code == 404, changes
    assert not Campaign.objects.exists()


def test_a_payroll_is_never_sent_to_a_list(scene, hr):
    posted = settings_of(scene, hr, audience=f"list:{scene.contacts('a@x.cn').pk}")
    assert scene.client(user=hr).post("/campaigns/new/", posted).status_code == 422


def test_a_from_address_must_be_the_relays_and_the_page_says_which_are(scene, hr):
    posted = settings_of(scene, hr, from_address="boss@else.example")
    answer = scene.client(user=hr).post("/campaigns/new/", posted)
    assert answer.status_code == 422
    assert "不能用这个地址。可用的是：@corp.example" in text(answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"from_name": "人事\r\nBcc: x@evil.example"},
        {"from_name": "人事\u2028x"},
        {"from_address": "hr@corp.example\r\nBcc: x@y.cn"},
        {"reply_to": "no address"},
        {"reply_to": "人事 <hr@corp.example>"},
        {"in_doubt_policy": "guess"},
        {"duplicates": "maybe"},
        {"name": ""},
    ],
)
def test_what_cannot_be_a_header_or_a_choice_is_refused(scene, hr, changes):
    answer = scene.client(user=hr).post("/campaigns/new/", settings_of(scene, hr, **changes))
    assert answer.status_code == 422
    assert not Campaign.objects.exists()


def test_only_a_draft_is_changed(scene, hr):
    campaign = scene.payslips(hr)
    client = scene.client(user=hr)
    url = f"/campaigns/{campaign.pk}/edit/"
    assert "十一月工资条" in text(client.get(url))
    client.post(url, settings_of(scene, hr, name="新名"))
    campaign.refresh_from_db()
    assert campaign.name == "新名"
    launched(campaign)
    assert client.post(url, settings_of(scene, hr, name="太晚")).status_code == 302
    campaign.refresh_from_db()
    assert campaign.name == "新名"


def test_another_hr_without_a_grant_neither_edits_nor_launches(scene, hr):
    campaign = scene.payslips(hr)
    client = scene.client(Role.HR)
    assert client.get(f"/campaigns/{campaign.pk}/edit/").status_code == 403
    assert client.post(f"/campaigns/{campaign.pk}/launch/", {"when": "now"}).status_code == 403
    assert client.post(f"/campaigns/{campaign.pk}/test/").status_code == 403


@pytest.mark.parametrize(("kind", "role"), [("payslip", Role.HR), ("newsletter", Role.MARKETER)])
def test_each_field_stands_on_the_form(scene, kind, role):
    page = scene.client(role).get(f"/campaigns/new/?kind={kind}")
    text = page.content.decode()
    fields = list(page.context["form"].fields)
    assert len(fields) > 7
    assert [name for name in fields if f'name="{name}"' not in text] == []
