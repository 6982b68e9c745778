"""Where a domain's mail goes, asked of a name server that answers from a zone in a dict."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Collection
from random import Random

import pytest

from campaigns.mailer.domain.lookups import Limits, Lookups
from campaigns.mailer.mx import Destination, Ourselves, Undeliverable, destination
from campaigns.mailer.reply import Outcome, Scope
from campaigns.mailer.reply_reasons import Reason
from tests.fakes.dns_server import Zone, dns_server

US = Ourselves("mail.corp.example.com", [ipaddress.ip_address("8.8.4.4")])
OURS: Zone = {("mail.corp.example.com", "A"): ["8.8.4.4"]}


def find(
    zone: Zone,
    domain: str = "there.cn",
    *,
    seed: int = 1,
    servfail: Collection[str] = (),
    silent: Collection[str] = (),
    allow_private: bool = False,
) -> Destination:
    with dns_server({**OURS, **zone}, servfail=servfail, silent=silent) as server:
        # A busy machine must not look like a silent server: only where one is waited for is it short.
        limits = Limits(query_seconds=0.3 if silent else 5.0)
        lookups = Lookups(server.resolver(), clock=time.monotonic, limits=limits)
        return destination(
            domain, lookups, ourselves=US, rng=Random(seed), allow_private=allow_private
        )


def refusal(zone: Zone, domain: str = "there.cn", **options: Collection[str]) -> Undeliverable:
    with pytest.raises(Undeliverable) as caught:
        find(zone, domain, **options)  # type: ignore[arg-type]
    return caught.value


def hosts(found: Destination) -> list[str]:
    return [exchange.host for exchange in found.exchanges]


def test_the_lowest_preference_comes_first_and_each_host_has_its_addresses() -> None:
    found = find(
        {
            ("there.cn", "MX"): ["20 b.there.cn.", "10 a.there.cn."],
            ("a.there.cn", "A"): ["1.1.1.1", "1.0.0.1"],
            ("b.there.cn", "AAAA"): ["2606:4700::1111"],
        }
    )
    # The addresses of one host come in any order (RFC 1035 says of none).
    assert [(one.host, tuple(sorted(one.addresses, reverse=True))) for one in found.exchanges] == [
        ("a.there.cn", ("1.1.1.1", "1.0.0.1")),
        ("b.there.cn", ("2606:4700::1111",)),
    ]


def test_equal_preferences_are_ordered_by_chance_and_stay_before_the_rest() -> None:
    zone = {
        ("there.cn", "MX"): ["10 a.there.cn.", "10 b.there.cn.", "20 c.there.cn."],
        **{(f"{name}.there.cn", "A"): ["1.1.1.1"] for name in "abc"},
    }
    orders = {tuple(hosts(find(zone, seed=seed))) for seed in range(8)}
    assert orders == {
        ("a.there.cn", "b.there.cn", "c.there.cn"),
        ("b.there.cn", "a.there.cn", "c.there.cn"),
    }


def test_without_mx_the_domain_itself_is_asked() -> None:
    assert hosts(find({("there.cn", "A"): ["1.1.1.1"]})) == ["there.cn"]


def test_a_chinese_domain_is_looked_up_by_its_a_labels() -> None:
    zone = {
        ("xn--fiqs8s.cn", "MX"): ["10 mx.there.cn."],
        ("mx.there.cn", "A"): ["1.1.1.1"],
    }
    assert find(zone, "中国.cn").domain == "xn--fiqs8s.cn"


def test_a_null_mx_refuses_for_good_even_beside_an_address() -> None:
    verdict = refusal({("there.cn", "MX"): ["0 ."], ("there.cn", "A"): ["1.1.1.1"]}).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, Reason.TAKES_NO_MAIL)
    assert verdict.permanent_address


def test_a_domain_that_does_not_exist_is_refused_for_good() -> None:
    verdict = refusal({}).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, Reason.HOST_UNKNOWN)
    assert verdict.permanent_address


def test_a_name_server_that_does_not_know_us_either_is_not_believed() -> None:
    with dns_server({}) as server:
        lookups = Lookups(server.resolver(), clock=time.monotonic)
        with pytest.raises(Undeliverable) as caught:
            destination("there.cn", lookups, ourselves=US, rng=Random(1))
    assert caught.value.reason is Reason.DNS_UNANSWERED


@pytest.mark.parametrize("how", ["servfail", "silent"])
def test_no_answer_is_tried_again_and_rests_the_domain_alone(how: str) -> None:
    verdict = refusal({}, **{how: ["there.cn"]}).verdict
    assert (verdict.outcome, verdict.scope) == (Outcome.DEFERRED, Scope.DOMAIN)
    assert verdict.park_for is not None
    assert not verdict.permanent_address


def test_an_exchange_that_cannot_be_looked_up_is_left_out() -> None:
    zone = {
        ("there.cn", "MX"): ["10 a.there.cn.", "20 b.there.cn."],
        ("b.there.cn", "A"): ["1.1.1.1"],
    }
    assert hosts(find(zone, servfail=["a.there.cn"])) == ["b.there.cn"]


def test_exchanges_that_are_named_but_not_there_are_waited_for() -> None:
    assert refusal({("there.cn", "MX"): ["10 a.there.cn."]}).reason is Reason.DNS_UNANSWERED


def test_mail_never_goes_back_to_us_nor_to_who_is_no_better_than_we_are() -> None:
    zone = {
        ("there.cn", "MX"): ["5 a.there.cn.", "10 mail.corp.example.com.", "20 c.there.cn."],
        ("a.there.cn", "A"): ["1.1.1.1"],
        ("c.there.cn", "A"): ["1.1.1.1"],
    }
    assert hosts(find(zone)) == ["a.there.cn"]


@pytest.mark.parametrize(
    "zone",
    [
        {("there.cn", "MX"): ["10 mail.corp.example.com."]},
        {("there.cn", "MX"): ["10 other.cn."], ("other.cn", "A"): ["8.8.4.4"]},
    ],
    ids=["by name", "by address"],
)
def test_a_domain_whose_best_exchange_we_are_is_refused_without_harm_to_the_address(
    zone: Zone,
) -> None:
    verdict = refusal(zone).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, Reason.LOOPS_TO_US)
    assert not verdict.permanent_address


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "0.0.0.0"]
)
def test_an_exchange_within_is_no_target(address: str) -> None:
    zone = {("there.cn", "MX"): ["10 a.there.cn."], ("a.there.cn", "A"): [address]}
    assert refusal(zone).reason is Reason.TARGET_FORBIDDEN


def test_a_company_may_send_within_but_never_to_the_metadata_of_its_cloud() -> None:
    zone = {
        ("there.cn", "MX"): ["10 a.there.cn."],
        ("a.there.cn", "A"): ["169.254.169.254", "10.1.2.3"],
    }
    assert find(zone, allow_private=True).exchanges[0].addresses == ("10.1.2.3",)


def test_a_list_without_end_is_cut() -> None:
    zone = {
        ("there.cn", "MX"): [f"{n} m{n}.there.cn." for n in range(1, 40)],
        **{(f"m{n}.there.cn", "A"): [f"1.1.{n}.{k}" for k in range(1, 20)] for n in range(1, 40)},
    }
    found = find(zone)
    assert len(found.exchanges) <= 6
    assert len(found.exchanges[0].addresses) <= 4
