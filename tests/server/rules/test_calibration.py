"""Errors in % of span, tolerances of accuracy classes, pass and fail, due dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules import calibration
from server.rules.calibration import Point

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
finite = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("said", "tolerance"),
    [
        ("0.5", 0.5),
        ("0,5 %", 0.5),
        ("class 1", 1.0),
        ("Cl. 1.6", 1.6),
        ("±0.25 % FS", 0.25),
        ("+/-0.1% of span", 0.1),
        ("1.0", 1.0),
        ("", None),
        ("A", None),
        ("class 0", None),
        ("0.5 bar", None),
        ("IEC 60751 B", None),
    ],
)
def test_accuracy_class_says_its_tolerance(said: str, tolerance: float | None) -> None:
    assert calibration.tolerance_of(said) == tolerance


def test_error_is_a_share_of_the_span_and_the_worst_keeps_its_sign() -> None:
    judged = calibration.judge([Point(0, 0.01), Point(5, 4.92), Point(10, 10.02)], 0, 10, 0.5)

    assert judged.errors_pct == (0.1, -0.8, 0.2)
    assert (judged.worst_pct, judged.passed) == (-0.8, False)


def test_an_error_on_the_edge_of_the_tolerance_passes() -> None:
    assert calibration.judge([Point(50, 50.5)], 0, 100, 0.5).passed


@pytest.mark.parametrize(("n", "right"), [(0, False), (1, True), (2, False), (4, False), (5, True), (11, True), (50, True), (51, False)])
def test_one_point_or_five_and_more(n: int, right: bool) -> None:
    assert (calibration.points_problem([Point(1, 1)] * n) is None) is right


@pytest.mark.parametrize(("days", "passed", "due"), [(365, True, AT + timedelta(days=365)), (None, True, None), (365, False, None)])
def test_next_due_follows_from_the_last_that_passed(days: int | None, passed: bool, due: datetime | None) -> None:
    assert calibration.next_due(AT, days, passed=passed) == due


@pytest.mark.parametrize(("due", "late"), [(None, False), (AT + timedelta(seconds=1), False), (AT, True), (AT - timedelta(days=1), True)])
def test_overdue_from_the_due_time_on(due: datetime | None, late: bool) -> None:
    assert calibration.is_overdue(due, AT) is late


def test_five_nominal_points_cover_the_span() -> None:
    assert calibration.nominal_points(-10, 30) == [-10, 0, 10, 20, 30]


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=50), finite, st.floats(0.01, 1e6), st.floats(0.001, 100))
def test_passed_exactly_when_no_point_is_beyond_the_tolerance(
    pairs: list[tuple[float, float]], low: float, span: float, tolerance: float
) -> None:
    judged = calibration.judge([Point(*pair) for pair in pairs], low, low + span, tolerance)

    assert judged.passed == all(abs(error) <= tolerance for error in judged.errors_pct)
    assert abs(judged.worst_pct) == max(abs(error) for error in judged.errors_pct)
