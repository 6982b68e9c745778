"""Direct to MX: each domain's mail at its own servers, and what one domain's trouble leaves alone.

The name server and the exchanges are real sockets: exchanges at addresses of 127.0.0.0/8, all on one port.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import Attempt, Campaign, Claim, DomainPark, Suppression
from campaigns.pipeline import claim as claims
from campaigns.pipeline import probe, send, ways, work
from tests import cast
from tests.fakes.certificates import issue
from tests.fakes.dns_server import DnsServer, dns_server
from tests.fakes.relay_script import Drop, Reset, Rule, Say
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
NAME = "mail.corp.example.com"


@dataclass
class Town:
    """Exchanges by the domain that they serve, and the name server that knows them."""

    dns: DnsServer
    port: int
    servers: dict[str, list[ScriptedRelay]] = field(default_factory=dict)

    def took(self, domain: str) -> list[str]:
        """Recipients that the domain's exchanges accepted, each as often as it was."""
        return sorted(m.rcpt_to[0] for one in self.servers[domain] for m in one.accepted)


@pytest.fixture
def town(settings: Any) -> Iterator[Any]:
    """Makes one: domain to the rules of each of its exchanges, the preferred one first."""
    with ExitStack() as stack:

        def make(
            domains: Mapping[str, list[list[Rule]]],
            *,
            silent: Collection[str] = (),
            more: Mapping[tuple[str, str], list[str]] | None = None,
            **options: Any,
        ) -> Town:
            zone: dict[tuple[str, str], list[str]] = {(NAME, "A"): ["192.0.2.9"], **(more or {})}
            port, address, servers = 0, 2, {}
            for domain, exchanges in domains.items():
                for rank, rules in enumerate(exchanges):
                    host = f"127.0.0.{address}"
                    server = stack.enter_context(
                        ScriptedRelay(RelayOptions(host=host, port=port, **options), rules)
                    )
                    port = server.port
                    servers.setdefault(domain, []).append(server)
                    zone.setdefault((domain, "MX"), []).append(f"{rank} mx{rank}.{domain}.")
                    zone[f"mx{rank}.{domain}", "A"] = [host]
                    address += 1
            dns = stack.enter_context(dns_server(zone, silent=silent))
            settings.DNS_SERVERS = [("127.0.0.1", dns.port)]
            ways._ANSWERS.flush()
            return Town(dns, port, servers)

        yield make


def a_direct_relay(town: Town, **fields: Any) -> Relay:
    given = {
        "kind": "direct",
        "tls_mode": "opportunistic",
        "host": NAME,
        "ehlo_name": NAME,
        "max_connections": 4,
        "retry_seconds": [300, 900],
        "deliver_hours": 120,
    }
    team = cast.a_team()
    cast.a_key(team)
    return cast.a_relay(team, town.port, **(given | fields))


def launched(relay: Relay, addresses: Collection[str]) -> Campaign:
    return cast.launched(cast.a_campaign(relay, cast.a_payroll(relay.team, list(addresses))))


def run(relay: Relay, times: int = 1) -> None:
    for _ in range(times):
        send.send_batch(relay.pk, "worker")


def states(campaign: Campaign) -> dict[str, str]:
    return dict(campaign.deliveries.values_list("address", "state"))


def test_each_domains_mail_goes_to_its_own_servers_over_kept_connections(town: Any) -> None:
    place = town({"a.cn": [[]], "b.cn": [[]]})
    relay = a_direct_relay(place)
    addresses = [f"p{n}@{domain}" for n in range(4) for domain in ("a.cn", "b.cn")]
    campaign = launched(relay, addresses)
    run(relay, 2)
    assert Counter(states(campaign).values()) == {"accepted": 8}
    for domain in ("a.cn", "b.cn"):
        assert place.took(domain) == [f"p{n}@{domain}" for n in range(4)]
        assert place.servers[domain][0].connections == 1
        assert place.servers[domain][0].commands()[0] == f"EHLO {NAME}"
    assert Claim.objects.filter(ended_at=None).count() == 0


def test_a_batch_is_one_domains_and_the_next_one_is_anothers(town: Any) -> None:
    place = town({"a.cn": [[]], "b.cn": [[]], "c.cn": [[]]})
    relay = a_direct_relay(place)
    launched(relay, [f"p{n}@{d}" for d in ("a.cn", "b.cn", "c.cn") for n in range(2)])
    for domain in ("a.cn", "b.cn", "c.cn"):
        run(relay)
        assert len(place.took(domain)) == 2, domain


def test_a_giant_domain_leaves_the_others_their_turns(town: Any) -> None:
    place = town({"a.cn": [[]], "giant.cn": [[]], "z.cn": [[]]})
    relay = a_direct_relay(place)
    launched(relay, [*(f"p{n}@giant.cn" for n in range(8)), "x@a.cn", "x@z.cn"])
    opened = [claims.open_claim(relay.pk, f"w{n}") for n in range(4)]
    assert [one and one.domain for one in opened] == ["a.cn", "giant.cn", "z.cn", "a.cn"]


def test_a_domain_never_has_more_connections_than_it_may(town: Any) -> None:
    place = town({"a.cn": [[]]})
    relay = a_direct_relay(place, domain_connections=2, max_connections=10)
    launched(relay, [f"p{n}@a.cn" for n in range(30)])
    first = claims.open_claims(relay.pk, "w1", 5)
    assert [one.domain for one in first] == ["a.cn", "a.cn"]
    assert claims.open_claims(relay.pk, "w2", 5) == []
    claims.close_claims(first)
    run(relay)
    assert len(place.took("a.cn")) == 30
    assert place.servers["a.cn"][0].most_open_connections == 2


@pytest.mark.parametrize(
    "rule",
    [Rule("banner", Say("421 4.3.2 busy")), Rule("banner", Reset()), Rule("mail", Drop())],
    ids=["busy", "reset", "lost before DATA"],
)
def test_the_next_server_gets_what_the_first_one_did_not_take(town: Any, rule: Rule) -> None:
    place = town({"a.cn": [[rule], []]})
    relay = a_direct_relay(place)
    campaign = launched(relay, ["p0@a.cn", "p1@a.cn"])
    run(relay)
    assert set(states(campaign).values()) == {"accepted"}
    assert [len(one.accepted) for one in place.servers["a.cn"]] == [0, 2]


def test_what_broke_after_the_final_dot_goes_nowhere_else(town: Any) -> None:
    place = town({"a.cn": [[Rule("dot", Drop(), accept=True)], []]})
    relay = a_direct_relay(place)
    campaign = launched(relay, ["p0@a.cn"])
    run(relay)
    assert states(campaign) == {"p0@a.cn": "in_doubt"}
    assert [len(one.accepted) for one in place.servers["a.cn"]] == [1, 0]


def test_what_the_first_server_said_of_a_recipient_is_asked_of_no_other(town: Any) -> None:
    place = town({"a.cn": [[Rule("rcpt", Say("550 5.1.1 no such user"), "gone@*")], []]})
    relay = a_direct_relay(place)
    campaign = launched(relay, ["gone@a.cn", "p@a.cn"])
    run(relay)
    assert states(campaign) == {"gone@a.cn": "refused", "p@a.cn": "accepted"}
    assert place.servers["a.cn"][1].connections == 0
    assert Suppression.objects.filter(address_key="gone@a.cn").exists()


def test_a_dead_domain_stops_itself_alone(town: Any) -> None:
    place = town({"dead.cn": [[Rule("banner", Say("554 5.7.1 go away"))]], "well.cn": [[]]})
    relay = a_direct_relay(place)
    campaign = launched(relay, ["p@dead.cn", "q@dead.cn", "p@well.cn"])
    run(relay, 3)
    assert states(campaign) == {
        "p@dead.cn": "queued",
        "q@dead.cn": "queued",
        "p@well.cn": "accepted",
    }
    relay.refresh_from_db()
    assert (relay.parked_until, relay.enabled) == (None, True)
    park = DomainPark.objects.get(relay=relay)
    assert (park.domain, park.reason) == ("dead.cn", "relay_refused")
    assert park.until > timezone.now() + timedelta(minutes=10)
    assert place.servers["dead.cn"][0].connections == 1


@pytest.mark.parametrize("reply", ["530 5.7.0 authentication required", "550 5.7.1 HL:IPB 1.2.3.4"])
def test_what_a_server_says_of_us_is_never_taken_for_our_accounts_trouble(
    town: Any, reply: str
) -> None:
    place = town({"a.cn": [[Rule("mail", Say(reply))]]})
    relay = a_direct_relay(place)
    campaign = launched(relay, ["p@a.cn"])
    run(relay)
    relay.refresh_from_db()
    assert (relay.parked_until, relay.enabled) == (None, True)
    assert DomainPark.objects.get(relay=relay).domain == "a.cn"
    assert states(campaign)["p@a.cn"] in ("queued", "deferred")


def test_greylisting_is_waited_for_five_minutes_and_more(town: Any) -> None:
    rule = Rule("rcpt", Say("450 4.2.0 greylisted, see http://x"), first=1)
    place = town({"a.cn": [[rule]]})
    relay = a_direct_relay(place)
    campaign = launched(relay, ["p@a.cn"])
    run(relay, 2)
    row = campaign.deliveries.get()
    assert (row.state, row.reason) == ("deferred", "greylisted")
    assert row.due_at > timezone.now() + timedelta(minutes=4, seconds=55)
    assert row.deliver_until > timezone.now() + timedelta(days=4)
    campaign.deliveries.update(due_at=timezone.now())
    run(relay)
    assert states(campaign) == {"p@a.cn": "accepted"}


def test_a_domain_that_takes_no_mail_or_is_not_there_is_refused_for_good(town: Any) -> None:
    place = town({"a.cn": [[]]}, more={("null.cn", "MX"): ["0 ."]})
    relay = a_direct_relay(place)
    campaign = launched(relay, ["p@null.cn", "p@nowhere.cn", "p@a.cn"])
    run(relay, 3)
    assert states(campaign) == {
        "p@null.cn": "refused",
        "p@nowhere.cn": "refused",
        "p@a.cn": "accepted",
    }
    reasons = dict(campaign.deliveries.values_list("address", "reason"))
    assert (reasons["p@null.cn"], reasons["p@nowhere.cn"]) == ("notaccept", "hostunknown")
    assert Attempt.objects.filter(outcome="refused", content_began=False).count() == 2


def test_a_name_server_that_says_nothing_refuses_nobody(town: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(ways, "_LOOKUPS", ways.Limits(query_seconds=0.5, total_seconds=8))
    place = town({"a.cn": [[]]}, silent=["quiet.cn"])
    relay = a_direct_relay(place)
    campaign = launched(relay, ["p@quiet.cn", "p@a.cn"])
    run(relay, 2)
    row = campaign.deliveries.get(address="p@quiet.cn")
    assert (row.state, row.reason) == ("deferred", "dns_unanswered")
    assert states(campaign)["p@a.cn"] == "accepted"
    assert DomainPark.objects.get(relay=relay).domain == "quiet.cn"


def test_an_exchange_within_is_no_target_unless_a_superuser_said_so(town: Any) -> None:
    place = town({"a.cn": [[]]})
    relay = a_direct_relay(place, internal_allowed=False)
    campaign = launched(relay, ["p@a.cn"])
    run(relay)
    row = campaign.deliveries.get()
    assert (row.state, row.reason) == ("refused", "target_forbidden")
    assert place.servers["a.cn"][0].connections == 0
    assert not Suppression.objects.exists()


def test_content_is_encrypted_where_the_server_can_and_required_encryption_waits(town: Any) -> None:
    place = town({"a.cn": [[]]}, tls="starttls", issued=issue("other.test"))
    relay = a_direct_relay(place)
    campaign = launched(relay, ["p@a.cn"])
    Relay.objects.update(tls_mode="starttls")
    run(relay)
    assert states(campaign) == {"p@a.cn": "queued"}
    assert DomainPark.objects.get(relay=relay).reason.startswith("certificate_")
    DomainPark.objects.all().delete()
    Relay.objects.update(tls_mode="opportunistic")
    run(relay)
    assert states(campaign) == {"p@a.cn": "accepted"}
    assert place.servers["a.cn"][0].commands().count("STARTTLS") == 2


def test_an_address_that_needs_smtputf8_ends_in_words_where_the_server_has_none(town: Any) -> None:
    place = town({"a.cn": [[]]}, extensions=("8BITMIME",))
    relay = a_direct_relay(place)
    campaign = launched(relay, ["张三@a.cn"])
    run(relay)
    assert campaign.deliveries.get().reason == "needs_smtputf8"
    assert states(campaign) == {"张三@a.cn": "failed"}
    assert place.took("a.cn") == []


def test_a_domain_that_is_busy_or_parked_starts_no_batch(town: Any) -> None:
    place = town({"a.cn": [[]]})
    relay = a_direct_relay(place)
    launched(relay, ["p@a.cn"])
    assert list(work.relays_with_work()) == [(relay.pk, 2)]
    DomainPark.objects.create(
        team=relay.team, relay=relay, domain="a.cn", until=timezone.now() + timedelta(hours=1)
    )
    assert list(work.relays_with_work()) == []
    assert claims.open_claim(relay.pk, "w") is None


def test_a_direct_relays_test_goes_to_the_asking_persons_own_servers(town: Any) -> None:
    place = town({"corp.example.com": [[]]})
    relay = a_direct_relay(place)
    user = cast.a_user(relay.team)
    asked = probe.ask(relay, user, user.email)
    probe.run(asked.pk)
    asked.refresh_from_db()
    assert (asked.state, place.took("corp.example.com")) == ("passed", [user.email])


def test_a_test_says_that_a_domain_has_no_server(town: Any) -> None:
    place = town({"a.cn": [[]]})
    relay = a_direct_relay(place)
    asked = probe.ask(relay, cast.a_user(relay.team), "me@nowhere.cn")
    probe.run(asked.pk)
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert asked.steps[-1]["reason"] == "hostunknown"
