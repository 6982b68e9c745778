"""HR's own workbook back with the results, and the mended rows sent: nobody gets a slip twice."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Role, User
from campaigns.models import Campaign, Delivery, Feedback, ReturnedWorkbook, Workbook
from campaigns.pipeline import destroy, load, plan, preflight, return_workbook
from tests.fakes import sheets
from tests.views.scene import Scene, deliveries, launched
from tests.views.workbook_pages import again, page, text

pytestmark = pytest.mark.django_db
STATES = ("accepted", "refused", "in_doubt", "queued")


@pytest.fixture
def client(scene: Scene, hr: User) -> Client:
    return scene.client(user=hr)


def people() -> list[sheets.Row]:
    """Four who have an address, and one who has none that is one."""
    return [*sheets.people(4), ("G0005", "员工5", "no@@x", "9000.00", "=SUM(1,2)")]


def post(client: Client, data: bytes, **given: Any) -> Any:
    file = SimpleUploadedFile("工资.xlsx", data)
    return client.post("/workbooks/upload/", {"purpose": "payslip", "file": file, **given})


def read(client: Client, rows: Sequence[sheets.Row], **given: Any) -> Workbook:
    response = post(client, sheets.payroll(rows), **given)
    assert response.status_code == 302, text(response)
    workbook = Workbook.objects.latest("pk")
    load.read(workbook.pk)
    return again(workbook)


def sent(client: Client, scene: Scene, hr: User, states: Sequence[str] = STATES) -> Campaign:
    """Launched on a file that was uploaded, with a delivery in each state in the order of rows."""
    workbook = read(client, people())
    assert load.confirm(workbook, hr, reading=workbook.reading)
    campaign = launched(scene.payslips(hr, workbook=again(workbook), duplicates="both"))
    deliveries(campaign, *states)
    return campaign


def made(client: Client, campaign: Campaign) -> Any:
    """The file as HR downloads it."""
    client.post(f"/campaigns/{campaign.pk}/workbook/make/")
    return_workbook.run(ReturnedWorkbook.objects.latest("pk").pk)
    response = client.get(f"/campaigns/{campaign.pk}/workbook/file/")
    assert response.headers["Cache-Control"] == "no-store, private"
    content = b"".join(response.streaming_content)
    return openpyxl.load_workbook(io.BytesIO(content))["11月工资"]


# The file back -----------------------------------------------------------------------------------


def test_each_row_has_its_result_where_it_stands_and_the_rest_is_as_it_was(
    client: Client, scene: Scene, hr: User
) -> None:
    campaign = sent(client, scene, hr)
    Delivery.objects.filter(state="refused").update(reason="userunknown", detail="=1+1")
    url = f"/campaigns/{campaign.pk}/workbook/"
    assert "正在写入" not in text(client.get(url))
    assert "正在写入" in text(client.post(f"{url}make/", headers={"HX-Request": "true"}))
    return_workbook.run(ReturnedWorkbook.objects.get().pk)
    assert "下载" in text(client.get(url))
    sheet = made(client, campaign)
    assert [cell.value for cell in sheet[2]][:7] == [*sheets.HEADER, "鸿雁·状态", "鸿雁·地址"]
    assert [sheet.cell(row, 6).value for row in range(3, 8)] == [
        *["已提交", "被拒", "待确认", "排队中", "没有发送"]
    ]
    assert sheet.cell(3, 7).value == "p1@example.com"
    assert (sheet.cell(7, 5).value, sheet.cell(7, 5).data_type) == ("=SUM(1,2)", "f")
    assert "no@@x" in sheet.cell(7, 9).value
    assert sheet.cell(4, 6).font.color.rgb == "FFC00000"
    assert ReturnedWorkbook.objects.count() == 1
    assert b"p1@example.com" not in bytes(ReturnedWorkbook.objects.get().sealed)


def test_times_are_those_of_the_team(client: Client, scene: Scene, hr: User) -> None:
    campaign = sent(client, scene, hr)
    assert scene.team.time_zone == "Asia/Shanghai"
    Delivery.objects.update(changed_at=datetime(2026, 11, 24, 18, 23, tzinfo=UTC))
    shown = [cell.value for row in made(client, campaign).iter_rows() for cell in row]
    assert "2026-11-25 02:23:00" in shown


def test_it_is_for_those_with_a_grant_and_goes_with_the_content(
    client: Client, scene: Scene, hr: User
) -> None:
    campaign = sent(client, scene, hr, ("accepted", "refused"))
    made(client, campaign)
    for path in ("workbook/", "workbook/file/"):
        assert scene.client(Role.HR).get(f"/campaigns/{campaign.pk}/{path}").status_code == 403
    assert scene.client(Role.HR).post(f"/campaigns/{campaign.pk}/workbook/make/").status_code == 403
    Campaign.objects.update(state="finished")
    assert destroy.destroy(campaign.workbook) == []
    assert not ReturnedWorkbook.objects.exists()
    assert client.get(f"/campaigns/{campaign.pk}/workbook/file/").status_code == 404


def test_a_file_that_cannot_be_made_says_why_and_one_that_kills_is_given_up(
    client: Client, scene: Scene, hr: User
) -> None:
    campaign = sent(client, scene, hr)
    Workbook.objects.update(sheet="不在了")
    url = f"/campaigns/{campaign.pk}/workbook/"
    client.post(f"{url}make/")
    return_workbook.run(ReturnedWorkbook.objects.get().pk)
    assert "unknown sheet" in text(client.get(url))
    client.post(f"{url}make/")
    ReturnedWorkbook.objects.update(tries=3)
    return_workbook.run(ReturnedWorkbook.objects.get().pk)
    assert return_workbook.waiting() == []
    assert "已停止" in text(client.get(url))


# The mended rows -----------------------------------------------------------------------------------


def mended(client: Client, campaign: Campaign, rows: Sequence[sheets.Row]) -> Workbook:
    return read(client, rows, repairs=campaign.pk)


def test_only_what_failed_is_taken_wherever_it_stands(
    client: Client, scene: Scene, hr: User
) -> None:
    campaign = sent(client, scene, hr)
    rows = [list(row) for row in people()]
    rows[1][2], rows[4][2], rows[4][4] = "mended2@example.com", "mended5@example.com", "3.00"
    rows.insert(0, ["G0009", "新人", "new@example.com", "1", "1"])
    workbook = mended(client, campaign, rows)
    assert [row.address for row in workbook.rows] == [
        *["new@example.com", "mended2@example.com", "mended5@example.com"]
    ]
    left = {row: code for row, code, _former in workbook.findings["repair"]["rows"]}
    assert left == {4: "sent", 6: "doubt", 7: "open"}
    html = page(client, workbook)
    for words in ("取了 3 行", "已经发过，没有变化", "不确定上次有没有发到", "还在发送中"):
        assert words in html
    # The rows alone, in a file of their own.
    alone = mended(client, campaign, [rows[2], rows[5]])
    assert [row.address for row in alone.rows] == ["mended2@example.com", "mended5@example.com"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({4: "1.23"}, "changed"),
        ({2: "elsewhere@example.com"}, "changed"),
        ({1: "改了名"}, "other_name"),
        ({0: "G7777"}, "other_number"),
    ],
    ids=["pay", "address", "name", "number"],
)
def test_who_has_it_does_not_get_it_again_whatever_was_changed(
    client: Client, scene: Scene, hr: User, change: dict[int, str], code: str
) -> None:
    campaign = sent(client, scene, hr)
    row = list(people()[0])
    for column, value in change.items():
        row[column] = value
    workbook = mended(client, campaign, [row])
    assert workbook.row_count == 0
    assert workbook.findings["repair"]["left"] == {code: 1}
    assert not load.confirm(workbook, hr, reading=workbook.reading)


def test_a_proven_bounce_counts_as_failed_and_one_slip_is_taken_once(
    client: Client, scene: Scene, hr: User
) -> None:
    campaign = sent(client, scene, hr, ("accepted", "accepted"))
    first = Delivery.objects.order_by("pk")[0]
    Feedback.objects.create(
        team=scene.team, campaign=campaign, delivery=first, kind="bounce", hard=True,
        proof="return_path", address=first.address, address_key=first.address_key,
    )  # fmt: skip
    row = list(people()[0])
    workbook = mended(client, campaign, [row, row, people()[1]])
    assert workbook.row_count == 1
    assert workbook.findings["repair"]["left"] == {"twice": 1, "sent": 1}


def test_people_of_one_name_without_numbers_are_told_apart_or_left(
    client: Client, scene: Scene, hr: User
) -> None:
    header = ("姓名", "邮箱", "实发")
    rows = [("王伟", "a@x.example", "1.00"), ("王伟", "b@x.example", "2.00")]
    data = sheets.xlsx({"11月工资": [header, *rows]})
    post(client, data)
    workbook = Workbook.objects.latest("pk")
    load.read(workbook.pk)
    workbook = again(workbook)
    assert load.confirm(workbook, hr, reading=workbook.reading)
    campaign = launched(scene.payslips(hr, workbook=workbook, duplicates="both"))
    deliveries(campaign, "accepted", "refused")

    def taken(*given: Any) -> tuple[list[str], dict[str, int]]:
        post(client, sheets.xlsx({"补": [header, *given]}), repairs=campaign.pk)
        book = Workbook.objects.latest("pk")
        load.read(book.pk)
        book = again(book)
        return [row.address for row in book.rows], book.findings["repair"]["left"]

    assert taken(("王伟", "b2@x.example", "2.00")) == (["b2@x.example"], {})
    assert taken(("王伟", "c@x.example", "3.00"))[0] == []


def test_the_completing_campaign_passes_once_and_never_a_second_time(
    client: Client, scene: Scene, hr: User
) -> None:
    campaign = sent(client, scene, hr, ("accepted", "refused", "accepted", "accepted"))
    scene.key()
    books = []
    for _time in range(2):
        rows = [list(row) for row in people()]
        rows[1][2] = "mended2@example.com"
        books.append(mended(client, campaign, rows[:4]))
        assert load.confirm(books[-1], hr, reading=books[-1].reading)
    drafts = []
    for book in books:
        new = f"/campaigns/new/?kind=payslip&audience=workbook:{book.pk}"
        assert f"{campaign.name}（补发）" in text(client.get(new))
        draft = scene.payslips(hr, workbook=book, name=campaign.name, duplicates="both")
        draft.completes = campaign
        draft.save()
        drafts.append(draft)

    def kinds(draft: Campaign) -> dict[str, str]:
        found = preflight.check(Campaign.objects.get(pk=draft.pk))
        return {one.kind: one.severity for one in found}

    first = kinds(drafts[0])
    assert first["completes"] == "info"
    assert not {"sent_before", "sent_meanwhile"} & first.keys()
    launched(drafts[0])
    Campaign.objects.filter(pk=drafts[0].pk).update(planned_at=None)
    plan.plan(drafts[0].pk)
    assert [row.address for row in drafts[0].deliveries.all()] == ["mended2@example.com"]
    assert kinds(drafts[1])["sent_meanwhile"] == "block"


def test_a_mended_file_takes_the_place_of_the_former_one_in_a_draft(
    client: Client, scene: Scene, hr: User
) -> None:
    campaign = scene.payslips(hr)
    assert "上传改好的文件" in text(client.get(f"/campaigns/{campaign.pk}/workbook/"))
    workbook = mended(client, campaign, people())
    assert workbook.row_count == 4
    client.post(f"/workbooks/{workbook.pk}/confirm/", {"reading": workbook.reading})
    campaign.refresh_from_db()
    assert campaign.workbook_id == workbook.pk


def test_nobody_mends_a_campaign_that_he_may_not_read(
    client: Client, scene: Scene, hr: User
) -> None:
    campaign = sent(client, scene, hr)
    other = scene.client(Role.HR)
    assert other.get(f"/workbooks/upload/?repairs={campaign.pk}").status_code == 404
    assert post(other, sheets.payroll(1), repairs=campaign.pk).status_code == 404
