"""The card that says how a campaign's message will fare with its readers and their filters."""

import stat

import pytest
from django.urls import reverse

from accounts.models import Role
from tests.views.scene import LETTER_HTML, Scene

pytestmark = pytest.mark.django_db

REPORT = """#!/bin/sh
cat >/dev/null
printf '6.2/5.0\\n\\n pts rule name  description\\n 6.2 BAD_NEWS  Nobody wants this\\n'
"""


@pytest.fixture
def scene():
    scene = Scene()
    scene.key()
    return scene


@pytest.fixture
def user(scene):
    return scene.user(Role.HR, Role.MARKETER)


@pytest.fixture
def spamc(tmp_path, monkeypatch):
    """A spamc that takes everything for spam; the real one is asked in tests/mailer/test_spamc.py."""
    program = tmp_path / "spamc"
    program.write_text(REPORT)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return program


def card(scene, user, campaign):
    url = reverse("campaigns:campaign_lint", args=[campaign.pk])
    response = scene.client(user=user).get(url)
    assert "no-store" in response["Cache-Control"]
    return response.content.decode()


def test_each_fault_is_a_sentence_with_its_places(scene, user, spamc):
    html = LETTER_HTML + '<a href="https://evil.example/">www.bank.com</a>'
    campaign = scene.newsletter(template=scene.template(kind="newsletter", html=html))
    page = card(scene, user, campaign)
    assert "像是钓鱼邮件" in page
    assert "www.bank.com → https://evil.example/" in page


def test_spamassassin_is_asked_about_a_newsletter_and_never_about_a_payslip(scene, user, spamc):
    assert "BAD_NEWS" in card(scene, user, scene.newsletter())
    assert "SpamAssassin" not in card(scene, user, scene.payslips(user))


def test_a_client_without_its_server_is_said(scene, user, spamc):
    spamc.write_text("#!/bin/sh\nexit 69\n")
    assert "SpamAssassin 没有回答" in card(scene, user, scene.newsletter())


def test_a_message_that_cannot_be_composed_says_why(scene, user):
    html = "<p>{{ 没有的列 }}</p>"
    campaign = scene.payslips(user, template=scene.template(html=html))
    assert "problem-warning" in card(scene, user, campaign)
    assert "没有的列" in card(scene, user, campaign)


def test_the_draft_loads_the_card(scene, user):
    campaign = scene.newsletter()
    page = scene.client(user=user).get(reverse("campaigns:campaign", args=[campaign.pk]))
    assert reverse("campaigns:campaign_lint", args=[campaign.pk]) in page.content.decode()
