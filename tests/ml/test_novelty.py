"""Novelty: what is new alarms once and is known afterwards; its memory stays bounded, and only chosen tags have one."""

from __future__ import annotations

import numpy as np
import pytest

from ml.channels import Channels
from ml.detectors.novelty import LEAST_CELLS, LIMIT, Novelty
from ml.detectors.novelty_memory import SPREAD, VALUE, Memory
from ml.detectors.novelty_seen import KEPT, RESOLUTION, blank_lists, keep, nearest
from ml.evaluate.stream import ALL_TAGS, Stream, make_stream, rig_stream
from ml.scoring import History, Score
from realtime.snapshot import Snapshot
from tests.ml.plant import T0, chunk, detector, engine, history, model, quiet_settings, snapshot, tag, wander
from tests.ml.plant import batch as readings

CELL_MS = 60_000
CELLS = 600
SLOW = tag(11, period_s=60.0)


def shaped(cells: int, seed: int = 3) -> np.ndarray:
    """float64 (cells,): a duty cycle of 50 and 60 with a little noise, a cell each."""
    t = np.arange(cells)
    return np.round(50.0 + 10.0 * (t // 30 % 2) + np.random.default_rng(seed).normal(0, 0.3, cells), 2)


def baseline(values: np.ndarray, snap: Snapshot) -> History:
    one = history(snap.tags, values.reshape(len(values), -1), start=T0 - len(values) * CELL_MS)
    for series in one.series:
        series.t[:] = T0 - (len(values) - np.arange(len(values))) * CELL_MS
    return one


def made(values: np.ndarray, snap: Snapshot | None = None) -> Novelty:
    snap = snap or snapshot(SLOW)
    one = detector("novelty", snap, baseline=baseline(values, snap), NOVELTY="*")
    assert isinstance(one, Novelty)
    return one


def fed(one: Novelty, values: np.ndarray, start: int = 0) -> list[Score]:
    scores = [one.score(chunk([0], [v], T0 + (start + i) * CELL_MS, fresh=start + i == 0, dt=60.0)) for i, v in enumerate(values)]
    return [score for score in scores if score is not None]


def openings(scores: list[Score]) -> list[tuple[int, int]]:
    """(cell, code) where an alarm begins."""
    stood = np.array([False, *(bool(s.active[0]) for s in scores)])
    return [((int(s.t[0]) - T0) // CELL_MS, int(s.code[0])) for i, s in enumerate(scores) if stood[i + 1] and not stood[i]]


def test_values_of_the_baseline_raise_nothing_and_one_between_its_levels_does() -> None:
    whole = shaped(CELLS + 120)
    faulty = whole[CELLS:].copy()
    faulty[80] = 55.0  # inside the range: no limit sees it

    assert openings(fed(made(whole[:CELLS]), whole[CELLS:])) == []
    assert openings(fed(made(whole[:CELLS]), faulty)) == [(80, VALUE)]


def test_what_was_seen_once_is_known_and_the_hold_off_makes_one_alarm_of_one_event() -> None:
    whole = shaped(CELLS + 200)
    event = whole[CELLS:].copy()
    event[60:70] += np.linspace(15, 20, 10)  # one event of ten cells, each further out

    found = fed(made(whole[:CELLS]), event)

    assert openings(found) == [(60, VALUE)]
    assert not found[-1].active[0]


def test_a_signal_that_begins_to_swing_inside_its_range_is_a_novel_spread() -> None:
    rng = np.random.default_rng(5)
    slow = 50 + 5 * np.sin(np.arange(CELLS + 60) / 100) + rng.normal(0, 0.05, CELLS + 60)
    slow[CELLS + 30 :] = 50 + 3 * (np.arange(30) % 2) + rng.normal(0, 0.05, 30)

    found = openings(fed(made(slow[:CELLS]), slow[CELLS:]))

    assert [code for _, code in found] == [SPREAD]
    assert 30 <= found[0][0] <= 36


def test_a_skewed_signal_is_judged_by_factors() -> None:
    rng = np.random.default_rng(6)
    memory = Memory(["skewed", "even"])
    memory.fit(0, np.exp(rng.normal(0, 1, CELLS)), 300)
    memory.fit(1, rng.normal(10, 1, CELLS), 300)

    assert np.isfinite(memory.log_add[0])
    assert np.isnan(memory.log_add[1])


def test_lists_stay_sorted_bounded_and_keep_their_ends() -> None:
    rng = np.random.default_rng(7)
    seen, every = blank_lists(4, 1), rng.standard_cauchy((4000, 4))
    for row in every:
        keep(seen, np.arange(4), row[:, None])

    kept = seen[:, 0, 1 : KEPT + 1]
    assert seen.shape == (4, 1, KEPT + 2)
    assert (np.diff(kept, axis=1) > 0).all()
    assert np.allclose(kept[:, 0], every.min(axis=0))
    assert np.allclose(kept[:, -1], every.max(axis=0))
    assert (seen[:, 0, 0] == -np.inf).all()
    assert (seen[:, 0, -1] == np.inf).all()


@pytest.mark.parametrize("x", [-3.0, 0.2, 0.5, 7.0])
def test_nearest_is_what_a_search_through_all_finds(x: float) -> None:
    values = np.array([-1.0, 0.25, 0.5, 2.0])
    seen = blank_lists(1, 1)
    for value in values:
        keep(seen, np.array([0]), np.array([[value]]))

    assert nearest(seen[:, 0], np.array([x]))[0] == pytest.approx(np.abs(values - x).min(), abs=1e-6)
    assert np.isnan(nearest(seen[:, 0], np.array([np.nan]))[0])
    keep(seen, np.array([0]), np.array([[0.25 + RESOLUTION / 2]]))
    assert np.isfinite(seen).sum() == len(values)


def test_seconds_are_judged_by_the_means_of_their_minutes() -> None:
    fast = tag(11, period_s=1.0)
    whole = np.repeat(shaped(CELLS + 20), 60) + wander(60 * (CELLS + 20), level=0.0)[:, 0]
    past = history([fast], whole[: 60 * CELLS].reshape(-1, 1), start=T0 - CELLS * CELL_MS)
    one = detector("novelty", snapshot(fast), baseline=past, NOVELTY="*")
    now = whole[60 * CELLS :].copy()
    now[605] += 100.0  # one reading of a minute is not a minute
    now[780:840] += 30.0
    scores = [s for i, v in enumerate(now) if (s := one.score(chunk([0], [v], T0 + i * 1000, fresh=i == 0))) is not None]

    assert len(scores) == 19
    assert openings(scores) == [(14, VALUE)]  # told when minute 13 is over
    assert next(s for s in scores if s.active[0]).onset[0] == T0 + 13 * CELL_MS


def test_only_chosen_tags_have_a_memory() -> None:
    channels = Channels(snapshot(tag(11), tag(12), tag(13)), 1)

    assert Novelty(channels, quiet_settings()).memory.keys == []
    assert Novelty(channels, quiet_settings(NOVELTY="T-12")).memory.keys == ["12"]
    assert Novelty(channels, quiet_settings(NOVELTY="*")).memory.seen.nbytes == 3 * 3 * (KEPT + 2) * 4


def test_a_short_baseline_is_not_enough() -> None:
    snap = snapshot(SLOW)
    one = detector("novelty", snap, NOVELTY="*")

    assert one.learn(baseline(shaped(LEAST_CELLS - 1), snap)) == {}
    assert one.learn(baseline(shaped(LEAST_CELLS), snap))


def test_the_same_model_again_does_not_take_back_what_was_seen_since() -> None:
    values, snap = shaped(CELLS), snapshot(SLOW)
    one = made(values, snap)
    fed(one, np.full(10, 90.0))
    one.load(np.array([0]), one.learn(baseline(values, snap)))

    assert openings(fed(one, np.full(10, 90.0), start=400)) == []


def test_a_calibration_makes_it_remember_anew() -> None:
    values = shaped(CELLS)
    former = made(values)
    fed(former, np.full(3, 90.0))
    assert former.is_active(0)

    later = made(values, snapshot(tag(11, period_s=60.0, calibrated_at=T0 + 5 * CELL_MS)))
    later.adopt(former.export())

    assert not later.is_active(0)
    assert openings(fed(later, shaped(60) + 7.0, start=10)) == []


def test_a_finding_is_advisory_names_its_tag_and_is_over_after_the_event() -> None:
    snap, values = snapshot(SLOW), shaped(CELLS + 60)
    one = engine(snap, model(snap, baseline(values[:CELLS], snap), NOVELTY="*"), NOVELTY="*")
    now = values[CELLS:].copy()
    now[40] = 55.0
    found = [f for i, v in enumerate(now) for f in one.process([readings([11], [v], T0 + i * CELL_MS)]) if f.edge != "update"]

    assert [(f.edge, f.tag, f.code, f.type.value, f.severity.value) for f in found] == [
        ("open", "T-11", "novel_value", "anomaly", "advisory"),
        ("close", "T-11", "novel_value", "anomaly", "advisory"),
    ]
    assert found[0].score >= found[0].limit == LIMIT
    assert found[0].because[0].tag == "T-11"


def signals(cells: int) -> np.ndarray:
    """float64 (cells, 3): a duty cycle, a skewed signal that is never negative, a wander of coarse resolution."""
    rng = np.random.default_rng(8)
    return np.stack([shaped(cells), np.exp(rng.normal(0, 1, cells)), np.round(wander(cells)[:, 0], 1)], axis=1)


def test_a_cell_that_ends_in_plain_numbers_leaves_what_arrays_leave_to_the_last_bit() -> None:
    snap, rng = snapshot(*(tag(i, period_s=60.0) for i in (11, 12, 13))), np.random.default_rng(9)
    cells = signals(CELLS + 1500)
    cells[CELLS:][rng.random((1500, 3)) < 0.01] *= 1.5
    plain, arrays = made(cells[:CELLS], snap), made(cells[:CELLS], snap)
    noted = 0
    for i, row in enumerate(cells[CELLS:]):
        t, fresh = T0 + i * CELL_MS, i == 0 or rng.random() < 0.02
        arrays.score(chunk([0, 1, 2], row, t, fresh=fresh, dt=60.0))
        for s, v in enumerate(row.tolist()):
            if not fresh and plain.note(s, t, v, 60.0):
                noted += 1
            else:
                plain.score(chunk([s], [v], t, fresh=fresh, dt=60.0))

    mine, theirs = plain.export(), arrays.export()
    for name, array in (theirs.arrays | theirs.group_arrays).items():
        assert np.array_equal((mine.arrays | mine.group_arrays)[name], array, equal_nan=True), name
    assert np.isfinite(theirs.group_arrays["seen"][:, :, KEPT]).any()  # lists were full
    assert np.isfinite(plain.memory.log_add).tolist() == [False, True, False]
    assert 0.9 * 4500 < noted < 4400


def test_the_stream_of_an_evaluation_is_judged_by_the_shipped_detector() -> None:
    whole = shaped(CELLS + 120)
    whole[CELLS + 80] = 55.0
    one = make_stream(whole[:CELLS].reshape(-1, 1))
    told = []
    for i, v in enumerate(whole[CELLS:]):
        score = one.score(np.array([v]))
        told += [(i, score >= LIMIT)] if one.alarm else []

    assert told == [(80, True)]
    assert type(one.replay.detector) is Novelty
    assert Stream.threshold == LIMIT
    assert quiet_settings(NOVELTY="*").novelty == ALL_TAGS
    assert rig_stream(whole[:CELLS].reshape(-1, 1)).model.learned["novelty"]
