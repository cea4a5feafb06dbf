"""When an unanswered alert is told again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.events import Severity
from server.rules.escalation import Step, due_round, shift_works

RAISED = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
ONCE = Step(1, Severity.CRITICAL, timedelta(minutes=15))
AGAIN = Step(1, Severity.CRITICAL, timedelta(minutes=15), timedelta(minutes=10), 3)


@pytest.mark.parametrize(
    ("step", "minutes", "round_"),
    [
        (ONCE, 14, None),
        (ONCE, 15, 0),
        (ONCE, 500, 0),
        (AGAIN, 14.9, None),
        (AGAIN, 24.9, 0),
        (AGAIN, 25, 1),
        (AGAIN, 35, 2),
        (AGAIN, 900, 2),
    ],
)
def test_round_that_is_due(step: Step, minutes: float, round_: int | None) -> None:
    assert due_round(step, RAISED, RAISED + timedelta(minutes=minutes)) == round_


@given(st.integers(1, 600), st.none() | st.integers(1, 600), st.integers(1, 20), st.lists(st.integers(0, 100_000), min_size=1))
def test_rounds_never_go_back_nor_beyond_the_last(after: int, repeat: int | None, rounds: int, looks: list[int]) -> None:
    step = Step(1, Severity.WARNING, timedelta(minutes=after), repeat and timedelta(minutes=repeat), rounds)

    found = [due_round(step, RAISED, RAISED + timedelta(minutes=minutes)) for minutes in sorted(looks)]

    said = [round_ for round_ in found if round_ is not None]
    assert said == sorted(said)
    assert all(0 <= round_ < rounds for round_ in said)
    assert found[len(found) - len(said) :] == said  # once begun it does not fall silent


SHIFTS = [{"name": "A", "start": "06:00", "end": "14:00"}, {"name": "N", "start": "22:00", "end": "06:00"}]


@pytest.mark.parametrize(
    ("name", "hour", "works"), [("A", 6, True), ("A", 14, False), ("N", 23, True), ("N", 5, True), ("N", 6, False), ("X", 8, False)]
)
def test_a_shift_works_within_its_hours(name: str, hour: int, works: bool) -> None:
    assert shift_works(SHIFTS, name, RAISED.replace(hour=hour)) is works
