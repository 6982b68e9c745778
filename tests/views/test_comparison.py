"""The month before on a draft, its list, and the extremes in the preview: for those with a grant."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Role, User
from campaigns.models import Campaign, Comparison, ContentGrant, Workbook
from campaigns.pipeline import comparison, figures, load
from tests.fakes import sheets
from tests.pipeline.test_comparison import NOVEMBER, month, october
from tests.views.scene import Scene
from tests.views.workbook_pages import text, uploaded

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def client(scene: Scene, hr: User) -> Client:
    return scene.client(user=hr)


@pytest.fixture
def draft(scene: Scene, hr: User) -> Campaign:
    """November, compared with October."""
    october(scene, hr)
    campaign = month(scene, hr, NOVEMBER, "11 月工资条")
    comparison.run(comparison.ask(campaign, hr).pk)
    return campaign


def test_the_card_is_polled_until_a_worker_has_compared(
    scene: Scene, hr: User, client: Client
) -> None:
    october(scene, hr)
    campaign = month(scene, hr, NOVEMBER, "11 月工资条")
    card = f"/campaigns/{campaign.pk}/comparison/card/"
    assert "现在比较" in text(client.get(card))
    assert client.post(f"/campaigns/{campaign.pk}/comparison/ask/").status_code == 302
    making = text(client.get(card))
    assert "正在逐人比较" in making
    assert f'hx-get="{card}?was=card"' in making
    comparison.run(Comparison.objects.get().pk)
    done = client.get(card, {"was": "card"})
    assert done["HX-Trigger"] == "compared"
    assert "no-store" in done["Cache-Control"]
    assert f"/campaigns/{campaign.pk}/comparison/?state=missing" in text(done)
    assert "10 月工资条" in text(done)


def test_the_list_leads_to_both_slips(
    client: Client, draft: Campaign, django_assert_max_num_queries
) -> None:
    url = f"/campaigns/{draft.pk}/comparison/"
    with django_assert_max_num_queries(16):
        page = client.get(url)
    assert "赵六" in text(page)
    changed = text(client.get(url, {"state": "changed"}))
    assert "赵六" not in changed
    assert "8,000.00 → (100.00)" in changed
    row = draft.workbook.rows.get(number=4)
    assert f"/campaigns/{draft.pk}/preview/?at={row.pk}" in changed
    before = Campaign.objects.get(name="10 月工资条").deliveries.get(row_number=4)
    assert f'href="/deliveries/{before.pk}/"' in changed


def test_settings_are_checked_and_used(client: Client, draft: Campaign, scene: Scene) -> None:
    url = f"/campaigns/{draft.pk}/comparison/"
    assert client.post(f"{url}ask/", {"share": "0"}).status_code == 422
    foreign = october(scene, scene.user(Role.HR))
    answer = client.post(f"{url}ask/", {"share": "1", "against": foreign.pk})
    assert answer.status_code == 422
    assert client.post(f"{url}ask/", {"share": "1", "columns": "应发"}).status_code == 302
    comparison.run(Comparison.objects.get().pk)
    assert "8,000.00 → 8,100.00" in text(client.get(url, {"state": "changed"}))


def test_without_a_grant_for_last_month_only_numbers_are_shown(
    scene: Scene, draft: Campaign
) -> None:
    colleague = scene.user(Role.HR)
    ContentGrant.objects.create(team=scene.team, user=colleague, campaign=draft)
    client = scene.client(user=colleague)
    for path in ("comparison/", "comparison/card/"):
        page = text(client.get(f"/campaigns/{draft.pk}/{path}"))
        assert "只显示人数" in page
        assert "赵六" not in page
        assert "8,000.00" not in page
    assert "→" not in text(client.get(f"/campaigns/{draft.pk}/preview/"))
    stranger = scene.client(user=scene.user(Role.HR, Role.OWNER, is_superuser=True))
    assert stranger.get(f"/campaigns/{draft.pk}/comparison/").status_code == 403
    assert stranger.get(f"/workbooks/{draft.workbook_id}/totals/").status_code == 403


def test_the_preview_offers_extremes_of_a_column_and_remembers_it(
    client: Client, draft: Campaign
) -> None:
    url = f"/campaigns/{draft.pk}/preview/"
    page = text(client.get(url))
    extremes = page.partition('id="extremes"')[2]
    assert '<option value="实发" selected>' in extremes
    assert "(100.00)" in extremes
    assert "8,000.00 → (100.00)（-101.2%）" in extremes
    han = draft.workbook.rows.get(number=4)
    assert f'href="{url}?at={han.pk}&amp;view=html"' in extremes
    answer = client.post(f"{url}column/", {"column": "应发", "at": han.pk})
    assert answer["Location"] == f"{url}?at={han.pk}"
    assert '<option value="应发" selected>' in text(client.get(answer["Location"]))
    client.post(f"{url}column/", {"column": "没有这一列"})
    draft.refresh_from_db()
    assert draft.preview_column == "应发"


def test_an_extreme_of_a_merged_row_shows_the_message_that_it_is_in(
    scene: Scene, hr: User, client: Client
) -> None:
    rows = [*NOVEMBER, ("王小明", "wang@corp.example", "001", "1.00", "0.50")]
    campaign = month(scene, hr, rows, "11 月工资条", duplicates="merged")
    row = campaign.workbook.rows.get(number=6)
    assert "1 / 4" in text(client.get(f"/campaigns/{campaign.pk}/preview/?at={row.pk}"))


def test_the_workbooks_page_and_the_preflight_say_which_row_a_total_lacks(
    scene: Scene, hr: User, client: Client
) -> None:
    rows = [
        *sheets.people(2, pay="8000.10"),
        ("G0003", "员工3", "", "5000.00", "4500.00"),
        ("合计", "", "", "23000.00", "20500.20"),
    ]
    workbook = uploaded(client, sheets.payroll(rows), purpose="payslip")
    assert "正在逐列相加" in text(client.get(f"/workbooks/{workbook.pk}/totals/"))
    figures.make(workbook.pk)
    for page in (f"/workbooks/{workbook.pk}/totals/", f"/workbooks/{workbook.pk}/"):
        shown = text(client.get(page))
        assert "第 5 行没有邮箱：4,500.00" in shown
        assert "16,000.20" in shown
    workbook = Workbook.objects.get(pk=workbook.pk)
    load.confirm(workbook, hr, reading=workbook.reading)
    campaign = scene.payslips(hr, workbook=workbook)
    preflight = f"/campaigns/{campaign.pk}/preflight/"
    said = text(client.get(preflight))
    assert "合计行 20500.20，各行相加 16,000.20，差 +4,500.00" in said
    # A colleague who may launch but not read is told the columns alone.
    colleague = text(scene.client(Role.HR).get(preflight))
    assert "实发工资" in colleague
    assert "4,500.00" not in colleague
