"""Shares of several relays, what moved, stops, retries and restored copies on their pages."""

import pytest
from django.utils import timezone

from accounts.models import Relay, Role, Team
from campaigns.models import (
    Campaign,
    CampaignEvent,
    CampaignRelay,
    CampaignStop,
    Delivery,
    DeliveryEvent,
)
from campaigns.pipeline import counts, failover, restored, sweep
from tests.views.scene import Scene, deliveries, launched
from tests.views.test_campaign_new import settings_of, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

RULES = {
    "stop_bounce_percent": "8",
    "stop_complaint_percent": "",
    "stop_refusals": "25",
    "stop_minutes": "15",
}


def test_relays_are_chosen_with_weights_and_one_relay_stays_the_simple_case(scene, hr):
    client = scene.client(user=hr)
    sent = settings_of(scene, hr)
    assert "weight_" not in text(client.get("/campaigns/new/"))
    other = scene.relay()
    assert f"weight_{other.pk}" in text(client.get("/campaigns/new/"))
    client.post("/campaigns/new/", sent)
    made = Campaign.objects.get(team=scene.team)
    assert not made.carriers.exists()
    assert made.stop_bounce_percent == 10, "the rules are on where nobody says anything"
    weights = {f"weight_{other.pk}": "3", f"weight_{made.relay_id}": ""}
    client.post(f"/campaigns/{made.pk}/edit/", sent | weights | RULES)
    assert dict(made.carriers.values_list("relay", "weight")) == {made.relay_id: 1, other.pk: 3}
    made.refresh_from_db()
    assert (made.stop_bounce_percent, made.stop_complaint_percent) == (8, None)
    assert (made.stop_refusals, made.stop_minutes) == (25, 15)
    page = text(client.get(f"/campaigns/{made.pk}/edit/"))
    assert 'value="3"' in page
    assert f"{other.name} 75%" in text(client.get(f"/campaigns/{made.pk}/"))
    client.post(f"/campaigns/{made.pk}/edit/", sent)
    assert not made.carriers.exists()


@pytest.mark.parametrize(
    ("wrong", "says"), [({"stop_minutes": "0"}, "stop_minutes"), ({"weight": "101"}, "weight_")]
)
def test_a_wrong_number_is_said_beside_it_and_nothing_is_stored(scene, hr, wrong, says):
    other = scene.relay()
    weight = wrong.pop("weight", "2")
    sent = settings_of(scene, hr) | RULES | wrong | {f"weight_{other.pk}": weight}
    answer = scene.client(user=hr).post("/campaigns/new/", sent)
    assert answer.status_code == 422
    assert f"id_{says}" in text(answer)
    assert "invalid-feedback" in text(answer)
    assert not Campaign.objects.filter(team=scene.team).exists()


def test_a_relay_that_may_not_send_as_the_from_address_is_refused_and_blocks_a_launch(scene, hr):
    foreign = scene.relay(from_addresses=["@elsewhere.example"])
    sent = settings_of(scene, hr) | {f"weight_{foreign.pk}": "1"}
    client = scene.client(user=hr)
    assert "hr@corp.example" in text(client.post("/campaigns/new/", sent))
    assert not Campaign.objects.exists()
    campaign = scene.payslips(hr)
    for relay in (campaign.relay, foreign):
        CampaignRelay.objects.create(team=scene.team, campaign=campaign, relay=relay)
    page = text(client.get(f"/campaigns/{campaign.pk}/preflight/"))
    assert foreign.name in page


def carried(scene, hr):
    """A running campaign of two relays, the first of which is away: one accepted, two moved."""
    campaign = launched(scene.payslips(hr))
    other = scene.relay()
    for relay in (campaign.relay, other):
        CampaignRelay.objects.create(team=scene.team, campaign=campaign, relay=relay)
    deliveries(campaign, "accepted", "queued", "queued")
    Relay.objects.filter(pk=campaign.relay_id).update(enabled=False)
    failover.move_stranded()
    counts.recount(campaign.pk)
    return campaign, other


def test_the_page_shows_who_carries_what_and_why_it_moved(scene, hr):
    campaign, other = carried(scene, hr)
    client = scene.client(user=hr)
    page = text(client.get(f"/campaigns/{campaign.pk}/"))
    moved = f"2 封从“{campaign.relay.name}”换到“{other.name}”：发信账号已停用。"
    assert moved in page
    assert moved in text(client.get(f"/campaigns/{campaign.pk}/progress/"))
    link = f"/campaigns/{campaign.pk}/deliveries/?relay={other.pk}"
    assert link in page
    rows = list(client.get(link).context["rows"])
    assert {row["delivery"].relay_id for row in rows} == {other.pk}
    assert len(rows) == 2
    row = Delivery.objects.filter(relay=other).first()
    words = f"从“{campaign.relay.name}”换到“{other.name}”：发信账号已停用。"
    assert words in text(client.get(f"/deliveries/{row.pk}/"))


def test_the_page_asks_the_same_number_of_questions_for_more_moves(
    scene, hr, django_assert_max_num_queries
):
    campaign, other = carried(scene, hr)
    for number in range(30):
        CampaignEvent.objects.create(
            team=scene.team,
            campaign=campaign,
            kind="moved",
            relay_from=campaign.relay,
            relay_to=other,
            reason="relay_busy",
            number=number,
            done_at=timezone.now(),
        )
    client = scene.client(user=hr)
    client.get(f"/campaigns/{campaign.pk}/progress/")
    with django_assert_max_num_queries(16):
        client.get(f"/campaigns/{campaign.pk}/progress/")


def test_a_stop_says_its_rule_and_figures_and_is_lifted_by_who_may(scene, hr):
    campaign, other = carried(scene, hr)
    row = campaign.deliveries.first()
    stop = CampaignStop.objects.create(
        team=scene.team,
        campaign=campaign,
        relay=other,
        domain="corp.example",
        rule="same_refusal",
        figures={
            "number": 40,
            "minutes": 10,
            "limit": 30,
            "reply": "550 5.7.1 <b>no</b>",
            "deliveries": [row.pk],
            "before": {},
        },
    )
    client = scene.client(user=hr)
    page = text(client.get(f"/campaigns/{campaign.pk}/"))
    assert "10 分钟内有 40 封收到同样的拒收：550 5.7.1 &lt;b&gt;no&lt;/b&gt;" in page
    assert f"“{other.name}”发往 corp.example 的停在这里" in page
    assert f"/deliveries/{row.pk}/" in page
    url = f"/campaigns/{campaign.pk}/stops/{stop.pk}/lift/"
    assert scene.client(Role.VIEWER).post(url).status_code == 403
    assert client.get(url).status_code == 405
    client.post(url)
    stop.refresh_from_db()
    assert stop.lifted_by == hr
    assert "停在这里" not in text(client.get(f"/campaigns/{campaign.pk}/"))


def test_what_failed_is_tried_again_from_one_page_that_says_why_it_failed(scene, hr):
    campaign = launched(scene.payslips(hr), "finished")
    deliveries(campaign, "accepted", "failed", "refused")
    campaign.deliveries.filter(state="failed").update(reason="empty_field", detail="11月工资!D3")
    campaign.deliveries.filter(state="refused").update(reason="userunknown")
    client = scene.client(user=hr)
    url = f"/campaigns/{campaign.pk}/retry/"
    assert url in text(client.get(f"/campaigns/{campaign.pk}/"))
    page = text(client.get(url))
    assert 'value="failed:empty_field" checked' in page
    assert 'value="refused:userunknown"' in page
    assert 'value="refused:userunknown" checked' not in page
    assert client.post(url, {}).url == url, "nothing ticked"
    client.post(url, {"group": ["failed:empty_field"]})
    sweep.sweep()
    row = campaign.deliveries.get(state="queued")
    page = text(client.get(f"/deliveries/{row.pk}/"))
    assert "11月工资!D3" in page, "what it had come to before"
    assert hr.email in page
    assert scene.client(Role.HR).get(url).status_code == 403, "who may not read it"
    assert scene.client(Role.VIEWER).post(url).status_code == 403


def test_a_restored_copy_says_so_on_every_page_and_an_owner_switches_it_on(scene, hr):
    campaign = launched(scene.payslips(hr))
    deliveries(campaign, "queued")
    owner = scene.client(Role.OWNER)
    assert "恢复的副本" not in text(owner.get("/campaigns/"))
    restored.mark_copy("by_hand")
    for page in ("/campaigns/", "/deliveries/", "/accounts/me/"):
        assert "数据库是恢复的副本：发信已关闭" in text(owner.get(page))
    viewer = scene.client(Role.VIEWER)
    assert "/restored/" not in text(viewer.get("/campaigns/"))
    assert viewer.get("/restored/").status_code == 403
    assert viewer.post("/restored/on/").status_code == 403
    page = text(owner.get("/restored/"))
    assert campaign.name in page
    assert "mark_restored" in page
    owner.post("/restored/on/", {})
    assert Team.objects.get(pk=scene.team.pk).sending_off_at is not None, "without the tick"
    owner.post("/restored/on/", {"understood": "on"})
    assert Team.objects.get(pk=scene.team.pk).sending_off_at is None
    campaign.refresh_from_db()
    assert campaign.hold_reason == "restored_copy"
    assert "发信是打开的" in text(owner.get("/restored/"))


def test_another_teams_relays_and_stops_are_not_there(scene, hr):
    campaign, _other = carried(scene, hr)
    foreign = Scene()
    client = scene.client(user=hr)
    theirs = foreign.relay()
    assert client.get(f"/campaigns/{campaign.pk}/deliveries/?relay={theirs.pk}").status_code == 404
    assert not DeliveryEvent.objects.exclude(team=scene.team).exists()
