"""Healthy signals: the same at every asking, never still, never near a limit."""

import numpy as np
import pytest

from plc.simulator.noise import wander, white
from plc.simulator.plate import plate, statistics
from plc.simulator.signals import healthy, plant_signals, press_state

SIGNALS = plant_signals()
START = 1_795_190_400_000
HOURS_2 = np.arange(START, START + 7_200_000, 1_000, dtype=np.int64)


@pytest.mark.parametrize("name", SIGNALS)
def test_history_and_live_agree_on_every_moment(name: str) -> None:
    signal = SIGNALS[name]

    alone = healthy(signal, HOURS_2[100:101])

    assert alone.dtype == np.float64
    assert alone[0] == healthy(signal, HOURS_2)[100]


@pytest.mark.parametrize("name", SIGNALS)
def test_healthy_signal_never_stands_still_for_half_the_stuck_window(name: str) -> None:
    period = 3 if SIGNALS[name].asset.startswith("M") else 1

    value = healthy(SIGNALS[name], HOURS_2[::period])

    moves = np.flatnonzero(np.diff(value))
    assert np.diff(moves).max() * period <= 18


@pytest.mark.parametrize("name", SIGNALS)
def test_healthy_signal_stays_near_its_level_and_in_range(name: str) -> None:
    signal = SIGNALS[name]
    two_days = np.arange(START, START + 2 * 86_400_000, 30_000, dtype=np.int64)

    value = healthy(signal, two_days)

    assert value.min() > 0.0
    assert value.max() < signal.top
    assert np.abs(value - signal.level).max() < signal.drift


def test_readings_are_steps_of_the_sensors_resolution() -> None:
    signal = SIGNALS["PT-101"]

    steps = healthy(signal, HOURS_2) / signal.resolution

    assert np.allclose(steps, np.round(steps), atol=1e-6)


def test_temperature_follows_the_load_later_than_the_current_does() -> None:
    current, temperature = healthy(SIGNALS["M1.current"], HOURS_2), healthy(SIGNALS["M1.temperature"], HOURS_2)

    at_once = np.corrcoef(current, temperature)[0, 1]
    later = np.corrcoef(current[:-60], temperature[60:])[0, 1]

    assert later > at_once


def test_another_seed_is_another_plant() -> None:
    signal = SIGNALS["PT-101"]

    assert not np.array_equal(healthy(signal, HOURS_2[:50], seed=1), healthy(signal, HOURS_2[:50], seed=2))


def test_noise_has_the_stated_mean_and_deviation() -> None:
    at = np.arange(200_000, dtype=np.int64)

    for noise in (white(5, at), wander(5, at * 1000, 10.0)):
        assert abs(noise.mean()) < 0.05
        assert abs(noise.std() - 1.0) < 0.05
        assert np.abs(noise).max() < 5.0


def test_press_runs_and_counts_its_strokes() -> None:
    state = press_state(HOURS_2)

    assert set(state["PL-1.running"]) == {1.0}
    assert set(state["PL-1.fault_code"]) == {0.0}
    assert np.diff(state["PL-1.cycles"]).sum() == 7_199 // 4
    assert state["PL-1.cycles"].max() < 2**31


def test_plate_shows_a_travelling_melt_and_a_hot_spot_when_overheated() -> None:
    cool, hot = plate(START), plate(START, overheat_c=48.0)

    assert cool.shape == (100, 100)
    assert 20.0 < cool.min() < cool.max() < 80.0
    assert hot[82, 17] - cool[82, 17] == pytest.approx(48.0, abs=0.1)
    assert np.unravel_index(cool.argmax(), cool.shape) != np.unravel_index(plate(START + 3_000).argmax(), cool.shape)
    assert statistics(cool)["mean"] == pytest.approx(cool.mean())
