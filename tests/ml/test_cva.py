"""CVA: a broken relation between tags is found and named although every tag stays where it belongs."""

from __future__ import annotations

import numpy as np
import pytest

from ml.channels import Channels
from ml.detectors.cva import Cva
from ml.detectors.cva_fit import PAST, energy_matrices, expected, learn_cva, smoothed_energies
from ml.evaluate.process import make_process
from ml.scoring import History, Score
from realtime.snapshot import Tag
from tests.ml.plant import T0, chunk, history, quiet_settings, series, snapshot, tag

TAGS = [tag(number) for number in range(11, 19)]
BASELINE_S, LIVE_S, FAULT_S = 7200, 1800, 600


def machine(seconds: int, seed: int = 3) -> np.ndarray:
    """float64 (seconds, 8): seven tags follow one load, each with its own gain, lag and noise; the eighth is free."""
    rng = np.random.default_rng(seed)
    load = np.zeros(seconds + 60)
    for i, step in enumerate(rng.normal(0, 0.1, seconds + 60)[1:], 1):
        load[i] = 0.99 * load[i - 1] + step
    gains, lags = np.linspace(0.5, 2.0, 7), np.arange(7) * 5
    follow = np.stack([gain * load[60 - lag : 60 - lag + seconds] for gain, lag in zip(gains, lags, strict=True)], axis=1)
    return 50 + np.concatenate([follow, np.zeros((seconds, 1))], axis=1) + rng.normal(0, 0.05, (seconds, 8))


WHOLE = machine(BASELINE_S + LIVE_S)
BASELINE, LIVE = WHOLE[:BASELINE_S], WHOLE[BASELINE_S:]


def cva(tags: list[Tag] = TAGS, values: np.ndarray = BASELINE) -> Cva:
    one = Cva(Channels(snapshot(*tags), 1), quiet_settings())
    one.load(np.arange(len(tags)), one.learn(history(tags, values, start=T0 - len(values) * 1000)))
    return one


def run(one: Cva, values: np.ndarray, start: int = T0) -> list[Score]:
    slots = range(values.shape[1])
    scores = [one.score(chunk(slots, row, start + i * 1000, fresh=i == 0)) for i, row in enumerate(values)]
    return [score for score in scores if score is not None]


def test_healthy_half_hour_raises_nothing() -> None:
    scores = run(cva(), LIVE)

    assert len(scores) == LIVE_S / 10 - 1  # the first row has no row before it
    assert not any(score.active.any() for score in scores)


@pytest.mark.parametrize("tag_index", [1, 3, 6])
def test_tag_that_follows_the_load_no_more_is_found_and_named_first(tag_index: int) -> None:
    values = LIVE.copy()
    # the same tag at another time: its level, its spread and its pace are all healthy
    values[FAULT_S:, tag_index] = machine(LIVE_S, seed=11)[FAULT_S:, tag_index]
    assert np.abs(values[:, tag_index] - 50).max() < np.abs(BASELINE[:, tag_index] - 50).max()
    one = cva()

    scores = run(one, values)

    first = next(int(score.onset[0]) for score in scores if score.active[0])
    assert FAULT_S * 1000 <= first - T0 <= (FAULT_S + 120) * 1000
    assert one.because(0, -1)[0].tag == f"T-{11 + tag_index}"


def test_alarm_ends_when_the_relation_is_back() -> None:
    values = LIVE.copy()
    values[600:700, 2] += 4.0

    scores = run(cva(), values)

    in_alarm = [int(score.t[0] - T0) // 1000 for score in scores if score.active[0]]
    assert in_alarm
    assert 600 <= in_alarm[0] <= 640
    assert in_alarm[-1] < 1200
    assert in_alarm == list(range(in_alarm[0], in_alarm[-1] + 1, 10))  # one alarm, without chatter


def test_streamed_energies_are_those_of_the_whole_matrix() -> None:
    learned = learn_cva(history(TAGS, BASELINE, start=T0 - BASELINE_S * 1000))
    z = (LIVE.reshape(-1, 10, 8).mean(axis=1) - learned["mean"]) / learned["std"]
    ready = np.arange(len(z)) >= PAST - 1

    streamed = [float(score.value[0]) for score in run(cva(), LIVE)]

    expected_ratio = (smoothed_energies(z, ready, learned["energy"]) / learned["limits"]).max(axis=1)
    assert streamed == pytest.approx(expected_ratio.tolist(), rel=1e-9)


def test_energies_are_a_partition_of_the_mahalanobis_distance() -> None:
    rng = np.random.default_rng(5)
    z = np.cumsum(rng.normal(0, 1, (4000, 6)), axis=0) * 0.02 + rng.normal(0, 1, (4000, 6))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    ends = np.arange(len(z)) >= 2 * PAST - 1

    energy = energy_matrices(z, ends)

    at = np.flatnonzero(ends)
    past = np.hstack([z[at - PAST - j] for j in range(PAST)])
    assert energy.sum(axis=0) == pytest.approx(np.linalg.inv(past.T @ past / len(past)), rel=0.02, abs=0.02)
    assert expected(energy).sum() == pytest.approx(2 * 6, rel=1e-6)
    assert expected(energy) == pytest.approx(np.round(expected(energy)), abs=1e-6)  # whole variates on each side


def test_a_baseline_that_is_too_short_or_a_machine_that_is_too_small_learns_nothing() -> None:
    assert learn_cva(history(TAGS[:5], BASELINE[:, :5])) == {}
    assert learn_cva(history(TAGS, BASELINE[:900])) == {}
    assert learn_cva(history([*TAGS[:5], tag(99, joint=False)], BASELINE[:, :6])) == {}


def test_tags_that_never_move_are_left_out() -> None:
    values = BASELINE.copy()
    values[:, 0] = 7.0

    learned = learn_cva(history(TAGS, values))

    assert learned["joint"].tolist() == [False] + [True] * 7


def test_slow_tags_make_the_rows_and_a_late_value_stands_for_two() -> None:
    tags = [*TAGS[:7], tag(18, period_s=30.0)]
    slow = series(BASELINE[::30, 7], T0 - BASELINE_S * 1000, 30_000)
    fast = tuple(series(BASELINE[:, i], T0 - BASELINE_S * 1000) for i in range(7))
    one = Cva(Channels(snapshot(*tags), 1), quiet_settings())
    learned = one.learn(History(tuple(tags), (*fast, slow), 60.0))
    one.load(np.arange(8), learned)

    found = []
    for i, row in enumerate(LIVE[:900]):
        spoken = range(8) if i % 30 == 0 and not 300 <= i < 330 else range(7)
        found.append(one.score(chunk(spoken, row[: len(spoken)], T0 + i * 1000, fresh=i == 0)))

    assert int(learned["row_ms"][0]) == 30_000
    assert sum(score is not None for score in found) == 900 / 30 - 1
    assert not any(score.active.any() for score in found if score is not None)


def test_a_tag_that_was_calibrated_or_is_gone_switches_the_machine_off_until_it_is_learned_again() -> None:
    learned = learn_cva(history(TAGS, BASELINE, start=T0 - BASELINE_S * 1000))
    calibrated = [tag(11, calibrated_at=T0), *TAGS[1:]]
    for tags, slots in ((calibrated, np.arange(8)), (TAGS[:7], np.array([*range(7), -1]))):
        one = Cva(Channels(snapshot(*tags), 1), quiet_settings())
        one.load(slots, learned)

        assert run(one, LIVE[:300, : len(tags)] + 20) == []


def test_left_out_rate_says_what_the_limits_cost_on_thirds_they_were_not_taken_from() -> None:
    rate = float(learn_cva(history(TAGS, BASELINE))["left_out_rate"][0])

    assert 0.0 <= rate <= 0.02


def test_evaluated_process_is_the_shipped_detector_and_says_which_channel() -> None:
    process = make_process(BASELINE[:, :8][::10])
    values = LIVE[::10].copy()
    values[60:, 4] += np.linspace(0, 6, len(values) - 60)

    scores = np.array([process.score(row) for row in values])

    assert (scores[:60] < 1).all()
    assert (scores[150:] >= 1).all()
    assert process.alarm
    assert int(np.argmax(process.contributions())) == 4
    assert type(process.replay.detector) is Cva
