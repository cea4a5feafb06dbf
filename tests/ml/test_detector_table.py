"""What every detector of the table promises, whatever it looks for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from ml.detector import DETECTORS, Detector, Taught
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
    "shift": lambda v, i: v + 5.0,
    "cusum": lambda v, i: v + 5.0,
    "residual": lambda v, i: v + 5.0,
    "forest": lambda v, i: v + 5.0 * np.sin(i),
    "cva": lambda v, i: v + 5.0 * np.sin(i / 20),
    "novelty": lambda v, i: v + 5.0,
    "gap": lambda v, i: np.nan,  # no reading
}
# What must be set for it to judge ten minutes.
ENVIRONMENT = {"novelty": {"NOVELTY": "*", "AGGREGATION_WINDOW_SECONDS": "10"}}
EVERY = sorted(DETECTORS)
HEALTHY_PLANTS = 6  # of ten minutes each
MOST_FALSE = {"novelty": 4}  # alarms in all of them, 1 of every other; their cells are a day of one tag, of which four are known
# Readings without which it can say nothing, and the first that it can judge by: its window, block or lags.
WARM_UP = {"spike": 7, "noise": 20, "drift": 29, "shift": 89, "residual": 4, "cusum": 59, "cva": 19, "novelty": 9, "forest": 59, "gap": 3}


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
    """One second a row; NaN is no reading."""
    heard = [np.flatnonzero(np.isfinite(row)) for row in values]
    return [chunk(there, row[there], T0 + i * 1000, fresh=i == 0) for i, (row, there) in enumerate(zip(values, heard, strict=True))]


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


def began(scores: list[Score]) -> int:
    """Rows that went into alarm."""
    stood: set[int] = set()
    told = 0
    for score in scores:
        for row, active in zip(score.rows.tolist(), score.active.tolist(), strict=True):
            told += active and row not in stood
            (stood.add if active else stood.discard)(row)
    return told


def same(a: list[Score], b: list[Score]) -> bool:
    names = Score.__dataclass_fields__
    return len(a) == len(b) and all(
        np.array_equal(getattr(x, n), getattr(y, n), equal_nan=n == "reading") for x, y in zip(a, b, strict=True) for n in names
    )


@pytest.mark.parametrize("name", EVERY)
def test_healthy_readings_raise_nothing_and_the_fault_is_found(name: str) -> None:
    assert not alarms(run(ready(name), stream(live(name))))

    found = alarms(run(ready(name), stream(faulted(name))))

    assert found
    assert min(t for _, t, _ in found) >= T0 + 300_000 - 60_000


@pytest.mark.parametrize("name", EVERY)
def test_scores_are_causal_on_every_prefix(name: str) -> None:
    chunks = stream(faulted(name))
    whole = run(ready(name), chunks)

    for k in (1, 7, 40, 311, 345, 500):
        part = run(ready(name), chunks[:k])
        assert same(whole[: len(part)], part)


@pytest.mark.parametrize("name", EVERY)
def test_scores_are_the_same_every_time(name: str) -> None:
    chunks = stream(faulted(name))

    assert same(run(ready(name), chunks), run(ready(name), chunks))


@pytest.mark.parametrize("name", EVERY)
def test_constant_signal_never_alarms(name: str) -> None:
    constant = np.full((600, len(tags(name))), 50.0)
    baseline = history(tags(name), constant, start=T0 - 600_000)
    one = detector(name, snapshot(*tags(name)), baseline=baseline, **ENVIRONMENT.get(name, {}))

    assert not alarms(run(one, stream(constant)))


@pytest.mark.parametrize("name", EVERY)
def test_value_with_an_alarm_is_at_its_limit_or_above_and_below_it_without(name: str) -> None:
    for score in run(ready(name), stream(faulted(name))):
        assert (score.value[score.active] >= score.limit[score.active]).all()
        if name not in {"noise", "stuck"}:  # their hysteresis shows the count as it is
            assert (score.value[~score.active] < score.limit[~score.active]).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_gap_in_the_readings_neither_crashes_nor_alarms(name: str) -> None:
    chunks = stream(live(name))
    slots = range(len(tags(name)))
    holed = [*chunks[:200], *(chunk(slots, row, T0 + (i + 900) * 1000, fresh=i == 0) for i, row in enumerate(live(name)[200:500]))]

    assert not alarms(run(ready(name), holed))


@pytest.mark.parametrize("name", EVERY)
def test_single_readings_that_are_missing_neither_crash_nor_alarm(name: str) -> None:
    values = live(name).copy()
    missing = np.random.default_rng(3).random(values.shape) < 0.1
    missing[:, -1] = False  # one tag is always there
    values[missing] = np.nan

    assert not alarms(run(ready(name), stream(values)))


@pytest.mark.parametrize("name", EVERY)
def test_healthy_plants_that_nobody_chose_stay_within_the_bound(name: str) -> None:
    told = 0
    for seed in range(100, 100 + HEALTHY_PLANTS):
        values = wander(BASELINE_S + 600, channels=len(tags(name)), seed=seed)
        baseline = history(tags(name), values[:BASELINE_S], start=T0 - BASELINE_S * 1000)
        one = detector(name, snapshot(*tags(name)), baseline=baseline, **ENVIRONMENT.get(name, {}))
        told += began(run(one, stream(values[BASELINE_S:])))

    assert told <= MOST_FALSE.get(name, 1)


@pytest.mark.parametrize("name", sorted(set(EVERY) & set(WARM_UP)))
def test_warming_up_says_not_ready_instead_of_zero(name: str) -> None:
    assert not [s for s in run(ready(name), stream(live(name))[: WARM_UP[name]]) if len(s.rows)]


@pytest.mark.parametrize("name", ["spike", "noise", "drift", "shift", "cusum", "residual", "cva", "novelty", "forest"])
def test_without_a_baseline_a_learning_detector_is_silent(name: str) -> None:
    assert not alarms(run(detector(name, snapshot(*tags(name)), **ENVIRONMENT.get(name, {})), stream(faulted(name))))


@pytest.mark.parametrize("name", EVERY)
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


@pytest.mark.parametrize("name", EVERY)
def test_an_alarm_does_not_outlive_what_it_was_found_by(name: str) -> None:
    """A monitor whose new model knows nothing of a tag: it gives the alarm up, or goes on judging it, so that health ends it."""
    before, after = ready(name), detector(name, snapshot(*tags(name)), **ENVIRONMENT.get(name, {}))
    run(before, stream(faulted(name))[:450])
    after.adopt(before.export())
    standing = [row for row in range(len(before.row_keys())) if before.is_active(row)]
    if isinstance(before, Taught) and isinstance(after, Taught):
        assert all(before.judges(row) for row in standing)
        standing = [row for row in standing if after.judges(row)]

    healthy_again = np.tile(live(name), (5, 1))
    run(after, [chunk(range(len(tags(name))), row, T0 + (450 + i) * 1000) for i, row in enumerate(healthy_again)])

    assert not [row for row in standing if after.is_active(row)]


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
