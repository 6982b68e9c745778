"""Pages of reply rules: what is tried first, trying a reply out, and a rule made from a reply."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Role
from campaigns.models import Attempt, RelayPark, ReplyRule, ShippedRuleOff
from tests.views.scene import Scene, deliveries

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def embedded(settings: Any) -> None:
    settings.EMBEDDED = True


@pytest.fixture
def client(scene: Scene) -> Any:
    return scene.client(Role.MAIL_ADMIN)


def tried(campaign: Any, text: str, code: int = 451, **fields: Any) -> Attempt:
    delivery = campaign.deliveries.first() or deliveries(campaign, "deferred")[0]
    now = timezone.now()
    given = {"started_at": now, "ended_at": now, "phase": "content", "outcome": "deferred"}
    return Attempt.objects.create(
        team=campaign.team,
        delivery=delivery,
        relay=campaign.relay,
        code=code,
        text=text,
        content_began=True,
        **(given | fields),
    )


def filled(**changes: Any) -> dict[str, Any]:
    return {
        "sentence": "网关说慢一点",
        "code": "451",
        "enhanced": "",
        "text": "slow * down",
        "phase": "",
        "action": "park_relay",
        "seconds": "1800",
        "scope": "relay",
        "order": "10",
        **changes,
    }


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_the_page_lists_all_rules_with_what_they_caught(scene: Scene, client: Any) -> None:
    campaign = scene.newsletter()
    tried(campaign, "MI:SFQ", rule="netease/mi-sfq")
    page = text_of(client.get(f"/relays/{campaign.relay_id}/rules/"))
    assert "MI:SFQ" in page
    assert "Office 365" in page
    link = f"/relays/{campaign.relay_id}/rules/caught/?rule=netease%2Fmi-sfq"
    assert link in client.get(f"/relays/{campaign.relay_id}/rules/").content.decode()
    caught = client.get(link).content.decode()
    assert f"/deliveries/{campaign.deliveries.get().pk}/" in caught


@pytest.mark.parametrize("rules", [1, 9])
def test_the_page_costs_the_same_for_many_rules(
    scene: Scene, client: Any, rules: int, django_assert_num_queries: Any
) -> None:
    relay = scene.relay()
    for number in range(rules):
        ReplyRule.objects.create(
            team=scene.team, relay=relay, code="450", action="retry", sentence=f"r{number}"
        )
    with django_assert_num_queries(9):
        client.get(f"/relays/{relay.pk}/rules/")


@pytest.mark.parametrize(
    ("pasted", "phase", "says"),
    [
        ("451 MI:SFQ x", "content", "停 15 分钟"),
        ("451 DT:SPM x", "content", "暂停这个活动"),
        ("535 Error: authentication failed", "auth", "停用这个发信账号"),
        ("550 5.1.1 user unknown", "rcpt", "加入屏蔽名单"),
        ("550 Connection frequency limited", "content", "停 1 小时"),
        ("nothing", "content", "没有找到 4 或 5 开头"),
    ],
)
def test_a_pasted_reply_says_what_would_happen(
    scene: Scene, client: Any, pasted: str, phase: str, says: str
) -> None:
    relay = scene.relay()
    answer = client.post(f"/relays/{relay.pk}/rules/", {"reply": pasted, "phase": phase})
    assert says in text_of(answer)


def test_a_rule_is_saved_only_after_its_matches_were_shown(scene: Scene, client: Any) -> None:
    campaign = scene.newsletter()
    tried(campaign, "please slow it down now")
    tried(campaign, "unrelated")
    url = f"/relays/{campaign.relay_id}/rules/new/"
    shown = client.post(url, filled(save="1"))
    assert not ReplyRule.objects.exists()
    assert "最近 7 天会命中 1 条回复" in text_of(shown)
    assert "please slow it down now" in shown.content.decode()
    seen = shown.context["fingerprint"]
    changed = client.post(url, filled(save="1", seen=seen, text="unrelated"))
    assert "unrelated" in changed.content.decode()
    assert not ReplyRule.objects.exists()
    assert client.post(url, filled(save="1", seen=seen)).status_code == 302
    rule = ReplyRule.objects.get()
    assert (rule.relay_id, rule.text, rule.seconds) == (campaign.relay_id, "slow * down", 1800)


def test_an_attempts_reply_fills_the_form_in(scene: Scene, client: Any) -> None:
    campaign = scene.newsletter()
    attempt = tried(campaign, "<wang@qq.com> sends too much", enhanced="4.7.0")
    page = client.get(f"/deliveries/{attempt.delivery_id}/").content.decode()
    link = f"/relays/{campaign.relay_id}/rules/new/?attempt={attempt.pk}"
    assert link in page
    form = client.get(link)
    fields = form.context["form"]
    assert fields["code"].value() == "451"
    assert fields["enhanced"].value() == "4.7.0"
    assert fields["text"].value() == "sends too much"
    assert "会命中 1 条" in text_of(form)


def test_a_sealed_reply_gives_no_words_to_who_may_not_read_it(scene: Scene, client: Any) -> None:
    campaign = scene.payslips(scene.user(Role.HR))
    key = campaign.workbook.data_key
    attempt = tried(campaign, "", sealed_text=key.seal(b"quotes 8888.88"))
    url = f"/relays/{campaign.relay_id}/rules/new/?attempt={attempt.pk}"
    form = client.get(url)
    assert form.context["form"]["text"].value() == ""
    assert "8888" not in form.content.decode()
    words = client.post(url, filled(code="", text="quotes"))
    assert "会命中 0 条" in text_of(words)
    assert "另有 1 条是工资条的回复" in text_of(words)


def test_a_shipped_rule_is_copied_and_switched_off(scene: Scene, client: Any) -> None:
    relay = scene.relay()
    home = f"/relays/{relay.pk}/rules/"
    form = client.get(f"{home}new/?copy=netease/mi-sfq").context["form"]
    assert (form["text"].value(), form["seconds"].value()) == ("MI:SFQ", 900)
    client.post(f"{home}shipped/", {"key": "netease/mi-sfq", "off": "1"})
    assert ShippedRuleOff.objects.get().relay == relay
    assert "按回复码处理" in text_of(client.post(home, {"reply": "451 MI:SFQ"}))
    client.post(f"{home}shipped/", {"key": "netease/mi-sfq", "on": "1"})
    assert not ShippedRuleOff.objects.exists()
    assert client.post(f"{home}shipped/", {"key": "nobodys", "off": "1"}).status_code == 404
    assert client.get(f"{home}new/?copy=nobodys").status_code == 404


def test_an_own_rule_is_changed_switched_and_deleted(scene: Scene, client: Any) -> None:
    relay = scene.relay()
    rule = ReplyRule.objects.create(
        team=scene.team, relay=relay, code="450", action="retry", sentence="慢一点"
    )
    shown = client.post(f"/rules/{rule.pk}/", filled(sentence="新", scope="team"))
    seen = shown.context["fingerprint"]
    client.post(f"/rules/{rule.pk}/?relay={relay.pk}", filled(scope="team", seen=seen, save="1"))
    rule.refresh_from_db()
    assert rule.relay is None
    client.post(f"/rules/{rule.pk}/disable/", {"relay": relay.pk})
    rule.refresh_from_db()
    assert not rule.enabled
    client.post(f"/rules/{rule.pk}/delete/")
    assert not ReplyRule.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "250"}, "code"),
        ({"enhanced": "4.7"}, "enhanced"),
        ({"text": "*".join("abcdefghijk")}, "text"),
        ({"code": "", "text": " * "}, "__all__"),
        ({"action": "refuse", "phase": "auth"}, "phase"),
        ({"seconds": "0"}, "seconds"),
        ({"action": "suppress"}, "action"),
        ({"sentence": ""}, "sentence"),
    ],
)
def test_it_rejects_what_would_catch_everything_or_punish_a_recipient(
    scene: Scene, client: Any, changes: dict[str, str], field: str
) -> None:
    answer = client.post(f"/relays/{scene.relay().pk}/rules/new/", filled(save="1", **changes))
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_a_stopped_relay_says_whose_words_stopped_it_and_until_when(
    scene: Scene, client: Any
) -> None:
    now = timezone.now()
    until = now + timedelta(minutes=15)
    relay = scene.relay(parked_until=until, park_reason="ratelimited", park_rule="netease/mi-sfq")
    RelayPark.objects.create(
        team=scene.team, relay=relay, at=now, until=until, reason="ratelimited", rule="own:999999"
    )
    page = text_of(client.get(f"/relays/{relay.pk}/"))
    assert re.search(r"网易：.*（MI:SFQ），停 15 分钟，到 [\d: -]+。", page)
    own = ReplyRule.objects.create(
        team=scene.team, code="450", action="park_relay", seconds=7200, sentence="网关累了"
    )
    type(relay).objects.update(park_rule=own.key)
    assert "网关累了，停 2 小时，到" in text_of(client.get(f"/relays/{relay.pk}/"))
    type(relay).objects.update(park_rule="netease/mi-sfq")
    RelayPark.objects.update(rule="netease/mi-sfq", at=until - timedelta(hours=1))
    assert "，停 1 小时，到" in text_of(client.get(f"/relays/{relay.pk}/")), "it came again"
