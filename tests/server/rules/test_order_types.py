"""When an order is late and when its promise is broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.order_types import DONE, is_breached, is_overdue
from server.rules.work_order import OrderState

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("state", "due", "late"),
    [
        ("open", "before", True),
        ("on_hold", "before", True),
        ("reopened", "before", True),
        ("open", "after", False),
        ("open", "now", False),
        ("open", "never", False),
        ("completed", "before", False),
        ("verified", "before", False),
        ("cancelled", "before", False),
    ],
)
def test_what_is_not_done_after_its_time_is_overdue(state: str, due: str, late: bool) -> None:
    times = {"before": BEFORE, "after": AFTER, "now": NOW, "never": None}

    assert is_overdue(OrderState(state), times[due], NOW) is late


@pytest.mark.parametrize(
    ("state", "completed", "broken"),
    [
        ("open", None, True),
        ("completed", "before", False),
        ("completed", "after", True),
        ("verified", "after", True),
        ("cancelled", None, False),
    ],
)
def test_a_promise_is_broken_by_what_is_done_too_late_and_stays_broken(state: str, completed: str | None, broken: bool) -> None:
    sla_at = NOW - timedelta(seconds=30)
    times = {None: None, "before": BEFORE, "after": NOW}

    assert is_breached(OrderState(state), sla_at, times[completed], NOW) is broken
    assert is_breached(OrderState(state), None, times[completed], NOW) is False


@given(st.sampled_from(OrderState), st.integers(-(10**6), 10**6), st.integers(0, 10**6))
def test_time_alone_only_ever_makes_an_order_later(state: OrderState, due_s: int, passed_s: int) -> None:
    due, later = NOW + timedelta(seconds=due_s), NOW + timedelta(seconds=passed_s)

    assert is_overdue(state, due, NOW) <= is_overdue(state, due, later)
    assert is_overdue(state, due, later) <= is_breached(state, due, None, later)
    assert not (state in DONE and is_overdue(state, due, later))
