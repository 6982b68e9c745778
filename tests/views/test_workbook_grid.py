"""The sheet as it is on its page: what each row was taken for, and corrected by choosing rows."""

from __future__ import annotations

import io

import openpyxl
import pytest
from django.test import Client

from accounts.models import Role, User
from campaigns.models import Workbook
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import load
from tests.fakes import sheets
from tests.views.scene import Scene
from tests.views.workbook_pages import again, page, text, uploaded

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(scene: Scene, hr: User) -> Client:
    return scene.client(user=hr)


def mark(client: Client, workbook: Workbook, act: str, *rows: int) -> str:
    """What a person does, and what the page then says; the worker has read again."""
    url = f"/workbooks/{workbook.pk}/mark/"
    given = {"reading": again(workbook).reading, "act": act, "row": rows}
    answer = text(client.post(url, given, follow=True))
    load.read(workbook.pk)
    return answer


def kinds(client: Client, workbook: Workbook) -> list[tuple[int, str]]:
    context = client.get(f"/workbooks/{workbook.pk}/").context
    return [(row["number"], row["kind"]) for row in context["grid"]["rows"]]


def payroll() -> bytes:
    rows = [*sheets.people(2), ("合计", "", "", "1", "16000.00"), ("制表人：王会计",)]
    return sheets.payroll(rows)


def test_every_row_says_what_it_was_taken_for(client: Client) -> None:
    workbook = uploaded(client, payroll())
    assert kinds(client, workbook) == [
        *[(1, "title"), (2, "header"), (3, "data"), (4, "data"), (5, "skipped"), (6, "skipped")],
    ]
    html = page(client, workbook)
    assert "合计行" in html
    assert "签字行" in html
    assert "16000.00" in html


def test_rows_are_corrected_and_every_step_taken_back(client: Client) -> None:
    workbook = uploaded(client, payroll())
    mark(client, workbook, "leave", 3)
    assert (3, "skipped") in kinds(client, workbook)
    mark(client, workbook, "header", 1, 2)
    assert again(workbook).header_rows == [1, 2]
    mark(client, workbook, "undo")
    mark(client, workbook, "undo")
    assert (3, "data") in kinds(client, workbook)
    mark(client, workbook, "take", 5)
    assert (5, "problem") in kinds(client, workbook)
    mark(client, workbook, "reset")
    assert again(workbook).choices.keys() == {"sheet", "earlier"}


@pytest.mark.parametrize(
    ("act", "rows", "sentence"),
    [
        ("header", (1, 3), "挨在一起"),
        ("header", (1, 2, 3, 4, 5), "表头最多 4 行"),
        ("take", (), "没有选择任何行"),
        ("take", (1,), "第 1 行在表头里或表头上面"),
        ("else", (3,), "核对最新的内容"),
        ("undo", (), "核对最新的内容"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_changes(
    client: Client, act: str, rows: tuple[int, ...], sentence: str
) -> None:
    workbook = uploaded(client, payroll())
    assert sentence in mark(client, workbook, act, *rows)
    assert again(workbook).reading == workbook.reading


def test_merged_cells_look_merged_and_hidden_rows_show_nothing(client: Client) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["十一月工资", None, None, None],
        ["姓名", "邮箱", "应发", None],
        [None, None, "基本", "奖金"],
        ["甲", "a@x.example", 1, 2],
        ["乙", "b@x.example", 3, "隐藏的工资"],
    ):
        sheet.append(row)
    for merged in ("A1:D1", "A2:A3", "B2:B3", "C2:D2"):
        sheet.merge_cells(merged)
    sheet.row_dimensions[5].hidden = True
    file = io.BytesIO()
    book.save(file)
    html = page(client, uploaded(client, file.getvalue()))
    assert '<td colspan="4" class="sheet-merged">十一月工资' in html
    assert '<td rowspan="2" class="sheet-merged">姓名' in html
    assert "隐藏的行没有读取" in html
    assert "隐藏的工资" not in html


def test_a_confirmed_sheet_is_shown_and_not_changed(client: Client) -> None:
    workbook = uploaded(client, payroll())
    Workbook.objects.update(state=ReadingState.CONFIRMED)
    assert 'name="row"' not in page(client, workbook)
    assert "刚被别人更改" in mark(client, workbook, "leave", 3)


def test_without_a_grant_no_cell_is_shown_and_no_row_marked(client: Client, scene: Scene) -> None:
    workbook = uploaded(client, payroll())
    other = scene.client(Role.HR)
    assert "16000.00" not in page(other, workbook)
    assert (
        other.post(f"/workbooks/{workbook.pk}/mark/", {"act": "leave", "row": 3}).status_code == 403
    )
    assert b"16000.00" not in bytes(again(workbook).sealed_findings)
