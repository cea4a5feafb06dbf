"""The limit state machine: ISA-18.2's deadband and delays, and what no sequence of readings may do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.book import Book
from ml.channels import Channels
from ml.detectors.limits import Limits
from ml.scoring import IDLE, RUNNING, STARTING, STOPPED, UNKNOWN
from realtime.events import Finding
from realtime.snapshot import Limit
from tests.ml.plant import T0, batch, chunk, engine, quiet_settings, snapshot, tag


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


def paces(
    values: list[float], *limits: Limit, step_s: int = 1, running: int = RUNNING, fresh: bool = False
) -> list[tuple[int, str, str | None]]:
    """(reading, edge, code) of the findings of readings `step_s` apart."""
    one, book = book_of(*limits)
    found: list[tuple[int, str, str | None]] = []
    for i, value in enumerate(values):
        heard = chunk([0], [value], T0 + i * step_s * 1000, fresh=fresh or i == 0, dt=float(step_s), running=running)
        found += [(i, f.edge, f.code) for f in book.fold("limits", one.score(heard)) if f.edge != "update"]
    return found


def pace(value: float, side: str = "rising", **fields: object) -> Limit:
    return Limit(**{"side": side, "value": value, "severity": "warning", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("step_s", [1, 5, 60, 300])
def test_a_ramp_crosses_a_limit_of_change_at_its_slope_whatever_the_period(step_s: int) -> None:
    ramp = [10 + 2.0 * step_s / 60 * i for i in range(400)]  # two a minute

    assert [found[1:] for found in paces(ramp, pace(1.9), step_s=step_s)] == [("open", "rising")]
    assert paces(ramp, pace(2.1), step_s=step_s) == []
    assert paces(ramp, pace(1.9, "falling"), step_s=step_s) == []


def test_what_falls_faster_than_it_may_is_found_and_over_when_it_rests() -> None:
    level = [80.0] * 30 + [80.0 - 0.1 * i for i in range(120)] + [68.0] * 200

    (opened, closed) = paces(level, pace(3.0, "falling", deadband=0.3))

    assert (opened[1:], closed[1:]) == (("open", "falling"), ("close", "falling"))
    assert 30 < opened[0] < 90
    assert 150 < closed[0] < 260


def test_a_delay_swallows_a_jump_and_a_silence_has_no_pace() -> None:
    jump = [10.0] * 20 + [12.0] * 300

    assert paces(jump, pace(1.5, on_delay_s=30.0)) == []
    assert [edge for _, edge, _ in paces(jump, pace(1.5))] == ["open", "close"]
    assert paces([10.0, 500.0], pace(1.0), step_s=700) == []


def test_a_limit_of_change_holds_at_rest_where_it_should_though_every_reading_there_is_fresh() -> None:
    ramp = [10 + 0.1 * i for i in range(200)]

    assert [edge for _, edge, _ in paces(ramp, pace(3.0, holds="stopped"), running=STOPPED, fresh=True)] == ["open"]
    assert paces(ramp, pace(3.0, holds="running"), running=STOPPED, fresh=True) == []


def test_a_restart_in_the_middle_of_a_ramp_neither_forgets_nor_alarms_twice() -> None:
    ramp = [10 + 0.1 * i for i in range(200)]
    one, book = book_of(pace(3.0))
    for i, value in enumerate(ramp[:100]):
        book.fold("limits", one.score(chunk([0], [value], T0 + i * 1000, fresh=i == 0)))
    other, later = book_of(pace(3.0))
    other.adopt(one.export())

    assert later.adopt(book.export(), T0 + 100_000) == []
    edges_after = [f.edge for i in range(100, 200) for f in later.fold("limits", other.score(chunk([0], [ramp[i]], T0 + i * 1000)))]
    assert set(edges_after) == {"update"}


@pytest.mark.parametrize("holds", ["running", "idle", "starting", "stopped", "always"])
def test_a_limit_holds_in_its_own_regime_alone(holds: str) -> None:
    regimes = {"running": RUNNING, "idle": IDLE, "starting": STARTING, "stopped": STOPPED, "unknown": UNKNOWN}

    found = {name for name, running in regimes.items() if edges([79, 81], high(holds=holds), running=running)}

    assert found == (set(regimes) if holds == "always" else {holds})


def test_the_idle_bit_decides_whether_a_limit_of_idling_holds() -> None:
    idling = Limit(side="high", value=5.0, severity="warning", holds="idle")  # kW that an idling pump may take
    power = tag(11, range_low=0.0, range_high=100.0, limits=[idling])
    one = engine(snapshot(power, tag(12, role="running"), tag(13, role="idle")))
    found = []
    for i in range(60):
        runs, rests = (1.0, 0.0) if i < 20 or i >= 40 else (0.0, 1.0)
        found += one.process([batch([12, 13, 11], [runs, rests, 30.0 if runs else 8.0], T0 + i * 1000)])

    assert [(f.detector, f.edge, (f.t - T0) // 1000) for f in found if f.edge != "update"] == [
        ("limits", "open", 20),
        ("limits", "close", 40),
    ]
