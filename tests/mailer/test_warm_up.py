"""Warm-up: each day's amount until the full limit."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.warm_up import Ramp

START = date(2026, 11, 24)


def amounts(ramp: Ramp) -> list[int]:
    return [amount for _day, amount in ramp.days()]


def test_it_grows_by_its_factor_until_it_is_full() -> None:
    ramp = Ramp(START, 50, Decimal("1.5"), 300)
    assert amounts(ramp) == [50, 75, 112, 168, 252, 300]
    assert ramp.amount_on(START + timedelta(days=4)) == 252
    assert ramp.amount_on(START + timedelta(days=5)) is None, "only the relay's own limits"


def test_a_table_counts_alone() -> None:
    assert amounts(Ramp(START, 1, Decimal(9), 500, (20, 20, 80))) == [20, 20, 80, 500]


def test_before_it_begins_the_first_days_amount_holds() -> None:
    assert Ramp(START, 50, Decimal(2), 300).amount_on(START - timedelta(days=30)) == 50


@given(st.integers(1, 500), st.decimals("1.05", "10", places=2), st.integers(2, 100_000))
def test_no_day_allows_less_than_the_one_before(first: int, factor: Decimal, full: int) -> None:
    found = amounts(Ramp(START, first, factor, full))
    assert found == sorted(found)
    assert found[-1] == full
    assert len(found) <= 367
