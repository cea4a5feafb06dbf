"""A reading that comes alone is judged in plain numbers: the findings and the state are those of the same reading in arrays."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from ml.detector import DETECTORS, Noting
from ml.engine import AssetModel, Engine
from ml.scoring import Single
from realtime.events import Batch, Finding
from realtime.snapshot import Limit, Snapshot, Tag
from tests.ml.plant import BAD_COMM, T0, batch, engine, history, model, snapshot, tag, wander

BASELINE_S, LIVE_S = 2400, 400
WIDE, NARROW = range(11, 17), range(21, 23)  # tags of two machines; the second runs by a bit
RUNS = 29
ENVIRONMENT = {"NOVELTY": "*", "AGGREGATION_WINDOW_SECONDS": "10"}
HIGH = Limit(side="high", value=56.0, severity="warning", on_delay_s=3.0, off_delay_s=5.0, deadband=1.0)


def plant() -> Snapshot:
    tags: list[Tag] = [tag(i, range_low=0.0, range_high=100.0, limits=[HIGH] if i % 2 else []) for i in WIDE]
    tags += [tag(i, asset=2) for i in NARROW]
    return snapshot(*tags, tag(RUNS, asset=2, kind="bool", role="running"))


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
        one.singly.process = lambda _: None  # type: ignore[method-assign]
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


def run(one: Engine, stream: list[Batch]) -> list[Finding]:
    found: list[Finding] = []
    last = 0
    for each in stream:
        found += one.process([each])
        now = int(each.t[0])
        if now // 1000 > last:
            last = now // 1000
            found += one.tick(now + 2500)
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_what_comes_alone_is_judged_as_in_arrays(fault: str) -> None:
    stream = readings(fault)
    plain, arrays = judged(), judged(in_arrays=True)

    found, expected = run(plain, stream), run(arrays, stream)

    assert found == expected
    assert found
    mine, theirs = plain.export(), arrays.export()
    assert mine.book == theirs.book
    for name, state in theirs.parts.items():
        for kind in ("arrays", "group_arrays"):
            for key, array in getattr(state, kind).items():
                assert np.array_equal(getattr(mine.parts[name], kind)[key], array, equal_nan=True), f"{name}.{key}"


def test_a_healthy_reading_that_comes_alone_needs_no_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    in_arrays: list[Single] = []
    made = Single.chunk
    monkeypatch.setattr(Single, "chunk", lambda one: in_arrays.append(one) or made(one))
    one, stream = judged(), readings("none")[:2000]
    run(one, stream)

    # what was late, followed a silence, or ended a row of CVA
    assert len(in_arrays) < 0.15 * len(stream)


def test_every_detector_of_the_table_takes_a_single_reading_or_is_told_of_it_by_a_timer() -> None:
    one = judged()

    assert {name for name, detector in one.detectors.items() if not isinstance(detector, Noting)} <= {"gap"}
    assert set(DETECTORS) == set(one.detectors)
