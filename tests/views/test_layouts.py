"""The layout's pages: buttons do everything, scripts only make it smoother; and the offer on a workbook's page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from accounts.models import Role
from campaigns.models import Campaign, PayslipLayout
from campaigns.pipeline import control, layouts
from tests.documents.test_layout import png
from tests.views.scene import CANARY, Scene

pytestmark = pytest.mark.django_db
COLUMNS = ["姓名", "邮箱", "应发", "实发"]


@pytest.fixture
def client(scene, hr):
    return scene.client(user=hr)


@pytest.fixture
def book(scene, hr):
    return scene.workbook(hr)


@pytest.fixture
def row(scene, hr, book) -> PayslipLayout:
    return layouts.make(team=scene.team, user=hr, workbook=book, name="排版")


def text(response: Any) -> str:
    return response.content.decode()


def frame(row: PayslipLayout, **more: str) -> dict[str, str]:
    """What the form sends beside the columns' fields, which keep what they are where they are not sent."""
    row.refresh_from_db()
    return {"version": str(row.version), "name": row.name, "accent": "teal", **more}


def columns(row: PayslipLayout) -> list[str]:
    row.refresh_from_db()
    return layouts.drawn(row).layout.names()


class TestTheEditor:
    def test_hr_makes_one_of_a_payrolls_columns(self, client, book):
        page = client.post("/layouts/new/", {"workbook": book.pk, "name": ""}, follow=True)
        assert PayslipLayout.objects.get().name == book.name.removesuffix(".xlsx")
        assert all(f'value="{name}"' in text(page) for name in COLUMNS)

    def test_buttons_move_and_undo_without_scripts(self, client, row):
        before = columns(row)
        url = f"/layouts/{row.pk}/"
        assert client.post(url, frame(row, do="down-0")).status_code == 302
        assert columns(row) == [before[1], before[0], *before[2:]]
        client.post(url, frame(row, do="undo"))
        assert columns(row) == before

    def test_fields_are_saved_and_a_typed_text_needs_no_new_form(self, client, row):
        given = frame(
            row,
            **{
                "hide-2": "zero",
                "label-2": "应发合计",
                "company": "甲公司",
                "workbook": "none",
                "shown-workbook": "none",
            },
        )
        answer = client.post(f"/layouts/{row.pk}/", given, headers={"HX-Request": "true"})
        assert answer["HX-Retarget"] == "#layout-frame"
        assert 'name="version" value="2"' in text(answer)
        row.refresh_from_db()
        saved = list(layouts.drawn(row).layout.columns())[2]
        assert (saved.label, saved.hide, layouts.drawn(row).layout.company) == (
            "应发合计",
            "zero",
            "甲公司",
        )

    def test_the_second_of_two_people_is_told(self, client, row):
        stale = frame(row, company="乙")
        client.post(f"/layouts/{row.pk}/", frame(row, company="甲"))
        page = client.post(f"/layouts/{row.pk}/", stale, follow=True)
        assert "别人刚刚改过这个排版" in text(page)
        row.refresh_from_db()
        assert layouts.drawn(row).layout.company == "甲"

    @pytest.mark.parametrize(
        ("field", "value"),
        [("note", "{{ 姓名 }}"), ("company", "{% if %}"), ("name", ""), ("accent", "pink")],
    )
    def test_what_cannot_be_said_to_everybody_is_refused(self, client, row, field, value):
        assert client.post(f"/layouts/{row.pk}/", frame(row, **{field: value})).status_code == 422
        row.refresh_from_db()
        assert row.version == 1

    @pytest.mark.parametrize(
        "do", ["up-99", "down-x", "groupdrop-7", "groupup-0", "place", "nonsense", "up-" + "9" * 30]
    )
    def test_a_number_that_is_not_there_changes_nothing(self, client, row, do):
        before = columns(row)
        assert client.post(f"/layouts/{row.pk}/", frame(row, do=do)).status_code == 302
        assert columns(row) == before

    def test_columns_that_differ_are_named_and_decided_one_by_one(self, scene, hr, client, row):
        other = scene.workbook(
            hr,
            columns=["姓名", "邮箱", "应发合计", "实发", "餐补"],
            rows=[("甲", "a@x.example", "1.00", "2.00", "3.00")],
        )
        url = f"/layouts/{row.pk}/?workbook={other.pk}"
        page = text(client.get(url))
        assert "找不到“应发”" in page
        assert "新的列“餐补”" in page
        given = frame(row, workbook=str(other.pk), **{"gone-0": "is:0", "come-1": "hide"})
        client.post(f"/layouts/{row.pk}/", given)
        assert sorted(columns(row)) == sorted(["姓名", "邮箱", "应发合计", "实发", "餐补"])
        assert [c.column for c in layouts.drawn(row).layout.columns() if c.hide == "always"][
            -1
        ] == "餐补"
        assert "decisions" not in text(client.get(url))


class TestThePreview:
    def test_it_shows_a_real_row_to_who_may_read_it_and_samples_to_others(
        self, scene, client, row, book
    ):
        url = f"/layouts/{row.pk}/preview/?workbook={book.pk}&row=3"
        assert CANARY in text(client.get(url))
        other = scene.client(Role.HR)
        assert other.get(url).status_code == 404
        assert CANARY not in text(other.get(f"/layouts/{row.pk}/preview/"))

    def test_it_runs_nothing_and_is_kept_nowhere(self, client, row):
        answer = client.get(f"/layouts/{row.pk}/preview/")
        assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert "no-store" in answer["Cache-Control"]


def test_a_logo_is_taken_and_goes_again(client, row, tmp_path):
    path = tmp_path / "logo.png"
    path.write_bytes(png(40, 20))
    with path.open("rb") as file:
        client.post(f"/layouts/{row.pk}/logo/", {"logo": file})
    assert "data:image/png" not in text(client.get(f"/layouts/{row.pk}/"))
    assert "data:image/png" in text(client.get(f"/layouts/{row.pk}/preview/"))
    path.write_bytes(b"<svg/>")
    with path.open("rb") as file:
        page = client.post(f"/layouts/{row.pk}/logo/", {"logo": file}, follow=True)
    assert "请用 PNG 或 JPEG" in text(page)
    client.post(f"/layouts/{row.pk}/logo/")
    row.refresh_from_db()
    assert row.logo == ""


def test_one_that_a_draft_needs_is_not_deleted(scene, hr, client, row):
    draft = scene.payslips(hr, layout=row)
    client.post(f"/layouts/{row.pk}/delete/")
    assert PayslipLayout.objects.filter(pk=row.pk).exists()
    draft.delete()
    client.post(f"/layouts/{row.pk}/delete/")
    assert not PayslipLayout.objects.filter(pk=row.pk).exists()


def test_the_list_asks_the_same_of_many_as_of_one(
    scene, hr, client, row, book, django_assert_max_num_queries
):
    for number in range(5):
        layouts.make(team=scene.team, user=hr, workbook=book, name=f"排版{number}")
    with django_assert_max_num_queries(8):
        assert text(client.get("/layouts/")).count("/layouts/") >= 6


def test_a_new_campaign_is_laid_out_by_itself(scene, hr, client, book):
    relay = scene.relay()
    page = client.get(f"/campaigns/new/?kind=payslip&audience=workbook:{book.pk}")
    assert re.search(r'<option value="new" selected', text(page))
    given = {
        "kind": "payslip", "name": "2026年10月", "audience": f"workbook:{book.pk}", "layout": "new", "template": "",
        "relay": relay.pk, "from_address": "hr@corp.example", "in_doubt_policy": "ask", "duplicates": "",
        "password_tail": 6,
    }  # fmt: skip
    client.post("/campaigns/new/", given)
    campaign = Campaign.objects.get()
    assert campaign.layout is not None
    assert campaign.layout.name == "2026年10月"
    assert client.post("/campaigns/new/", given | {"layout": ""}).status_code == 422


class TestNextMonth:
    @pytest.fixture
    def last(self, scene, hr, book, row) -> Campaign:
        campaign = scene.payslips(
            hr, workbook=book, layout=row, template=None, name="2026年10月工资条"
        )
        Campaign.objects.filter(pk=campaign.pk).update(template=None)
        campaign.refresh_from_db()
        assert control.launch(campaign, hr)
        return campaign

    def test_the_offer_names_its_source_and_one_post_makes_the_draft(self, scene, hr, client, last):
        new = scene.workbook(
            hr,
            name="2026年11月.xlsx",
            sheet="工资",
            columns=[*COLUMNS, "餐补"],
            rows=[("甲", "a@x.example", "1.00", "2.00", "3.00")],
        )
        card = text(client.get(f"/workbooks/{new.pk}/next/", headers={"HX-Request": "true"}))
        assert "表头和“2026年10月工资条”差不多" in card
        assert "新的列：“餐补”" in card
        answer = client.post(
            f"/workbooks/{new.pk}/next/",
            {"source": last.pk, "name": "2026年11月工资条", "subject": ""},
        )
        draft = Campaign.objects.get(workbook=new)
        assert answer["Location"] == f"/campaigns/{draft.pk}/"
        assert draft.continues == last
        assert "沿用自" in text(client.get(f"/campaigns/{draft.pk}/"))

    def test_an_unconfirmed_workbook_and_a_foreign_source_make_none(self, scene, hr, client, last):
        new = scene.workbook(hr, state="read")
        given = {"source": last.pk, "name": "x", "subject": ""}
        client.post(f"/workbooks/{new.pk}/next/", given)
        other = Scene()
        theirs = other.payslips(other.user(Role.HR))
        assert (
            client.post(f"/workbooks/{new.pk}/next/", given | {"source": theirs.pk}).status_code
            == 404
        )
        assert not Campaign.objects.filter(workbook=new).exists()

    def test_who_may_not_read_the_workbook_sees_no_offer(self, scene, last, book):
        assert scene.client(Role.HR).get(f"/workbooks/{book.pk}/next/").status_code == 403
