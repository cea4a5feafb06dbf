"""Injected faults: they begin at the healthy value, do what their name says, and end."""

import numpy as np
import pytest

from plc.simulator.faults import RAMP_S, Fault, Kind, fault_from, faulted, sources_off, why_refused
from plc.simulator.plant import Plant
from plc.simulator.signals import healthy, plant_signals

SIGNALS = plant_signals()
START = 1_795_190_400_000
AFTER = START + 60_000


def value_at(signal_name: str, t_ms: int, fault: Fault) -> float | None:
    signal = SIGNALS[signal_name]
    return faulted(signal, float(healthy(signal, np.array([t_ms], np.int64))[0]), t_ms, [fault])


def healthy_at(signal_name: str, t_ms: int) -> float:
    return float(healthy(SIGNALS[signal_name], np.array([t_ms], np.int64))[0])


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("kind", [Kind.DRIFT, Kind.OVERHEAT])
def test_slow_fault_begins_at_the_healthy_value_and_ends_unmistakable(name: str, kind: Kind) -> None:
    fault = Fault("f", name, kind, START)

    assert value_at(name, START, fault) == pytest.approx(healthy_at(name, START), abs=SIGNALS[name].resolution)
    grown = value_at(name, AFTER, fault)
    assert grown is not None
    if kind is Kind.DRIFT or "temperature" in name:
        spread = np.std(healthy(SIGNALS[name], np.arange(START, START + 3_600_000, 1_000, dtype=np.int64)))
        assert grown - healthy_at(name, AFTER) > 8 * spread


def test_stuck_holds_the_value_of_the_moment_it_began() -> None:
    fault = Fault("f", "PT-101", Kind.STUCK, START)

    seen = {value_at("PT-101", START + s * 1000, fault) for s in range(60)}

    assert seen == {healthy_at("PT-101", START)}


def test_spikes_stand_out_and_return() -> None:
    fault = Fault("f", "TT-201", Kind.SPIKE, START)

    added = [(value_at("TT-201", START + s * 1000, fault) or 0.0) - healthy_at("TT-201", START + s * 1000) for s in range(16)]

    assert sum(a > 5.0 for a in added) == 4
    assert sum(abs(a) < 0.11 for a in added) == 12


def test_noise_widens_the_spread_and_keeps_the_mean() -> None:
    fault = Fault("f", "FT-301", Kind.NOISE, START)

    shown = [value_at("FT-301", START + s * 1000, fault) or 0.0 for s in range(300)]

    assert np.std(shown) > 5 * 0.3
    assert np.mean(shown) == pytest.approx(42.0, abs=1.0)


def test_over_range_leaves_the_signal_range() -> None:
    assert value_at("PT-101", START, Fault("f", "PT-101", Kind.OVER_RANGE, START)) == pytest.approx(10.5)


def test_silence_of_a_machine_is_silence_of_all_its_tags_and_no_other() -> None:
    fault = Fault("f", "M1", Kind.SILENCE, START)

    silent = {name for name in SIGNALS if value_at(name, START, fault) is None}

    assert silent == {f"M1.{field}" for field in ("temperature", "vibration", "current", "pressure", "rpm")}


def test_a_magnitude_replaces_the_default() -> None:
    fault = Fault("f", "M1.vibration", Kind.DRIFT, START, magnitude=5.0)

    assert (value_at("M1.vibration", AFTER, fault) or 0.0) - healthy_at("M1.vibration", AFTER) == pytest.approx(5.0, abs=0.02)


def test_a_duration_ends_the_fault_by_itself() -> None:
    plant = Plant()
    plant.inject(fault_from({"id": "1", "target": "PT-101", "kind": "stuck", "duration_s": 10}, START))

    assert [f.id for f in plant.active(START + 9_000)] == ["1"]
    assert plant.active(START + 10_000) == []
    assert plant.value("PT-101", START + 11_000) == healthy_at("PT-101", START + 11_000)


def test_fault_code_stops_the_press_and_clearing_starts_it() -> None:
    plant = Plant()
    plant.inject(Fault("1", "PL-1", Kind.FAULT_CODE, START, magnitude=21))

    state = plant.press_state(START + 1_000)
    plant.clear("1")

    assert (state["PL-1.running"], state["PL-1.status"], state["PL-1.fault_code"]) == (0.0, 3.0, 21.0)
    assert plant.press_state(START + 2_000)["PL-1.running"] == 1.0


@pytest.mark.parametrize(
    ("target", "source"), [("press-s7", "press-s7"), ("M2", "plant-mqtt"), ("TT-201", "plant-mqtt"), ("DMLS-1", "dmls-opcua")]
)
def test_source_off_names_the_device_behind_its_target(target: str, source: str) -> None:
    assert sources_off(START, [Fault("f", target, Kind.SOURCE_OFF, START)]) == {source}


@pytest.mark.parametrize(
    ("target", "kind", "word"),
    [
        ("NOPE", "drift", "no tag"),
        ("PL-1.pressure", "silence", "polled"),
        ("M1", "fault_code", "PL-1"),
        ("press-s7", "drift", "switched off"),
        ("PL-1.running", "drift", "bits"),
        ("M1.rpm", "overheat", "heats"),
        ("DMLS-1.plate", "noise", "plate"),
    ],
)
def test_a_fault_that_the_plant_cannot_show_is_refused_with_the_reason(target: str, kind: str, word: str) -> None:
    plant = Plant()
    fault = Fault("f", target, Kind(kind), START)

    assert word in (plant.inject(fault) or "")
    assert plant.active(START) == []
    assert word in plant.bodies(START)[0]["refused"]


def test_every_kind_can_be_shown_somewhere() -> None:
    targets = [*SIGNALS, "PL-1", "M1", "DMLS-1", "DMLS-1.plate", "press-s7"]

    shown = {kind for kind in Kind for target in targets if why_refused(Fault("f", target, kind, START), SIGNALS) is None}

    assert shown == set(Kind)


def test_a_fault_reaches_its_magnitude_within_a_minute() -> None:
    assert RAMP_S < 60
