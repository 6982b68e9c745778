"""“I did not get mine”: one payslip once more, to the right address, with a reason, linked to the old."""

from __future__ import annotations

import pytest

from accounts.models import Role
from campaigns.models import Campaign, Delivery
from campaigns.pipeline import counts
from tests.views.scene import Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def campaign(scene, hr):
    return launched(scene.payslips(hr), "finished")


def press(client, delivery, **fields):
    values = {"address": delivery.address, "note": "员工说没收到", **fields}
    return client.post(f"/deliveries/{delivery.pk}/resend/", values, follow=True)


def resends(campaign: Campaign) -> list[Delivery]:
    return list(campaign.deliveries.filter(purpose="resend").order_by("pk"))


@pytest.mark.parametrize("state", ["accepted", "refused", "failed", "expired"])
def test_a_payslip_that_ended_goes_out_once_more(scene, hr, campaign, state):
    (delivery,) = deliveries(campaign, state)
    page = press(scene.client(user=hr), delivery).content.decode()
    (again,) = resends(campaign)
    assert "正在补发到 wang@corp.example" in page
    assert (again.state, again.resend_of_id, again.source_key) == ("queued", delivery.pk, delivery.source_key)  # fmt: skip
    assert again.row_id == delivery.row_id
    assert again.resolved_note == f"员工说没收到 — {hr.email}"
    delivery.refresh_from_db()
    assert delivery.state == state
    assert counts.recount(campaign.pk)["queued"] == 1


def test_to_a_corrected_address(scene, hr, campaign):
    (delivery,) = deliveries(campaign, "refused")
    press(scene.client(user=hr), delivery, address=" Wang.Xiaoming@例子.中国 ")
    (again,) = resends(campaign)
    assert again.address == "Wang.Xiaoming@xn--fsqu00a.xn--fiqs8s"
    assert again.domain == "xn--fsqu00a.xn--fiqs8s"
    page = scene.client(user=hr).get(f"/deliveries/{delivery.pk}/").content.decode()
    assert f'href="/deliveries/{again.pk}/"' in page


@pytest.mark.parametrize("state", ["queued", "sending", "deferred", "in_doubt", "cancelled"])
def test_not_while_it_may_still_arrive_or_was_not_to_be_sent(scene, hr, campaign, state):
    (delivery,) = deliveries(campaign, state)
    client = scene.client(user=hr)
    assert "补发这一份" not in client.get(f"/deliveries/{delivery.pk}/").content.decode()
    press(client, delivery)
    assert resends(campaign) == []


def test_a_second_click_sends_nothing_more(scene, hr, campaign):
    (delivery,) = deliveries(campaign, "accepted")
    client = scene.client(user=hr)
    press(client, delivery)
    assert "已经在补发了" in press(client, delivery).content.decode()
    assert len(resends(campaign)) == 1
    resends(campaign)[0].__class__.objects.filter(purpose="resend").update(state="accepted")
    press(client, resends(campaign)[0])
    assert [row.sequence for row in resends(campaign)] == [0, 1]


@pytest.mark.parametrize(
    "wrong",
    [{"address": ""}, {"address": "a@b, c@d.example"}, {"address": "王 <a@b.example>"}, {"note": ""}, {"note": "a\nBcc: x@y.example"}, {"address": "a\r\nb@c.example"}],
)  # fmt: skip
def test_it_rejects_an_address_that_is_none_and_wants_a_reason(scene, hr, campaign, wrong):
    (delivery,) = deliveries(campaign, "accepted")
    press(scene.client(user=hr), delivery, **wrong)
    assert resends(campaign) == []


def test_only_by_somebody_who_may_read_it(scene, campaign):
    (delivery,) = deliveries(campaign, "accepted")
    superuser = scene.user(Role.HR, is_superuser=True)
    for client in (scene.client(Role.HR), scene.client(Role.OWNER), scene.client(user=superuser)):
        assert "补发这一份" not in client.get(f"/deliveries/{delivery.pk}/").content.decode()
        assert press(client, delivery).status_code == 403
    assert press(Scene().client(Role.HR), delivery).status_code == 404
    assert resends(campaign) == []


def test_a_row_that_cannot_be_composed_says_so_and_is_not_queued(scene, hr):
    rows = [("王小明", "wang@corp.example", None, "1.00")]
    campaign = launched(scene.payslips(hr, workbook=scene.workbook(hr, rows=rows)), "finished")
    (delivery,) = deliveries(campaign, "failed")
    page = press(scene.client(user=hr), delivery).content.decode()
    assert "11月工资!C2" in page
    assert resends(campaign) == []


def test_newsletters_and_tests_are_not_sent_again(scene, hr, campaign):
    letter = launched(scene.newsletter(), "finished")
    (delivery,) = deliveries(letter, "accepted")
    press(scene.client(Role.MARKETER), delivery)
    (test,) = deliveries(campaign, "accepted")
    Delivery.objects.filter(pk=test.pk).update(purpose="test")
    press(scene.client(user=hr), test)
    assert not Delivery.objects.filter(purpose="resend").exists()
