"""CUSUM: run lengths as theory has them, small lasting shifts, and a clean start after a calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.detectors.cusum import NEW_REFERENCE_BLOCKS, Cusum
from ml.detectors.cusum_interval import interval, run_length
from ml.detectors.cusum_start import WARM_BLOCKS
from ml.scoring import Score
from tests.ml.plant import T0, chunk, detector, engine, history, model, snapshot, tag, wander
from tests.ml.plant import batch as readings

BLOCK_MS = 60_000
TAG = tag(11)
BASELINE = history([TAG], wander(7200), start=T0 - 7_200_000)


def made(calibrated_at: int | None = None, **environment: str) -> Cusum:
    found = detector("cusum", snapshot(tag(11, period_s=6.0, calibrated_at=calibrated_at)), baseline=BASELINE, **environment)
    assert isinstance(found, Cusum)
    return found


def fed(one: Cusum, blocks: int, shift: float, start: int = 0) -> list[Score]:
    """Blocks of ten readings at so many sigma from the reference of the baseline."""
    mu, sigma = float(one.learn(BASELINE)["mu"][0]), float(one.sigma[0])
    scores = []
    for block in range(start, start + blocks):
        for i in range(10):
            score = one.score(chunk([0], [mu + shift * sigma], T0 + block * BLOCK_MS + i * 6000, dt=6.0))
            scores += [score] if score is not None else []
    return scores


def alarms(scores: list[Score]) -> list[int]:
    return [int(s.t[0]) for s in scores if s.active[0]]


# Montgomery, Introduction to Statistical Quality Control, two-sided, k = 0.5: (h, shift in sigma, blocks)
PUBLISHED = [(4.0, 0.0, 168), (5.0, 0.0, 465), (5.0, 0.5, 38.0), (5.0, 1.0, 10.4), (4.0, 2.0, 3.34)]


@pytest.mark.parametrize(("h", "shift", "published"), PUBLISHED)
def test_run_lengths_are_within_three_percent_of_theory(h: float, shift: float, published: float) -> None:
    tags = [tag(i, period_s=60.0) for i in range(1, 8001)]
    one = Cusum(detector("cusum", snapshot(*tags)).channels, detector("cusum", snapshot(), CUSUM_H=str(h)).settings)
    n, rng = len(tags), np.random.default_rng(7)
    one.sigma[:], one.mu[:], one.h[:] = 1.0, 0.0, h
    length, slots = np.zeros(n, np.int64), np.arange(n)

    block = 0
    while len(slots):
        one.score(chunk(slots, rng.normal(shift, 1.0, len(slots)), T0 + block * BLOCK_MS))
        length[slots] = block  # the block that this reading opened is closed by the next
        slots = slots[~one.active[slots]]
        block += 1

    assert length.mean() == pytest.approx(published, rel=0.03)


def test_the_interval_comes_from_the_wanted_run_length() -> None:
    assert run_length(5.0, 0.5) == pytest.approx(469, abs=1)
    assert run_length(8.0, 0.5) == pytest.approx(9556, rel=0.001)
    assert interval(70_674, 0.5) == pytest.approx(10.0, abs=0.001)
    assert made().least_h[0] == pytest.approx(interval(365.25 * 1440, 0.5))
    assert made(CUSUM_H="5").least_h[0] == 5.0


def test_a_tag_may_have_a_k_and_an_h_of_its_own_and_the_others_keep_those_of_the_settings() -> None:
    tags = [tag(11, period_s=60.0), tag(12, period_s=60.0, cusum_h=4.0), tag(13, period_s=60.0, cusum_k=1.0, cusum_h=4.0)]
    one = detector("cusum", snapshot(*tags), CUSUM_H="9")
    assert isinstance(one, Cusum)
    one.sigma[:], one.mu[:], one.h[:] = 1.0, 0.0, 9.0

    first = [0, 0, 0]
    for block in range(40):  # a shift of one sigma: each block adds 1 - k
        one.score(chunk(range(3), [1.0] * 3, T0 + block * BLOCK_MS))
        first = [now or (block if active else 0) for now, active in zip(first, one.active, strict=True)]

    assert first == [18, 8, 0]
    assert one.least_h[2] == 4.0


def test_a_k_of_its_own_is_learned_with() -> None:
    baseline = history([tag(11, cusum_k=2.0)], wander(7200), start=T0 - 7_200_000)

    lenient = detector("cusum", snapshot(tag(11))).learn(baseline)["h"]
    usual = detector("cusum", snapshot(tag(11))).learn(BASELINE)["h"]

    assert np.isfinite([lenient[0], usual[0]]).all()
    assert lenient[0] < usual[0]


@pytest.mark.parametrize(("shift", "code"), [(1.5, 0), (-1.5, 1)])
def test_a_small_lasting_shift_is_found_with_its_side_and_onset_and_ends_with_it(shift: float, code: int) -> None:
    one = made()
    assert not alarms(fed(one, 30, 0.2))

    found = [s for s in fed(one, 40, shift, start=30) if s.active[0]]
    after = fed(one, 10, 0.0, start=70)

    assert found
    assert {int(s.code[0]) for s in found} == {code}
    assert abs(int(found[0].onset[0]) - (T0 + 30 * BLOCK_MS)) <= 2 * BLOCK_MS
    assert not after[-1].active[0]
    assert one.high[0] == one.low[0] == 0.0


def test_an_alarm_that_went_on_for_days_ends_as_soon_as_one_of_an_hour() -> None:
    one = made()
    fed(one, 2000, 3.0)

    assert not fed(one, 10, 0.0, start=2000)[-1].active[0]


def test_a_shift_that_lasts_is_one_alarm() -> None:
    tags = [tag(i, period_s=60.0) for i in range(1, 201)]
    one = detector("cusum", snapshot(*tags))
    assert isinstance(one, Cusum)
    one.mu[:], one.sigma[:], one.h[:] = 300.0, 4.0, 12.0
    means, slots = np.random.default_rng(6).normal(300.0 + 1.5 * 4.0, 4.0, (180, len(tags))), np.arange(len(tags))
    began, was = np.zeros(len(tags), int), np.zeros(len(tags), bool)

    for block, row in enumerate(means):
        one.score(chunk(slots, row, T0 + block * BLOCK_MS))
        began += one.active & ~was
        was = one.active.copy()

    assert (began >= 1).all()
    assert (began == 1).mean() > 0.85  # three near blocks in a row, as an end, made four alarms of each


def test_a_calibration_sets_the_sums_back_and_takes_the_reference_anew() -> None:
    before = made()
    fed(before, 40, 1.5)
    assert before.active[0]
    at = T0 + 40 * BLOCK_MS

    after = made(calibrated_at=at)
    after.adopt(before.export())
    scores = fed(after, 60, 1.5, start=41)

    assert not alarms(scores)
    assert len(scores) == 60 - NEW_REFERENCE_BLOCKS - 1
    assert after.high[0] == after.low[0] == 0.0
    assert alarms(fed(after, 40, 3.0, start=101))


def test_a_calibration_does_not_lose_its_reference_in_a_restart() -> None:
    at = T0 + 1000
    first = made(calibrated_at=at)
    fed(first, 20, 1.5, start=1)

    second = made(calibrated_at=at)
    second.adopt(first.export())

    assert second.mu[0] == first.mu[0]
    assert not alarms(fed(second, 40, 1.5, start=21))


def test_a_baseline_that_wanders_without_end_switches_it_off_for_the_tag() -> None:
    two_days = 50 + np.linspace(0, 10, 2880)
    levels = np.stack([two_days - 0.1, two_days, two_days + 0.1], axis=1)
    drifting = replace(BASELINE, series=(replace(BASELINE.series[0], levels=levels),))

    learned = detector("cusum", snapshot(TAG)).learn(drifting)

    assert np.isnan(learned["h"][0])


def test_a_baseline_shorter_than_a_day_gives_no_reference() -> None:
    short = replace(BASELINE, series=(replace(BASELINE.series[0], levels=BASELINE.series[0].levels[:600]),))

    assert np.isnan(detector("cusum", snapshot(TAG)).learn(short)["mu"][0])


def test_a_posted_calibration_closes_the_finding_of_the_running_monitor() -> None:
    plant = snapshot(TAG)
    monitor = engine(plant, model(plant, BASELINE))
    one = monitor.detectors["cusum"]
    assert isinstance(one, Cusum)
    value = float(one.mu[0] + 1.5 * one.sigma[0])
    wobble = np.random.default_rng(3).normal(0, 0.1, 7200)  # as noisy as healthy: it is not stuck
    found = []
    for i in range(3600):
        found += monitor.process([readings([11], [value + wobble[i]], T0 + i * 1000)])
    assert [f.detector for f in found if f.edge == "open"] == ["cusum"]

    monitor, closed = monitor.reconfigured(snapshot(tag(11, calibrated_at=T0 + 3_600_000), version=2), T0 + 3_600_000)
    for i in range(3600, 7200):
        closed += monitor.process([readings([11], [value + wobble[i]], T0 + i * 1000)])

    assert [(f.detector, f.edge) for f in closed] == [("cusum", "close")]


def blocks_of(values: np.ndarray, seed: int = 1, **environment: str) -> tuple[np.ndarray, Cusum]:
    """(block of each tag's first alarm, -1 for none; the detector) without any training; values (blocks, tags) of block means."""
    tags = [tag(i, period_s=60.0) for i in range(1, values.shape[1] + 1)]
    one = detector("cusum", snapshot(*tags), **environment)
    assert isinstance(one, Cusum)
    first, slots = np.full(values.shape[1], -1), np.arange(values.shape[1])
    for block, row in enumerate(values):
        one.score(chunk(slots, row, T0 + block * BLOCK_MS))
        first[one.active & (first < 0)] = block
    return first, one


def test_untaught_it_alarms_hardly_oftener_than_theory_lets_a_taught_one() -> None:
    rng = np.random.default_rng(5)

    first, one = blocks_of(rng.normal(300.0, 4.0, (400, 3000)), CUSUM_H="5")

    assert 0 < (first >= 0).mean() <= 1 - np.exp(-400 / run_length(5.0, 0.5)) + 0.08  # what ten blocks of delay cost
    assert first[first >= 0].min() >= WARM_BLOCKS
    assert one.own.held.max() == 399


def test_untaught_a_level_that_wanders_slowly_raises_next_to_nothing_in_a_day() -> None:
    rng = np.random.default_rng(6)
    values = np.zeros((1440, 400))
    for i in range(1, 1440):
        values[i] = 0.7 * values[i - 1] + rng.normal(0, 1, 400)

    first, _ = blocks_of(values)

    assert (first >= 0).sum() <= 8


@pytest.mark.parametrize("shift", [-2.0, 2.0])
def test_untaught_a_lasting_shift_is_found_provisionally_by_a_monitor_without_any_model(shift: float) -> None:
    monitor = engine(snapshot(tag(11, stuck_s=1e6, period_s=30.0)))
    rng, found = np.random.default_rng(3), []
    for block in range(240):
        level = 50 + rng.normal(0, 0.5) + (shift if block >= 180 else 0)
        for i in range(2):
            found += monitor.process([readings([11], [level], T0 + block * BLOCK_MS + i * 30_000)])

    (opened,) = [f for f in found if f.edge == "open"]
    assert (opened.detector, opened.provisional, opened.code) == ("cusum", True, "cusum_high" if shift > 0 else "cusum_low")
    assert abs(opened.t_onset - (T0 + 180 * BLOCK_MS)) <= 3 * BLOCK_MS
    assert opened.t <= T0 + 190 * BLOCK_MS


@pytest.mark.parametrize("wild", [60.0, 1e3, 1e6, 1e38])
def test_untaught_one_wild_reading_does_not_hide_a_lasting_shift(wild: float) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(50, 1, (400, 20))
    values[300:] += 1.5
    values[30] = wild

    first, _ = blocks_of(values)

    assert (first >= 300).all()


def test_what_an_untaught_one_has_seen_survives_a_restart_and_ends_with_the_training() -> None:
    first, one = blocks_of(np.random.default_rng(4).normal(50, 1, (50, 1)))
    other = detector("cusum", snapshot(tag(1, period_s=60.0)))
    assert isinstance(other, Cusum)
    other.adopt(one.export())

    assert first[0] == -1
    assert (other.own.held[0], other.own.centre[0]) == (one.own.held[0], one.own.centre[0])
    assert other.own.held[0] == 49

    taught = replace(BASELINE, tags=(tag(1),))
    other.load(np.array([0]), other.learn(taught))
    assert np.isfinite(other.sigma[0])
    assert other.own.held[0] == other.high[0] == other.low[0] == 0
