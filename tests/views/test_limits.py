"""Pages of what holds a sender back: domain limits, parked domains, warm-up, sending hours, the forecast."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts.models import Role
from campaigns.forms.domain_presets import DOMAIN_PRESETS
from campaigns.models import DomainLimit, DomainPark, SendingHours, WarmUp
from campaigns.models.recipient_domain import ParkSource
from campaigns.pipeline import counts
from campaigns.pipeline import ledger as ledgers
from tests.views.scene import deliveries

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def new_ledger(settings):
    settings.EMBEDDED = True
    ledgers.ledger.cache_clear()
    cache.clear()
    yield
    ledgers.ledger.cache_clear()


@pytest.fixture
def client(scene):
    return scene.client(Role.MAIL_ADMIN)


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


# Domain limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", DOMAIN_PRESETS)
def test_every_preset_makes_a_limit(client, code):
    form = client.get(f"/limits/new/?preset={code}").context["form"]
    answer = client.post("/limits/new/", {**form.initial, "enabled": "on"})
    assert answer.status_code == 302, answer.context["form"].errors
    limit = DomainLimit.objects.get()
    assert set(limit.domains) == set(DOMAIN_PRESETS[code].domains)
    page = text(client.get("/limits/"))
    assert limit.domains[0] in page
    assert f"?preset={code}" not in page, "what is there is not offered again"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"domains": "qq.com", "minute": ""}, "__all__"),
        ({"domains": "no domain!"}, "domains"),
        ({"domains": "*.a_b.cn"}, "domains"),
        ({"domains": "taken.cn"}, "domains"),
        ({"name": "旧的"}, "name"),
        ({"minute": "0", "hour": "5"}, "minute"),
    ],
)
def test_a_limit_that_would_mean_nothing_is_refused(scene, client, fields, wrong):
    DomainLimit.objects.create(team=scene.team, name="旧的", domains=["taken.cn"], minute=1)
    answer = client.post(
        "/limits/new/", {"name": "QQ", "domains": "qq.com", "minute": "5", "enabled": "on"} | fields
    )
    assert answer.status_code == 422
    assert wrong in answer.context["form"].errors


def test_domains_are_kept_as_deliveries_have_them(client):
    client.post(
        "/limits/new/", {"name": "x", "domains": "QQ.com， 例子.中国;*.Edu.cn\n@a.cn", "day": "9"}
    )
    assert DomainLimit.objects.get().domains == [
        "qq.com",
        "xn--fsqu00a.xn--fiqs8s",
        "*.edu.cn",
        "a.cn",
    ]


def test_changing_a_limit_asks_a_resting_domain_again(scene, client):
    limit = DomainLimit.objects.create(
        team=scene.team,
        name="QQ",
        domains=["qq.com"],
        minute=1,
        resting_until=timezone.now() + timedelta(hours=1),
    )
    assert "等待额度" in text(client.get("/limits/"))
    url = f"/limits/{limit.pk}/"
    client.post(url, {"name": "QQ", "domains": "qq.com", "minute": "5", "enabled": "on"})
    limit.refresh_from_db()
    assert (limit.minute, limit.resting_until) == (5, None)
    assert client.post(f"{url}delete/").status_code == 302
    assert not DomainLimit.objects.exists()


def test_the_list_does_not_ask_once_a_row(scene, client, django_assert_max_num_queries):
    for number in range(12):
        DomainLimit.objects.create(
            team=scene.team, name=str(number), domains=[f"d{number}.cn"], enabled=False, minute=1
        )
    with django_assert_max_num_queries(8):
        client.get("/limits/")


# One relay ------------------------------------------------------------------------------------------


def test_a_parked_domain_is_shown_with_its_reason_and_lifted(scene, client):
    relay = scene.relay()
    DomainPark.objects.create(
        team=scene.team,
        relay=relay,
        domain="qq.com",
        until=timezone.now() + timedelta(hours=1),
        reason="ratelimited",
    )
    url = f"/relays/{relay.pk}/"
    page = text(client.get(url))
    assert "qq.com" in page
    assert "发送过于频繁" in page
    park = DomainPark.objects.get()
    assert client.post(f"{url}parks/{park.pk}/lift/").status_code == 302
    assert not DomainPark.objects.exists()


def test_a_person_parks_a_domain_in_his_own_words(scene, client):
    relay = scene.relay()
    url = f"/relays/{relay.pk}/"
    client.post(f"{url}parks/", {"domain": "@QQ.com", "hours": "2", "reason": "<b>等回信</b>"})
    park = DomainPark.objects.get()
    assert (park.domain, park.source) == ("qq.com", ParkSource.PERSON)
    assert "&lt;b&gt;等回信&lt;/b&gt;" in text(client.get(url))
    client.post(f"{url}parks/", {"domain": "??", "hours": "2", "reason": "x"})
    assert DomainPark.objects.count() == 1


def test_a_warm_up_is_drawn_with_todays_place_in_it(scene, client):
    relay = scene.relay()
    today = timezone.localdate(timezone=scene.team.zone)
    url = f"/relays/{relay.pk}/warm-up/"
    given = {"first_amount": "50", "factor": "2", "full_amount": "1000", "table": ""}
    began = {"starts_on": (today - timedelta(days=2)).isoformat()}
    assert client.post(url, given | began).status_code == 302
    answer = client.get(f"/relays/{relay.pk}/")
    series = answer.context["warm_up"]["chart"]["series"]
    assert series[1]["values"] == [0, 0, 200, 0, 0, 0]
    assert series[0]["values"] == [50, 100, 0, 400, 800, 1000]
    assert "今天是第 3 天，最多 200 封" in text(answer)
    assert [fill.amount for fill in answer.context["fills"]] == [1000, 200]
    assert client.post(f"{url}end/").status_code == 302
    assert not WarmUp.objects.exists()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"full_amount": "50"}, "full_amount"),
        ({"factor": "1"}, "factor"),
        ({"table": "50, 20"}, "table"),
        ({"table": "50, 0"}, "table"),
        ({"table": "viele"}, "table"),
    ],
)
def test_a_warm_up_that_does_not_grow_is_refused(scene, client, fields, wrong):
    given = {
        "starts_on": date(2026, 12, 1).isoformat(),
        "first_amount": "50",
        "factor": "2",
        "full_amount": "900",
    }
    answer = client.post(f"/relays/{scene.relay().pk}/warm-up/", given | fields)
    assert answer.status_code == 422
    assert wrong in answer.context["form"].errors


# Sending hours --------------------------------------------------------------------------------------

OFFICE = {
    "opens": "09:00",
    "closes": "18:00",
    "weekdays": ["0", "1"],
    "calendar": "",
    "zone": "UTC",
}


def test_the_form_begins_with_the_working_week_and_the_teams_zone(scene, client):
    form = client.get("/hours/").context["form"]
    assert form["weekdays"].value() == [0, 1, 2, 3, 4]
    assert form["zone"].value() == scene.team.time_zone


def test_a_teams_default_is_shown_on_its_campaigns(scene, client):
    assert client.post("/hours/", OFFICE).status_code == 302
    letter = scene.newsletter()
    page = text(scene.client(Role.MARKETER).get(f"/campaigns/{letter.pk}/"))
    assert "09:00–18:00" in page
    assert "团队默认" in page
    client.post("/hours/delete/")
    assert not SendingHours.objects.exists()


def test_a_campaign_has_hours_of_its_own(scene):
    letter = scene.newsletter()
    marketer = scene.client(Role.MARKETER)
    url = f"/campaigns/{letter.pk}/hours/"
    assert marketer.post(url, OFFICE | {"weekdays": [], "calendar": "china"}).status_code == 302
    assert "中国的工作日" in text(marketer.get(f"/campaigns/{letter.pk}/"))
    letter.refresh_from_db()
    assert letter.sends_from is not None
    marketer.post(f"{url}delete/")
    letter.refresh_from_db()
    assert letter.sends_from is None


@pytest.mark.parametrize(
    "fields", [{"weekdays": []}, {"zone": "Mars/Base"}, {"opens": "25:00"}, {"weekdays": ["9"]}]
)
def test_hours_that_cannot_be_are_refused(client, fields):
    assert client.post("/hours/", OFFICE | fields).status_code == 422


# The forecast ---------------------------------------------------------------------------------------


def test_a_running_campaign_says_when_it_will_be_done(scene):
    letter = scene.newsletter(relay=scene.relay(per_day=None))
    letter.relay.limits.create(team=scene.team, window="hour", amount=1)
    deliveries(letter, "queued", "queued", "queued")
    type(letter).objects.filter(pk=letter.pk).update(state="running", planned_at=timezone.now())
    counts.recount(letter.pk)
    DomainLimit.objects.create(
        team=scene.team,
        name="大邮箱",
        domains=[letter.deliveries.all()[0].domain],
        resting_until=timezone.now() + timedelta(minutes=5),
    )
    page = text(scene.client(Role.MARKETER).get(f"/campaigns/{letter.pk}/progress/"))
    assert "约 2 小时，" in page
    assert "完成" in page
    assert "发往 大邮箱 的邮件暂停或在等额度" in page
