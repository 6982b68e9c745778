"""Deliveries: filtered, searched, paged; each with its attempts, reports, and a way out of doubt."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Role
from campaigns.models import Attempt, Campaign, Feedback
from tests.views.scene import CANARY, Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def text(response):
    assert response.status_code == 200
    return response.content.decode()


def attempt(delivery, **fields):
    now = timezone.now()
    values = {
        "phase": "content", "outcome": "accepted", "content_began": True, "code": 250,
        "enhanced": "2.0.0", "started_at": now - timedelta(seconds=2), "ended_at": now,
    }  # fmt: skip
    return Attempt.objects.create(
        team=delivery.team, delivery=delivery, relay=delivery.relay, **{**values, **fields}
    )


def bounce(delivery, **fields):
    values = {"kind": "bounce", "hard": True, "proof": "return_path", "reason": "userunknown"}
    return Feedback.objects.create(
        team=delivery.team, delivery=delivery, campaign=delivery.campaign,
        address=delivery.address, address_key=delivery.address_key, **{**values, **fields},
    )  # fmt: skip


def addresses(response):
    return [row["delivery"].address for row in response.context["rows"]]


def test_a_campaigns_rows_in_few_queries(scene, django_assert_max_num_queries):
    campaign = launched(scene.newsletter())
    for delivery in deliveries(campaign, *["accepted"] * 60):
        bounce(delivery)
    client = scene.client(Role.VIEWER)
    with django_assert_max_num_queries(10):
        page = client.get(f"/campaigns/{campaign.pk}/deliveries/")
    assert text(page).count("硬退信") >= 50
    assert addresses(page)[0] == "c0@x.example"
    following = page.context["keyset"].following
    rest = client.get(f"/campaigns/{campaign.pk}/deliveries/?after={following}")
    assert len(addresses(rest)) == 10


def test_filters_by_state_bounce_address_and_row(scene, hr):
    campaign = launched(scene.payslips(hr))
    rows = deliveries(campaign, "accepted", "refused", "failed")
    bounce(rows[0])
    bounce(rows[1], proof="")
    client, url = scene.client(Role.VIEWER), f"/campaigns/{campaign.pk}/deliveries/"
    assert addresses(client.get(f"{url}?state=refused")) == [rows[1].address]
    assert addresses(client.get(f"{url}?state=bounced")) == [rows[0].address]
    assert addresses(client.get(f"{url}?q=HAN")) == ["han@corp.example"]
    assert addresses(client.get(f"{url}?q=3")) == ["lilei@corp.example"]
    assert addresses(client.get(f"{url}?after=x&before=-1")) == [row.address for row in rows]
    assert "没有找到" in text(client.get(f"{url}?q=nobody"))


def test_the_teams_deliveries_are_the_newest_first_and_its_own(scene, hr):
    campaign, other = launched(scene.payslips(hr)), Scene()
    deliveries(campaign, "accepted", "refused")
    foreign = launched(other.newsletter())
    deliveries(foreign, "accepted")
    client = scene.client(Role.VIEWER)
    assert addresses(client.get("/deliveries/")) == ["lilei@corp.example", "wang@corp.example"]
    assert len(addresses(client.get(f"/deliveries/?campaign={campaign.pk}"))) == 2
    assert client.get(f"/deliveries/?campaign={foreign.pk}").status_code == 404
    assert client.get("/deliveries/?campaign=abc").status_code == 404


def test_an_empty_page_says_so(scene):
    assert "还没有投递" in text(scene.client(Role.VIEWER).get("/deliveries/"))


def test_a_delivery_shows_every_attempt_and_report(scene, django_assert_max_num_queries):
    campaign = launched(scene.newsletter())
    delivery = deliveries(campaign, "accepted")[0]
    attempt(
        delivery, outcome="deferred", phase="rcpt", code=451, enhanced="4.7.1", text="later <b>"
    )
    attempt(delivery, text="OK queued")
    bounce(delivery, status="5.1.1", text="no such user")
    bounce(delivery, proof="", text="forged")
    client = scene.client(Role.VIEWER)
    with django_assert_max_num_queries(10):
        page = text(client.get(f"/deliveries/{delivery.pk}/"))
    for words in (
        "451 4.7.1",
        "later &lt;b&gt;",
        "OK queued",
        "收件地址（RCPT）",
        "5.1.1",
        "带签名的收件地址",
    ):
        assert words in page
    assert page.count("未证实") == 1
    assert "no-store" in client.get(f"/deliveries/{delivery.pk}/")["Cache-Control"]


def test_a_payslips_replies_and_reports_are_opened_for_a_grant_alone(scene, hr):
    campaign = launched(scene.payslips(hr))
    delivery = deliveries(campaign, "refused")[0]
    key = campaign.workbook.data_key
    attempt(delivery, code=550, sealed_text=key.seal(f"spam: {CANARY}".encode()))
    bounce(delivery, sealed_text=key.seal(f"returned {CANARY}".encode()))
    reader = text(scene.client(user=hr).get(f"/deliveries/{delivery.pk}/"))
    assert reader.count(CANARY) == 2
    assert f"/campaigns/{campaign.pk}/preview/?at={delivery.row_id}" in reader
    for roles in ([Role.HR], [Role.OWNER, Role.MAIL_ADMIN], [Role.VIEWER]):
        user = scene.user(*roles, is_superuser=True)
        page = text(scene.client(user=user).get(f"/deliveries/{delivery.pk}/"))
        assert CANARY not in page
        assert page.count("内容已加密") == 2
        assert "550" in page
        assert "/preview/" not in page


def test_a_destroyed_key_still_leaves_states_and_codes(scene, hr):
    campaign = launched(scene.payslips(hr))
    delivery = deliveries(campaign, "refused")[0]
    key = campaign.workbook.data_key
    attempt(delivery, code=550, sealed_text=key.seal(b"x"))
    key.key = ""
    key.save()
    page = text(scene.client(user=hr).get(f"/deliveries/{delivery.pk}/"))
    assert "550" in page
    assert "内容已加密" in page


def test_one_in_doubt_is_settled_by_a_person_with_a_reason(scene, hr):
    campaign = launched(scene.payslips(hr), "finished")
    first, second = deliveries(campaign, "in_doubt", "in_doubt")
    campaign.deliveries.update(reason="lost")
    client = scene.client(user=hr)
    page = text(client.get(f"/deliveries/{first.pk}/"))
    assert "再发一次" in page
    assert "最后一个字节" in page
    client.post(f"/deliveries/{first.pk}/resolve/", {"decision": "accept", "note": "  "})
    first.refresh_from_db()
    assert first.state == "in_doubt"
    client.post(f"/deliveries/{first.pk}/resolve/", {"decision": "accept", "note": "收件人收到了"})
    first.refresh_from_db()
    assert (first.state, first.resolved_note) == ("accepted", f"收件人收到了 — {hr.email}")
    again = client.post(
        f"/deliveries/{first.pk}/resolve/", {"decision": "resend", "note": "x"}, follow=True
    )
    assert "没有生效" in text(again)
    client.post(f"/deliveries/{second.pk}/resolve/", {"decision": "resend", "note": "没收到"})
    second.refresh_from_db()
    assert second.state == "queued"
    assert Campaign.objects.get(pk=campaign.pk).state == "running"


def test_settling_needs_the_right_and_the_team(scene, hr):
    campaign = launched(scene.payslips(hr))
    delivery = deliveries(campaign, "in_doubt")[0]
    url, posted = f"/deliveries/{delivery.pk}/resolve/", {"decision": "resend", "note": "x"}
    assert scene.client(Role.MARKETER).post(url, posted).status_code == 403
    assert scene.client(user=hr).get(url).status_code == 405
    other = Scene().client(Role.HR)
    assert other.post(url, posted).status_code == 404
    assert other.get(f"/deliveries/{delivery.pk}/").status_code == 404
    delivery.refresh_from_db()
    assert delivery.state == "in_doubt"
    assert "再发一次" not in text(scene.client(Role.VIEWER).get(f"/deliveries/{delivery.pk}/"))
