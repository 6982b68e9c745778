"""Pages of opens and clicks: chosen in the form, announced by the pre-flight, shown people and machines apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from campaigns.models import Campaign, Contact, HitCount, RecipientHit
from campaigns.pipeline import personal_data, preflight
from tests.views.scene import Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LINKS = ["https://shop.example/a", "https://news.example/?id={{ 编号 }}"]


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.key()
    return scene


@pytest.fixture
def marketer(scene: Scene) -> Client:
    return scene.client(Role.MARKETER)


def a_newsletter(scene: Scene, tracking: str = "individual") -> Campaign:
    campaign = launched(scene.newsletter(tracking=tracking, frozen_links=LINKS))
    bob, eve = deliveries(campaign, "accepted", "accepted")
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    counts = [
        (0, "person", 3, 0),
        (0, "proxy", 5, 0),
        (1, "person", 7, 2),
        (2, "scanner", 11, 2),
    ]
    for link, visitor, number, ago in counts:
        HitCount.objects.create(
            team=scene.team,
            campaign=campaign,
            link=link,
            hour=now - timedelta(hours=ago),
            visitor=visitor,
            number=number,
        )
    if tracking == "individual":
        for delivery, link, people, machines in [(bob, 0, 3, 5), (bob, 1, 7, 0), (eve, 2, 0, 11)]:
            RecipientHit.objects.create(
                team=scene.team,
                campaign=campaign,
                delivery=delivery,
                link=link,
                people=people,
                machines=machines,
                first_at=now,
                last_at=now,
            )
    return campaign


def text(answer: Any) -> str:
    return answer.content.decode()


def settings_of(scene: Scene, **changes: Any) -> dict[str, Any]:
    """What the form of a newsletter posts."""
    values = {
        "kind": "newsletter",
        "name": "通讯",
        "audience": f"list:{scene.contacts('a@x.example').pk}",
        "template": scene.template("newsletter").pk,
        "relay": scene.relay().pk,
        "from_address": "news@corp.example",
        "in_doubt_policy": "ask",
        "tracking": "",
        "domains": "",
        **dict.fromkeys(("source", "medium", "campaign", "term", "content"), ""),
    }
    return values | changes


# The form ------------------------------------------------------------------------------------


def test_a_newsletter_is_private_unless_it_is_chosen(scene: Scene, marketer: Client) -> None:
    page = text(marketer.get("/campaigns/new/?kind=newsletter"))
    assert 'name="tracking" value=""' in page
    marketer.post("/campaigns/new/", settings_of(scene))
    made = Campaign.objects.get()
    assert (made.tracking, made.utm) == ("", {})


def test_tracking_and_utm_are_stored_and_changed(scene: Scene, marketer: Client) -> None:
    chosen = {
        "tracking": "aggregated",
        "domains": "https://Shop.example/x，店.example",
        "source": " 鸿雁 ",
    }
    posted = settings_of(scene, **chosen)
    marketer.post("/campaigns/new/", posted)
    made = Campaign.objects.get()
    assert made.tracking == "aggregated"
    assert made.utm["source"] == "鸿雁"
    assert made.utm["domains"] == ["shop.example", "店.example".encode("idna").decode()]
    page = text(marketer.get(f"/campaigns/{made.pk}/edit/"))
    assert "shop.example、xn--" in page
    marketer.post(f"/campaigns/{made.pk}/edit/", posted | {"tracking": "", "source": ""})
    made.refresh_from_db()
    assert (made.tracking, made.utm) == ("", {})


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "{{ 邮箱 }}", "domains": "shop.example"},
        {"source": "s"},
        {"source": "s", "domains": "not a domain!"},
        {"source": "a\r\nb", "domains": "shop.example"},
        {"tracking": "everything"},
    ],
)
def test_a_fault_is_said_and_nothing_is_stored(
    scene: Scene, marketer: Client, changes: dict[str, str]
) -> None:
    answer = marketer.post("/campaigns/new/", settings_of(scene, **changes))
    assert answer.status_code == 422
    assert not Campaign.objects.exists()


def test_a_payslip_has_no_such_fields_and_takes_none(scene: Scene) -> None:
    hr = scene.user(Role.HR)
    client = scene.client(user=hr)
    assert 'name="tracking"' not in text(client.get("/campaigns/new/?kind=payslip"))
    payslip = scene.payslips(hr)
    posted = {"kind": "payslip", "tracking": "individual", "domains": "x.example", "source": "s"}
    posted |= {"name": "n", "audience": f"workbook:{payslip.workbook_id}", "duplicates": "both"}
    posted |= {"template": payslip.template_id, "relay": payslip.relay_id}
    posted |= {"from_address": "hr@corp.example", "in_doubt_policy": "ask"}
    assert client.post(f"/campaigns/{payslip.pk}/edit/", posted).status_code == 302
    payslip.refresh_from_db()
    assert (payslip.name, payslip.tracking, payslip.utm) == ("n", "", {})


# The pre-flight ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tracking", "kind"),
    [("aggregated", "tracks_totals"), ("individual", "tracks_individuals"), ("", None)],
)
def test_the_preflight_says_what_is_counted(
    scene: Scene, marketer: Client, tracking: str, kind: str | None
) -> None:
    html = '<a href="https://a.example">甲</a> <a href="https://b.example">b.example</a>'
    html += '<a href="{{ unsubscribe_url }}">退订</a>'
    template = scene.template("newsletter", html=html)
    campaign = scene.newsletter(tracking=tracking, template=template)
    found = {one.kind: one for one in preflight.check(campaign)}
    assert ("links_left_alone" in found) == bool(kind)
    assert {"tracks_totals", "tracks_individuals"} & set(found) == ({kind} if kind else set())
    if kind:
        assert found[kind].params == {"links": 1}
        assert found[kind].severity == preflight.INFO
        page = text(marketer.get(f"/campaigns/{campaign.pk}/preflight/"))
        assert "可以告诉读者" in page


# The report ----------------------------------------------------------------------------------


def test_the_report_tells_people_from_machines(
    scene: Scene, marketer: Client, django_assert_max_num_queries: Any
) -> None:
    campaign = a_newsletter(scene)
    marketer.get("/campaigns/")
    with django_assert_max_num_queries(16):
        answer = marketer.get(f"/campaigns/{campaign.pk}/tracking/")
    report = answer.context["report"]
    opens, clicks = report.opens, report.clicks
    assert (opens.people, opens.machines, opens.recipients) == (3, 5, 1)
    assert (clicks.people, clicks.machines, clicks.recipients) == (7, 11, 1)
    assert [(m.opens, m.clicks, m.machines) for m in report.moments] == [
        (0, 7, 11),
        (0, 0, 0),
        (3, 0, 5),
    ]
    page = text(answer)
    assert "打开不等于读过" in page
    assert f"/campaigns/{campaign.pk}/tracking/rows/?link=1&amp;state=people" in page
    assert "邮箱的图片代理" in page
    assert f"/campaigns/{campaign.pk}/tracking/" in text(marketer.get(f"/campaigns/{campaign.pk}/"))


def test_long_after_it_is_drawn_by_days(scene: Scene, marketer: Client) -> None:
    campaign = a_newsletter(scene)
    old = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=9)
    HitCount.objects.create(
        team=scene.team, campaign=campaign, link=0, hour=old, visitor="person", number=1
    )
    report = marketer.get(f"/campaigns/{campaign.pk}/tracking/").context["report"]
    assert not report.by_hour
    assert len(report.moments) in (10, 11)


def test_aggregated_says_nothing_about_who(scene: Scene, marketer: Client) -> None:
    campaign = a_newsletter(scene, "aggregated")
    page = text(marketer.get(f"/campaigns/{campaign.pk}/tracking/"))
    assert f"/campaigns/{campaign.pk}/tracking/rows/" not in page
    assert "谁点的无从知道" in page
    assert marketer.get(f"/campaigns/{campaign.pk}/tracking/rows/?link=1").status_code == 404


def test_behind_a_number_stand_its_recipients(scene: Scene, marketer: Client) -> None:
    campaign = a_newsletter(scene)
    url = f"/campaigns/{campaign.pk}/tracking/rows/"
    assert "c0@x.example" in text(marketer.get(f"{url}?link=1&state=people"))
    assert "c1@x.example" in text(marketer.get(f"{url}?link=2&state=machines"))
    assert "c1@x.example" not in text(marketer.get(f"{url}?link=2&state=people"))
    assert LINKS[1] in text(marketer.get(f"{url}?link=2")).replace("&amp;", "&")
    for wrong in ("3", "-1", "x", "9" * 30):
        assert marketer.get(f"{url}?link={wrong}").status_code == 404


def test_nothing_came_yet(scene: Scene, marketer: Client) -> None:
    campaign = launched(scene.newsletter(tracking="aggregated", frozen_links=LINKS))
    assert "还没有人打开或点击" in text(marketer.get(f"/campaigns/{campaign.pk}/tracking/"))


def test_there_is_no_report_where_nothing_is_counted(scene: Scene, marketer: Client) -> None:
    off = launched(scene.newsletter())
    draft = scene.newsletter(tracking="aggregated")
    payslip = launched(scene.payslips(tracking="individual"))
    other = a_newsletter(Scene())
    for campaign in (off, draft, payslip, other):
        assert marketer.get(f"/campaigns/{campaign.pk}/tracking/").status_code == 404
        assert marketer.get(f"/campaigns/{campaign.pk}/tracking/rows/?link=1").status_code == 404


# One person ----------------------------------------------------------------------------------


def test_a_delivery_and_a_contact_show_their_own_to_marketers(
    scene: Scene, marketer: Client
) -> None:
    campaign = a_newsletter(scene)
    delivery = campaign.deliveries.get(address_key="c0@x.example")
    contact = Contact.objects.create(
        team=scene.team, address="c0@x.example", address_key="c0@x.example"
    )
    assert LINKS[0] in text(marketer.get(f"/deliveries/{delivery.pk}/"))
    page = text(marketer.get(f"/contacts/{contact.pk}/"))
    assert LINKS[0] in page
    assert LINKS[1] not in page
    admin = scene.client(Role.MAIL_ADMIN)
    assert LINKS[0] not in text(admin.get(f"/deliveries/{delivery.pk}/"))


def test_it_is_handed_out_and_erased_with_the_rest(scene: Scene) -> None:
    campaign = a_newsletter(scene)
    Campaign.objects.filter(pk=campaign.pk).update(state="finished")
    contact = Contact.objects.create(
        team=scene.team, address="c0@x.example", address_key="c0@x.example"
    )
    found = personal_data.collect(contact)["opens_and_clicks"]
    assert [(one["target"], one["people"], one["machines"]) for one in found] == [
        ("", 3, 5),
        (LINKS[0], 7, 0),
    ]
    before = list(HitCount.objects.values())
    personal_data.erase(contact, None)
    assert list(RecipientHit.objects.values_list("people", flat=True)) == [0]
    assert list(HitCount.objects.values()) == before
