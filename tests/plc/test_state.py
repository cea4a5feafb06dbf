"""Operating state from role tags."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plc.state import Observed, StateWatch, operating_of
from tests.plc.harness import tag

TAGS = [tag(1, "M.running", "s", role="running", asset=9), tag(2, "M.code", "s", role="fault_code", asset=9), tag(3, "M.x", "s", asset=9)]


@pytest.mark.parametrize(
    ("inputs", "state"),
    [
        ({}, ("unknown", None)),
        ({"running": 1.0}, ("running", None)),
        ({"running": 0.0}, ("stopped", None)),
        ({"running": 0.0, "idle": 1.0}, ("idle", None)),
        ({"running": 0.0, "status": 2.0}, ("idle", None)),
        ({"running": 0.0, "status": 1.0}, ("stopped", None)),
        ({"running": 1.0, "status": 0.0}, ("running", None)),
        ({"status": 3.0}, ("fault", None)),
        ({"status": 99.0}, ("unknown", None)),
        ({"running": 1.0, "fault": 1.0}, ("fault", None)),
        ({"running": 1.0, "fault_code": 17.0}, ("fault", "17")),
        ({"running": 0.0, "fault_code": 0.0}, ("stopped", None)),
    ],
)
def test_role_values_mean_one_state(inputs: dict[str, float], state: tuple[str, str | None]) -> None:
    assert operating_of(inputs) == state


def test_a_change_is_told_when_it_has_been_steady_and_once() -> None:
    watch = StateWatch(TAGS, debounce_s=0.5)

    assert watch.observe([(1, 1.0)], 0.0) == []
    assert watch.observe([(1, 1.0)], 0.4) == []
    assert watch.observe([(1, 1.0)], 0.5) == [Observed(9, "running", None)]
    assert watch.observe([(1, 1.0)], 9.0) == []


def test_a_glitch_shorter_than_the_debounce_is_no_change() -> None:
    watch = StateWatch(TAGS, debounce_s=0.5)
    watch.observe([(1, 1.0)], 0.0)
    watch.settle(1.0)

    assert watch.observe([(2, 5.0)], 2.0) == []
    assert watch.observe([(2, 0.0)], 2.2) == []
    assert watch.settle(10.0) == []


def test_another_code_is_another_state() -> None:
    watch = StateWatch(TAGS, debounce_s=0.0)

    assert watch.observe([(2, 5.0)], 0.0) == [Observed(9, "fault", "5")]
    assert watch.observe([(2, 6.0)], 1.0) == [Observed(9, "fault", "6")]
    assert watch.observe([(2, 0.0)], 2.0) == [Observed(9, "unknown", None)]


def test_after_a_loss_the_state_is_told_anew() -> None:
    watch = StateWatch(TAGS, debounce_s=0.0)
    watch.observe([(1, 1.0)], 0.0)
    watch.forget()

    assert watch.settle(1.0) == []
    assert watch.observe([(1, 1.0)], 2.0) == [Observed(9, "running", None)]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.sampled_from([0.0, 1.0, 7.0]), st.floats(0, 0.4)), max_size=60))
def test_no_state_is_told_twice_in_a_row(steps: list[tuple[int, float, float]]) -> None:
    watch = StateWatch(TAGS, debounce_s=0.5)
    now = 0.0
    told: list[Observed] = []
    for number, value, gap in steps:
        now += gap
        told += watch.observe([(number, value)], now)

    assert all(a != b for a, b in itertools.pairwise(told))
