"""Payslips that would stay in an account's Sent folder: said until somebody has looked."""

import pytest
from django.forms.models import model_to_dict
from django.utils import timezone

from accounts.models import Relay, Role
from campaigns.forms.relays import RelayForm
from campaigns.models import Campaign
from campaigns.pipeline import preflight
from tests.views.scene import Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene():
    return Scene()


def warned(campaign):
    found = preflight.check(Campaign.objects.get(pk=campaign.pk))
    return [finding.subject for finding in found if finding.kind == "sent_copies"]


@pytest.mark.parametrize(("preset", "warns"), [("163", True), ("gmail", True), ("ses", False)])
def test_a_payslip_through_an_account_that_keeps_copies_warns(scene, preset, warns):
    relay = scene.relay(preset=preset)
    assert warned(scene.payslips(relay=relay)) == ([relay.pk] if warns else [])


def test_a_newsletter_does_not(scene):
    assert warned(scene.newsletter(relay=scene.relay(preset="163"))) == []


def test_hr_settles_it_on_the_drafts_page(scene):
    user = scene.user(Role.HR)
    campaign = scene.payslips(user, relay=scene.relay(preset="163"))
    client = scene.client(user=user)
    page = client.get(f"/campaigns/{campaign.pk}/preflight/").content.decode()
    settle = f"/relays/{campaign.relay_id}/copies-settled/"
    assert settle in page
    answer = client.post(settle, {"campaign": campaign.pk})
    assert answer.url == f"/campaigns/{campaign.pk}/"
    assert warned(campaign) == []
    assert Relay.objects.get().copies_settled_by == user


def test_another_teams_account_is_not_there(scene):
    relay = Scene().relay(preset="163")
    client = scene.client(Role.MAIL_ADMIN)
    assert client.post(f"/relays/{relay.pk}/copies-settled/").status_code == 404


def test_another_login_is_asked_about_again(scene):
    relay = scene.relay(preset="163", username="a@corp.example", secret="s")
    Relay.objects.update(copies_settled_at=timezone.now())
    form = RelayForm(
        model_to_dict(relay)
        | {"username": "b@corp.example", "retry_minutes": "5", "from_addresses": "@corp.example"},
        instance=relay,
        team=scene.team,
        user=scene.user(Role.MAIL_ADMIN),
    )
    assert form.is_valid(), form.errors
    assert form.save().copies_settled_at is None
