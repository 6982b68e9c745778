"""A campaign's payslips are drawn by its layout: mail, page and encrypted file say the same, and a launch freezes it."""

from __future__ import annotations

import base64
import email
import re
from dataclasses import replace
from email.policy import default
from typing import Any

import pypdfium2
import pytest

from campaigns.documents.layout import Column, Group, Hide, Layout
from campaigns.documents.layout_edit import column_moved, columns_renamed
from campaigns.models import Campaign, PayslipLayout
from campaigns.pipeline import control, layouts, preflight, release
from campaigns.pipeline.compose import Composer, Unsendable, source_of
from campaigns.pipeline.confirm import Slip, html_of
from campaigns.pipeline.preview import delivery_for, show
from tests import cast
from tests.documents.reading import pdf_text, xlsx_cells
from tests.documents.test_layout import png

pytestmark = pytest.mark.django_db

LAYOUT = Layout(
    (
        Group("到手", (Column("实发工资", "实发（元）", Hide.NEVER, strong=True),)),
        Group("明细", (Column("扣款/社保", "五险"), Column("应发/基本工资", "底薪", Hide.ZERO))),
        Group("", (Column("工号", "工号", Hide.ALWAYS), Column("姓名", "姓名", Hide.ALWAYS), Column("邮箱", "邮箱", Hide.ALWAYS))),
    ),
    company="甲公司",
    note="有疑问找我\n{不是字段}",
)  # fmt: skip


@pytest.fixture
def team():
    return cast.a_team()


@pytest.fixture
def hr(team):
    return cast.a_user(team)


@pytest.fixture
def layout(team, hr) -> PayslipLayout:
    return layouts.store(team=team, user=hr, content=LAYOUT.as_json(), name="排版")


@pytest.fixture
def campaign(team, hr, layout) -> Campaign:
    made = cast.a_campaign(
        cast.a_relay(team), cast.a_payroll(team, ["li@corp.example.com"]), layout=layout
    )
    made.template = None
    made.save()
    cast.grant(hr, made)
    return made


def shown(campaign: Campaign) -> Any:
    assert campaign.workbook is not None
    return show(campaign, delivery_for(campaign, campaign.workbook.rows[0]))


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


def kinds(campaign: Campaign) -> set[str]:
    return {finding.kind for finding in preflight.check(campaign)}


class TestTheMail:
    def test_it_says_hrs_labels_in_hrs_order_with_the_sheets_own_values(self, campaign):
        assert lines(shown(campaign).text)[3:] == [
            "以下是您的工资明细，请核对。", "到手", "实发（元）  8204.00", "明细", "五险  800.00", "底薪  9004.00",
            "有疑问找我", "{不是字段}",
            "工资信息属个人隐私，请勿转发。如有疑问，请直接联系人力资源部（人事部）。",
        ]  # fmt: skip

    def test_its_html_is_tables_with_inline_styles_and_net_pay_is_bold(self, campaign):
        html = shown(campaign).html
        assert re.findall(r"<b>(.*?)</b>", html) == ["甲公司", "实发（元）", "8204.00"]
        assert 'style="' in html.partition("<table")[2]
        assert "<div" not in html
        assert "prefers-color-scheme: dark" in html

    def test_the_campaigns_own_subject_wins(self, campaign):
        assert shown(campaign).subject == "11 月工资条"
        campaign.subject = "{{ 姓名 }}的工资条"
        assert shown(campaign).subject == "员工4的工资条"

    def test_a_template_of_ones_own_gets_the_layouts_cells(self, team, campaign):
        loop = "{% for cell in cells %}{{ cell.group }}-{{ cell.label }}-{{ cell.value }}{% if cell.strong %}!{% endif %};{% endfor %}"
        campaign.template = cast.a_template(team, html=f"<p>{loop}</p>", text="")
        assert (
            "到手-实发（元）-8204.00!;明细-五险-800.00;明细-底薪-9004.00;" in shown(campaign).html
        )

    def test_a_logo_travels_with_the_mail_and_stands_in_the_page(self, campaign, layout, hr):
        layouts.set_logo(layout, png(400, 100), hr)
        campaign.layout = layout
        found = shown(campaign)
        message = email.message_from_bytes(found.source, policy=default)
        assert message.get_content_type() == "multipart/related"
        texts, picture = message.iter_parts()
        assert [part.get_content_type() for part in texts.iter_parts()] == [
            "text/plain",
            "text/html",
        ]
        assert picture["Content-ID"] == "<logo@hongyan>"
        assert picture.get_content() == png(400, 100)
        assert 'src="cid:logo@hongyan"' in texts.get_body(("html",)).get_content()
        assert f"data:image/png;base64,{base64.b64encode(png(400, 100)).decode()}" in found.html
        assert 'width="192" height="48"' in found.html

    def test_the_slip_page_shows_the_same(self, campaign):
        delivery = delivery_for(campaign, campaign.workbook.rows[0])
        html = html_of(Slip(delivery, delivery, None, ""))  # type: ignore[arg-type]
        assert html.index("实发（元）") < html.index("五险") < html.index("底薪")


class TestTheFile:
    @pytest.fixture
    def attached(self, campaign) -> Campaign:
        campaign.attachment, campaign.password_column, campaign.password_tail = "pdf", "工号", 0
        campaign.save()
        return campaign

    def test_a_pdf_reader_copies_out_hrs_labels_in_hrs_order_with_the_right_password_alone(
        self, attached
    ):
        found = shown(attached)
        (file,) = found.files
        assert lines(pdf_text(file.data, "00004")) == [
            "甲公司", "11 月工资条", "员工4", "到手", "实发（元） 8204.00", "明细", "五险 800.00", "底薪 9004.00",
            "有疑问找我", "{不是字段}", "工资信息属个人隐私，请勿转发。",
        ]  # fmt: skip
        for wrong in (None, "", "00005"):
            with pytest.raises(pypdfium2.PdfiumError, match="password"):
                pdf_text(file.data, wrong)
        assert "8204.00" not in found.text + found.html

    def test_so_does_the_workbook(self, attached):
        attached.attachment = "xlsx"
        rows = xlsx_cells(shown(attached).files[0].data, "00004")
        assert [row for row in rows if row[1]] == [
            ["实发（元）", "8204.00"], ["五险", "800.00"], ["底薪", "9004.00"],
        ]  # fmt: skip


class TestTheLaunch:
    def test_what_was_launched_stays_though_the_layout_goes_on(self, campaign, layout, hr):
        assert control.launch(campaign, hr)
        campaign.refresh_from_db()
        before = shown(campaign).html
        layouts.change(layout, column_moved(LAYOUT, 1, 1), hr, version=1)
        layout.delete()
        again = Campaign.objects.get(pk=campaign.pk)
        assert shown(again).html == before

    def test_back_in_a_draft_it_follows_the_layout_again(self, campaign, layout, hr):
        control.launch(campaign, hr)
        control.unschedule(campaign)
        layouts.change(layout, columns_renamed(replace(LAYOUT, note=""), {}), hr, version=1)
        again = Campaign.objects.get(pk=campaign.pk)
        assert (again.frozen_layout, again.frozen_columns) == (None, [])
        assert "有疑问找我" not in shown(again).html

    def test_a_release_is_for_this_layout(self, campaign, layout, hr):
        before = release.content_hash(campaign, source_of(campaign))
        layouts.change(layout, column_moved(LAYOUT, 1, 1), hr, version=1)
        again = Campaign.objects.get(pk=campaign.pk)
        assert release.content_hash(again, source_of(again)) != before


class TestAWorkbookThatDiffers:
    def test_nothing_is_said_where_it_fits(self, campaign):
        assert not kinds(campaign) & {"layout_missing", "layout_new", "no_template"}

    def test_a_missing_column_is_named_blocks_and_never_sends_an_incomplete_slip(
        self, campaign, layout
    ):
        changed = columns_renamed(LAYOUT, {"扣款/社保": "扣款/大病"})
        PayslipLayout.objects.filter(pk=layout.pk).update(content=changed.as_json())
        campaign.refresh_from_db()
        found = {f.kind: f for f in preflight.check(campaign) if f.severity == preflight.BLOCK}
        assert found["layout_missing"].params == {"columns": "扣款/大病"}
        assert found["layout_new"].params == {"columns": "扣款/社保"}
        composer = Composer(campaign, campaign.relay)
        with pytest.raises(Unsendable) as stopped:
            composer.render(delivery_for(campaign, campaign.workbook.rows[0]))
        assert (stopped.value.reason, stopped.value.detail) == ("layout_column", "扣款/大病")

    def test_a_subject_with_an_unknown_field_blocks(self, campaign):
        campaign.subject = "{{ 没有 }}"
        assert "subject_fault" in kinds(campaign)

    def test_a_subject_beside_an_encrypted_file_gives_no_amount_away(self, campaign):
        campaign.subject, campaign.attachment, campaign.password_column = (
            "{{ 实发工资 }}",
            "pdf",
            "工号",
        )
        assert "subject_in_clear" in kinds(campaign)


class TestChanges:
    def test_they_can_be_undone_one_by_one(self, layout, hr):
        for note in ("一", "二"):
            assert layouts.change(layout, replace(LAYOUT, note=note), hr, version=layout.version)
        assert layouts.undo(layout, hr, version=layout.version)
        assert layouts.drawn(layout).layout.note == "一"
        assert layouts.undo(layout, hr, version=layout.version)
        assert layouts.drawn(layout).layout == LAYOUT
        assert not layouts.undo(layout, hr, version=layout.version)

    def test_the_second_of_two_people_overwrites_nothing(self, layout, hr):
        assert layouts.change(layout, replace(LAYOUT, note="甲"), hr, version=1)
        assert not layouts.change(layout, replace(LAYOUT, note="乙"), hr, version=1)
        assert layouts.drawn(layout).layout.note == "甲"

    def test_a_new_one_is_made_of_the_columns_under_a_free_name(self, team, hr, layout):
        book = cast.a_payroll(team, ["a@corp.example.com"])
        made = [layouts.make(team=team, user=hr, workbook=book, name="排版") for _ in range(2)]
        assert [row.name for row in made] == ["排版 (2)", "排版 (3)"]
        assert sorted(layouts.drawn(made[0]).layout.names()) == sorted(cast.COLUMNS)
        assert layouts.difference(layouts.drawn(made[0]).layout, book) == ([], [])

    @pytest.mark.parametrize("data", [b"<svg/>", png()[:-30] + b"\0" * 30])
    def test_a_picture_that_no_document_could_hold_is_refused(self, layout, hr, data):
        with pytest.raises(layouts.LogoFault):
            layouts.set_logo(layout, data, hr)
