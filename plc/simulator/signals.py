"""The healthy value of every demo tag as a pure function of time: level, daily cycle, load with lag, wander, noise, resolution.

It knows no protocol and no fault. The same function makes the seeded history and the live plant, so they join without a seam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plc.simulator.noise import Floats, Times, seed_of, wander, white

SEED = 7
DAY_MS = 86_400_000
CYCLE_MS = 4_000  # one stroke of the press
CYCLES_SINCE_MS = 1_735_689_600_000  # the press counter read 0 on 2025-01-01
STATUS_RUNNING = 1  # PL-1.status: 0 stopped, 1 running, 2 idle, 3 fault
STATUS_FAULT = 3


@dataclass(frozen=True, slots=True)
class Signal:
    """One analogue tag. All in engineering units; standard deviations for `swing`, `noise`; `load` per unit of machine load.

    `drift` and `heat` are what a fault of that kind adds when nobody names a magnitude; `top` is the end of the sensor's range.
    """

    name: str
    unit: str
    level: float
    swing: float
    noise: float
    resolution: float
    top: float
    drift: float
    daily: float = 0.0
    load: float = 0.0
    lag_s: float = 0.0
    heat: float = 0.0

    @property
    def asset(self) -> str:
        """Code of the machine the tag belongs to; an instrument is an asset of its own."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Machine:
    """What tells one rotating machine from another."""

    temperature: float
    vibration: float
    current: float
    pressure: float
    rpm: float


MACHINES = (
    Machine(temperature=62.0, vibration=2.1, current=18.5, pressure=3.2, rpm=1480.0),
    Machine(temperature=58.0, vibration=1.8, current=14.2, pressure=6.4, rpm=2950.0),
    Machine(temperature=71.0, vibration=2.6, current=32.0, pressure=7.8, rpm=2965.0),
)


def machine_signals(code: str, machine: Machine) -> list[Signal]:
    """The five tags of a rotating machine; load moves them together, temperature 90 s late."""
    return [
        Signal(f"{code}.temperature", "°C", machine.temperature, 0.15, 0.12, 0.1, 150.0, 8.0, 0.5, 0.35, 90.0, heat=26.0),
        Signal(f"{code}.vibration", "mm/s", machine.vibration, 0.05, 0.04, 0.01, 20.0, 1.6, load=0.04),
        Signal(f"{code}.current", "A", machine.current, 0.08, 0.06, 0.01, 80.0, 4.0, load=0.012 * machine.current, heat=2.5),
        Signal(f"{code}.pressure", "bar", machine.pressure, 0.015, 0.01, 0.005, 16.0, 0.9, load=0.015),
        Signal(f"{code}.rpm", "rpm", machine.rpm, 1.5, 1.5, 1.0, 3600.0, 60.0, load=-2.0),
    ]


PRESS = (
    Signal("PL-1.pressure", "bar", 182.0, 0.7, 0.5, 0.05, 315.0, 20.0, load=0.8),
    Signal("PL-1.oil_temperature", "°C", 46.0, 0.12, 0.1, 0.05, 120.0, 7.0, 0.6, 0.25, 120.0, heat=24.0),
    Signal("PL-1.motor_current", "A", 61.0, 0.35, 0.3, 0.05, 150.0, 12.0, load=0.7, heat=6.0),
    Signal("PL-1.stroke", "mm", 250.0, 0.12, 0.08, 400.0 / 27648.0, 400.0, 5.0),
)
INSTRUMENTS = (
    Signal("PT-101", "bar", 5.0, 0.025, 0.015, 0.005, 10.0, 0.7, 0.02),
    Signal("TT-201", "°C", 180.0, 0.35, 0.2, 0.1, 250.0, 7.5, 0.4, heat=15.0),
    Signal("FT-301", "m³/h", 42.0, 0.25, 0.15, 0.05, 80.0, 4.5, 0.2),
    Signal("LT-401", "%", 63.0, 0.3, 0.15, 0.05, 100.0, 12.0, 0.3),
)
PRINTER = (
    Signal("DMLS-1.power", "kW", 4.2, 0.04, 0.03, 0.01, 12.0, 1.2, load=0.03),
    Signal("DMLS-1.vibration", "mm/s", 0.8, 0.02, 0.015, 0.005, 10.0, 0.6, load=0.01),
)
PRESS_STATE = ("PL-1.running", "PL-1.status", "PL-1.fault_code", "PL-1.cycles")
PLATE = "DMLS-1.plate"


def plant_signals(machines: int = 3) -> dict[str, Signal]:
    """Every analogue tag by name, with M1..M<machines>."""
    rotating = [signal for i in range(machines) for signal in machine_signals(f"M{i + 1}", MACHINES[i % len(MACHINES)])]
    return {signal.name: signal for signal in [*PRESS, *rotating, *INSTRUMENTS, *PRINTER]}


def load(asset: str, t_ms: Times, seed: int = SEED) -> Floats:
    """How hard a machine works at t, mean 0, about -2..2: what its tags have in common."""
    own = seed_of(f"{asset}/load", seed)
    return np.asarray(0.7 * wander(own, t_ms, 25.0) + 0.6 * wander(own + 10, t_ms, 150.0), np.float64)


def _lagged_load(signal: Signal, t_ms: Times, seed: int) -> Floats:
    if not signal.lag_s:
        return load(signal.asset, t_ms, seed)
    steps = range(1, 7)  # dead time, then a first-order lag, its impulse response cut after 3 time constants
    weights = [np.exp(-k / 2.0) for k in steps]
    late = (load(signal.asset, t_ms - round(k * signal.lag_s * 500.0), seed) * w for k, w in zip(steps, weights, strict=True))
    return np.asarray(sum(late) / sum(weights), np.float64)


def healthy(signal: Signal, t_ms: Times, seed: int = SEED) -> Floats:
    """float64 (n,), engineering units, at the times `t_ms` (n,): what the sensor shows when nothing is wrong."""
    own = seed_of(signal.name, seed)
    value = signal.level + signal.daily * np.sin(2.0 * np.pi * (t_ms % DAY_MS) / DAY_MS)
    value += signal.swing * (0.6 * wander(own, t_ms, 12.0) + 0.6 * wander(own + 10, t_ms, 70.0) + 0.5 * wander(own + 20, t_ms, 400.0))
    value += signal.noise * white(own + 30, t_ms)
    if signal.load:
        value += signal.load * _lagged_load(signal, t_ms, seed)
    return quantised(signal, value)


def quantised(signal: Signal, value: Floats) -> Floats:
    """As the sensor sends it: whole steps of its resolution, at least 0 and at most 5 % above its range."""
    stepped = np.round(np.round(value / signal.resolution) * signal.resolution, 6)
    return np.asarray(np.clip(stepped, 0.0, signal.top * 1.05), np.float64)


def press_state(t_ms: Times) -> dict[str, Floats]:
    """Run bit, status, fault code and stroke counter of the press, which runs day and night while nothing is wrong."""
    ones = np.ones(len(t_ms))
    return {
        "PL-1.running": ones,
        "PL-1.status": ones * STATUS_RUNNING,
        "PL-1.fault_code": ones * 0.0,
        "PL-1.cycles": np.floor((t_ms - CYCLES_SINCE_MS) / CYCLE_MS),
    }
