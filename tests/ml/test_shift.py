"""Shift: a small step under noise is found within a minute and named, what comes back is no news, and wander widens the limit."""

from __future__ import annotations

import numpy as np
import pytest

from ml.detectors.shift import Shift
from ml.detectors.shift_fit import DEVIATIONS, MARGIN, SCALES, learn_shift
from ml.engine import Engine
from ml.scoring import Score
from realtime.snapshot import Snapshot
from tests.ml.plant import T0, chunk, detector, engine, history, model, snapshot, tag, wander
from tests.ml.plant import batch as readings

BASELINE_S, LIVE_S, FAULT_S = 3600, 1500, 600
PAIR = (tag(11), tag(12))


def noisy(seconds: int, seed: int = 5) -> np.ndarray:
    """float64 (seconds, 2): two levels with white noise of deviation 1."""
    return np.round(50.0 + np.random.default_rng(seed).normal(0, 1.0, (seconds, 2)), 2)


def made(values: np.ndarray | None = None, snap: Snapshot | None = None) -> Shift:
    values = noisy(BASELINE_S) if values is None else values
    snap = snap or snapshot(*PAIR)
    one = detector("shift", snap, baseline=history(snap.tags, values, start=T0 - len(values) * 1000))
    assert isinstance(one, Shift)
    return one


def fed(one: Shift, values: np.ndarray, start: int = 0) -> list[Score]:
    scores = [one.score(chunk(range(values.shape[1]), row, T0 + (start + i) * 1000, fresh=i == 0)) for i, row in enumerate(values)]
    return [score for score in scores if score is not None]


def edges(scores: list[Score]) -> list[tuple[int, int, int]]:
    """(second, slot, code) where an alarm begins."""
    stood = np.array([False, *(bool(s.active[0]) for s in scores)])
    return [(int(s.t[0] - T0) // 1000, int(s.slot[0]), int(s.code[0])) for i, s in enumerate(scores) if stood[i + 1] and not stood[i]]


def faulted(kind: str) -> np.ndarray:
    values = noisy(LIVE_S, seed=6)
    after = np.arange(LIVE_S - FAULT_S)
    values[FAULT_S:, 1] += {"bias": 1.0 + 0 * after, "low": -1.0 + 0 * after, "ramp": 0.01 * after}[kind]
    return values


def test_noise_alone_raises_nothing_for_hours() -> None:
    assert edges(fed(made(), noisy(3 * 3600, seed=7))) == []


@pytest.mark.parametrize(("kind", "within_s", "code"), [("bias", 60, 0), ("low", 60, 1), ("ramp", 300, 0)])
def test_one_deviation_of_noise_is_found_and_named(kind: str, within_s: int, code: int) -> None:
    found = edges(fed(made(), faulted(kind)))

    assert len(found) == 1
    second, slot, said = found[0]
    assert FAULT_S < second <= FAULT_S + within_s
    assert (slot, said) == (1, code)


def test_alarm_ends_with_the_windows_and_the_way_back_is_none() -> None:
    values = noisy(2400, seed=6)
    values[600:1500, 1] += 2.0
    scores = fed(made(), values)
    in_alarm = [int(s.t[0] - T0) // 1000 for s in scores if s.active[0]]

    assert len(edges(scores)) == 1
    assert 600 < min(in_alarm) < max(in_alarm) <= 600 + 430


def test_machine_whose_tags_move_together_raises_one_alarm_that_names_the_furthest() -> None:
    values = noisy(LIVE_S, seed=6)
    values[FAULT_S:] += (2.0, 8.0)
    one = made()

    assert [slot for _, slot, _ in edges(fed(one, values[: FAULT_S + 60]))] == [1]
    because = one.because(0, 1)
    assert [b.tag for b in because] == ["T-12", "T-11"]
    assert sum(b.share for b in because) == pytest.approx(1.0, abs=0.01)


def test_level_that_wanders_gets_wider_limits_for_the_same_contrasts() -> None:
    t = np.arange(BASELINE_S)
    around = 50.0 + np.sin(2 * np.pi * t / 60)[:, None] + np.random.default_rng(1).normal(0, 0.2, (BASELINE_S, 1))
    away = 50.0 + np.cumsum(np.random.default_rng(2).normal(0, 0.02, BASELINE_S))[:, None]

    def in_deviations(values: np.ndarray) -> float:
        limit = learn_shift(history(PAIR[:1], values))["limits"][0, 1]
        means = values[: BASELINE_S // 60 * 60, 0].reshape(-1, 60).mean(axis=1)
        return float(limit / np.diff(means).std())

    assert in_deviations(away) > 2 * in_deviations(around)


def test_steady_trend_of_a_warm_up_is_no_wander() -> None:
    level, climbing = noisy(BASELINE_S), noisy(BASELINE_S)
    climbing[:, 1] += 0.002 * np.arange(BASELINE_S)
    flat, trend = (learn_shift(history(PAIR, values))["limits"][1] for values in (level, climbing))

    contrast = 0.002 * np.array([late + early for late, early in SCALES]) / 2 * 10  # how far the trend goes between two means
    assert (trend < flat + 2 * MARGIN * contrast).all()


def test_readings_that_spread_over_their_steps_are_as_fine_as_their_means() -> None:
    spread, live = (np.round(values / 1.2) * 1.2 for values in (noisy(BASELINE_S), faulted("bias")))
    flicker = 1.2 * (noisy(BASELINE_S) > 50)

    assert [slot for _, slot, _ in edges(fed(made(spread), live))] == [1]
    assert (learn_shift(history(PAIR, flicker))["limits"] >= DEVIATIONS * 1.2 / np.sqrt(12)).all()


def test_a_model_and_a_state_of_other_scales_are_left_alone() -> None:
    one, live = made(), noisy(900, seed=6)
    fed(one, live)
    state = one.export()
    state.arrays["cells"] = state.arrays["cells"][:, :30]
    after = made()
    after.adopt(state)

    assert edges(fed(after, noisy(900, seed=8), start=900)) == []
    empty = detector("shift", snapshot(*PAIR))
    empty.load(np.arange(2), {"limit": np.ones((2, len(SCALES)))})
    assert empty.score(chunk([0], [50.0], T0)) is None


def test_long_contrasts_are_learned_from_enough_of_them_only() -> None:
    limit = learn_shift(history(PAIR, noisy(1200)))["limits"]

    assert np.isfinite(limit[:, :-1]).all()
    assert np.isnan(limit[:, -1]).all()


@pytest.mark.parametrize("values", [noisy(1100), np.full((3600, 2), 50.0)])
def test_a_short_or_unmoved_baseline_learns_nothing(values: np.ndarray) -> None:
    limit = learn_shift(history(PAIR, values))["limits"]

    assert limit.shape == (2, len(SCALES))
    assert np.isnan(limit).all()


def test_tag_whose_drift_is_switched_off_is_not_judged() -> None:
    tags = (tag(11), tag(12, drift=False))

    assert edges(fed(made(snap=snapshot(*tags)), faulted("bias"))) == []


def test_one_step_of_a_coarse_signal_is_none() -> None:
    coarse = np.zeros((BASELINE_S, 2))
    coarse[1000:1005] = 0.5
    live = np.zeros((600, 2))
    live[300:] = 0.5

    assert edges(fed(made(coarse), live)) == []


def test_tag_that_was_calibrated_starts_anew() -> None:
    values = faulted("bias")
    before = made()
    fed(before, values[:FAULT_S])
    after = made(snap=snapshot(PAIR[0], tag(12, calibrated_at=T0)))
    after.adopt(before.export())

    assert edges(fed(after, values[FAULT_S:], start=FAULT_S)) == []


def played(made_engine: Engine, values: np.ndarray) -> list[list[str]]:
    """Detectors that page, after each reading."""
    paging = []
    for i, row in enumerate(values):
        made_engine.process([readings([11, 12], row, T0 + i * 1000)])
        paging.append([one.detector for one in made_engine.pages()])
    return paging


def test_shift_pages_by_itself_and_confirms_drift() -> None:
    baseline = history(PAIR, noisy(BASELINE_S), start=T0 - BASELINE_S * 1000)
    snap = snapshot(*PAIR)

    paging = played(engine(snap, model(snap, baseline)), faulted("bias")[: FAULT_S + 120])

    assert not any(paging[:FAULT_S])
    assert "shift" in paging[-1] or "drift" in paging[-1]


def test_wandering_machine_pages_nothing() -> None:
    values = wander(BASELINE_S + 1200, channels=2)
    baseline = history(PAIR, values[:BASELINE_S], start=T0 - BASELINE_S * 1000)
    snap = snapshot(*PAIR)

    assert not any(played(engine(snap, model(snap, baseline)), values[BASELINE_S:]))
