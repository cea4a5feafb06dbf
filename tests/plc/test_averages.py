"""Means of several points before sending, with minimum, maximum and standard deviation as virtual tags."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plc.averages import LATE_MS, Averages
from plc.connector import Readings, numbers, texts
from realtime.events import Quality, Reason, quality_byte
from tests.plc.harness import tag

COMM = quality_byte(Quality.BAD, Reason.COMM)
T = 1_800_000_000_000
TAGS = [
    tag(1, "A", "s", average_s=10.0),
    *(tag(2 + n, f"A.{ending}", "s", virtual=True) for n, ending in enumerate(("min", "max", "mean", "std"))),
    tag(9, "B", "s"),
]


def rows(parts: object) -> list[tuple[int, int, float, int]]:
    return [
        (int(i), int(t) - T, float(v), int(q))
        for part in parts  # type: ignore[attr-defined]
        for i, t, v, q in zip(part.ids, part.t, part.values, part.quality, strict=True)
    ]


def test_one_mean_with_its_statistics_stands_for_a_window() -> None:
    averages = Averages(TAGS)
    values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]  # mean 5, standard deviation 2
    first = rows(averages.fold(numbers([1] * 8, [T + n * 1000 for n in range(8)], values)))

    ended = rows(averages.fold(numbers([1], [T + 10_000], [100.0])))

    assert first == []
    assert ended == [(1, 10_000, 5.0, 0), (2, 10_000, 2.0, 0), (3, 10_000, 9.0, 0), (4, 10_000, 5.0, 0), (5, 10_000, 2.0, 0)]


def test_other_tags_and_texts_go_on_as_they_are() -> None:
    averages = Averages(TAGS)
    words = texts([9], [T], ["on"])

    assert rows(averages.fold(numbers([1, 9, 1], [T, T, T + 1], [1.0, 2.0, 3.0]))) == [(9, 0, 2.0, 0)]
    assert list(averages.fold(words)) == [words]


def test_a_sample_that_is_not_good_ends_the_window_and_goes_on() -> None:
    averages = Averages([tag(1, "A", "s", average_s=10.0)])
    list(averages.fold(numbers([1, 1], [T, T + 1000], [1.0, 3.0])))

    went_on = list(averages.fold(numbers([1], [T + 2000], [math.nan], quality=COMM)))

    assert rows(went_on[:1]) == [(1, 1000, 2.0, 0)]
    assert went_on[1].quality.tolist() == [COMM]


def test_a_window_is_closed_by_the_clock_when_nothing_more_comes() -> None:
    averages = Averages([tag(1, "A", "s", average_s=10.0)])
    list(averages.fold(numbers([1], [T], [1.5])))

    assert rows(averages.overdue(T + 10_000)) == []
    assert rows(averages.overdue(T + 10_001 + LATE_MS)) == [(1, 10_000, 1.5, 0)]
    assert rows(averages.overdue(T + 99_000)) == []


@pytest.mark.parametrize("role", ["running", "fault_code", "status"])
def test_states_are_never_averaged(role: str) -> None:
    averages = Averages([tag(1, "A", "s", average_s=10.0, role=role)])

    assert rows(averages.fold(numbers([1], [T], [1.0]))) == [(1, 0, 1.0, 0)]


def test_replays_go_on_and_a_window_survives_a_new_configuration() -> None:
    averages = Averages(TAGS)
    replay = numbers([1], [T - 60_000], [7.0], replay=True)
    list(averages.fold(numbers([1], [T], [1.0])))

    assert list(averages.fold(replay)) == [replay]
    later = Averages(TAGS, averages)
    assert rows(later.fold(numbers([1], [T + 12_000], [5.0])))[0] == (1, 10_000, 1.0, 0)


def test_the_mean_of_close_values_far_from_zero_is_exact() -> None:
    averages = Averages([tag(1, "A", "s", average_s=100.0), tag(2, "A.std", "s", virtual=True)])
    values = 1e9 + np.tile([0.0, 1.0], 50)
    part = numbers([1] * 100, [T - T % 100_000 + n * 1000 for n in range(100)], values.tolist())

    list(averages.fold(part))
    (mean, std) = [row[2] for row in rows(averages.overdue(T + 10**9))]

    assert mean == pytest.approx(1e9 + 0.5, abs=1e-6)
    assert std == pytest.approx(0.5, abs=1e-6)
    assert isinstance(part, Readings)
