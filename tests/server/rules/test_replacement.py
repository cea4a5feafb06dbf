"""Remaining life: straight line by years and hours, never negative, never more than whole."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.replacement import Extension, Life, remaining

TODAY = date(2026, 1, 1)


@pytest.mark.parametrize(
    ("life", "years", "basis", "value"),
    [
        (Life(date(2016, 1, 1), years=20, cost=Decimal(1000)), 9.999, "years", "499.93"),
        (Life(date(2016, 1, 1), years=5, cost=Decimal(1000)), 0.0, "years", "0.00"),
        (Life(date(2016, 1, 1), years=5, extensions=[Extension(years=7)]), 1.999, "years", None),
        (Life(date(2016, 1, 1), hours=40_000, run_hours=20_000), 10.001, "hours", None),
        (Life(date(2016, 1, 1), years=30, hours=40_000, run_hours=30_000), 3.334, "hours", None),
        (Life(date(2016, 1, 1), years=11, hours=40_000, run_hours=20_000), 0.999, "years", None),
        (Life(date(2027, 1, 1), years=10, cost=Decimal(10)), 10.0, "years", "10.00"),
    ],
)
def test_the_basis_that_ends_first_decides(life: Life, years: float, basis: str, value: str | None) -> None:
    found = remaining(life, TODAY)

    assert found is not None
    assert found.years == pytest.approx(years, abs=0.01)
    assert found.basis == basis
    assert found.value == (None if value is None else Decimal(value))


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert remaining(Life(None, years=10), TODAY) is None
    assert remaining(Life(date(2020, 1, 1)), TODAY) is None


def test_an_asset_that_never_ran_has_hours_but_no_day() -> None:
    found = remaining(Life(date(2020, 1, 1), hours=100), TODAY)

    assert found is not None
    assert (found.hours, found.years, found.ends_on) == (100, None, None)


@given(
    st.dates(date(1950, 1, 1), date(2050, 1, 1)),
    st.floats(0.1, 200),
    st.floats(1, 2e6),
    st.floats(0, 4e6),
    st.lists(st.builds(Extension, st.floats(0, 50), st.floats(0, 1e5)), max_size=3),
)
def test_what_is_left_is_a_share_and_an_extension_never_takes_away(
    installed: date, years: float, hours: float, run: float, extensions: list[Extension]
) -> None:
    bare = remaining(Life(installed, years, hours, run, cost=Decimal(1000)), TODAY)
    longer = remaining(Life(installed, years, hours, run, extensions, Decimal(1000)), TODAY)

    assert bare is not None
    assert longer is not None
    assert 0 <= bare.share <= 1
    assert bare.years is not None
    assert bare.years >= 0
    assert bare.value is not None
    assert 0 <= bare.value <= 1000
    assert longer.years is not None
    assert longer.years >= bare.years - 1e-9
