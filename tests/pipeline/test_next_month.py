"""Next month's workbook is known by its columns and offered what the last one was sent with, in words and by one click."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.models import Campaign, CampaignRelay, PayslipLayout, SendingHours, Workbook
from campaigns.pipeline import control, destroy, layouts, next_month, preflight
from tests import cast

pytestmark = pytest.mark.django_db

ADDRESS = "li@corp.example.com"


@pytest.fixture
def team():
    return cast.a_team()


@pytest.fixture
def hr(team):
    return cast.a_user(team)


def book_of(
    team: Any,
    *,
    rename: dict[str, str] | None = None,
    name: str = "2026年11月工资表.xlsx",
    **fields: Any,
) -> Workbook:
    """A payroll of the cast, its columns in another order and perhaps renamed."""
    book = cast.a_payroll(team, [ADDRESS])
    columns = [
        column | {"name": (rename or {}).get(column["name"], column["name"])}
        for column in book.columns
    ]
    Workbook.objects.filter(pk=book.pk).update(
        name=name, columns=columns, sha256="1" * 64, **fields
    )
    return Workbook.objects.get(pk=book.pk)


@pytest.fixture
def last(team, hr) -> Campaign:
    """October's, launched, with everything that a payslip campaign can be set to."""
    book = cast.a_payroll(team, [ADDRESS])
    cast.grant(hr, book)
    layout = layouts.make(team=team, user=hr, workbook=book, name="排版")
    campaign = cast.a_campaign(
        cast.a_relay(team), book, name="2026年10月工资条", subject="10月工资条", layout=layout,
        from_name="人事", reply_to=f"hr@{cast.DOMAIN}", attachment="pdf", password_column="工号",
        password_tail=4, password_hint="工号", confirm_days=14, in_doubt_policy="accept",
    )  # fmt: skip
    cast.grant(hr, campaign)
    assert control.launch(campaign, hr)
    Campaign.objects.filter(pk=campaign.pk).update(
        launched_at=timezone.now() - timedelta(days=30), state="finished"
    )
    campaign.refresh_from_db()
    return campaign


class TestTheOffer:
    def test_the_same_columns_in_any_order_are_known(self, team, hr, last):
        book = book_of(team)
        book.columns.reverse()
        (offer,) = next_month.offers(book, hr)
        assert offer.source == last
        assert offer.difference.is_same

    def test_its_month_is_the_workbooks(self, team, hr, last):
        (offer,) = next_month.offers(book_of(team), hr)
        assert (offer.name, offer.subject) == ("2026年11月工资条", "11月工资条")
        (later,) = next_month.offers(book_of(team, name="2026年12月.xlsx", sheet="工资"), hr)
        assert later.name == "2026年12月工资条"

    def test_new_missing_and_renamed_columns_are_named(self, team, hr, last):
        book = book_of(team, rename={"扣款/社保": "扣款/社保费", "工号": "餐补"})
        difference = next_month.offers(book, hr)[0].difference
        assert difference.renamed == {"扣款/社保": "扣款/社保费"}
        assert (difference.new, difference.missing) == (["餐补"], ["工号"])

    def test_a_column_named_by_its_month_is_the_same_column(self):
        difference = next_month.compare(["姓名", "2026年10月/奖金"], ["姓名", "2026年11月/奖金"])
        assert difference.renamed == {"2026年10月/奖金": "2026年11月/奖金"}

    def test_another_payroll_is_not_known(self, team, hr, last):
        other = {name: f"别的{number}" for number, name in enumerate(cast.COLUMNS) if number != 2}
        assert next_month.offers(book_of(team, rename=other), hr) == []

    def test_a_column_that_hr_chose_last_month_is_offered_again(self, team, hr, last):
        book = book_of(team, name_column=0)
        assert next_month.offers(book, hr)[0].reread == {"name_column": 1}

    def test_it_is_known_after_its_content_was_destroyed(self, team, hr, last):
        assert destroy.destroy(last.workbook) == []
        (offer,) = next_month.offers(book_of(team), hr)
        assert offer.difference.is_same

    def test_the_best_match_comes_first_and_of_equals_the_last_one_sent(self, team, hr, last):
        same = cast.a_campaign(
            last.relay, book_of(team), name="2026年9月工资条", layout=last.layout
        )
        cast.grant(hr, same)
        control.launch(same, hr)
        assert [offer.source for offer in next_month.offers(book_of(team), hr)] == [same, last]

    def test_who_may_not_read_it_is_offered_nothing(self, team, last):
        other = cast.a_user(team, email="bob@corp.example.com")
        assert next_month.offers(book_of(team), other) == []
        assert next_month.offer(last, book_of(team), other) is None


def begun(team: Any, hr: Any, book: Workbook, **renamed: str) -> Campaign:
    cast.grant(hr, book)
    offer = next_month.offers(book, hr)[0]
    return next_month.begin(
        offer, book, hr, name=offer.name, subject=offer.subject,
        renamed=renamed or offer.difference.renamed,
    )  # fmt: skip


class TestTheClick:
    def test_a_draft_has_all_of_it_and_says_where_from(self, team, hr, last):
        draft = begun(team, hr, book_of(team))
        for field in (*next_month.TAKEN, "layout_id", "password_column"):
            assert getattr(draft, field) == getattr(last, field), field
        assert (draft.state, draft.continues) == ("draft", last)
        assert draft.content_visible_to(hr)
        assert not preflight.blocks([f for f in preflight.check(draft) if f.kind != "public_url"])

    def test_shared_relays_and_own_hours_go_along(self, team, hr, last):
        other = cast.a_relay(team, name="第二个")
        for relay, weight in ((last.relay, 3), (other, 1)):
            CampaignRelay.objects.create(team=team, campaign=last, relay=relay, weight=weight)
        SendingHours.objects.create(team=team, campaign=last, opens=time(10), zone="Asia/Shanghai")
        draft = begun(team, hr, book_of(team))
        assert sorted(draft.carriers.values_list("relay", "weight")) == sorted(
            [(last.relay_id, 3), (other.pk, 1)]
        )
        assert draft.sending_hours.opens == time(10)
        assert last.sending_hours.opens == time(10)

    def test_confirmed_names_go_into_the_layout_and_the_passwords_rule(self, team, hr, last):
        renamed = {"扣款/社保": "扣款/社保费", "工号": "员工工号"}
        draft = begun(team, hr, book_of(team, rename=renamed))
        assert draft.password_column == "员工工号"
        row = PayslipLayout.objects.get()
        assert layouts.difference(layouts.drawn(row).layout, draft.workbook) == ([], [])
        assert layouts.undo(row, hr, version=row.version)

    def test_without_a_confirmation_the_preflight_stops(self, team, hr, last):
        book = book_of(team, rename={"扣款/社保": "扣款/社保费"})
        cast.grant(hr, book)
        offer = next_month.offers(book, hr)[0]
        draft = next_month.begin(offer, book, hr, name="x", subject="", renamed={})
        found = {finding.kind for finding in preflight.check(draft)}
        assert {"layout_missing", "layout_new"} <= found

    def test_a_deleted_layout_comes_back_as_it_was_sent(self, team, hr, last):
        PayslipLayout.objects.all().delete()
        draft = begun(team, hr, book_of(team))
        assert draft.layout is not None
        assert draft.layout.content == last.frozen_layout["layout"]

    def test_the_same_month_twice_is_still_blocked(self, team, hr, last):
        book = book_of(team, name="2026年10月补.xlsx")
        Campaign.objects.filter(pk=last.pk).update(launched_at=timezone.now(), state="running")
        draft = begun(team, hr, book)
        assert draft.name == last.name
        assert "sent_before" in {finding.kind for finding in preflight.check(draft)}
