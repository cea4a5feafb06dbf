"""What every detector of the table promises, whatever it looks for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from ml.detector import DETECTORS, Detector
from ml.scoring import Chunk, Learned, Score
from realtime.snapshot import Limit, Tag
from tests.ml.plant import T0, chunk, detector, history, quiet_settings, snapshot, tag, wander

BASELINE_S = 2400
MACHINE = [
    tag(11, range_low=0.0, range_high=100.0, limits=[Limit(side="high", value=60.0, severity="warning")]),
    *(tag(number, range_low=0.0, range_high=100.0) for number in range(12, 17)),
]
WIDE = {"cva": 6}  # tags that a machine must have for it; two are enough for the others
# What each is for; the value that the first tag shows from second 300 on.
FAULTS = {
    "range": lambda v, i: 130.0,
    "spike": lambda v, i: v + (8.0 if i % 9 == 0 else 0.0),
    "noise": lambda v, i: v + 5.0 * np.random.default_rng(i).standard_normal(),
    "stuck": lambda v, i: 50.0,
    "limits": lambda v, i: 61.0,
    "drift": lambda v, i: v + 5.0,
    "cusum": lambda v, i: v + 5.0,
    "residual": lambda v, i: v + 5.0,
    "forest": lambda v, i: v + 5.0 * np.sin(i),
    "cva": lambda v, i: v + 5.0 * np.sin(i / 20),
    "novelty": lambda v, i: v + 5.0,
}
# What must be set for it to judge ten minutes.
ENVIRONMENT = {"novelty": {"NOVELTY": "*", "AGGREGATION_WINDOW_SECONDS": "10"}}
READING_FED = sorted(set(DETECTORS) - {"gap"})  # a gap is the lack of readings; see test_gap.py


def tags(name: str) -> list[Tag]:
    return MACHINE[: WIDE.get(name, 2)]


@cache
def healthy(width: int) -> np.ndarray:
    return wander(BASELINE_S + 600, channels=width)


def live(name: str) -> np.ndarray:
    return healthy(len(tags(name)))[BASELINE_S:]


@cache
def learned(name: str) -> Learned:
    values = wander(BASELINE_S, channels=len(tags(name)))
    baseline = history(tags(name), values, start=T0 - BASELINE_S * 1000)
    return detector(name, snapshot(*tags(name)), **ENVIRONMENT.get(name, {})).learn(baseline)


def ready(name: str) -> Detector:
    one = detector(name, snapshot(*tags(name)), **ENVIRONMENT.get(name, {}))
    one.load(np.arange(len(tags(name))), learned(name))
    return one


def stream(values: np.ndarray) -> list[Chunk]:
    return [chunk(range(values.shape[1]), row, T0 + i * 1000, fresh=i == 0) for i, row in enumerate(values)]


def faulted(name: str) -> np.ndarray:
    values = live(name).copy()
    for i in range(300, len(values)):
        values[i, 0] = FAULTS[name](values[i, 0], i)
        if name == "forest":  # a pattern: both tags swing against each other
            values[i, 1] = 2 * values[i, 1] - FAULTS[name](values[i, 1], i)
    return values


def run(one: Detector, chunks: list[Chunk]) -> list[Score]:
    scores: list[Score] = []
    for each in chunks:
        scores += [s for s in (one.score(each), one.tick(int(each.t[0]) + 2500)) if s is not None]
    return scores


def alarms(scores: list[Score]) -> list[tuple[int, int, str]]:
    return [(int(r), int(t), "on") for s in scores for r, t, a in zip(s.rows, s.t, s.active, strict=True) if a]


def same(a: list[Score], b: list[Score]) -> bool:
    names = Score.__dataclass_fields__
    return len(a) == len(b) and all(
        np.array_equal(getattr(x, n), getattr(y, n), equal_nan=n == "reading") for x, y in zip(a, b, strict=True) for n in names
    )


@pytest.mark.parametrize("name", READING_FED)
def test_healthy_readings_raise_nothing_and_the_fault_is_found(name: str) -> None:
    assert not alarms(run(ready(name), stream(live(name))))

    found = alarms(run(ready(name), stream(faulted(name))))

    assert found
    assert min(t for _, t, _ in found) >= T0 + 300_000 - 60_000


@pytest.mark.parametrize("name", READING_FED)
def test_scores_are_causal_on_every_prefix(name: str) -> None:
    chunks = stream(faulted(name))
    whole = run(ready(name), chunks)

    for k in (1, 7, 40, 311, 345, 500):
        part = run(ready(name), chunks[:k])
        assert same(whole[: len(part)], part)


@pytest.mark.parametrize("name", READING_FED)
def test_scores_are_the_same_every_time(name: str) -> None:
    chunks = stream(faulted(name))

    assert same(run(ready(name), chunks), run(ready(name), chunks))


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"stuck", "gap"}))
def test_constant_signal_never_alarms(name: str) -> None:
    constant = np.full((600, len(tags(name))), 50.0)
    baseline = history(tags(name), constant, start=T0 - 600_000)
    one = detector(name, snapshot(*tags(name)), baseline=baseline, **ENVIRONMENT.get(name, {}))

    assert not alarms(run(one, stream(constant)))


@pytest.mark.parametrize("name", READING_FED)
def test_value_with_an_alarm_is_at_its_limit_or_above_and_below_it_without(name: str) -> None:
    for score in run(ready(name), stream(faulted(name))):
        assert (score.value[score.active] >= score.limit[score.active]).all()
        if name not in {"noise", "stuck"}:  # their hysteresis shows the count as it is
            assert (score.value[~score.active] < score.limit[~score.active]).all()


@pytest.mark.parametrize("name", READING_FED)
def test_a_gap_in_the_readings_neither_crashes_nor_alarms(name: str) -> None:
    chunks = stream(live(name))
    slots = range(len(tags(name)))
    holed = [*chunks[:200], *(chunk(slots, row, T0 + (i + 900) * 1000, fresh=i == 0) for i, row in enumerate(live(name)[200:500]))]

    assert not alarms(run(ready(name), holed))


@pytest.mark.parametrize("name", ["spike", "noise", "drift", "cusum", "cva", "novelty"])
def test_warming_up_says_not_ready_instead_of_zero(name: str) -> None:
    one = ready(name)

    assert all(s is None or not len(s.rows) for s in (one.score(c) for c in stream(live(name))[:6]))


@pytest.mark.parametrize("name", ["spike", "noise", "drift", "cusum", "residual", "cva", "novelty", "forest"])
def test_without_a_baseline_a_learning_detector_is_silent(name: str) -> None:
    assert not alarms(run(detector(name, snapshot(*tags(name)), **ENVIRONMENT.get(name, {})), stream(faulted(name))))


@pytest.mark.parametrize("name", READING_FED)
@pytest.mark.parametrize("cut", [290, 340, 450])
def test_saved_state_continues_as_if_never_interrupted(name: str, cut: int) -> None:
    chunks = stream(faulted(name))
    through = ready(name)
    before = run(through, chunks[:cut])
    resumed = ready(name)
    resumed.adopt(through.export())

    after, expected = run(resumed, chunks[cut:]), run(through, chunks[cut:])

    if name != "forest":  # the readings of the open window are not saved: that window is judged not at all
        assert same(after, expected)
    assert bool(alarms(before + after)) == bool(alarms(before + expected))


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_shares_add_up_and_name_tags(name: str) -> None:
    one = ready(name)
    run(one, stream(faulted(name)) if name in FAULTS else stream(live(name)))
    rows = len(one.row_keys())

    for row in range(rows):
        because = one.because(row, 0 if row < 2 else -1) if name == "gap" else one.because(row, 0)
        assert {b.tag for b in because} <= {one.name for one in tags(name)}
        assert sum(b.share for b in because) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_name_codes_and_row_keys_fit_together(name: str) -> None:
    one = DETECTORS[name].make(ready(name).channels, quiet_settings())  # type: ignore[attr-defined]

    assert one.name == name
    assert one.codes
    assert len(set(one.row_keys())) == len(one.row_keys())
    assert not any(one.is_active(row) for row in range(len(one.row_keys())))
    assert all(one.asset_row(row) == 0 for row in range(len(one.row_keys())))
