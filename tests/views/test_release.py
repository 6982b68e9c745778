"""The second person's button, the countdown's words, and who is let in to read."""

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


def text(response):
    assert response.status_code == 200
    return response.content.decode()


def launch(client, campaign):
    return text(client.post(f"/campaigns/{campaign.pk}/launch/", {"when": "now"}, follow=True))


def test_the_one_launches_and_the_other_releases(scene, hr):
    scene.team.payslip_release = True
    scene.team.save()
    campaign, first = scene.payslips(hr), scene.client(user=hr)
    page = launch(first, campaign)
    assert "等另一位能看内容的同事放行后才会发送" in page
    assert f"/campaigns/{campaign.pk}/release/" not in page
    assert "状态已经变了" in text(first.post(f"/campaigns/{campaign.pk}/release/", follow=True))
    other = scene.user(Role.HR)
    second = scene.client(user=other)
    assert second.post(f"/campaigns/{campaign.pk}/release/").status_code == 403
    first.post(f"/campaigns/{campaign.pk}/grant/", {"user": other.pk})
    page = text(second.get(f"/campaigns/{campaign.pk}/"))
    assert f'action="/campaigns/{campaign.pk}/release/"' in page
    assert f"由 {hr.email} 启动" in page
    assert f"/campaigns/{campaign.pk}/preflight/" in page, "what is agreed to can be seen"
    assert "没有阻止发送的问题" in text(second.get(f"/campaigns/{campaign.pk}/preflight/"))
    assert "已放行" in text(second.post(f"/campaigns/{campaign.pk}/release/", follow=True))
    assert Campaign.objects.get().hold_reason == ""


def test_a_draft_that_changes_during_its_preflight_stays_a_draft(scene, hr, monkeypatch):
    campaign, client = scene.payslips(hr), scene.client(user=hr)

    def slow(found):
        Campaign.objects.update(from_name="别人")
        return []

    monkeypatch.setattr("campaigns.pipeline.preflight.check", slow)
    assert "状态已经变了" in launch(client, campaign)
    assert Campaign.objects.get().state == "draft"


def test_a_draft_without_a_template_is_no_failure(scene, hr):
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    Campaign.objects.update(template=None)
    assert "没有启动" in launch(client, campaign)


def test_no_other_button_lifts_it(scene, hr):
    scene.team.payslip_release = True
    scene.team.save()
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    page = launch(client, campaign)
    assert f"/campaigns/{campaign.pk}/resume/" not in page
    client.post(f"/campaigns/{campaign.pk}/resume/")
    assert Campaign.objects.get().hold_reason == "release_awaited"


def test_the_countdown_is_said_with_its_way_back(scene, hr):
    scene.team.undo_seconds = 90
    scene.team.save()
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    page = launch(client, campaign)
    assert "90 秒后开始发送，开始之前可以撤回为草稿" in page
    assert "开始发送；开始之前可以撤回为草稿" in page
    client.post(f"/campaigns/{campaign.pk}/unschedule/")
    assert Campaign.objects.get().state == "draft"


class TestReaders:
    def test_a_reader_lets_a_colleague_in_and_out_again(self, scene, hr):
        campaign, client = scene.payslips(hr), scene.client(user=hr)
        other = scene.user(Role.HR)
        assert "谁能看内容" in text(client.get(f"/campaigns/{campaign.pk}/"))
        client.post(f"/campaigns/{campaign.pk}/grant/", {"user": other.pk})
        client.post(f"/campaigns/{campaign.pk}/grant/", {"user": other.pk})
        grant = ContentGrant.objects.get(campaign=campaign, user=other)
        assert grant.granted_by == hr
        assert scene.client(user=other).get(f"/campaigns/{campaign.pk}/preview/").status_code == 200
        client.post(f"/campaigns/{campaign.pk}/revoke/", {"grant": grant.pk})
        assert scene.client(user=other).get(f"/campaigns/{campaign.pk}/preview/").status_code == 403

    def test_the_last_one_stays(self, scene, hr):
        campaign, client = scene.payslips(hr), scene.client(user=hr)
        client.post(f"/campaigns/{campaign.pk}/revoke/", {"grant": campaign.grants.get().pk})
        assert campaign.grants.count() == 1

    def test_only_colleagues_who_may_send_payslips_can_be_let_in(self, scene, hr):
        campaign, client = scene.payslips(hr), scene.client(user=hr)
        outsiders = [
            scene.user(Role.OWNER, is_superuser=True),
            scene.user(Role.MARKETER),
            Scene().user(Role.HR),
            scene.user(Role.HR, is_active=False),
        ]
        for user in outsiders:
            answer = client.post(f"/campaigns/{campaign.pk}/grant/", {"user": user.pk})
            assert answer.status_code == 404
        assert campaign.grants.count() == 1

    def test_nobody_lets_himself_in(self, scene, hr):
        campaign = scene.payslips(hr)
        other = scene.user(Role.HR)
        superuser = scene.user(Role.HR, is_superuser=True)
        for user in (other, superuser):
            client = scene.client(user=user)
            url = f"/campaigns/{campaign.pk}"
            assert client.post(f"{url}/grant/", {"user": user.pk}).status_code == 403
            revoked = client.post(f"{url}/revoke/", {"grant": campaign.grants.get().pk})
            assert revoked.status_code == 403
            assert "谁能看内容" not in text(client.get(f"{url}/"))

    def test_a_grant_on_another_campaign_is_not_there(self, scene, hr):
        campaign, other = scene.payslips(hr), launched(scene.payslips(scene.user(Role.HR)))
        foreign = other.grants.get()
        answer = scene.client(user=hr).post(
            f"/campaigns/{campaign.pk}/revoke/", {"grant": foreign.pk}
        )
        assert answer.status_code == 404
        assert ContentGrant.objects.filter(pk=foreign.pk).exists()
