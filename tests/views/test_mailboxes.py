"""Bounce mailboxes: list, form, the caution with somebody's own inbox, and the test."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import BounceMailbox, Role
from accounts.presets import PRESETS
from campaigns.models import MaildropMessage, Probe
from tests.views.scene import Scene

pytestmark = pytest.mark.django_db
SECRET = "canary-8f3k"
ACTS = ("probe/", "enable/", "disable/", "delete/")


@pytest.fixture
def client(scene):
    return scene.client(Role.MAIL_ADMIN)


def filled(**changes):
    return {
        "preset": "exmail",
        "name": "退信专用",
        "address": "bounce@example.com",
        "host": "pop.exmail.qq.com",
        "port": "995",
        "tls_mode": "implicit",
        "username": "bounce@example.com",
        "secret": SECRET,
        "leaving": "ours_deleted",
        **changes,
    }


def made(scene, **fields):
    given = {"name": "退信", "address": "b@example.com", "host": "pop.example.com", "username": "b"}
    return BounceMailbox.objects.create(team=scene.team, **{**given, **fields})


def created(client, **changes):
    answer = client.post("/mailboxes/new/", filled(**changes), follow=True)
    assert answer.redirect_chain, answer.context["form"].errors
    return BounceMailbox.objects.latest("pk"), answer.content.decode()


def faults(client, **changes):
    answer = client.post("/mailboxes/new/", filled(**changes))
    assert answer.status_code == 422
    return answer.context["form"].errors


def test_the_list_says_what_was_found_and_what_went_wrong(scene, client):
    box = made(scene, last_error="auth_code_needed", polled_at=timezone.now())
    for number, verdict in enumerate(["bounce", "bounce", "ordinary"]):
        MaildropMessage.objects.create(
            team=scene.team, mailbox=box, uidl=f"u{number}", verdict=verdict
        )
    page = client.get("/mailboxes/").content.decode()
    assert "退信 2" in page
    assert "授权码" in page
    assert "有问题" in page


@pytest.mark.parametrize("boxes", [1, 6])
def test_the_list_costs_the_same_for_many(scene, client, boxes, django_assert_num_queries):
    for number in range(boxes):
        made(scene, name=f"m{number}")
    with django_assert_num_queries(7):
        client.get("/mailboxes/")


def test_an_empty_list_offers_the_presets_that_have_pop3(client):
    assert "/mailboxes/new/" in client.get("/mailboxes/").content.decode()
    page = client.get("/mailboxes/new/").content.decode()
    assert "pop.163.com" in page
    assert "?preset=ses" not in page


@pytest.mark.parametrize("code", [code for code, preset in PRESETS.items() if preset.maildrop])
def test_a_preset_fills_the_form(client, code):
    form = client.get(f"/mailboxes/new/?preset={code}").context["form"]
    assert form["host"].value() == PRESETS[code].maildrop.host


@pytest.mark.parametrize("role", [Role.HR, Role.MARKETER, Role.VIEWER])
def test_others_have_no_business_here(scene, role):
    box, client = made(scene), scene.client(role)
    for path in ("/mailboxes/", "/mailboxes/new/", f"/mailboxes/{box.pk}/"):
        assert client.get(path).status_code == 403
    for act in ACTS:
        assert client.post(f"/mailboxes/{box.pk}/{act}").status_code == 403


def test_another_teams_mailbox_is_not_there(client):
    foreign = made(Scene())
    assert client.get(f"/mailboxes/{foreign.pk}/").status_code == 404
    assert client.post(f"/mailboxes/{foreign.pk}/", filled()).status_code == 404
    for act in ACTS:
        assert client.post(f"/mailboxes/{foreign.pk}/{act}").status_code == 404


@pytest.mark.parametrize("act", ACTS)
def test_looking_changes_nothing(scene, client, act):
    assert client.get(f"/mailboxes/{made(scene).pk}/{act}").status_code == 405


def test_a_new_mailbox_keeps_what_was_typed(client):
    box, _ = created(client, exclusive="on", return_path_pattern="bounce+{token}@example.com")
    assert box.exclusive
    assert box.secret == SECRET
    assert box.return_path_pattern == "bounce+{token}@example.com"


@pytest.mark.parametrize("login", ["hr@163.com", "HR@163.com"])
def test_the_login_of_a_relay_starts_by_leaving_everything(scene, client, login):
    scene.relay(username="hr@163.com")
    box, page = created(client, username=login, exclusive="on")
    assert (box.exclusive, box.leaving) == (False, "nothing_deleted")
    assert "可能有人在用" in page
    client.post(f"/mailboxes/{box.pk}/", filled(secret="", leaving="ours_deleted"))
    box.refresh_from_db()
    assert box.leaving == "ours_deleted"


def test_another_teams_relay_says_nothing_about_this_login(client):
    Scene().relay(username="bounce@example.com")
    box, _ = created(client)
    assert box.leaving == "ours_deleted"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("return_path_pattern", "bounce@example.com"),
        ("return_path_pattern", "x{token}@example.com"),
        ("return_path_pattern", "bounce+{token}@nodot"),
        ("return_path_pattern", "much-too-long-a-beginning-of-it+{token}@example.com"),
        ("tls_mode", "none"),
        ("secret", ""),
        ("host", "a b"),
        ("address", "nobody"),
    ],
)
def test_what_cannot_work_is_refused(client, field, value):
    assert field in faults(client, **{field: value})


def test_the_secret_is_never_shown_and_blank_keeps_it(client):
    box, page = created(client)
    assert SECRET not in page
    client.post(f"/mailboxes/{box.pk}/", filled(secret="", name="新名字"))
    box = BounceMailbox.objects.get(pk=box.pk)
    assert (box.secret, box.name) == (SECRET, "新名字")


def test_another_host_does_not_get_the_stored_secret(client):
    box, _ = created(client)
    answer = client.post(f"/mailboxes/{box.pk}/", filled(host="evil.example", secret=""))
    assert "secret" in answer.context["form"].errors


def test_it_is_switched_off_and_on(scene, client):
    box = made(scene, last_error="auth_refused")
    client.post(f"/mailboxes/{box.pk}/disable/")
    box.refresh_from_db()
    assert not box.enabled
    client.post(f"/mailboxes/{box.pk}/enable/")
    box.refresh_from_db()
    assert (box.enabled, box.last_error) == (True, "")


def test_one_that_a_relay_uses_is_not_deleted(scene, client):
    used, unused = made(scene, name="a"), made(scene, name="b")
    scene.relay(bounce_mailbox=used)
    client.post(f"/mailboxes/{used.pk}/delete/")
    client.post(f"/mailboxes/{unused.pk}/delete/")
    assert list(BounceMailbox.objects.filter(team=scene.team)) == [used]


def test_a_test_is_asked_for(scene, client):
    box = made(scene)
    client.post(f"/mailboxes/{box.pk}/probe/")
    probe = Probe.objects.get(mailbox=box)
    assert f"/probes/{probe.pk}/" in client.get(f"/mailboxes/{box.pk}/").content.decode()


def test_what_a_probe_counted_is_said(scene, client):
    step = {"step": "list", "ok": True, "text": "", "count": 7}
    probe = Probe.objects.create(team=scene.team, mailbox=made(scene), state="passed", steps=[step])
    assert "7" in client.get(f"/probes/{probe.pk}/").content.decode()
