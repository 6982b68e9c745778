"""Taking a campaign back, and the correction that follows, as HR sees them."""

import pytest

from accounts.models import Role
from campaigns.models import Campaign
from tests.views.scene import Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def text(response):
    assert response.status_code == 200
    return response.content.decode()


def test_the_page_says_what_a_recall_cannot_do(scene, hr):
    campaign = launched(scene.payslips(hr))
    deliveries(campaign, "accepted", "accepted", "queued")
    client = scene.client(user=hr)
    page = text(client.get(f"/campaigns/{campaign.pk}/"))
    assert "还没发出的 1 封不会再发" in page
    assert "已经发出的 2 封在员工的邮箱里，邮件和附件都收不回来" in page
    page = text(client.post(f"/campaigns/{campaign.pk}/recall/", {"reason": "用错了表"}, follow=True))  # fmt: skip
    assert "已撤回" in page
    assert "原因：用错了表" in page
    assert "已经发出的 2 封在员工的邮箱里，收不回来" in page
    assert f'action="/campaigns/{campaign.pk}/recall/"' not in page
    assert Campaign.objects.get().recalled_by == hr


def test_a_reason_is_wanted(scene, hr):
    campaign = launched(scene.payslips(hr))
    page = scene.client(user=hr).post(f"/campaigns/{campaign.pk}/recall/", {}, follow=True)
    assert "请写下撤回的原因" in text(page)
    assert Campaign.objects.get().recalled_at is None


def test_whoever_sends_payslips_may_stop_them_and_nobody_else(scene, hr):
    campaign = launched(scene.payslips(hr))
    url = f"/campaigns/{campaign.pk}/recall/"
    for role in (Role.MARKETER, Role.VIEWER, Role.MAIL_ADMIN):
        assert scene.client(role).post(url, {"reason": "x"}).status_code == 403
    assert Scene().client(Role.HR).post(url, {"reason": "x"}).status_code == 404
    assert scene.client(Role.HR).post(url, {"reason": "x"}).status_code == 302
    assert Campaign.objects.get().recalled_at


def test_drafts_and_newsletters_are_not_recalled(scene, hr):
    draft = scene.payslips(hr)
    letter = launched(scene.newsletter())
    assert "撤回这次工资条" not in text(scene.client(user=hr).get(f"/campaigns/{draft.pk}/"))
    marketer = scene.client(Role.MARKETER)
    assert "撤回这次工资条" not in text(marketer.get(f"/campaigns/{letter.pk}/"))
    marketer.post(f"/campaigns/{letter.pk}/recall/", {"reason": "x"})
    assert not Campaign.objects.filter(recalled_at__isnull=False).exists()


class TestACorrection:
    def made(self, client, campaign, book, corrects):
        return client.post(
            "/campaigns/new/",
            {
                "kind": "payslip", "name": "更正", "audience": f"workbook:{book.pk}",
                "template": campaign.template_id, "relay": campaign.relay_id, "from_name": "",
                "from_address": campaign.from_address, "reply_to": "", "duplicates": "",
                "in_doubt_policy": "ask", "corrects": corrects,
            },
        )  # fmt: skip

    def test_begins_with_what_it_corrects_and_is_linked_both_ways(self, scene, hr):
        campaign = launched(scene.payslips(hr, from_name="人事部"), "finished")
        client = scene.client(user=hr)
        page = text(client.get(f"/campaigns/new/?kind=payslip&corrects={campaign.pk}"))
        assert f'name="corrects" value="{campaign.pk}"' in page
        assert "十一月工资条（更正）" in page
        assert 'value="人事部"' in page
        answer = self.made(client, campaign, scene.workbook(hr), campaign.pk)
        new = Campaign.objects.get(name="更正")
        assert answer["Location"] == f"/campaigns/{new.pk}/"
        assert new.corrects == campaign
        assert "更正的是" in text(client.get(f"/campaigns/{new.pk}/"))
        assert "更正它的活动" in text(client.get(f"/campaigns/{campaign.pk}/"))

    def test_only_of_a_launched_payslip_that_one_may_read(self, scene, hr):
        draft = scene.payslips(hr)
        foreign = launched(scene.payslips(scene.user(Role.HR)))
        client = scene.client(user=hr)
        for corrects in (draft.pk, foreign.pk, "x", 999999):
            url = f"/campaigns/new/?kind=payslip&corrects={corrects}"
            assert client.get(url).status_code == 404
            assert self.made(client, draft, draft.workbook, corrects).status_code == 404
        assert not Campaign.objects.filter(name="更正").exists()

    def test_the_preflight_says_how(self, scene, hr):
        campaign = launched(scene.payslips(hr), "finished")
        deliveries(campaign, "accepted")
        twin = scene.payslips(hr, workbook=campaign.workbook)
        page = text(scene.client(user=hr).get(f"/campaigns/{twin.pk}/preflight/"))
        assert "这份工资条已经发过了：活动“十一月工资条”" in page
        assert f'href="/campaigns/{campaign.pk}/"' in page
