"""Campaigns: launched once, paused, cancelled; by whom, and never across teams."""

import re
from datetime import datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from campaigns.models import Campaign, Delivery, Suppression
from campaigns.models.delivery import DeliveryPurpose
from tests.views.scene import CANARY, PAYROLL, Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTS = ["launch", "pause", "resume", "cancel", "unschedule", "test", "send-anyway", "resolve"]


@pytest.fixture
def scene():
    scene = Scene()
    scene.key()
    return scene


def text(response):
    return response.content.decode()


# The list -----------------------------------------------------------------------------------------


def test_the_list_shows_states_and_progress_in_few_queries(scene, django_assert_num_queries):
    for _number in range(5):
        deliveries(launched(scene.payslips()), "accepted", "queued", "in_doubt")
    client = scene.client(Role.VIEWER)
    with django_assert_num_queries(7):
        page = text(client.get("/campaigns/"))
    assert page.count("已提交 1 / 3") == 5
    assert page.count("· 待确认 1") == 5
    assert "/campaigns/new/" not in page


def test_the_list_is_filtered_searched_and_paged_by_key(scene):
    scene.newsletter(name="春节问候")
    launched(scene.payslips(name="工资"), "paused")
    client = scene.client(Role.MARKETER)
    assert "春节问候" not in text(client.get("/campaigns/?state=paused"))
    assert "工资" not in text(client.get("/campaigns/?q=春节")).partition("results")[2]
    assert "没有找到活动" in text(client.get("/campaigns/?q=xyz"))
    for _number in range(35):
        scene.newsletter("a@x.example", template=None, relay=None)
    first = client.get("/campaigns/").context["keyset"]
    assert (len(first.rows), first.previous) == (30, "")
    second = client.get(f"/campaigns/?after={first.following}").context["keyset"]
    assert (len(second.rows), second.following) == (7, "")
    back = client.get(f"/campaigns/?before={second.previous}").context["keyset"]
    assert back.rows == first.rows
    assert back.previous == ""
    assert 'rel="next"' in text(client.get("/campaigns/"))


def test_another_team_sees_nothing_of_it(scene):
    campaign = scene.payslips(name="机密活动")
    other = Scene()
    assert "机密活动" not in text(other.client(Role.HR).get("/campaigns/"))
    for path in (
        "",
        "edit/",
        "progress/",
        "preflight/",
        "tests/",
        "preview/",
        "deliveries/",
        "result/",
    ):
        answer = other.client(Role.HR).get(f"/campaigns/{campaign.pk}/{path}")
        assert answer.status_code == 404, path
    for act in ACTS:
        answer = other.client(Role.HR).post(f"/campaigns/{campaign.pk}/{act}/", {"when": "now"})
        assert answer.status_code == 404, act


# One campaign -------------------------------------------------------------------------------------


def test_a_reader_of_states_sees_no_content(scene, hr, django_assert_max_num_queries):
    campaign = launched(scene.payslips(hr))
    deliveries(campaign, "accepted", "in_doubt", "failed")
    client = scene.client(Role.VIEWER)
    with django_assert_max_num_queries(22):
        page = text(client.get(f"/campaigns/{campaign.pk}/"))
    assert CANARY not in page
    assert "只有获授权的人能看" in page
    assert f"/campaigns/{campaign.pk}/deliveries/?state=failed" in page
    assert "/preview/" not in page
    assert f"/campaigns/{campaign.pk}/pause/" not in page


@pytest.mark.parametrize("act", ACTS)
def test_acts_are_posts_of_those_with_the_right(scene, hr, act):
    campaign = scene.payslips(hr)
    url = f"/campaigns/{campaign.pk}/{act}/"
    assert scene.client(user=hr).get(url).status_code == 405
    for role in (Role.VIEWER, Role.MARKETER, Role.MAIL_ADMIN, Role.OWNER):
        assert scene.client(role).post(url, {"when": "now"}).status_code == 403
    assert Client().post(url).status_code == 302
    campaign.refresh_from_db()
    assert campaign.state == "draft"


def test_a_post_without_a_token_is_refused(scene, hr):
    client = Client(enforce_csrf_checks=True)
    client.force_login(hr)
    campaign = scene.payslips(hr)
    assert client.post(f"/campaigns/{campaign.pk}/launch/", {"when": "now"}).status_code == 403


def test_two_launches_launch_once(scene, hr):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    first = client.post(f"/campaigns/{campaign.pk}/launch/", {"when": "now"}, follow=True)
    assert "已启动" in text(first)
    campaign.refresh_from_db()
    at, by = campaign.launched_at, campaign.launched_by
    second = client.post(f"/campaigns/{campaign.pk}/launch/", {"when": "now"}, follow=True)
    assert "已经启动了" in text(second)
    campaign.refresh_from_db()
    assert (campaign.launched_at, campaign.launched_by, campaign.state) == (at, by, "scheduled")
    assert campaign.frozen_html == campaign.template.prepared_html


def test_a_launch_is_refused_while_anything_blocks(scene, hr):
    rows = [*PAYROLL, ("赵", "zhao@corp.example", "1", "")]
    campaign = scene.payslips(hr, workbook=scene.workbook(hr, rows=rows))
    client = scene.client(user=hr)
    answer = client.post(f"/campaigns/{campaign.pk}/launch/", {"when": "now"}, follow=True)
    assert "没有启动" in text(answer)
    campaign.refresh_from_db()
    assert campaign.state == "draft"


def test_a_schedule_is_a_wall_time_of_the_teams_zone(scene, hr):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    assert "Asia/Shanghai（UTC+08:00）" in text(client.get(f"/campaigns/{campaign.pk}/"))
    posted = {"when": "later", "wall": "2040-02-03T09:30"}
    client.post(f"/campaigns/{campaign.pk}/launch/", posted)
    campaign.refresh_from_db()
    assert campaign.scheduled_at == datetime.fromisoformat("2040-02-03T01:30+00:00")
    assert (campaign.scheduled_wall, campaign.scheduled_zone) == (
        "2040-02-03T09:30",
        "Asia/Shanghai",
    )
    assert "2040-02-03 09:30（Asia/Shanghai）" in text(client.get(f"/campaigns/{campaign.pk}/"))
    client.post(f"/campaigns/{campaign.pk}/unschedule/")
    campaign.refresh_from_db()
    assert (campaign.state, campaign.frozen_html) == ("draft", "")


@pytest.mark.parametrize("wall", ["2001-01-01T00:00", "", "tomorrow", "2040-02-03T09:30+00:00"])
def test_a_time_that_is_past_or_none_is_refused(scene, hr, wall):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    client.post(f"/campaigns/{campaign.pk}/launch/", {"when": "later", "wall": wall})
    campaign.refresh_from_db()
    assert campaign.state == "draft"


def test_pause_resume_and_cancel(scene, hr):
    campaign, client = launched(scene.payslips(hr)), scene.client(user=hr)
    waiting = deliveries(campaign, "queued", "accepted")[0]
    for act, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        client.post(f"/campaigns/{campaign.pk}/{act}/")
        campaign.refresh_from_db()
        assert campaign.state == state
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"
    again = client.post(f"/campaigns/{campaign.pk}/resume/", follow=True)
    assert "没有生效" in text(again)


def test_a_hold_says_why_and_is_lifted(scene, hr):
    campaign, client = launched(scene.payslips(hr)), scene.client(user=hr)
    Campaign.objects.filter(pk=campaign.pk).update(hold_reason="content_verdict")
    page = text(client.get(f"/campaigns/{campaign.pk}/"))
    assert "判为垃圾邮件" in page
    assert "解除并继续" in page
    client.post(f"/campaigns/{campaign.pk}/resume/")
    campaign.refresh_from_db()
    assert campaign.hold_reason == ""


def test_the_live_part_says_what_it_waits_for(scene, hr):
    campaign = launched(scene.payslips(hr))
    deliveries(campaign, "queued", "accepted")
    client = scene.client(Role.VIEWER)
    part = text(client.get(f"/campaigns/{campaign.pk}/progress/"))
    assert "data-live" in part
    assert "<html" not in part
    relay = campaign.relay
    relay.parked_until, relay.park_reason = timezone.now() + timedelta(hours=1), "ratelimited"
    relay.save()
    assert "暂停使用" in text(client.get(f"/campaigns/{campaign.pk}/progress/"))
    launched(campaign, "finished")
    assert "data-live" not in text(client.get(f"/campaigns/{campaign.pk}/progress/"))


def test_a_running_campaign_says_what_it_will_give_up(scene, hr):
    campaign = launched(scene.payslips(hr))
    deliveries(campaign, "queued", "queued")
    campaign.relay.parked_until = timezone.now() + timedelta(hours=5)
    campaign.relay.save()
    client = scene.client(user=hr)
    cache.clear()
    assert "还没发出的会放弃" not in text(client.get(f"/campaigns/{campaign.pk}/progress/"))
    campaign.deliveries.update(deliver_until=timezone.now() + timedelta(hours=2))
    cache.clear()
    assert "还没发出的会放弃" in text(client.get(f"/campaigns/{campaign.pk}/progress/"))


def test_a_page_of_another_state_is_drawn_anew(scene, hr):
    campaign, client = launched(scene.payslips(hr)), scene.client(user=hr)
    live = re.search(r'hx-get="([^"]+seen=[^"]+)"', text(client.get(f"/campaigns/{campaign.pk}/")))
    url = live[1].replace("&amp;", "&")
    assert "HX-Refresh" not in client.get(url, headers={"HX-Request": "true"})
    launched(campaign, "finished")
    assert client.get(url, headers={"HX-Request": "true"})["HX-Refresh"] == "true"


def test_the_preflight_is_loaded_apart_and_offers_to_send_anyway(scene, hr):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    key = "lilei@corp.example"
    Suppression.objects.create(team=scene.team, address=key, address_key=key, reason="hard_bounce")
    assert f'hx-get="/campaigns/{campaign.pk}/preflight/"' in text(
        client.get(f"/campaigns/{campaign.pk}/")
    )
    part = text(client.get(f"/campaigns/{campaign.pk}/preflight/"))
    assert "第 3 行 · lilei@corp.example" in part
    posted = {"address": [key, "wang@corp.example", "else@x.cn"]}
    client.post(f"/campaigns/{campaign.pk}/send-anyway/", posted)
    campaign.refresh_from_db()
    assert campaign.send_anyway == [key]
    assert "仍然发送给以上地址" not in text(client.get(f"/campaigns/{campaign.pk}/preflight/"))


def test_a_finding_leads_only_where_one_may_go(scene, hr):
    campaign = scene.payslips(hr, relay=scene.relay(per_day=1))
    url = f"/campaigns/{campaign.pk}/preflight/"
    assert "/relays/" not in text(scene.client(user=hr).get(url))
    both = scene.client(Role.HR, Role.MAIL_ADMIN)
    assert "/relays/" in text(both.get(url))


# Tests to oneself ----------------------------------------------------------------------------------


def test_a_test_goes_to_the_tester_and_stays_out_of_the_counts(scene, hr):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    row = campaign.workbook.rows.get(number=3)
    posted = {"at": row.pk, "address": "victim@corp.example", "to": row.address}
    page = client.post(f"/campaigns/{campaign.pk}/test/", posted, follow=True)
    test = Delivery.objects.get(campaign=campaign)
    assert (test.purpose, test.address, test.row) == (DeliveryPurpose.TEST, hr.email, row)
    assert test.message_id == ""
    assert hr.email in text(page)
    assert "data-live" in text(client.get(f"/campaigns/{campaign.pk}/tests/"))
    Delivery.objects.update(state="accepted")
    assert "data-live" not in text(client.get(f"/campaigns/{campaign.pk}/tests/"))
    assert "data-live" not in text(scene.client(Role.HR).get(f"/campaigns/{campaign.pk}/tests/"))


def test_a_test_of_a_row_that_cannot_be_rendered_names_the_cell(scene, hr):
    rows = [("王", "w@corp.example", None, "2")]
    campaign = scene.payslips(hr, workbook=scene.workbook(hr, rows=rows))
    page = scene.client(user=hr).post(f"/campaigns/{campaign.pk}/test/", follow=True)
    assert "11月工资!C2" in text(page)
    assert not Delivery.objects.exists()


def test_a_test_takes_no_row_of_another_workbook(scene, hr):
    campaign = scene.payslips(hr)
    foreign = Scene().workbook().rows.first()
    answer = scene.client(user=hr).post(f"/campaigns/{campaign.pk}/test/", {"at": foreign.pk})
    assert answer.status_code == 404


# Deliveries in doubt --------------------------------------------------------------------------------


def test_all_in_doubt_are_settled_at_once_with_a_reason(scene, hr):
    campaign, client = launched(scene.payslips(hr), "finished"), scene.client(user=hr)
    rows = deliveries(campaign, "in_doubt", "in_doubt", "accepted")
    assert "全部这样处理" in text(client.get(f"/campaigns/{campaign.pk}/"))
    url = f"/campaigns/{campaign.pk}/resolve/"
    client.post(url, {"decision": "resend", "note": ""})
    client.post(url, {"decision": "burn", "note": "x"})
    rows[0].refresh_from_db()
    assert rows[0].state == "in_doubt"
    client.post(url, {"decision": "resend", "note": "已发送里没有"})
    for row in rows:
        row.refresh_from_db()
    campaign.refresh_from_db()
    assert [row.state for row in rows] == ["queued", "queued", "accepted"]
    assert rows[0].resolved_note == f"已发送里没有 — {hr.email}"
    assert campaign.state == "running"
