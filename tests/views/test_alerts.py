"""Pages of alerts: what is wrong, who was told, the channels, and the test button."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from campaigns import alert_texts
from campaigns.models import Alert, AlertChannel, AlertTelling, Heartbeat
from campaigns.models.alert import AlertKind
from campaigns.pipeline import alert_tell
from tests.fakes.robot import TOKEN, RobotServer
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
URL = f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}"


@pytest.fixture
def client(scene: Scene) -> Any:
    return scene.client(Role.OWNER)


def filled(**changes: Any) -> dict[str, Any]:
    given = {"name": "运维群", "url": URL, "secret": "SEC-canary", "language": "zh-hans"}
    return {**given, "events": ["relay_login", "disk"], **changes}


def an_alert(scene: Scene, kind: str = "relay_login", **fields: Any) -> Alert:
    params = {"name": "网易", "reason": "auth_refused"}
    return Alert.objects.create(team=scene.team, kind=kind, params=params, **fields)


def test_open_alerts_stand_before_the_past_ones_and_on_the_badge(scene: Scene) -> None:
    relay = scene.relay()
    an_alert(scene, subject="relay", subject_id=relay.pk)
    an_alert(scene, closed_at=timezone.now())
    admin = scene.client(Role.MAIL_ADMIN)
    page = admin.get("/alerts/").content.decode()
    assert page.index("还没有结束") < page.index("已经结束")
    assert f'href="/relays/{relay.pk}/"' in page
    assert '<span class="badge badge-count ms-auto">1</span>' in page
    # Who may not open the relay gets no link to it.
    viewer = scene.client(Role.VIEWER).get("/alerts/").content.decode()
    assert "网易" in viewer
    assert f'href="/relays/{relay.pk}/"' not in viewer


@pytest.mark.parametrize("number", [1, 12])
def test_the_page_costs_the_same_for_many_alerts(
    scene: Scene, client: Any, number: int, django_assert_num_queries: Any
) -> None:
    channel = AlertChannel.objects.create(team=scene.team, kind="wecom", name="群")
    for at in range(number):
        alert = an_alert(scene, subject="relay", subject_id=at)
        AlertTelling.objects.create(team=scene.team, channel=channel, alert=alert, occasion="began")
    with django_assert_num_queries(10):
        client.get("/alerts/")


def test_a_watch_that_stands_still_is_said(client: Any) -> None:
    Heartbeat.objects.create(name="alerts", at=timezone.now() - timedelta(minutes=20))
    assert "后台程序似乎没有运行" in client.get("/alerts/").content.decode()
    Heartbeat.objects.update(at=timezone.now())
    assert "后台程序似乎没有运行" not in client.get("/alerts/").content.decode()


@pytest.mark.parametrize("kind", AlertKind.values)
def test_every_kind_has_a_sentence_and_its_page(scene: Scene, kind: str) -> None:
    assert len(alert_texts.words(Alert(kind=kind, params={}))) > 8
    for subject, name in {
        "relay": "relay",
        "campaign": "campaign",
        "mailbox": "mailbox",
        "domain": "domain",
    }.items():
        path = alert_texts.path(Alert(kind=kind, subject=subject, subject_id=7))
        assert path == reverse(f"campaigns:{name}", args=[7])
    decided = reverse("campaigns:held_suppressions") if kind == "suppressions" else ""
    assert alert_texts.path(Alert(kind=kind)) == decided


def test_a_channel_keeps_its_secrets_to_itself(client: Any) -> None:
    answer = client.post("/alerts/channels/new/?kind=dingtalk", filled(), follow=True)
    channel = AlertChannel.objects.get()
    assert (str(channel.url), str(channel.secret)) == (URL, "SEC-canary")
    pages = [answer, client.get("/alerts/channels/"), client.get(f"/alerts/channels/{channel.pk}/")]
    for page in pages:
        assert TOKEN not in page.content.decode()
        assert "SEC-canary" not in page.content.decode()
    client.post(f"/alerts/channels/{channel.pk}/", filled(url="", secret="", name="新名"))
    channel.refresh_from_db()
    assert (channel.name, str(channel.url), str(channel.secret)) == ("新名", URL, "SEC-canary")


def test_another_server_wants_the_key_again(client: Any) -> None:
    client.post("/alerts/channels/new/?kind=dingtalk", filled())
    channel = AlertChannel.objects.get()
    moved = filled(url="https://evil.example/robot/send?access_token=x", secret="")
    answer = client.post(f"/alerts/channels/{channel.pk}/", moved)
    assert answer.status_code == 422
    assert "secret" in answer.context["form"].errors


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://oapi.dingtalk.com/x"}, "url"),
        ({"url": "https://127.0.0.1:8443/x"}, "url"),
        ({"url": "https://user:pw@oapi.dingtalk.com/x"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": ""}, "url"),
        ({"events": ["everything"]}, "events"),
        ({"ca_pem": "no certificate"}, "ca_pem"),
    ],
)
def test_it_rejects_addresses_that_are_no_robots(
    client: Any, changes: dict[str, Any], field: str
) -> None:
    answer = client.post("/alerts/channels/new/?kind=dingtalk", filled(**changes))
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_only_a_superuser_opens_the_inner_network(scene: Scene, client: Any) -> None:
    inside = filled(internal_allowed="on")
    client.post("/alerts/channels/new/?kind=dingtalk", inside)
    assert not AlertChannel.objects.get().internal_allowed
    root = scene.client(user=scene.user(Role.OWNER, is_superuser=True))
    root.post("/alerts/channels/new/?kind=dingtalk", inside | {"name": "内网"})
    assert AlertChannel.objects.get(name="内网").internal_allowed


def test_a_mail_channel_names_a_relay_of_the_team(scene: Scene, client: Any) -> None:
    mail = {"relay": scene.relay().pk, "addresses": "a@corp.example\nb@corp.example"}
    theirs = Scene().relay().pk
    url = "/alerts/channels/new/?kind=email"
    assert client.post(url, filled(**mail, relay_=1) | {"relay": theirs}).status_code == 422
    assert client.post(url, filled(**mail) | {"addresses": "no address"}).status_code == 422
    assert "只有一个发信账号" in client.get(url).content.decode()
    assert client.post(url, filled(**mail)).status_code == 302
    assert AlertChannel.objects.get().addresses == ["a@corp.example", "b@corp.example"]


def test_the_test_button_shows_what_became_of_it(scene: Scene, client: Any) -> None:
    with RobotServer("dingtalk", "SEC1") as robot:
        channel = AlertChannel.objects.create(
            team=scene.team,
            kind="dingtalk",
            name="群",
            url=robot.url,
            secret="SEC2",
            ca_pem=robot.ca_pem,
            internal_allowed=True,
        )
        page = f"/alerts/channels/{channel.pk}/"
        waiting = client.post(f"{page}test/", follow=True).content.decode()
        assert "正在发" in waiting
        assert f'hx-get="{page}result/"' in waiting
        alert_tell.tell(channel.pk)
        wrong = client.get(f"{page}result/").content.decode()
        assert "机器人不认签名" in wrong
        assert "310000" in wrong
        assert "hx-get" not in wrong
        AlertChannel.objects.update(secret="SEC1", busy_until=None)
        channel.secret = "SEC1"
        channel.save()
        client.post(f"{page}test/")
        alert_tell.tell(channel.pk)
        assert "对方已收下" in client.get(page).content.decode()


def test_a_channel_is_switched_and_deleted(scene: Scene, client: Any) -> None:
    channel = AlertChannel.objects.create(team=scene.team, kind="wecom", name="群")
    client.post(f"/alerts/channels/{channel.pk}/disable/")
    assert not AlertChannel.objects.get().enabled
    client.post(f"/alerts/channels/{channel.pk}/enable/")
    assert AlertChannel.objects.get().enabled
    client.post(f"/alerts/channels/{channel.pk}/delete/")
    assert not AlertChannel.objects.exists()
