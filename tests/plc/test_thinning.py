"""Report by exception: what the history keeps of each tag."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from plc.connector import Readings, numbers
from plc.scaling import TagColumns
from plc.thinning import Thinning
from realtime.events import Quality, Reason, quality_byte
from tests.plc.harness import tag

COMM = quality_byte(Quality.BAD, Reason.COMM)
T = 1_800_000_000_000


def kept(values: list[float], *, step_ms: int = 1000, quality: list[int] | None = None, split: bool = True, **more: Any) -> list[int]:
    """Places of the samples of one tag that are kept, each in a read of its own or all in one."""
    tags = [tag(1, "A", "s", **more)]
    columns, thinning = TagColumns(tags), Thinning(tags)
    part = numbers([1] * len(values), [T + n * step_ms for n in range(len(values))], values)
    part = Readings(part.ids, part.t, part.values, np.array(quality or [0] * len(values), "u1"), part.seq)
    reads = [[n] for n in range(len(values))] if split else [list(range(len(values)))]
    found: list[int] = []
    for places in reads:
        one = Readings(part.ids[places], part.t[places], np.array(values)[places], part.quality[places], part.seq[places])
        answer = thinning.kept(one, columns.places(one.ids))
        found += [places[n] for n in range(len(places)) if answer is None or answer[n]]
    return found


@pytest.mark.parametrize("split", [True, False])
def test_a_deadband_is_measured_from_what_was_kept_last(split: bool) -> None:
    assert kept([10.0, 10.25, 10.5, 10.75, 10.25, 9.0], deadband=0.5, split=split) == [0, 3, 5]


def test_a_deadband_may_be_per_cent_of_the_range_and_the_wider_one_counts() -> None:
    values = [0.0, 0.75, 1.25, 2.0, 2.5]

    assert kept(values, deadband_pct=1.0, range_low=-50.0, range_high=50.0) == [0, 2, 4]
    assert kept(values, deadband_pct=1.0, deadband=2.0, range_low=-50.0, range_high=50.0) == [0, 4]
    assert kept(values, deadband_pct=1.0) == [0, 1, 2, 3, 4]  # no range, no per cent of it


def test_a_sample_is_kept_at_least_every_max_interval() -> None:
    assert kept([5.0] * 130, deadband=1.0) == [0, 60, 120]
    assert kept([5.0] * 7, deadband=1.0, max_interval_s=3.0) == [0, 3, 6]


def test_a_change_of_quality_is_always_kept() -> None:
    nan = math.nan

    assert kept([5.0, nan, nan, 5.0, 5.0], quality=[0, COMM, COMM, 0, 0], deadband=1.0) == [0, 1, 3]


@pytest.mark.parametrize(
    "more",
    [
        {"deadband": 0.0},
        {"role": "fault_code"},
        {"role": "running"},
        {"role": "status"},
        {"address": "DB1.DBX0.1"},
        {"address": "M10.5"},
        {"address": "coil 7:BOOL"},
    ],
)
def test_without_a_deadband_and_for_states_and_bits_everything_is_kept(more: dict[str, Any]) -> None:
    assert kept([1.0, 1.0, 0.0, 0.0], **{"deadband": 5.0, **more}) == [0, 1, 2, 3]


def test_an_older_sample_and_a_replay_are_kept_and_change_nothing() -> None:
    tags = [tag(1, "A", "s", deadband=1.0)]
    columns, thinning = TagColumns(tags), Thinning(tags)

    def judge(t: int, value: float, replay: bool = False) -> bool:
        part = numbers([1], [t], [value], replay=replay)
        answer = thinning.kept(part, columns.places(part.ids))
        return answer is None or bool(answer[0])

    assert judge(T, 5.0)
    assert judge(T - 500, 5.1)
    assert judge(T + 10, 9.0, replay=True)
    assert not judge(T + 1000, 5.5)


def test_what_was_kept_is_known_after_a_new_configuration() -> None:
    old = [tag(1, "A", "s", deadband=1.0), tag(5, "B", "s", deadband=1.0)]
    former, columns = Thinning(old), TagColumns(old)
    part = numbers([1, 5], [T, T], [5.0, 7.0])
    former.kept(part, columns.places(part.ids))
    new = [tag(3, "C", "s", deadband=1.0), tag(5, "B", "s", deadband=1.0)]

    answer = Thinning(new, former).kept(numbers([3, 5], [T + 1000] * 2, [5.0, 7.0]), TagColumns(new).places(np.array([3, 5], "u4")))

    assert answer is not None
    assert answer.tolist() == [True, False]
