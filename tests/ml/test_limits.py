"""The limit state machine: ISA-18.2's deadband and delays, and what no sequence of readings may do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.book import Book
from ml.channels import Channels
from ml.detectors.limits import Limits
from ml.scoring import RUNNING, STOPPED, UNKNOWN
from realtime.events import Finding
from realtime.snapshot import Limit
from tests.ml.plant import T0, chunk, quiet_settings, snapshot, tag


def book_of(*limits: Limit) -> tuple[Limits, Book]:
    channels = Channels(snapshot(tag(11, low=0.0, high=100.0, limits=list(limits))), 1)
    one = Limits(channels, quiet_settings())
    return one, Book(channels, {"limits": one}, frozenset())


def edges(values: list[float], *limits: Limit, running: int = RUNNING) -> list[tuple[int, str, str | None]]:
    """(second, edge, severity) of the findings that one reading a second makes."""
    one, book = book_of(*limits)
    found: list[tuple[int, str, str | None]] = []
    for i, value in enumerate(values):
        for f in book.fold("limits", one.score(chunk([0], [value], T0 + i * 1000, running=running))):
            if f.edge != "update" or f.severity == "critical":
                found.append((i, f.edge, f.severity))
    return found


def high(value: float = 80.0, **fields: object) -> Limit:
    return Limit(**{"side": "high", "value": value, "severity": "warning", **fields})  # type: ignore[arg-type]


def test_limit_raises_above_and_clears_below_its_deadband() -> None:
    assert edges([79, 81, 79.5, 78.5, 77], high(deadband=2.0)) == [(1, "open", "warning"), (4, "close", "warning")]


def test_on_delay_swallows_a_short_excursion() -> None:
    assert edges([81, 81, 79, 81, 81, 81, 81], high(on_delay_s=3.0)) == [(6, "open", "warning")]


def test_off_delay_keeps_the_alarm_through_a_short_return() -> None:
    assert edges([81, 79, 81, 79, 79, 79, 79], high(off_delay_s=3.0)) == [(0, "open", "warning"), (6, "close", "warning")]


def test_low_side_mirrors_the_high_one() -> None:
    assert edges([10, 4, 5.5, 7], Limit(side="low", value=5.0, severity="critical", deadband=1.0)) == [
        (1, "open", "critical"),
        (3, "close", "critical"),
    ]


def test_two_levels_of_one_side_are_one_alarm_that_grows_worse_at_once() -> None:
    levels = (high(80.0), high(90.0, severity="critical"))

    assert edges([85, 95, 95, 85, 70], *levels)[:2] == [(0, "open", "warning"), (1, "update", "critical")]
    assert [e for _, e, _ in edges([85, 95, 85, 70], *levels)].count("close") == 1


@pytest.mark.parametrize(
    ("holds", "running", "raised"),
    [
        ("running", RUNNING, True),
        ("running", STOPPED, False),
        ("running", UNKNOWN, False),
        ("stopped", STOPPED, True),
        ("stopped", RUNNING, False),
        ("always", UNKNOWN, True),
    ],
)
def test_limit_holds_in_the_state_it_names(holds: str, running: int, raised: bool) -> None:
    assert bool(edges([81, 81], high(holds=holds), running=running)) is raised


def test_standing_alarm_ends_when_the_machine_stops_but_not_when_its_state_is_unknown() -> None:
    one, book = book_of(high())
    book.fold("limits", one.score(chunk([0], [81.0], T0)))

    assert not book.fold("limits", one.score(chunk([0], [81.0], T0 + 1000, running=UNKNOWN)))
    assert [f.edge for f in book.fold("limits", one.score(chunk([0], [81.0], T0 + 2000, running=STOPPED)))] == ["close"]


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(60, 100), min_size=1, max_size=60),
    deadband=st.floats(0, 10),
    on_delay=st.integers(0, 4),
    off_delay=st.integers(0, 4),
)
def test_clear_never_precedes_raise_and_both_keep_their_delays(values: list[float], deadband: float, on_delay: int, off_delay: int) -> None:
    limit = high(deadband=deadband, on_delay_s=float(on_delay), off_delay_s=float(off_delay))
    one, book = book_of(limit)
    found: list[Finding] = []
    standing, raised_at = False, 0
    for i, value in enumerate(values):
        for f in book.fold("limits", one.score(chunk([0], [value], T0 + i * 1000))):
            if f.edge == "open":
                assert not standing
                assert min(values[i - on_delay : i + 1]) > 80.0
                standing, raised_at = True, i
            if f.edge == "close":
                assert standing
                assert max(values[i - off_delay : i + 1]) <= 80.0 - deadband + 1e-9
                assert i > raised_at
                standing = False
            found.append(f)
    assert standing is bool(book.open)
    assert all(np.isfinite(f.score) for f in found)
    opened = [f.key for f in found if f.edge == "open"]
    assert len(opened) == len(set(opened))
