"""Relays: the list with its bars, the form, what stops and starts them, and the test."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import BounceMailbox, Relay, Role
from accounts.presets import PRESETS
from campaigns.models import Probe
from campaigns.pipeline import ledger as ledgers
from tests.fakes.certificates import issue
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SECRET = "canary-8f3k"
MISSING = "/relays/999999/"
ACTS = ("probe/", "enable/", "disable/", "unpark/", "delete/")


@pytest.fixture(autouse=True)
def new_ledger(settings):
    settings.EMBEDDED = True
    ledgers.ledger.cache_clear()
    yield
    ledgers.ledger.cache_clear()


@pytest.fixture
def client(scene):
    return scene.client(Role.MAIL_ADMIN)


def filled(**changes):
    """What a browser posts for a valid relay."""
    return {
        "preset": "163",
        "name": "网易",
        "host": "smtp.163.com",
        "port": "465",
        "tls_mode": "implicit",
        "username": "hr@163.com",
        "secret": SECRET,
        "limit_minute": "8",
        "limit_day": "300",
        "max_connections": "1",
        "connect_timeout": "30",
        "command_timeout": "60",
        "final_dot_timeout": "600",
        "retry_minutes": "5, 15",
        "deliver_hours": "24",
        **changes,
    }


def created(client, **changes):
    answer = client.post("/relays/new/", filled(**changes))
    assert answer.status_code == 302, answer.context["form"].errors
    return Relay.objects.latest("pk")


def faults(client, **changes):
    answer = client.post("/relays/new/", filled(**changes))
    assert answer.status_code == 422
    return answer.context["form"].errors


def test_the_list_draws_every_window(scene, client):
    relay = scene.relay(per_day=200)
    page = client.get("/relays/").content.decode()
    assert relay.name in page
    assert "0 / 200" in page
    assert "<progress" in page


@pytest.mark.parametrize("relays", [1, 6])
def test_the_list_costs_the_same_for_many_relays(scene, client, relays, django_assert_num_queries):
    for number in range(relays):
        scene.relay(name=f"r{number}")
    client.get("/relays/")  # the ledger remembers each quota group once
    with django_assert_num_queries(7):
        client.get("/relays/")


def test_an_empty_list_offers_the_presets(client):
    assert "/relays/new/" in client.get("/relays/").content.decode()
    page = client.get("/relays/new/").content.decode()
    assert all(f"?preset={code}" in page for code in PRESETS)


def test_the_list_works_while_the_ledger_is_away(scene, client, settings):
    settings.EMBEDDED, settings.REDIS_URL = False, "redis://127.0.0.1:9/0"
    ledgers.ledger.cache_clear()
    scene.relay()
    assert "暂时读不到用量" in client.get("/relays/").content.decode()


@pytest.mark.parametrize("role", [Role.HR, Role.MARKETER, Role.VIEWER])
def test_others_have_no_business_here(scene, role):
    relay, client = scene.relay(), scene.client(role)
    for path in ("/relays/", "/relays/new/", f"/relays/{relay.pk}/"):
        assert client.get(path).status_code == 403
    for act in ACTS:
        assert client.post(f"/relays/{relay.pk}/{act}").status_code == 403


def test_another_teams_relay_is_not_there(client):
    foreign = Scene().relay()
    assert client.get(f"/relays/{foreign.pk}/").status_code == 404
    assert client.post(f"/relays/{foreign.pk}/", filled()).status_code == 404
    for act in ACTS:
        assert client.post(f"/relays/{foreign.pk}/{act}").status_code == 404
    assert foreign.name not in client.get("/relays/").content.decode()


def test_another_teams_mailbox_cannot_be_chosen(client):
    foreign = BounceMailbox.objects.create(
        team=Scene().team, name="x", address="b@x.cn", host="pop.x.cn", username="b"
    )
    assert "bounce_mailbox" in faults(client, bounce_mailbox=foreign.pk)


@pytest.mark.parametrize("act", ACTS)
def test_looking_changes_nothing(scene, client, act):
    assert client.get(f"/relays/{scene.relay().pk}/{act}").status_code == 405


@pytest.mark.parametrize("code", [code for code in PRESETS if code != "direct"])
def test_every_preset_fills_its_form(client, code):
    form = client.get(f"/relays/new/?preset={code}").context["form"]
    assert form["host"].value() == PRESETS[code].host
    for window, amount in PRESETS[code].limits.items():
        assert form[f"limit_{window}"].value() == amount


def test_a_new_relay_keeps_what_was_typed(client):
    relay = created(client, from_addresses="HR@163.COM\n@Example.com\n")
    assert relay.from_addresses == ["hr@163.com", "@example.com"]
    assert {limit.window: limit.amount for limit in relay.limits.all()} == {"minute": 8, "day": 300}
    assert (relay.secret, relay.preset, relay.retry_seconds) == (SECRET, "163", [300, 900])
    assert relay.quota_group == "smtp.163.com/hr@163.com"


def test_without_from_addresses_the_login_is_the_only_one(client):
    assert created(client).from_addresses == ["hr@163.com"]


def test_exmail_counts_by_domain(client):
    changes = {"preset": "exmail", "host": "smtp.exmail.qq.com"}
    one = created(client, name="a", username="a@example.com", **changes)
    two = created(client, name="b", username="b@example.com", **changes)
    assert one.quota_group == two.quota_group


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "smtp.163.com/x"),
        ("host", "two words"),
        ("port", "70000"),
        ("from_addresses", "no address"),
        ("from_addresses", "@nodot"),
        ("ca_pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        ("ca_pem", "-----BEGIN PRIVATE KEY-----"),
        ("tls_mode", "none"),
        ("day_zone", "Mars/Olympus"),
        ("limit_minute", "0"),
        ("retry_minutes", "soon"),
        ("retry_minutes", "nan"),
        ("secret", ""),
        ("secret", "a\x00b"),
        ("own_return_path", "on"),
    ],
)
def test_what_cannot_work_is_refused(client, field, value):
    wrong = faults(client, **{field: value})
    assert ("bounce_mailbox" if field == "own_return_path" else field) in wrong


def test_a_company_ca_is_taken(client):
    assert created(client, ca_pem=issue().ca_pem).ca_pem.strip() == issue().ca_pem.strip()


def test_no_encryption_is_for_loopback_alone(client):
    assert created(client, host="127.0.0.1", tls_mode="none").tls_mode == "none"


def test_only_a_superuser_opens_the_internal_network(scene, client):
    assert not created(client, name="a", internal_allowed="on").internal_allowed
    chief = scene.client(user=scene.user(Role.MAIL_ADMIN, is_superuser=True))
    assert created(chief, name="b", internal_allowed="on").internal_allowed


def test_a_permission_for_one_internal_host_is_none_for_another(scene, client):
    relay = scene.relay(host="10.0.0.5", internal_allowed=True, username="u", secret=SECRET)
    answer = client.post(f"/relays/{relay.pk}/", filled(host="10.0.0.6"))
    assert "host" in answer.context["form"].errors
    relay.refresh_from_db()
    assert (relay.host, relay.internal_allowed) == ("10.0.0.5", True)


def test_the_secret_is_never_shown_and_blank_keeps_it(client):
    relay = created(client)
    page = client.get(f"/relays/{relay.pk}/").content.decode()
    assert SECRET not in page
    assert "已保存" in page
    client.post(f"/relays/{relay.pk}/", filled(secret="", name="新名字"))
    relay = Relay.objects.get(pk=relay.pk)
    assert (relay.secret, relay.name) == (SECRET, "新名字")


def test_a_wrong_form_does_not_show_the_typed_secret_again(client):
    page = client.post("/relays/new/", filled(port="0")).content.decode()
    assert SECRET not in page


def test_another_host_does_not_get_the_stored_secret(client):
    relay = created(client)
    answer = client.post(f"/relays/{relay.pk}/", filled(host="evil.example", secret=""))
    assert "secret" in answer.context["form"].errors
    relay.refresh_from_db()
    assert relay.host == "smtp.163.com"


def test_a_lost_encryption_key_does_not_break_the_pages(client, settings):
    from cryptography.fernet import Fernet

    relay = created(client)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert client.get("/relays/").status_code == 200
    assert client.get(f"/relays/{relay.pk}/").status_code == 200
    client.post(f"/relays/{relay.pk}/", filled(secret="new-one"))
    assert Relay.objects.get(pk=relay.pk).secret == "new-one"


def test_limits_are_replaced_whole(client):
    relay = created(client)
    client.post(f"/relays/{relay.pk}/", filled(limit_minute="", limit_hour="50", limit_day=""))
    assert [(limit.window, limit.amount) for limit in relay.limits.all()] == [("hour", 50)]


def test_a_parked_relay_says_until_when_and_why_and_may_go_on(scene, client):
    until = timezone.now() + timedelta(minutes=30)
    relay = scene.relay(parked_until=until, park_reason="ratelimited")
    page = client.get(f"/relays/{relay.pk}/").content.decode()
    assert "发送过于频繁" in page
    client.post(f"/relays/{relay.pk}/unpark/")
    relay.refresh_from_db()
    assert (relay.parked_until, relay.park_reason) == (None, "")


def test_enabling_lifts_what_had_stopped_it(scene, client):
    relay = scene.relay(
        enabled=False, park_reason="auth_refused", parked_until=timezone.now() + timedelta(hours=1)
    )
    assert "授权码" in client.get("/relays/").content.decode()
    client.post(f"/relays/{relay.pk}/enable/")
    relay.refresh_from_db()
    assert (relay.enabled, relay.parked_until, relay.park_reason) == (True, None, "")
    client.post(f"/relays/{relay.pk}/disable/")
    relay.refresh_from_db()
    assert not relay.enabled


def test_only_an_unused_relay_is_deleted(scene, client):
    unused, used = scene.relay(), scene.relay()
    scene.newsletter(relay=used)
    client.post(f"/relays/{unused.pk}/delete/")
    client.post(f"/relays/{used.pk}/delete/")
    assert list(Relay.objects.filter(team=scene.team)) == [used]


def test_a_test_goes_to_whoever_asks_and_nobody_else(scene):
    user = scene.user(Role.MAIL_ADMIN)
    relay = scene.relay()
    scene.client(user=user).post(f"/relays/{relay.pk}/probe/", {"address": "victim@x.example"})
    assert Probe.objects.get(relay=relay).address == user.email


def test_a_probe_polls_until_it_ends(scene, client):
    relay = scene.relay()
    probe = Probe.objects.create(team=scene.team, relay=relay, state="running")
    assert "hx-trigger" in client.get(f"/probes/{probe.pk}/").content.decode()
    failed = [{"step": "login", "ok": False, "reason": "auth_refused", "text": "<b>535</b>"}]
    Probe.objects.filter(pk=probe.pk).update(state="failed", steps=failed)
    page = client.get(f"/probes/{probe.pk}/").content.decode()
    assert "hx-trigger" not in page
    assert "授权码" in page
    assert "&lt;b&gt;535" in page


def test_another_teams_probe_is_not_there(client):
    other = Scene()
    probe = Probe.objects.create(team=other.team, relay=other.relay())
    assert client.get(f"/probes/{probe.pk}/").status_code == 404


def test_a_missing_relay_is_not_there(client):
    assert client.get(MISSING).status_code == 404
    assert client.get(f"/relays/{10**30}/").status_code == 404
