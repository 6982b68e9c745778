"""Direct sending to a real Postfix as a domain's exchange: encryption, refusals, what it writes of us."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import Relay
from campaigns.models import Suppression
from campaigns.pipeline import send, ways
from tests import cast, peers
from tests.fakes.dns_server import dns_server
from tests.servers.certificate import Certificate, make_certificate
from tests.servers.folder import temporary_folder
from tests.servers.postfix import Postfix

pytestmark = pytest.mark.django_db(transaction=True)
NAME, EXCHANGE = "mail.corp.example.com", "mx.there.cn"


@pytest.fixture(scope="module")
def exchange() -> Iterator[tuple[Postfix, Certificate]]:
    """Offers STARTTLS with a certificate that only its own authority knows, and takes up to 60 kB."""
    peers.need("postfix")
    with temporary_folder() as folder:
        certificate = make_certificate(folder / "tls", EXCHANGE)
        settings = {"message_size_limit": "60000", "smtpd_tls_received_header": "yes"}
        with Postfix(folder / "postfix", certificate=certificate, settings=settings) as server:
            yield server, certificate


@pytest.fixture
def name_server(settings: Any) -> Iterator[None]:
    zone = {
        ("there.cn", "MX"): [f"10 {EXCHANGE}."],
        (EXCHANGE, "A"): ["127.0.0.1"],
        (NAME, "A"): ["192.0.2.9"],
    }
    with dns_server(zone) as server:
        settings.DNS_SERVERS = [("127.0.0.1", server.port)]
        ways._ANSWERS.flush()
        yield


def a_direct_relay(server: Postfix, **fields: Any) -> Relay:
    team = cast.a_team()
    cast.a_key(team)
    given = {"kind": "direct", "host": NAME, "ehlo_name": NAME, "tls_mode": "opportunistic"}
    return cast.a_relay(team, server.port, **(given | {"final_dot_timeout": 20} | fields))


def test_postfix_takes_what_it_knows_and_refuses_the_rest(
    exchange: tuple[Postfix, Certificate], name_server: None
) -> None:
    server, _certificate = exchange
    relay = a_direct_relay(server)
    addresses = [*(f"p{n}@there.cn" for n in range(5)), "refuse-1@there.cn"]
    campaign = cast.launched(cast.a_campaign(relay, cast.a_payroll(relay.team, addresses)))
    send.send_batch(relay.pk, "worker")
    states = dict(campaign.deliveries.values_list("address", "state"))
    assert states == dict.fromkeys(addresses[:5], "accepted") | {"refuse-1@there.cn": "refused"}
    assert Suppression.objects.get().address_key == "refuse-1@there.cn"
    server.wait_until_delivered()
    found = server.by_recipient()
    assert sorted(found) == addresses[:5]
    received = found["p0@there.cn"][0].message["Received"]
    assert f"from {NAME}" in received
    assert "TLS" in received  # although nobody vouches for the certificate


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_required_encryption_asks_who_vouches_for_the_exchange(
    exchange: tuple[Postfix, Certificate], name_server: None, is_known: bool
) -> None:
    server, certificate = exchange
    pem = certificate.authority.read_text() if is_known else ""
    relay = a_direct_relay(server, tls_mode="starttls", ca_pem=pem)
    campaign = cast.launched(
        cast.a_campaign(relay, cast.a_payroll(relay.team, ["verified@there.cn"]))
    )
    send.send_batch(relay.pk, "worker")
    assert campaign.deliveries.get().state == ("accepted" if is_known else "queued")
    reasons = list(relay.domain_parks.values_list("reason", flat=True))
    assert reasons == ([] if is_known else ["certificate_untrusted"])


def test_what_is_larger_than_the_exchange_takes_is_not_sent(
    exchange: tuple[Postfix, Certificate], name_server: None
) -> None:
    server, _certificate = exchange
    relay = a_direct_relay(server)
    template = cast.a_template(relay.team, html="<p>{{ 姓名 }}</p>" + "<p>大</p>" * 6_000)
    campaign = cast.a_campaign(
        relay, cast.a_payroll(relay.team, ["large@there.cn"]), template=template
    )
    cast.launched(campaign)
    send.send_batch(relay.pk, "worker")
    row = campaign.deliveries.get()
    assert (row.state, row.reason) == ("failed", "mesgtoobig")
    assert "large@there.cn" not in server.log_text()
