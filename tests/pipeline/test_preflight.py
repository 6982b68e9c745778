"""Pre-flight: everything that blocks a launch, with the row and the cell, and never a value."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import SigningKey
from campaigns.models import Campaign, Contact, Feedback, ListMember, Suppression
from campaigns.pipeline import preflight
from campaigns.pipeline.preflight import BLOCK, INFO, WARN, is_public
from campaigns.pipeline.preflight_finding import LISTED
from tests.views.scene import CANARY, COLUMNS, PAYROLL, Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TWICE = [*PAYROLL, ("王小明", "WANG@corp.example", "1.00", "1.00")]
ROWS = "<table>{% for cell in cells %}<tr><td>{{ cell.value }}</td></tr>{% endfor %}</table>"


@pytest.fixture
def scene():
    scene = Scene()
    scene.key()
    return scene


def check(campaign):
    return {
        finding.kind: finding for finding in preflight.check(Campaign.objects.get(pk=campaign.pk))
    }


def grave(campaign, severity=BLOCK):
    return {kind for kind, finding in check(campaign).items() if finding.severity == severity}


def test_a_good_payroll_is_clear(scene, django_assert_max_num_queries):
    campaign = Campaign.objects.get(pk=scene.payslips().pk)
    with django_assert_max_num_queries(30):
        findings = preflight.check(campaign)
    found = {(finding.kind, finding.severity) for finding in findings}
    assert found == {("recipients", INFO), ("forecast", INFO)}
    assert not preflight.blocks(findings)


def test_a_key_whose_record_is_not_published_is_named(scene):
    SigningKey.objects.update(active=False, waiting=True)
    assert grave(scene.newsletter(), WARN) == {"key_waiting"}
    SigningKey.objects.update(waiting=False)
    assert grave(scene.newsletter(), WARN) == {"no_key"}


def test_a_good_newsletter_is_clear(scene):
    assert grave(scene.newsletter()) == set()


def test_queries_do_not_grow_with_the_rows(scene, django_assert_max_num_queries):
    rows = [(f"员工{n}", f"e{n}@corp.example", "1", "") for n in range(300)]
    campaign = scene.payslips(workbook=scene.workbook(rows=rows))
    campaign = Campaign.objects.get(pk=campaign.pk)
    with django_assert_max_num_queries(30):
        found = {finding.kind: finding for finding in preflight.check(campaign)}["empty_field"]
    assert (found.total, len(found.where)) == (300, LISTED)


def test_an_empty_field_that_the_template_shows_names_its_cells(scene):
    rows = [("王", "w@corp.example", "1", " "), ("李", "l@corp.example", "", "2")]
    campaign = scene.payslips(workbook=scene.workbook(rows=rows))
    found = check(campaign)["empty_field"]
    assert (found.severity, found.params["field"], found.total) == (BLOCK, "实发", 1)
    assert found.where[0].cell == "11月工资!D2"


def test_an_empty_field_that_the_template_provides_for_is_fine(scene):
    template = scene.template(html='<p>{{ 实发 | default("无") }}</p>')
    rows = [("王", "w@corp.example", "1", "")]
    assert grave(scene.payslips(workbook=scene.workbook(rows=rows), template=template)) == set()


def test_an_unreadable_cell_of_a_payroll_blocks_wherever_it_is(scene):
    rows = [("王", "w@corp.example", None, "2")]
    found = check(scene.payslips(workbook=scene.workbook(rows=rows)))["unreadable_cell"]
    assert (found.severity, found.where[0].cell, found.total) == (BLOCK, "11月工资!C2", 1)


def test_duplicates_are_listed_until_a_person_decides(scene):
    campaign = scene.payslips(workbook=scene.workbook(rows=TWICE))
    found = check(campaign)["duplicates_undecided"]
    assert (found.severity, [place.row for place in found.where]) == (BLOCK, [2, 5])
    for decision, kind, severity in (
        ("both", "duplicates_decided", INFO),
        ("stop", "duplicates_stop", BLOCK),
        ("merged", "merged_unfit", BLOCK),
    ):
        Campaign.objects.filter(pk=campaign.pk).update(duplicates=decision)
        assert check(campaign)[kind].severity == severity


def test_merging_is_fine_where_the_template_draws_the_rows(scene):
    template = scene.template(html=ROWS)
    workbook = scene.workbook(rows=TWICE)
    campaign = scene.payslips(workbook=workbook, template=template, duplicates="merged")
    found = check(campaign)
    assert found["duplicates_decided"].severity == INFO
    assert found["recipients"].params["number"] == 3


@pytest.mark.parametrize("how", ["feedback", "suppression"])
def test_an_address_that_is_known_to_be_dead_is_named_with_row_and_date(scene, how):
    campaign, at = scene.payslips(), timezone.now() - timedelta(days=40)
    key = "lilei@corp.example"
    if how == "feedback":
        Feedback.objects.create(
            team=scene.team, kind="bounce", hard=True, proof="message_id", address=key,
            address_key=key, reason="userunknown", received_at=at,
        )  # fmt: skip
    else:
        Suppression.objects.create(
            team=scene.team, address=key, address_key=key, reason="refused", created_at=at
        )
    found = check(campaign)["bounced_before"]
    place = found.where[0]
    assert (found.severity, place.row, place.at, place.key) == (BLOCK, 3, at, key)
    Campaign.objects.filter(pk=campaign.pk).update(send_anyway=[key])
    found = check(campaign)
    assert "bounced_before" not in found
    assert found["sent_anyway"].severity == WARN


@pytest.mark.parametrize("proof_and_hard", [("", True), ("message_id", False)])
def test_neither_an_unproven_nor_a_soft_bounce_blocks(scene, proof_and_hard):
    proof, hard = proof_and_hard
    key = "lilei@corp.example"
    Feedback.objects.create(
        team=scene.team, kind="bounce", hard=hard, proof=proof, address=key, address_key=key
    )
    other = Scene()
    Suppression.objects.create(team=other.team, address=key, address_key=key, reason="hard_bounce")
    assert grave(scene.payslips()) == set()


def test_a_from_address_that_the_relay_refuses_blocks(scene):
    found = check(scene.payslips(from_address="hr@else.example"))
    assert found["from_not_allowed"].severity == BLOCK
    assert found["from_not_allowed"].params["allowed"] == "@corp.example"
    assert found["no_key"].severity == WARN


def test_a_relay_that_is_off_blocks_and_one_that_is_parked_warns(scene):
    assert "relay_disabled" in grave(scene.payslips(relay=scene.relay(enabled=False)))
    until = timezone.now() + timedelta(hours=1)
    parked = scene.relay(parked_until=until, park_reason="ratelimited")
    assert "relay_parked" in grave(scene.payslips(relay=parked), WARN)


def test_a_day_limit_that_is_too_small_blocks(scene):
    found = check(scene.payslips(relay=scene.relay(per_day=2)))["day_limit"]
    assert (found.severity, found.params["recipients"], found.params["limit"]) == (BLOCK, 3, 2)
    assert "day_limit" not in check(scene.payslips(relay=scene.relay(per_day=3)))


def test_the_forecast_follows_the_tightest_window(scene):
    relay = scene.relay(per_day=None)
    relay.limits.create(team=scene.team, window="second", amount=1)
    relay.limits.create(team=scene.team, window="hour", amount=2)
    found = check(scene.payslips(relay=relay))["forecast"]
    assert found.params["seconds"] == pytest.approx(3600, abs=10)
    relay.limits.filter(window="hour").update(amount=1)
    relay.deliver_hours = 1
    relay.save()
    assert check(scene.payslips(relay=relay))["too_slow"].severity == BLOCK


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://mail.corp.com", True),
        ("https://8.8.8.8", True),
        ("http://mail.corp.com", False),
        ("https://localhost", False),
        ("https://127.0.0.1:8000", False),
        ("https://10.1.2.3", False),
        ("https://[::1]", False),
        ("https://mail", False),
        ("https://mail.corp.internal", False),
        ("", False),
    ],
)
def test_a_public_address_is_https_and_no_inner_one(url, public):
    assert is_public(url) is public


def test_a_newsletter_with_inner_links_blocks_unless_allowed(scene, settings):
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    campaign = scene.newsletter()
    assert "public_url" in grave(campaign)
    assert "public_url" not in check(scene.payslips())
    scene.team.intranet_links_allowed = True
    scene.team.save()
    assert "public_url" not in check(campaign)


def test_an_empty_audience_blocks(scene):
    assert "no_audience" in grave(
        Campaign.objects.create(team=scene.team, kind="payslip", name="x", from_address="a@b.cn")
    )
    empty = scene.newsletter(contact_list=scene.contacts())
    assert "no_recipients" in grave(empty)


def test_a_template_of_columns_that_are_not_there_names_the_line(scene):
    template = scene.template(html="<p>\n{{ 奖金 }}</p>")
    found = check(scene.payslips(template=template))
    assert "empty_field" not in found
    found = found["template_fault"]
    assert (found.severity, found.params["line"], found.fix_id) == (BLOCK, 2, template.pk)


def test_an_address_that_needs_smtputf8_warns(scene):
    rows = [("王", "王@corp.example", "1", "2")]
    found = check(scene.payslips(workbook=scene.workbook(rows=rows)))["smtputf8"]
    assert (found.severity, found.total) == (WARN, 1)


def test_who_left_or_is_suppressed_is_counted(scene):
    campaign = scene.newsletter("a@x.example", "b@x.example", "c@x.example")
    ListMember.objects.filter(contact__address="a@x.example").update(status="unsubscribed")
    Suppression.objects.create(
        team=scene.team, address="b@x.example", address_key="b@x.example", reason="manual"
    )
    found = check(campaign)
    assert found["unsubscribed"].params["number"] == 1
    assert found["suppressed"].params["number"] == 1
    assert found["recipients"].params["number"] == 2


def test_a_list_that_is_being_imported_waits_for_its_rest(scene):
    campaign = scene.newsletter("a@x.example")
    book = scene.workbook()
    book.import_list = campaign.contact_list
    book.save()
    assert "import_running" in grave(campaign)
    book.imported_at = timezone.now()
    book.save()
    assert "import_running" not in grave(campaign)


def test_a_contact_without_a_value_is_named_by_its_address(scene):
    template = scene.template("newsletter", html="<p>{{ 城市 }} {{ unsubscribe_url }}</p>")
    made = scene.contacts("a@x.example", 城市="北京")
    contact = Contact.objects.create(
        team=scene.team, address="b@x.example", address_key="b@x.example"
    )
    ListMember.objects.create(team=scene.team, contact_list=made, contact=contact)
    found = check(scene.newsletter(contact_list=made, template=template))["empty_field"]
    assert [place.address for place in found.where] == ["b@x.example"]


def test_a_destroyed_key_blocks(scene):
    campaign = scene.payslips()
    campaign.workbook.data_key.key = ""
    campaign.workbook.data_key.save()
    assert "content_destroyed" in grave(campaign)


def test_no_value_of_a_row_is_in_any_finding(scene):
    rows = [*PAYROLL, ("李雷", "lilei@corp.example", None, CANARY)]
    findings = preflight.check(scene.payslips(workbook=scene.workbook(rows=rows, columns=COLUMNS)))
    assert CANARY not in repr(findings)
    assert any(finding.severity == BLOCK for finding in findings)
