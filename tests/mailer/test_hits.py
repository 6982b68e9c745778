"""Machines among the hits: by what a request says, and by what comes together."""

from __future__ import annotations

import pytest

from campaigns.mailer.hits import Came, Request, Visitor, burst_of, judged, visitor_of

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/129.0.0.0 Safari/537.36"
)
FOXMAIL = "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0; Foxmail) like Gecko"
WECHAT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) MicroMessenger/8.0.50 NetType/WIFI"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
GMAIL_AHEAD = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
OUTLOOK = "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)"


def request(
    agent: str = CHROME,
    *,
    address: str = "203.0.113.9",
    method: str = "GET",
    purpose: str = "",
    is_link: bool = True,
) -> Request:
    return Request(method, agent, address, purpose, is_link)


@pytest.mark.parametrize("agent", [CHROME, FOXMAIL, WECHAT])
@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "", "nonsense"])
def test_a_persons_program_is_not_given_away(agent: str, address: str) -> None:
    assert visitor_of(request(agent, address=address)) is None
    assert visitor_of(request(agent, address=address, is_link=False)) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (request("Mozilla/5.0", is_link=False), Visitor.PROXY),
        (request(GMAIL, is_link=False), Visitor.PROXY),
        (request(GMAIL_AHEAD, is_link=False), Visitor.PREFETCH),
        (request("YahooMailProxy; https://help.yahoo.com/", is_link=False), Visitor.PROXY),
        (request("Mozilla/5.0 (compatible; BarracudaCentral/1.0)"), Visitor.SCANNER),
        (request("Mimecast/1.0"), Visitor.SCANNER),
        (request("curl/8.5.0"), Visitor.SCANNER),
        (request("Mozilla/5.0 (compatible; Googlebot/2.1)"), Visitor.SCANNER),
        (request(""), Visitor.SCANNER),
        (request(method="HEAD"), Visitor.SCANNER),
        (request(purpose="prefetch;prerender"), Visitor.PREFETCH),
        (request(purpose="Preview"), Visitor.PREFETCH),
        (request(address="209.222.82.1"), Visitor.SCANNER),
        (request(address="40.107.218.12"), Visitor.SCANNER),
        (request(address="::ffff:67.231.150.3"), Visitor.SCANNER),
        (request(address="17.58.1.2", is_link=False), Visitor.PROXY),
        (request(OUTLOOK), Visitor.PREFETCH),
    ],
)
def test_a_machine_gives_itself_away(given: Request, expected: Visitor) -> None:
    assert visitor_of(given) is expected


def test_outlook_shows_pictures_to_its_reader() -> None:
    assert visitor_of(request(OUTLOOK, is_link=False)) is None
    assert visitor_of(request(address="40.107.218.12", is_link=False)) is Visitor.PROXY


def test_the_end_of_a_network_is_its_end() -> None:
    assert visitor_of(request(address="209.222.87.255")) is Visitor.SCANNER
    assert visitor_of(request(address="209.222.88.0")) is None


def test_nobody_reads_within_a_second_of_acceptance_nor_before_it() -> None:
    hits = [Came(99.0, 1), Came(101.0, 0), Came(101.5, 2)]
    assert judged(hits, accepted=100.0, links=9) == [Visitor.EARLY, Visitor.EARLY, Visitor.PERSON]
    assert judged(hits, accepted=None, links=9) == [Visitor.PERSON] * 3


def test_three_links_within_seconds_are_a_burst_wherever_they_stand_in_time() -> None:
    hits = [Came(50, 1), Came(203, 3), Came(200, 1), Came(201, 2), Came(202, 0), Came(300, 2)]
    assert burst_of(hits, links=9) == {1, 2, 3}


def test_the_same_link_again_and_again_is_a_person() -> None:
    assert burst_of([Came(at / 10, 1) for at in range(50)], links=9) == set()


def test_all_links_of_a_message_of_two_at_once_are_a_burst_and_one_after_the_other_not() -> None:
    assert burst_of([Came(0, 1), Came(0.5, 2)], links=2) == {0, 1}
    assert burst_of([Came(0, 1), Came(4, 2)], links=2) == set()
    assert burst_of([Came(0, 1), Came(0.5, 2)], links=9) == set()
    assert burst_of([Came(0, 1), Came(0.1, 1)], links=1) == set()
