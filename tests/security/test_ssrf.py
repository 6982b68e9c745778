"""Server-side request forgery (ASVS 1.3.6): a host that somebody typed leads to no internal service."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import BounceMailbox, OAuthLogin, Relay, Role
from campaigns.mailer import outbound
from campaigns.models import Probe
from campaigns.pipeline import probe as probing
from tests.security.world import World
from tests.views.scene import Scene

# This machine and its networks, in every notation that a resolver takes.
INTERNAL = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "localhost",
    "LOCALHOST.",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "0:0:0:0:0:ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "0.0.0.0",
    "0",
    "::",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "fe80::1",
    "fd00::1",
    "fec0::1",
    "::127.0.0.1",
    "224.0.0.1",
    "255.255.255.255",
]


@pytest.fixture
def listener() -> Iterator[tuple[int, list[int]]]:
    """An internal service: its port, and a list that grows with every connection."""
    server, seen = socket.create_server(("127.0.0.1", 0)), []
    server.settimeout(0.05)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            seen.append(1)
            connection.sendall(b"220 SECRET-BANNER internal-db 5.7.1\r\n")
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1], seen
    stop.set()
    thread.join()
    server.close()


def typed(host: str, port: int, **changes: Any) -> dict[str, Any]:
    return {
        "preset": "own",
        "name": "x",
        "host": host,
        "port": port,
        "tls_mode": "starttls",
        "username": "",
        "from_addresses": "@corp.example",
        "max_connections": 1,
        "connect_timeout": 5,
        "command_timeout": 5,
        "final_dot_timeout": 60,
        "deliver_hours": 1,
        "retry_minutes": "5",
        "internal_allowed": "on",
        **changes,
    }


@pytest.mark.django_db
@pytest.mark.parametrize("host", INTERNAL)
def test_a_probe_of_an_internal_host_connects_to_nothing(
    host: str, listener: tuple[int, list[int]]
) -> None:
    """By the form of a mail administrator, who also ticks what only a superuser may."""
    port, seen = listener
    scene = Scene()
    client = scene.client(Role.MAIL_ADMIN)
    client.post(reverse("campaigns:relay_new"), typed(host, port))
    relay = Relay.objects.filter(team=scene.team).first()
    if relay is None:
        return  # the form refused it
    assert not relay.internal_allowed
    client.post(reverse("campaigns:relay_probe", args=[relay.pk]))
    probe = Probe.objects.get(relay=relay)
    probing.run(probe.pk)
    probe.refresh_from_db()
    assert probe.state == "failed"
    assert probe.steps[-1]["step"] == "resolve", probe.steps
    assert seen == []


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["none", "starttls"])
def test_what_an_internal_service_says_is_shown_to_nobody(
    mode: str, listener: tuple[int, list[int]]
) -> None:
    """Where a superuser allowed the host, no reply of it is stored: a port scan learns no banner."""
    port, seen = listener
    world = World()
    relay = world.relay(
        host="127.0.0.1", port=port, tls_mode=mode, internal_allowed=True, connect_timeout=2
    )
    probe = probing.ask(relay, world.hr, world.hr.email)
    probing.run(probe.pk if isinstance(probe, Probe) else Probe.objects.latest("pk").pk)
    assert seen, "this one was allowed"
    page = world.client(user=world.hr).get(reverse("campaigns:relay", args=[relay.pk]))
    assert b"SECRET-BANNER" not in page.content
    assert "SECRET-BANNER" not in str(Probe.objects.latest("pk").steps)


@pytest.mark.django_db
def test_an_allowance_cannot_be_carried_to_another_host_or_port() -> None:
    """The CA and the rest may be edited by the team; where it leads only by whoever allowed it."""
    scene = Scene()
    relay = scene.relay(host="10.0.0.25", port=587, tls_mode="starttls", internal_allowed=True)
    box = BounceMailbox.objects.create(
        team=scene.team, name="退信", address="b@corp.example", host="10.0.0.25", port=995,
        internal_allowed=True, username="b", secret="s",
    )  # fmt: skip
    client = scene.client(Role.MAIL_ADMIN)
    for change in ({"host": "10.0.0.26"}, {"port": 6379}, {"host": "127.0.0.1", "port": 6379}):
        fields = typed("10.0.0.25", 587) | change
        assert client.post(reverse("campaigns:relay", args=[relay.pk]), fields).status_code == 422
        fields |= {"address": "b@corp.example", "leaving": "ours_deleted", "username": "b"}
        fields |= {"tls_mode": "implicit"} | ({} if "port" in change else {"port": 995})
        assert client.post(reverse("campaigns:mailbox", args=[box.pk]), fields).status_code == 422
    relay.refresh_from_db()
    box.refresh_from_db()
    assert (relay.host, relay.port, box.host, box.port) == ("10.0.0.25", 587, "10.0.0.25", 995)


@pytest.mark.parametrize("host", ["http://10.0.0.1/", "a b", "a\nb", "x/../y", "gopher://x:70/_"])
@pytest.mark.django_db
def test_a_host_is_a_host_and_no_address_of_a_page(host: str) -> None:
    scene = Scene()
    answer = scene.client(Role.MAIL_ADMIN).post(reverse("campaigns:relay_new"), typed(host, 587))
    assert answer.status_code == 422
    assert not Relay.objects.exists()


@pytest.mark.django_db
def test_a_name_that_answers_otherwise_the_second_time_gains_nothing(
    monkeypatch: pytest.MonkeyPatch, listener: tuple[int, list[int]]
) -> None:
    """DNS rebinding: the name is resolved once, and the connection goes to what was judged."""
    port, seen = listener
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **more: Any) -> Any:
        if host != "rebind.example":
            return real(host, *rest, **more)
        asked.append(host)
        # A public address that refuses at once here, then this machine's.
        address = "127.0.0.1" if len(asked) > 1 else "203.0.113.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    world = World()
    relay = world.relay(host="rebind.example", port=port, tls_mode="starttls", connect_timeout=1)
    probing.ask(relay, world.hr, world.hr.email)
    probing.run(Probe.objects.latest("pk").pk)
    assert len(asked) == 1
    assert seen == []
    assert Probe.objects.latest("pk").state == "failed"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8"])
def test_the_internet_is_permitted(address: str) -> None:
    assert outbound.is_permitted(address, allow_private=False)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"])
def test_no_allowance_opens_the_clouds_own_services(address: str) -> None:
    assert not outbound.is_permitted(address, allow_private=True)


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["http://127.0.0.1:6379/x", "https://10.0.0.9/token"])
def test_a_permission_for_one_token_server_is_none_for_another(url: str) -> None:
    """A superuser allowed the company's own; a mail administrator may not point it elsewhere inside."""
    scene = Scene()
    login = OAuthLogin.objects.create(
        team=scene.team, name="自有", provider="other", client_id="c", scope="mail",
        token_url="https://id.corp.example/token", internal_allowed=True,
    )  # fmt: skip
    given = {
        "name": "自有",
        "client_id": "c",
        "client_secret": "s",
        "scope": "mail",
        "flow": "code",
    }
    page = reverse("campaigns:oauth_login", args=[login.pk])
    for path, status in ((url, 422), ("https://id.corp.example/other", 302)):
        answer = scene.client(Role.MAIL_ADMIN).post(page, given | {"token_url": path})
        assert answer.status_code == status, path
    login.refresh_from_db()
    assert login.token_url == "https://id.corp.example/other"


def test_nothing_of_the_site_fetches_pages() -> None:
    """No client of HTTP is imported by the code that runs in production, so no URL can be fetched."""
    import re
    from pathlib import Path

    root = Path(__file__).parents[2]
    fetching = re.compile(
        r"^\s*(?:import|from)\s+(?:urllib\.request|http\.client|requests|httpx|aiohttp)\b", re.M
    )
    for part in ("accounts", "campaigns", "config"):
        for path in (root / part).rglob("*.py"):
            if (
                path != root / "campaigns/mailer/https.py"
            ):  # the one door: it asks outbound.py first
                assert not fetching.search(path.read_text(encoding="utf-8")), path
