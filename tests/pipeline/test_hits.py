"""Opens and clicks: from the message that carries the links to the counts, and what never counts."""

from __future__ import annotations

import email
import email.policy
import re
import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from accounts.models import Relay, Team
from campaigns.mailer.hits import Request
from campaigns.models import (
    Attempt,
    Campaign,
    Contact,
    ContactList,
    Delivery,
    Hit,
    HitCount,
    RecipientHit,
)
from campaigns.models.delivery import ERASED_DOMAIN, DeliveryState
from campaigns.models.template import Kind
from campaigns.models.tracking import Tracking
from campaigns.pipeline import control, count_hits, follow, hits, preview
from campaigns.pipeline.compose import Composer
from campaigns.pipeline.hits import HitBuffer, Record
from tests import cast

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SHOP = "https://shop.example/a"
HTML = (
    f'<p>{{{{ 姓名 }}}} <a href="{SHOP}">店</a> <a href="https://news.example/?id={{{{ 编号 }}}}">文</a>'
    ' <a href="{{ unsubscribe_url }}">退订</a></p>'
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
BOB, EVE = "bob@customer.example", "eve@customer.example"


@pytest.fixture
def relay() -> Relay:
    return cast.a_relay(cast.a_team())


def a_newsletter(relay: Relay, tracking: Tracking, **fields: object) -> Campaign:
    readers = ContactList.objects.first() or cast.a_list(relay.team, [BOB, EVE])
    Contact.objects.update(name="读者", attributes={"编号": "7", "姓名": "读者"})
    template = cast.a_template(relay.team, Kind.NEWSLETTER, subject="新闻", html=HTML, text="")
    campaign = cast.a_campaign(
        relay, None, template=template, contact_list=readers, tracking=tracking, **fields
    )
    return cast.launched(campaign)


def first(campaign: Campaign) -> Delivery:
    return campaign.deliveries.order_by("pk")[0]


def parts_of(campaign: Campaign, delivery: Delivery) -> tuple[str, str]:
    """HTML and text as a mail program decodes them."""
    content = Composer(campaign, campaign.relay).compose(delivery).content
    message = email.message_from_bytes(content, policy=email.policy.default)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    return html.get_content(), text.get_content()


def tokens_in(part: str) -> list[str]:
    return re.findall(r"https://hongyan\.example/t/([\w.-]+)", part)


def a_hit(
    campaign: Campaign,
    delivery: Delivery | None = None,
    *,
    link: int = 1,
    ago: float = 60,
    agent: str = BROWSER,
    address: str = "203.0.113.1",
) -> Record:
    request = Request("GET", agent, address, "", bool(link))
    at = timezone.now().timestamp() - ago
    return Record(campaign.pk, delivery.pk if delivery else 0, link, at, request)


def counted(campaign: Campaign) -> dict[tuple[int, str], int]:
    count_hits.count()
    rows = HitCount.objects.filter(campaign=campaign).values_list("link", "visitor", "number")
    found: dict[tuple[int, str], int] = {}
    for link, visitor, number in rows:
        found[link, visitor] = found.get((link, visitor), 0) + number
    return found


# What the message carries --------------------------------------------------------------------


def test_a_newsletter_is_not_tracked_unless_somebody_says_so(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.OFF)
    html, text = parts_of(campaign, first(campaign))
    assert campaign.frozen_links == []
    assert "<img" not in html
    assert tokens_in(html + text) == []


def test_individual_links_name_campaign_delivery_link_and_target(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.INDIVIDUAL)
    delivery = first(campaign)
    html, text = parts_of(campaign, delivery)
    found = [follow.read(token) for token in tokens_in(html)]
    assert [(one.campaign, one.delivery, one.link, one.target) for one in found] == [
        (campaign.pk, delivery.pk, 1, SHOP),
        (campaign.pk, delivery.pk, 2, "https://news.example/?id=7"),
        (campaign.pk, delivery.pk, 0, ""),
    ]
    assert tokens_in(text) == tokens_in(html)[:2]
    assert html.count("<img") == 1
    assert campaign.frozen_links == [SHOP, "https://news.example/?id={{ 编号 }}"]
    assert "hongyan.example/u/" in text


def test_aggregated_links_are_the_same_for_all(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.AGGREGATED)
    both = [tokens_in(parts_of(campaign, row)[0]) for row in campaign.deliveries.all()]
    assert both[0] == both[1]
    assert all(follow.read(token).delivery == 0 for token in both[0])


def test_a_payslip_carries_no_picture_and_no_counted_link_whatever_its_row_says(
    relay: Relay,
) -> None:
    book = cast.a_payroll(relay.team, [BOB])
    template = cast.a_template(
        relay.team, html=f'<p>{{{{ 实发工资 }}}} <a href="{SHOP}">x</a></p>', text=""
    )
    campaign = cast.a_campaign(
        relay,
        book,
        template=template,
        tracking=Tracking.INDIVIDUAL,
        utm={"domains": ["shop.example"], "source": "s"},
    )
    campaign = cast.launched(campaign)
    html, text = parts_of(campaign, first(campaign))
    assert campaign.frozen_links == []
    assert "<img" not in html
    assert "/t/" not in html + text
    assert f'href="{SHOP}"' in html
    hits.write([a_hit(campaign, first(campaign))])
    assert not Hit.objects.exists()


def test_a_test_has_links_that_work_and_count_nowhere(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.INDIVIDUAL)
    test = control.send_test(
        campaign, first(campaign), "me@corp.example.com", "me@corp.example.com"
    )
    found = [follow.read(token) for token in tokens_in(parts_of(campaign, test)[0])]
    assert {(one.campaign, one.delivery) for one in found} == {(0, 0)}
    assert found[0].target == SHOP
    # Even a link that says otherwise counts without the test's delivery.
    hits.write([a_hit(campaign, test)])
    assert Hit.objects.get().delivery is None


def test_a_preview_leads_straight_to_the_targets(relay: Relay) -> None:
    campaign = a_newsletter(
        relay, Tracking.INDIVIDUAL, utm={"domains": ["shop.example"], "source": "hy"}
    )
    shown = preview.show(campaign, first(campaign))
    assert "<img" not in shown.html
    assert tokens_in(shown.html) == []
    assert f"({SHOP}?utm_source=hy)" in shown.text


def test_utm_stands_on_links_of_the_chosen_domains_counted_or_not(relay: Relay) -> None:
    utm = {"domains": ["shop.example"], "source": "hy"}
    plain = a_newsletter(relay, Tracking.OFF, utm=utm)
    assert "https://shop.example/a?utm_source=hy" in parts_of(plain, first(plain))[1]
    tracked = a_newsletter(relay, Tracking.AGGREGATED, utm=utm)
    found = [follow.read(token) for token in tokens_in(parts_of(tracked, first(tracked))[1])]
    assert [one.target for one in found] == [f"{SHOP}?utm_source=hy", "https://news.example/?id=7"]


def test_back_to_draft_forgets_the_links(relay: Relay) -> None:
    template = cast.a_template(relay.team, Kind.NEWSLETTER, subject="新闻", html=HTML, text="")
    readers = cast.a_list(relay.team, [BOB])
    campaign = cast.a_campaign(
        relay, None, template=template, contact_list=readers, tracking=Tracking.AGGREGATED
    )
    control.launch(campaign, None, wall=timezone.now().replace(tzinfo=None) + timedelta(days=3))
    campaign.refresh_from_db()
    assert len(campaign.frozen_links) == 2
    control.unschedule(campaign)
    campaign.refresh_from_db()
    assert campaign.frozen_links == []


# What is stored --------------------------------------------------------------------------------


def test_aggregated_hits_say_nothing_about_who(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.AGGREGATED)
    hits.write([a_hit(campaign, first(campaign)), a_hit(campaign, link=0)])
    assert [(row.delivery_id, row.visitor) for row in Hit.objects.all()] == [(None, ""), (None, "")]
    assert counted(campaign) == {(1, "person"): 1, (0, "person"): 1}
    assert not RecipientHit.objects.exists()


def test_what_belongs_to_no_counted_newsletter_is_left_out(relay: Relay) -> None:
    off = a_newsletter(relay, Tracking.OFF)
    on, other = a_newsletter(relay, Tracking.INDIVIDUAL), a_newsletter(relay, Tracking.INDIVIDUAL)
    erased = first(on)
    Delivery.objects.filter(pk=erased.pk).update(domain=ERASED_DOMAIN)
    gone = a_hit(on)
    hits.write(
        [
            a_hit(off, first(off)),
            Record(10**9, 0, 1, gone.at, gone.request),
            a_hit(on, erased),
            a_hit(on, first(other)),
        ]
    )
    assert list(Hit.objects.values_list("campaign", "delivery")) == [(on.pk, None)] * 2


def test_the_machines_of_a_request_are_known_when_it_is_written(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.AGGREGATED)
    hits.write(
        [
            a_hit(campaign, link=0, agent="Mozilla/5.0"),
            a_hit(campaign, address="209.222.80.7"),
            *[a_hit(campaign, link=n, agent="x", address="198.51.100.1") for n in (1, 2, 3)],
            a_hit(campaign),
        ]
    )
    assert counted(campaign) == {
        (0, "proxy"): 1,
        (1, "scanner"): 1,
        (1, "burst"): 1,
        (2, "burst"): 1,
        (3, "burst"): 1,
        (1, "person"): 1,
    }


# Counting ------------------------------------------------------------------------------------


def accepted(delivery: Delivery, ago: float) -> None:
    at = timezone.now() - timedelta(seconds=ago)
    Attempt.objects.create(
        team=delivery.team,
        delivery=delivery,
        relay=delivery.campaign.relay,
        started_at=at,
        ended_at=at,
        phase="content",
        outcome=DeliveryState.ACCEPTED,
        content_began=True,
    )


def test_a_recipients_hits_are_judged_together(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.INDIVIDUAL)
    bob, eve = campaign.deliveries.order_by("pk")
    accepted(bob, ago=600)
    accepted(eve, ago=600)
    hits.write([a_hit(campaign, bob, ago=599.5), a_hit(campaign, eve, link=0, ago=500)])
    hits.write([a_hit(campaign, bob, ago=300), a_hit(campaign, bob, link=2, ago=299.5)])
    hits.write([a_hit(campaign, bob, link=2, ago=100), a_hit(campaign, bob, link=2, ago=90)])
    assert counted(campaign) == {
        (1, "early"): 1,
        (1, "burst"): 1,
        (2, "burst"): 1,
        (2, "person"): 2,
        (0, "person"): 1,
    }
    rows = RecipientHit.objects.order_by("delivery", "link")
    assert [(row.delivery_id, row.link, row.people, row.machines) for row in rows] == [
        (bob.pk, 1, 0, 2),
        (bob.pk, 2, 2, 1),
        (eve.pk, 0, 1, 0),
    ]
    # The times are a person's where there was one.
    of_two = rows[1]
    assert 8 < (of_two.last_at - of_two.first_at).total_seconds() < 12


def test_a_batch_counted_later_adds_up_and_keeps_the_persons_times(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.INDIVIDUAL)
    bob = first(campaign)
    for ago, agent in ((900, "Mimecast"), (800, BROWSER), (700, "Mimecast"), (600, BROWSER)):
        hits.write([a_hit(campaign, bob, ago=ago, agent=agent)])
        count_hits.count()
    row = RecipientHit.objects.get()
    assert (row.people, row.machines) == (2, 2)
    assert 190 < (row.last_at - row.first_at).total_seconds() < 210
    assert sum(counted(campaign).values()) == 4


def test_what_has_not_settled_waits_and_nothing_counts_twice(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.AGGREGATED)
    hits.write([a_hit(campaign, ago=1), a_hit(campaign, ago=30)])
    assert count_hits.count() == 1
    assert count_hits.count() == 0
    assert Hit.objects.filter(counted=False).count() == 1


def test_old_hits_go_and_their_counts_stay(relay: Relay, settings: object) -> None:
    settings.HIT_DAYS = 7
    campaign = a_newsletter(relay, Tracking.AGGREGATED)
    day = 86_400
    hits.write([a_hit(campaign, ago=8 * day), a_hit(campaign, ago=6 * day)])
    assert count_hits.forget() == 0  # not counted yet
    counted(campaign)
    assert count_hits.forget() == 1
    assert sum(counted(campaign).values()) == 2


# The buffer ----------------------------------------------------------------------------------


def test_a_buffer_writes_what_waits_and_keeps_it_while_the_database_is_away(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = a_newsletter(relay, Tracking.AGGREGATED)
    buffer = HitBuffer()
    monkeypatch.setattr(buffer, "_start", lambda: None)
    monkeypatch.setattr(hits, "BATCH", 2)
    for _ in range(5):
        buffer.add(a_hit(campaign))
    with monkeypatch.context() as away:
        away.setattr(hits, "write", _broken)
        with pytest.raises(DatabaseError):
            buffer.flush()
    assert buffer.flush() == 5
    assert Hit.objects.count() == 5
    assert buffer.flush() == 0


def _broken(_batch: object) -> None:
    raise DatabaseError("away")


def test_a_buffer_that_is_full_loses_what_comes_and_says_so(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = a_newsletter(relay, Tracking.AGGREGATED)
    buffer = HitBuffer()
    monkeypatch.setattr(buffer, "_start", lambda: None)
    monkeypatch.setattr(hits, "MOST", 3)
    for _ in range(5):
        buffer.add(a_hit(campaign))
    assert buffer.flush() == 3
    assert "2 hits" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_hits_of_many_threads_are_in_the_table_within_a_second(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.AGGREGATED)
    buffer = HitBuffer()
    threads = [
        threading.Thread(target=lambda: [buffer.add(a_hit(campaign)) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = threading.Event()
    for _ in range(100):
        if Hit.objects.count() == 200:
            break
        deadline.wait(0.02)
    assert Hit.objects.count() == 200


def test_a_team_sees_its_own_hits(relay: Relay) -> None:
    campaign = a_newsletter(relay, Tracking.INDIVIDUAL)
    hits.write([a_hit(campaign, first(campaign))])
    counted(campaign)
    for model in (Hit, HitCount, RecipientHit):
        assert model.objects.get().team == Team.objects.get()
