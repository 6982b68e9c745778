"""DKIM keys: generating, the record to publish, switching; the private half never leaves."""

from __future__ import annotations

import base64
import re

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.utils import timezone

from accounts.models import Role, SigningKey
from accounts.models.signing_key import GRACE
from tests.cast import a_key
from tests.views.scene import Scene

pytestmark = pytest.mark.django_db
ACTS = ("enable/", "disable/", "delete/", "look/")


@pytest.fixture
def client(scene):
    return scene.client(Role.MAIL_ADMIN)


def filled(**changes):
    return {"domain": "example.com", "selector": "s1", "algorithm": "ed25519", **changes}


def test_a_generated_rsa_key_shows_the_record_to_publish(client):
    answer = client.post("/keys/new/", filled(algorithm="rsa"), follow=True)
    page, key = answer.content.decode(), SigningKey.objects.get()
    assert "s1._domainkey.example.com" in page
    public = re.search(r"v=DKIM1; k=rsa; p=([A-Za-z0-9+/=]+)", page)
    assert load_der_public_key(base64.b64decode(public[1])).key_size == 2048
    strings = re.search(r"<code[^>]*>(&quot;v=DKIM1.*?)</code>", page)[1].split("&quot;")[1::2]
    assert "".join(strings) == public[0]
    assert all(len(piece) <= 255 for piece in strings)
    assert (key.active, key.waiting) == (False, True)


def test_an_ed25519_key_has_a_short_record(client):
    page = client.post("/keys/new/", filled(), follow=True).content.decode()
    assert "v=DKIM1; k=ed25519; p=" in page


def test_the_private_half_is_on_no_page(scene, client):
    key = a_key(scene.team)
    inner = str(key.private_key).splitlines()[1]
    for path in ("/keys/", f"/keys/{key.pk}/", "/keys/new/"):
        page = client.get(path).content.decode()
        assert inner not in page
        assert "PRIVATE" not in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domain", "nodot"),
        ("domain", "exa mple.com"),
        ("selector", "under_score"),
        ("selector", "a..b"),
        ("algorithm", "md5"),
    ],
)
def test_what_cannot_be_published_is_refused(client, field, value):
    answer = client.post("/keys/new/", filled(**{field: value}))
    assert answer.status_code == 422
    assert field in answer.context["form"].errors


def test_a_chinese_domain_becomes_its_a_labels(client):
    client.post("/keys/new/", filled(domain="公司.cn"))
    assert SigningKey.objects.get().domain == "xn--55qx5d.cn"


def test_a_selector_is_used_once_a_domain(client):
    client.post("/keys/new/", filled())
    answer = client.post("/keys/new/", filled())
    assert "selector" in answer.context["form"].errors


def test_two_teams_may_use_one_selector(client):
    a_key(Scene().team, "example.com")
    assert client.post("/keys/new/", filled()).status_code == 302


def test_the_list_names_domains_that_nothing_signs_for(scene, client):
    a_key(scene.team, "signed.example")
    scene.relay(from_addresses=["@signed.example", "a@bare.example", "hr@163.com"])
    page = client.get("/keys/").content.decode()
    assert "从 bare.example 发出" in page
    assert "从 signed.example 发出" not in page
    assert "从 163.com 发出" not in page


@pytest.mark.parametrize("keys", [1, 5])
def test_the_list_costs_the_same_for_many(scene, client, keys, django_assert_num_queries):
    for number in range(keys):
        a_key(scene.team, f"d{number}.example")
    with django_assert_num_queries(7):
        client.get("/keys/")


def test_two_keys_are_made_by_default_and_each_names_the_other(client):
    page = client.post("/keys/new/", filled(algorithm="both"), follow=True).content.decode()
    rsa, ed = SigningKey.objects.order_by("pk")
    assert [(key.selector, key.algorithm) for key in (rsa, ed)] == [
        ("s1", "rsa"),
        ("s1e", "ed25519"),
    ]
    assert rsa.record_name in page
    assert ed.record_name in page


def test_changing_keys_leaves_the_old_one_signing(scene, client):
    old = a_key(scene.team, "example.com")
    page = client.post("/keys/rotate/", {"domain": "example.com"}, follow=True).content.decode()
    new = SigningKey.objects.get(replaces=old)
    old.refresh_from_db()
    assert (old.active, new.waiting) == (True, True)
    assert new.record_name in page
    assert "换密钥</button>" not in client.get("/keys/").content.decode()


def test_a_page_that_waits_is_drawn_anew_once_the_key_signs(scene, client):
    key = SigningKey.objects.get(pk=a_key(scene.team).pk)
    SigningKey.objects.filter(pk=key.pk).update(active=False, waiting=True)
    polled = f"/keys/{key.pk}/progress/"
    assert "正在查询 DNS" in client.get(polled, headers={"hx-request": "true"}).content.decode()
    client.post(f"/keys/{key.pk}/enable/")
    assert client.get(polled, headers={"hx-request": "true"})["HX-Refresh"] == "true"


def test_a_key_that_left_says_how_long_its_record_stays(scene, client):
    key = a_key(scene.team)
    client.post(f"/keys/{key.pk}/disable/")
    assert "请把 DNS 记录保留到" in client.get(f"/keys/{key.pk}/").content.decode()
    SigningKey.objects.filter(pk=key.pk).update(retired_at=timezone.now() - GRACE)
    assert "可以删除了" in client.get(f"/keys/{key.pk}/").content.decode()


def test_a_key_is_switched_and_deleted(scene, client):
    key = a_key(scene.team)
    client.post(f"/keys/{key.pk}/disable/")
    key.refresh_from_db()
    assert not key.active
    client.post(f"/keys/{key.pk}/enable/")
    key.refresh_from_db()
    assert key.active
    client.post(f"/keys/{key.pk}/delete/")
    assert not SigningKey.objects.exists()


@pytest.mark.parametrize("act", ACTS)
def test_looking_changes_nothing(scene, client, act):
    assert client.get(f"/keys/{a_key(scene.team).pk}/{act}").status_code == 405


def test_another_teams_key_is_not_there(client):
    foreign = a_key(Scene().team)
    assert client.get(f"/keys/{foreign.pk}/").status_code == 404
    for act in ACTS:
        assert client.post(f"/keys/{foreign.pk}/{act}").status_code == 404
    client.post("/keys/rotate/", {"domain": foreign.domain})
    assert SigningKey.objects.count() == 1
    assert SigningKey.objects.filter(pk=foreign.pk, active=True).exists()


@pytest.mark.parametrize("role", [Role.HR, Role.MARKETER, Role.VIEWER])
def test_others_have_no_business_here(scene, role):
    key, client = a_key(scene.team), scene.client(role)
    for path in ("/keys/", "/keys/new/", f"/keys/{key.pk}/"):
        assert client.get(path).status_code == 403
    for act in ACTS:
        assert client.post(f"/keys/{key.pk}/{act}").status_code == 403
