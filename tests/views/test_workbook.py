"""One workbook's page: read, checked, confirmed and destroyed; and what nobody else gets to see."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Role, User
from campaigns.models import ContentGrant, DataKey, Workbook, WorkbookFile
from campaigns.models.campaign import CampaignState
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import load
from tests.fakes import sheets
from tests.views.scene import CANARY, Scene
from tests.views.workbook_pages import again, page, post, text, uploaded

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(scene: Scene, hr: User) -> Client:
    return scene.client(user=hr)


# Reading ---------------------------------------------------------------------------------------------


def test_the_progress_ends_by_loading_the_whole_page(client: Client) -> None:
    post(client, sheets.payroll(1))
    workbook = Workbook.objects.get()
    url = f"/workbooks/{workbook.pk}/progress/"
    Workbook.objects.update(state=ReadingState.READING, progress_done=30, progress_total=100)
    running = client.get(url)
    assert 'value="30"' in text(running)
    assert "no-store" in running.headers["Cache-Control"]
    Workbook.objects.update(state=ReadingState.READ)
    assert client.get(url).headers["HX-Refresh"] == "true"


def test_everything_that_was_found_is_on_the_page(client: Client) -> None:
    rows = [
        *sheets.people(2),
        ("G7", "坏地址", "no@@x", "1", "1"),
        ("G8", "无地址", "", "1", "1"),
        ("G9", "重复", "p1@example.com", "2", "2"),
        ("合计", "", "", "1", "99999.00"),
    ]
    html = page(client, uploaded(client, sheets.payroll(rows)))
    for expected in (
        "C5 的“no@@x”不是可用的邮箱地址",
        "C6 没有邮箱地址",
        "与第 3 行重复",
        "第 8 行：合计行",
        "99999.00",
        "不一致",
        "确认这 3 位",
        "9000.00",
    ):
        assert expected in html


def test_the_sheet_is_chosen_then_confirmed_and_leads_to_a_campaign(client: Client) -> None:
    table = [sheets.HEADER, *sheets.people(2)]
    workbook = uploaded(client, sheets.xlsx({"10月": table, "11月": table}))
    assert "读取哪一个" in page(client, workbook)
    choice = {"reading": workbook.reading, "sheet": "11月"}
    client.post(f"/workbooks/{workbook.pk}/choose/", choice)
    load.read(workbook.pk)
    workbook = again(workbook)
    client.post(f"/workbooks/{workbook.pk}/confirm/", {"reading": workbook.reading})
    assert again(workbook).state == ReadingState.CONFIRMED
    assert f"/campaigns/new/?kind=payslip&amp;audience=workbook:{workbook.pk}" in page(
        client, workbook
    )


def layout(workbook: Workbook, **changes: Any) -> dict[str, Any]:
    first, last = workbook.header_range
    return {
        "reading": workbook.reading,
        "sheet": workbook.sheet,
        "header_first": first,
        "header_last": last,
        "address_column": workbook.address_column,
        "name_column": workbook.name_column,
        **changes,
    }


def test_header_and_columns_are_corrected_and_read_again(client: Client) -> None:
    workbook = uploaded(client, sheets.payroll(2))
    url = f"/workbooks/{workbook.pk}/choose/"
    client.post(url, layout(workbook, name_column=0))
    load.read(workbook.pk)
    workbook = again(workbook)
    assert (workbook.name_column, workbook.address_column) == (0, 2)
    client.post(url, layout(workbook, header_first=1))
    load.read(workbook.pk)
    assert again(workbook).header_rows == [1, 2]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"header_first": 5}, "末行不能在首行之前"),
        ({"header_first": ""}, "要一起填写"),
        ({"header_last": 60}, "表头最多"),
    ],
)
def test_an_impossible_header_is_refused_in_a_sentence(
    client: Client, changes: dict[str, Any], sentence: str
) -> None:
    workbook = uploaded(client, sheets.payroll(2))
    response = client.post(f"/workbooks/{workbook.pk}/choose/", layout(workbook, **changes))
    assert (response.status_code, sentence in text(response)) == (422, True)
    assert again(workbook).state == ReadingState.READ


def test_a_row_left_out_is_taken_from_the_page(client: Client) -> None:
    rows = [*sheets.people(1), ("合计", "", "sum@example.com", "1", "1")]
    workbook = uploaded(client, sheets.payroll(rows))
    act = {"reading": workbook.reading, "rows": "1", "take": ["4", "x"]}
    client.post(f"/workbooks/{workbook.pk}/choose/", act)
    load.read(workbook.pk)
    assert again(workbook).row_count == 2
    assert "已改为读取" in page(client, workbook)


def test_a_choice_while_it_is_being_read_is_refused(client: Client) -> None:
    workbook = uploaded(client, sheets.payroll(2))
    Workbook.objects.update(state=ReadingState.READING)
    response = client.post(
        f"/workbooks/{workbook.pk}/choose/", layout(workbook, name_column=0), follow=True
    )
    assert "正在读取、已经确认或刚被别人更改" in text(response)
    assert again(workbook).choices == {}


def test_a_stale_reading_is_not_confirmed(client: Client) -> None:
    workbook = uploaded(client, sheets.payroll(2))
    Workbook.objects.update(reading=workbook.reading + 1)
    response = client.post(
        f"/workbooks/{workbook.pk}/confirm/", {"reading": workbook.reading}, follow=True
    )
    assert "内容已经变化" in text(response)
    assert again(workbook).state == ReadingState.READ


def test_many_problems_of_a_kind_have_a_page_of_their_own(client: Client) -> None:
    rows = [*sheets.people(1), *(("G", f"无{n}", "", "1", "1") for n in range(60))]
    workbook = uploaded(client, sheets.payroll(rows))
    assert "查看全部 60 条" in page(client, workbook)
    listed = text(client.get(f"/workbooks/{workbook.pk}/rows/?kind=no-address"))
    assert listed.count("没有邮箱地址，这一行没有收件人") == 60


def test_the_pages_take_few_queries(client: Client, django_assert_max_num_queries: Any) -> None:
    workbook = uploaded(client, sheets.payroll(40))
    for url in ("/workbooks/", f"/workbooks/{workbook.pk}/", f"/workbooks/{workbook.pk}/rows/"):
        with django_assert_max_num_queries(11):
            assert client.get(url).status_code == 200


# Who may see what -------------------------------------------------------------------------------------


def canary_book(client: Client) -> Workbook:
    rows = [("G1", "李雷", "lilei@example.com", "1", CANARY), ("G2", "坏", "8888.88@@", "1", "1")]
    return uploaded(client, sheets.payroll(rows))


@pytest.mark.parametrize("roles", [(Role.OWNER,), (Role.MARKETER,), (Role.HR,)])
@pytest.mark.parametrize("superuser", [False, True])
def test_a_payrolls_content_is_for_those_with_a_grant_alone(
    client: Client, scene: Scene, roles: tuple[Role], superuser: bool
) -> None:
    workbook = canary_book(client)
    other = scene.client(user=scene.user(*roles, is_superuser=superuser))
    html = page(other, workbook)
    assert "内容不对您公开" in html
    assert "工资.xlsx" in html
    assert not any(word in html for word in (CANARY, "李雷", "lilei@", "8888.88@@"))
    assert other.get(f"/workbooks/{workbook.pk}/rows/").status_code == 403
    for act in ("choose", "confirm"):
        url = f"/workbooks/{workbook.pk}/{act}/"
        assert other.post(url, {"reading": workbook.reading}).status_code == 403


def test_a_grant_without_the_right_is_not_enough(client: Client, scene: Scene) -> None:
    workbook = canary_book(client)
    former = scene.user(Role.MARKETER)
    ContentGrant.objects.create(team=scene.team, user=former, workbook=workbook)
    assert CANARY not in page(scene.client(user=former), workbook)


@pytest.mark.parametrize(
    "act", ["", "progress/", "rows/", "choose/", "confirm/", "delete/", "import/"]
)
def test_another_teams_workbook_is_not_there(client: Client, act: str) -> None:
    workbook = canary_book(client)
    other = Scene().client(Role.HR, Role.MARKETER)
    url = f"/workbooks/{workbook.pk}/{act}"
    method = other.get if act in ("", "progress/", "rows/") else other.post
    assert method(url).status_code == 404
    assert Workbook.objects.filter(pk=workbook.pk).exists()


def test_a_salary_is_in_no_log_url_message_or_session(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="django.db.backends")
    # Statements are logged with their parameters too: what rows say is ciphertext in them.
    with CaptureQueriesContext(connection):
        workbook = canary_book(client)
        shown = client.get(f"/workbooks/{workbook.pk}/")
        response = client.post(
            f"/workbooks/{workbook.pk}/confirm/", {"reading": workbook.reading}, follow=True
        )
    assert CANARY in text(shown)
    assert "no-store" in shown.headers["Cache-Control"]
    assert CANARY not in "".join(str(message) for message in response.context["messages"])
    assert CANARY not in repr(response.redirect_chain)
    assert CANARY not in repr(dict(client.session))
    assert "INSERT INTO" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("act", ["choose", "confirm", "delete", "import"])
def test_get_changes_nothing(scene: Scene, act: str) -> None:
    client = scene.client(Role.HR, Role.MARKETER)
    workbook = canary_book(client)
    assert client.get(f"/workbooks/{workbook.pk}/{act}/").status_code == 405


# Deleting ---------------------------------------------------------------------------------------------


def test_deleting_destroys_the_content(client: Client) -> None:
    workbook = canary_book(client)
    client.post(f"/workbooks/{workbook.pk}/delete/")
    for model in (Workbook, WorkbookFile, DataKey):
        assert not model.objects.exists()


def test_a_campaign_that_needs_it_is_named_and_a_finished_one_keeps_its_record(
    client: Client, scene: Scene, hr: User
) -> None:
    workbook = scene.workbook(hr)
    campaign = scene.payslips(hr, workbook=workbook, name="十一月群发")
    response = client.post(f"/workbooks/{workbook.pk}/delete/", follow=True)
    assert "“十一月群发”还需要它" in text(response)
    campaign.state = CampaignState.FINISHED
    campaign.save()
    client.post(f"/workbooks/{workbook.pk}/delete/")
    assert "内容已销毁" in page(client, workbook)
    assert "内容已销毁" in text(client.get("/workbooks/"))
    assert client.get(f"/workbooks/{workbook.pk}/rows/").status_code == 302


def test_a_payroll_may_be_destroyed_by_any_hr_but_by_no_owner(client: Client, scene: Scene) -> None:
    workbook = canary_book(client)
    url = f"/workbooks/{workbook.pk}/delete/"
    assert scene.client(Role.OWNER).post(url).status_code == 403
    assert scene.client(Role.HR).post(url).status_code == 302
    assert not Workbook.objects.exists()
