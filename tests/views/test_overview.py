"""Overview: what runs, what needs a person, the last days; first steps for a newcomer, by role."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import BounceMailbox, Role
from campaigns.models import Attempt, Campaign, Feedback
from campaigns.pipeline import daily
from tests.views.scene import Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def text(response):
    assert response.status_code == 200
    return response.content.decode()


def attempts(delivery, at, *outcomes):
    for outcome in outcomes:
        Attempt.objects.create(
            team=delivery.team, delivery=delivery, relay=delivery.relay, started_at=at, ended_at=at,
            phase="content", outcome=outcome, content_began=True,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("role", "there", "not_there"),
    [
        (Role.HR, "排一张工资条", "添加发信账号"),
        (Role.MARKETER, "写一个模板", "排一张工资条"),
        (Role.MAIL_ADMIN, "添加发信账号", "新建活动"),
        (Role.OWNER, "邀请同事", "排一张工资条"),
    ],
)
def test_a_newcomer_is_led_by_his_role(scene, role, there, not_there):
    page = text(scene.client(role).get("/"))
    assert there in page
    assert not_there not in page


def test_a_first_step_is_ticked_off_once_it_is_done(scene):
    hr = scene.user(Role.HR, Role.MAIL_ADMIN)
    client = scene.client(user=hr)
    assert client.get("/").content.count(b'class="done"') == 0
    draft = scene.payslips(hr)  # with a relay and a confirmed workbook
    page = text(client.get("/"))
    assert page.count('class="done"') == 3
    assert "/workbooks/upload/?purpose=payslip" in page
    launched(draft)
    assert "从这里开始" not in text(client.get("/"))


def test_the_menu_has_groups_and_knows_where_one_is(scene):
    client = scene.client(Role.MAIL_ADMIN)
    page = text(client.get("/hours/"))
    assert 'href="/relays/" aria-current="page"' in page
    assert "发信和收退信" in page
    assert "发信和收退信" not in text(scene.client(Role.VIEWER).get("/"))


def test_the_gravest_comes_first(scene):
    scene.relay(name="停了", enabled=False, park_reason="auth_refused")
    until = timezone.now() + timedelta(hours=2)
    scene.relay(name="A 慢了", parked_until=until, park_reason="ratelimited")
    page = text(scene.client(Role.MAIL_ADMIN).get("/"))
    assert page.index("“停了”") < page.index("“A 慢了”")


def test_it_costs_the_same_however_many_campaigns_there_are(scene, django_assert_max_num_queries):
    hr = scene.user(Role.HR)
    launched(scene.payslips(hr))
    client = scene.client(Role.HR, Role.MAIL_ADMIN, Role.MARKETER)
    client.get("/")
    with django_assert_max_num_queries(18):
        client.get("/")
    for state in ("running", "finished", "paused", "cancelled", "running"):
        deliveries(launched(scene.payslips(hr), state), "accepted", "queued")
    with django_assert_max_num_queries(18):
        client.get("/")


def test_what_needs_a_person_is_said_to_those_who_can_act(scene):
    hr = scene.user(Role.HR)
    doubtful = launched(scene.payslips(hr, name="十月"))
    deliveries(doubtful, "in_doubt", "accepted")
    held = launched(scene.payslips(hr, name="九月"))
    Campaign.objects.filter(pk=held.pk).update(hold_reason="late_start")
    until = timezone.now() + timedelta(hours=2)
    scene.relay(name="QQ 账号", parked_until=until, park_reason="ratelimited")
    BounceMailbox.objects.create(
        team=scene.team,
        name="退信箱",
        address="b@x.cn",
        host="pop",
        username="b",
        last_error="pop3_off",
    )
    scene.workbook(hr, name="十二月.xlsx", state="read")
    mine = text(scene.client(user=hr).get("/"))
    for words in ("“十月”有 1 封待确认", "“九月”暂缓", "“十二月.xlsx”已读好"):
        assert words in mine
    assert "QQ 账号" not in mine
    admins = text(scene.client(Role.MAIL_ADMIN).get("/"))
    assert "“QQ 账号”暂停使用" in admins
    assert "“退信箱”收取失败" in admins
    assert "十二月.xlsx" not in admins
    assert "十二月.xlsx" not in text(scene.client(Role.HR).get("/"))


def test_another_teams_troubles_are_its_own(scene):
    deliveries(launched(scene.newsletter(name="别人的活动")), "in_doubt")
    assert "别人的活动" not in text(Scene().client(Role.OWNER).get("/"))


def test_what_runs_is_live(scene):
    deliveries(launched(scene.newsletter()), "accepted", "queued")
    client = scene.client(Role.VIEWER)
    part = text(client.get("/live/"))
    assert 'hx-get="/live/"' in part
    assert "<html" not in part
    Campaign.objects.update(state="finished")
    assert "data-live" not in text(client.get("/live/"))


def test_the_days_are_those_of_the_teams_zone(scene, django_assert_num_queries):
    campaign = launched(scene.newsletter())
    delivery = deliveries(campaign, "accepted")[0]
    # 23:30 UTC on the 9th is the 10th in Shanghai.
    attempts(delivery, datetime(2026, 11, 9, 23, 30, tzinfo=UTC), "accepted", "accepted", "refused")
    attempts(delivery, datetime(2026, 11, 9, 10, 0, tzinfo=UTC), "accepted", "deferred")
    attempts(delivery, datetime(2026, 10, 1, tzinfo=UTC), "accepted")
    values = {"team": scene.team, "address": "a", "address_key": "a", "kind": "bounce"}
    at = datetime(2026, 11, 10, 1, 0, tzinfo=UTC)
    Feedback.objects.create(**values, proof="message_id", received_at=at)
    Feedback.objects.create(**values, proof="", received_at=at)
    other = Scene()
    attempts(deliveries(launched(other.newsletter()), "accepted")[0], at, "accepted")
    with time_machine.travel("2026-11-10T03:00:00Z"), django_assert_num_queries(2):
        days = daily.days_of(scene.team)
    assert len(days) == daily.DAYS
    assert [(d.date.day, d.accepted, d.refused, d.bounced) for d in days[-2:]] == [
        (9, 1, 0, 0),
        (10, 2, 1, 1),
    ]
    assert sum(day.accepted for day in days) == 3
