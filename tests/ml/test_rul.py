"""Remaining life from whole lives: trees as arrays, a band that holds what it says, and no pickle."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from ml import boosted, rul
from ml.artefacts import seal, unseal
from ml.evaluate.rul import make_rul
from ml.rul import CAP, LifeModel, TooFewLives, learn_life

KEY = b"k" * 32
ROUNDS = 40  # trees are what takes the time


def lives(number: int, seed: int) -> list[np.ndarray]:
    """Machines that wear at their own pace: two sensors show the wear, late and with noise, one only noise, one nothing."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        cycles = int(rng.integers(120, 260))
        wear = (np.arange(cycles) / cycles) ** 3
        noise = rng.normal(0, 0.1, (cycles, 3))
        own = rng.normal(0, 0.2, 2)
        columns = [own[0] + 2 * wear + noise[:, 0], own[1] - 3 * wear + noise[:, 1], noise[:, 2], np.full(cycles, 7.0)]
        made.append(np.stack(columns, axis=1))
    return made


@cache
def model() -> LifeModel:
    return learn_life(lives(40, 1), rounds=ROUNDS)


@cache
def told() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(left, low, high), truth and cut of lives that it never saw, each cut somewhere."""
    rng = np.random.default_rng(9)
    said, truth = [], []
    for life in lives(60, 2):
        cut = int(rng.integers(40, len(life)))
        found = model().predict(life[:cut])
        said.append((found.left, found.low, found.high))
        truth.append(min(len(life) - cut, CAP))
    return np.array(said), np.array(truth), np.array([np.mean([min(len(life) / 2, CAP) for life in lives(40, 1)])])


def test_flat_trees_predict_what_scikit_learn_predicts() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (800, 5))
    target = rows[:, 0] * 3 + np.abs(rows[:, 1]) + rng.normal(0, 0.1, 800)
    with threadpool_limits(1):
        fitted = [HistGradientBoostingRegressor(random_state=seed, max_iter=20).fit(rows, target) for seed in (0, 1)]
    new = rng.normal(0, 2, (300, 5))

    flat = boosted.flatten(fitted)

    with threadpool_limits(1):
        theirs = np.mean([one.predict(new) for one in fitted], axis=0)
    assert flat.predict(new) == pytest.approx(theirs, rel=1e-9)


def test_lives_never_seen_are_told_far_better_than_by_their_mean() -> None:
    said, truth, mean = told()

    error = np.sqrt(np.mean((said[:, 0] - truth) ** 2))

    assert error < 0.5 * np.sqrt(np.mean((mean - truth) ** 2))


def test_the_band_holds_about_nine_of_ten_and_is_narrow_at_the_end() -> None:
    said, truth, _ = told()

    assert 0.8 <= ((truth >= said[:, 1]) & (truth <= said[:, 2])).mean() <= 1.0
    assert (said[:, 1] <= said[:, 0]).all()
    assert (said[:, 0] <= said[:, 2]).all()
    width = said[:, 2] - said[:, 1]
    assert width[truth < 20].mean() < width[truth > 60].mean()


def test_sealed_arrays_are_the_same_model_and_a_damaged_byte_is_noticed() -> None:
    life = lives(1, 5)[0][:90]
    raw = seal({"kind": "rul"}, model().arrays(), KEY)

    meta, arrays = unseal(raw, KEY)

    assert meta["kind"] == "rul"
    assert rul.from_arrays(arrays).predict(life) == model().predict(life)
    assert all(array.dtype != object for array in arrays.values())


@pytest.mark.parametrize("cycles", [6, 14, 15, 60, 118])
def test_features_of_a_cycle_do_not_know_what_comes_after(cycles: int) -> None:
    life = lives(1, 6)[0]

    whole = model().wear.features(life)

    # the last bits of a matrix product depend on the number of its rows
    assert model().wear.features(life[:cycles]) == pytest.approx(whole[:cycles], rel=1e-9, abs=1e-12)


def test_learning_twice_gives_the_same_model() -> None:
    few = lives(12, 3)

    first, second = learn_life(few, rounds=5).arrays(), learn_life(few, rounds=5).arrays()

    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_too_few_or_too_short_lives_are_refused_with_the_count() -> None:
    with pytest.raises(TooFewLives, match="2 whole lives"):
        learn_life([*lives(2, 1), *(life[:30] for life in lives(20, 1))])
    with pytest.raises(TooFewLives, match="no value of these lives ever moves"):
        learn_life([np.full((60, 2), 1.0)] * 12)


def test_a_history_with_holes_is_refused() -> None:
    life = lives(1, 5)[0][:90].copy()
    life[3, 0] = np.nan

    for bad in (life, life[:0]):
        with pytest.raises(ValueError, match="every value"):
            model().predict(bad)


def test_evaluation_leaves_the_operators_settings_out() -> None:
    few, cut = lives(10, 3), lives(1, 5)[0][:90]
    ramp = [np.hstack([np.arange(len(life))[:, None] * np.ones(3), life]) for life in few]

    evaluated = make_rul(ramp, rounds=5)

    life = learn_life(few, rounds=5).predict(cut)
    assert evaluated.predict(np.hstack([np.full((90, 3), 9.0), cut])) == (life.left, life.low, life.high)
