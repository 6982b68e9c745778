"""The form of a relay that delivers directly: what it asks, and what it never takes."""

from __future__ import annotations

import pytest

from accounts.models import BounceMailbox, Relay, Role

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def client(scene):
    return scene.client(Role.MAIL_ADMIN)


@pytest.fixture
def mailbox(scene):
    return BounceMailbox.objects.create(
        team=scene.team, name="退信", address="b@corp.example", host="pop.corp.example"
    )


def filled(mailbox, **changes):
    return {
        "preset": "direct",
        "name": "直投",
        "ehlo_name": "Mail.Corp.Example.",
        "source_ip": "203.0.113.9",
        "tls_mode": "opportunistic",
        "from_addresses": "@corp.example",
        "bounce_mailbox": str(mailbox.pk),
        "own_return_path": "on",
        "limit_hour": "200",
        "max_connections": "10",
        "domain_connections": "2",
        "connect_timeout": "30",
        "command_timeout": "60",
        "final_dot_timeout": "600",
        "retry_minutes": "5, 15, 60",
        "deliver_hours": "120",
        **changes,
    }


def test_a_new_one_starts_with_patience_and_caution(client):
    form = client.get("/relays/new/?preset=direct").context["form"]
    assert form["deliver_hours"].value() == 120
    assert form["tls_mode"].value() == "opportunistic"
    assert {"host", "port", "username", "secret", "oauth"} & set(form.fields) == set()


def test_it_keeps_what_was_typed(client, mailbox):
    assert client.post("/relays/new/", filled(mailbox)).status_code == 302
    relay = Relay.objects.get(name="直投")
    assert (relay.kind, relay.ehlo_name, relay.host) == (
        "direct",
        "mail.corp.example",
        "mail.corp.example",
    )
    assert (relay.port, relay.source_ip, relay.tls_mode) == (25, "203.0.113.9", "opportunistic")
    assert (relay.domain_connections, relay.quota_group) == (2, "mail.corp.example/")
    page = client.get(f"/relays/{relay.pk}/").content.decode()
    assert "mail.corp.example" in page


@pytest.mark.parametrize("name", ["", "localhost", "a b.cn", "1.2.3.4", "mail..cn"])
def test_it_needs_a_full_name_to_say(client, mailbox, name):
    answer = client.post("/relays/new/", filled(mailbox, ehlo_name=name))
    assert "ehlo_name" in answer.context["form"].errors


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source_ip": "300.1.1.1"}, "source_ip"),
        ({"tls_mode": "none"}, "tls_mode"),
        ({"tls_mode": "implicit"}, "tls_mode"),
        ({"from_addresses": ""}, "from_addresses"),
        ({"domain_connections": "0"}, "domain_connections"),
        ({"bounce_mailbox": ""}, "bounce_mailbox"),
    ],
)
def test_what_cannot_work_is_said(client, mailbox, changes, field):
    answer = client.post("/relays/new/", filled(mailbox, **changes))
    assert field in answer.context["form"].errors


def test_an_account_cannot_be_left_to_chance_nor_become_direct(scene, client):
    relay = scene.relay(name="账号", host="smtp.example.com", username="a@b.cn", secret="s")
    given = {
        "name": "账号",
        "host": "smtp.example.com",
        "port": "465",
        "username": "a@b.cn",
        "kind": "direct",
        "max_connections": "1",
        "connect_timeout": "30",
        "command_timeout": "60",
        "final_dot_timeout": "600",
        "retry_minutes": "5",
        "deliver_hours": "24",
        "source_ip": "203.0.113.9",
    }
    answer = client.post(f"/relays/{relay.pk}/", {**given, "tls_mode": "opportunistic"})
    assert "tls_mode" in answer.context["form"].errors
    assert client.post(f"/relays/{relay.pk}/", {**given, "tls_mode": "implicit"}).status_code == 302
    relay.refresh_from_db()
    assert (relay.kind, relay.source_ip) == ("account", None)
