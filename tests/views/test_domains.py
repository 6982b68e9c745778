"""Domain checks: the matrix, a combination's findings with records to copy, asking anew; the team's alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Role
from campaigns.models import DomainCheck
from tests.views.scene import Scene

pytestmark = pytest.mark.django_db
RECORD = {"type": "TXT", "name": "s1._domainkey.corp.example", "value": "v=DKIM1; k=rsa; p=QUJD"}
FINDINGS = [
    {"code": "dmarc_none", "part": "dmarc", "severity": "notice", "record": None,
     "params": {"name": "_dmarc.corp.example"}},
    {"code": "dkim_differs", "part": "dkim", "severity": "error", "record": RECORD,
     "params": {"name": "s1._domainkey.corp.example"}},
    {"code": "mx_unchecked", "part": "mx", "severity": "unchecked", "record": None,
     "params": {"name": "corp.example", "type": "MX", "reason": "timeout"}},
]  # fmt: skip


@pytest.fixture
def client(scene):
    return scene.client(Role.MAIL_ADMIN)


def checked(scene, domain="corp.example", findings=(), **fields):
    now = timezone.now()
    values = {"checked_at": now, "due_at": now + timedelta(days=1), **fields}
    relay = values.pop("relay", None) or scene.relay()
    return DomainCheck.objects.create(
        team=scene.team, relay=relay, domain=domain, findings=list(findings), **values
    )


def page(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_matrix_has_a_line_for_each_relay_and_a_mark_for_each_part(scene, client):
    row = checked(scene, findings=FINDINGS)
    other = checked(scene, relay=scene.relay(name="自有服务器"))
    html = page(client, "/domains/")
    assert html.count('<h2 class="card-title">corp.example</h2>') == 1
    assert row.relay.name in html
    assert other.relay.name in html
    marks = [
        card for card in client.get("/domains/").context["cards"][0]["rows"] if card["row"] == row
    ]
    assert [mark["css"] for mark in marks[0]["marks"]] == ["ok", "error", "ok", "notice", "none"]
    assert "1 个问题" in html


def test_a_row_that_waits_for_its_first_check_says_so(scene, client):
    checked(scene, checked_at=None, due_at=timezone.now())
    html = page(client, "/domains/")
    assert "等待第一次检查" in html
    assert "检查中" in html


def test_a_domain_that_could_not_be_looked_at_has_no_green_mark(scene, client):
    missing = {"code": "domain_missing", "part": "domain", "severity": "error", "record": None,
               "params": {"domain": "corp.example"}}  # fmt: skip
    checked(scene, findings=[missing])
    client.get("/domains/")
    marks = client.get("/domains/").context["cards"][0]["rows"][0]["marks"]
    assert {mark["css"] for mark in marks} == {"none"}


def test_without_relays_the_page_says_what_to_do(client):
    assert "还没有可检查的域名" in page(client, "/domains/")


def test_a_finding_stands_with_the_record_to_copy(scene, client):
    row = checked(
        scene,
        findings=FINDINGS,
        facts={"spf_record": "v=spf1 -all", "spf_lookups": 0, "spf_tree": ["-all"]},
    )
    html = page(client, f"/domains/{row.pk}/")
    assert "与签名用的密钥不是一对" in html
    assert 'data-copy="v=DKIM1; k=rsa; p=QUJD"' in html
    assert 'data-copy="s1._domainkey.corp.example"' in html
    assert "<code>s1._domainkey</code>" in html
    assert html.index("不是一对") < html.index("策略是 none")
    assert "域名服务器没有及时回答" in html
    assert "v=spf1 -all" in html
    assert "hx-get" not in html.split('id="domain-findings"')[1].split(">")[0]


def test_what_strangers_published_is_escaped(scene, client):
    evil = {"code": "spf_syntax", "part": "spf", "severity": "error",
            "params": {"domain": "corp.example", "term": "<script>x</script>"},
            "record": {"type": "TXT", "name": "corp.example", "value": '"><img src=x>'}}  # fmt: skip
    row = checked(
        scene,
        findings=[evil],
        facts={"spf_record": "<b>evil", "spf_tree": ["<i>"], "spf_lookups": 1},
    )
    html = page(client, f"/domains/{row.pk}/")
    for mark in ("<script>x", "<img src=x", "<b>evil", "<i>"):
        assert mark not in html


def test_asking_anew_makes_the_row_due_and_the_page_polls(scene, client):
    row = checked(scene)
    answer = client.post(f"/domains/{row.pk}/recheck/")
    assert answer.headers["Location"] == f"/domains/{row.pk}/"
    html = page(client, f"/domains/{row.pk}/")
    assert f'hx-get="/domains/{row.pk}/live/"' in html
    section = page(client, f"/domains/{row.pk}/live/")
    assert "正在检查" in section
    assert "<html" not in section


def test_reverse_names_are_marked_for_servers_of_ones_own_alone(scene, client):
    row = checked(scene, facts={"addresses": ["11.22.33.44"]})
    marks = client.get("/domains/").context["cards"][0]["rows"][0]["marks"]
    assert [mark["css"] for mark in marks] == ["ok"] * 5
    assert "PTR" in client.get(f"/domains/{row.pk}/").context["sound"][-1]


def test_the_matrix_polls_while_a_check_is_under_way(scene, client):
    row = checked(scene)
    assert "hx-get" not in page(client, "/domains/live/")
    client.post(f"/domains/{row.pk}/recheck/")
    assert 'hx-get="/domains/live/"' in page(client, "/domains/")
    part = page(client, "/domains/live/")
    assert "检查中" in part
    assert "<html" not in part


def test_asking_for_all_finds_new_relays_too(scene, client):
    old = checked(scene)
    new = scene.relay(from_addresses=["@new.example"])
    foreign = checked(Scene())
    client.post("/domains/recheck/")
    assert DomainCheck.objects.filter(relay=new, domain="new.example").exists()
    assert DomainCheck.objects.get(pk=old.pk).due_at <= timezone.now()
    assert DomainCheck.objects.get(pk=foreign.pk).due_at > timezone.now()


def test_an_alarm_stands_on_the_overview_until_it_is_seen(scene, client):
    row = checked(scene, findings=FINDINGS, alarm_at=timezone.now())
    checked(Scene(), "other.example", alarm_at=timezone.now())
    overview = page(client, "/")
    assert f'href="/domains/{row.pk}/"' in overview
    assert "other.example" not in overview
    assert "有新的问题" in page(client, f"/domains/{row.pk}/")
    client.post(f"/domains/{row.pk}/seen/")
    assert f'href="/domains/{row.pk}/"' not in page(client, "/")


def test_the_pre_flight_leads_to_the_domain(scene):
    scene.key()
    user = scene.user(Role.HR, Role.MAIL_ADMIN)
    campaign = scene.payslips(user)
    row = checked(scene, findings=FINDINGS, relay=campaign.relay)
    html = page(scene.client(user=user), f"/campaigns/{campaign.pk}/preflight/")
    assert "域名检查：" in html
    assert f'href="/domains/{row.pk}/"' in html


@pytest.mark.parametrize("rows", [1, 6])
def test_the_matrix_costs_the_same_for_many(scene, client, rows, django_assert_num_queries):
    for number in range(rows):
        checked(scene, f"d{number}.example", findings=FINDINGS)
    client.get("/domains/")
    with django_assert_num_queries(6):
        client.get("/domains/")


@pytest.mark.parametrize("act", ["recheck/", "seen/"])
def test_looking_changes_nothing(scene, client, act):
    assert client.get(f"/domains/{checked(scene).pk}/{act}").status_code == 405
    assert client.get("/domains/recheck/").status_code == 405


def test_another_teams_check_is_not_there(client):
    foreign = checked(Scene(), "foreign.example", alarm_at=timezone.now())
    for path in ("/domains/", "/domains/live/"):
        assert "foreign.example" not in page(client, path)
    for path in ("", "live/"):
        assert client.get(f"/domains/{foreign.pk}/{path}").status_code == 404
    for act in ("recheck/", "seen/"):
        assert client.post(f"/domains/{foreign.pk}/{act}").status_code == 404
    foreign.refresh_from_db()
    assert foreign.alarm_at is not None
    assert foreign.due_at > timezone.now()


@pytest.mark.parametrize("role", [Role.HR, Role.MARKETER, Role.VIEWER])
def test_others_have_no_business_here(scene, role):
    row, client = checked(scene), scene.client(role)
    for path in ("/domains/", "/domains/live/", f"/domains/{row.pk}/", f"/domains/{row.pk}/live/"):
        assert client.get(path).status_code == 403
    for path in ("/domains/recheck/", f"/domains/{row.pk}/recheck/", f"/domains/{row.pk}/seen/"):
        assert client.post(path).status_code == 403
