"""Few readings are judged in plain numbers: the findings, their order and the state are those of the same readings in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby

import numpy as np
import pytest

from ml import singly
from ml.detector import DETECTORS, Noting
from ml.engine import AssetModel, Engine
from realtime.events import Batch, Finding, Quality, Reason, quality_byte
from realtime.snapshot import Limit, Snapshot, Tag
from tests.ml.plant import BAD_COMM, T0, batch, engine, history, model, snapshot, tag, wander

BASELINE_S, LIVE_S = 2400, 400
WIDE, NARROW = range(11, 17), range(21, 23)  # tags of two machines; the second runs by a bit
RUNS, STATUS = 29, 28
ENVIRONMENT = {"NOVELTY": "*", "AGGREGATION_WINDOW_SECONDS": "10"}
HIGH = Limit(side="high", value=56.0, severity="warning", on_delay_s=3.0, off_delay_s=5.0, deadband=1.0)


def plant() -> Snapshot:
    tags: list[Tag] = [tag(i, range_low=0.0, range_high=100.0, limits=[HIGH] if i % 2 else []) for i in WIDE]
    tags += [tag(i, asset=2) for i in NARROW]
    return snapshot(*tags, tag(RUNS, asset=2, kind="bool", role="running"), tag(STATUS, asset=2, kind="text"))


@cache
def models() -> tuple[AssetModel, ...]:
    snap = plant()
    made = []
    for numbers, seed in ((WIDE, 1), (NARROW, 2)):
        tags = [one for one in snap.tags if one.id in numbers]
        values = wander(BASELINE_S, channels=len(tags), seed=seed)
        made.append(model(snap, history(tags, values, start=T0 - BASELINE_S * 1000, window_s=10.0), **ENVIRONMENT))
    return tuple(made)


def judged(*, in_arrays: bool = False) -> Engine:
    one = engine(plant(), *models(), **ENVIRONMENT)
    if in_arrays:
        one.few = 0
    return one


# What tag 11 shows from second 150 to 270.
FAULTS = {
    "step": lambda v, i, rng: v + 5.0,
    "stuck": lambda v, i, rng: 50.0,
    "spikes": lambda v, i, rng: v + (8.0 if i % 9 == 0 else 0.0),
    "noise": lambda v, i, rng: v + rng.normal(0, 3.0),
    "over": lambda v, i, rng: 130.0 if i % 50 < 12 else 57.0 if i % 50 < 30 else v,
    "bad": lambda v, i, rng: np.nan if i % 30 < 9 else v,
}


def readings(fault: str) -> list[Batch]:
    """One reading a batch: times a little apart, now and then late, twice, missing or with the link down; the second machine rests."""
    rng = np.random.default_rng(len(fault))
    live = {**dict(zip(WIDE, wander(BASELINE_S + LIVE_S, channels=6, seed=1)[BASELINE_S:].T, strict=True))}
    live |= dict(zip(NARROW, wander(BASELINE_S + LIVE_S, channels=2, seed=2)[BASELINE_S:].T, strict=True))
    made: list[Batch] = []
    for i in range(LIVE_S):
        numbers = [*live, RUNS] if i % 5 == 0 else list(live)
        for number in rng.permutation(numbers) if i % 7 == 0 else numbers:
            t = T0 + i * 1000 + int(rng.integers(0, 60)) - (1500 if rng.random() < 0.005 else 0)
            value = float(not 300 <= i < 330) if number == RUNS else float(live[number][i])
            if number == 11 and fault in FAULTS and 150 <= i < 270:
                value = float(FAULTS[fault](value, i, rng))
            lost = number == 12 and 200 <= i < 210
            if rng.random() > 0.01:
                made.append(batch([number], [value], t, quality=BAD_COMM if lost else 0, received=t + 20))
        if i == 350:  # the collector was away for a while
            live = {number: np.roll(column, 30) for number, column in live.items()}
    return made


def run(one: Engine, stream: Sequence[Sequence[Batch]]) -> list[Finding]:
    """What one process after another finds; each element is what was read at once."""
    found: list[Finding] = []
    last = 0
    for each in stream:
        found += one.process(each)
        now = int(each[0].t[0])
        if now // 1000 > last:
            last = now // 1000
            found += one.tick(now + 2500)
    return found


def assert_same(plain: Engine, arrays: Engine) -> None:
    mine, theirs = plain.export(), arrays.export()
    assert mine.book == theirs.book
    assert (plain.readings, plain.gate.drops) == (arrays.readings, arrays.gate.drops)
    for name, state in theirs.parts.items():
        for kind in ("arrays", "group_arrays"):
            for key, array in getattr(state, kind).items():
                # a product of matrices of several rows rounds otherwise than one of one row
                close = {"rtol": 1e-9, "atol": 1e-9} if array.dtype.kind == "f" else {"rtol": 0, "atol": 0}
                np.testing.assert_allclose(getattr(mine.parts[name], kind)[key], array, err_msg=f"{name}.{key}", **close)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_comes_alone_is_judged_as_in_arrays(fault: str) -> None:
    stream = [[each] for each in readings(fault)]
    plain, arrays = judged(), judged(in_arrays=True)

    found, expected = run(plain, stream), run(arrays, stream)

    assert found == expected
    assert found
    assert_same(plain, arrays)


def joined(batches: Sequence[Batch]) -> Batch:
    columns = {name: np.concatenate([getattr(each, name) for each in batches]) for name in ("ids", "t", "quality", "seq", "values")}
    return replace(batches[0], **columns)


def odd(rng: np.random.Generator, t: int) -> Batch:
    """What comes between ordinary readings: text, an unknown tag, no number, a sample beyond range, an uncertain or an old one."""
    number = int(rng.choice([*WIDE, *NARROW]))
    return [
        replace(batch([STATUS], [0.0], t), kind="text", values=["on"]),
        batch([999], [1.0], t),
        batch([number], [np.nan], t),
        batch([number], [np.nan], t, quality=quality_byte(Quality.BAD, Reason.RANGE)),
        batch([number], [50.0], t, quality=quality_byte(Quality.UNCERTAIN, Reason.NONE)),
        batch([number], [50.0], t - 86_400_000, flags=frozenset({"replay"})),
    ][int(rng.integers(6))]


def at_once(fault: str, most: int, rng: np.random.Generator) -> list[list[Batch]]:
    """The same readings as the bus brings them: 2 to `most` a batch, often at one time, now and then a tag twice or several batches."""
    singles = readings(fault)
    made: list[list[Batch]] = []
    while singles:
        n = int(rng.integers(2, most + 1))
        taken, singles = singles[:n], singles[n:]
        if rng.random() < 0.5:
            taken = [replace(each, t=taken[0].t, received_ms=taken[0].received_ms) for each in taken]
        if rng.random() < 0.1:
            again = taken[int(rng.integers(len(taken)))]
            taken.append(replace(again, t=again.t + int(rng.integers(-1, 2)) * 40))
        cut = int(rng.integers(1, len(taken))) if rng.random() < 0.3 and len(taken) > 1 else len(taken)
        read = [joined(part) for part in (taken[:cut], taken[cut:]) if part]
        made.append([*read, odd(rng, int(taken[-1].t[0]) + 1)] if rng.random() < 0.03 else read)
    return made


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("most", [2, 5, 9, 40])
def test_a_small_batch_is_judged_as_in_arrays(fault: str, most: int) -> None:
    stream = at_once(fault, most, np.random.default_rng(most))
    plain, arrays = judged(), judged(in_arrays=True)
    plain.few = 10 * most

    found, expected = run(plain, stream), run(arrays, stream)

    assert found == expected
    assert found
    assert_same(plain, arrays)


def test_many_readings_of_few_tags_are_few_at_a_time() -> None:
    stream = readings("step")
    read = [[joined([each for each in stream[at : at + 200] if each.ids[0] in WIDE])] for at in range(0, len(stream), 200)]
    plain, arrays = judged(), judged(in_arrays=True)

    found, expected = run(plain, read), run(arrays, read)

    assert len(WIDE) <= plain.few < 150
    assert found == expected
    assert found
    assert_same(plain, arrays)


@pytest.mark.parametrize("whole", [False, True])
def test_healthy_readings_need_no_arrays(monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    in_arrays: list[int] = []
    made = singly.chunk_of
    monkeypatch.setattr(singly, "chunk_of", lambda some: in_arrays.append(len(some)) or made(some))
    one, stream = judged(), readings("none")[:2000]
    seconds = [list(group) for _, group in groupby(stream, key=lambda each: int(each.t[0]) // 1000)]
    run(one, [[joined(group)] for group in seconds] if whole else [[each] for each in stream])

    # what was late, followed a silence, or ended a row of CVA
    assert sum(in_arrays) < 0.05 * len(stream) * len(DETECTORS)


def test_every_detector_of_the_table_takes_a_single_reading_or_is_told_of_it_by_a_timer() -> None:
    one = judged()

    assert {name for name, detector in one.detectors.items() if not isinstance(detector, Noting)} <= {"gap"}
    assert set(DETECTORS) == set(one.detectors)
