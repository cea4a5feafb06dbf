"""What an injected fault does to a healthy value: pure functions of the fault, the signal and the time.

Nothing outside plc/simulator may know of a fault: the plant around it must find out from the readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from plc.simulator.noise import seed_of, white
from plc.simulator.signals import PLATE, PRESS_STATE, STATUS_FAULT, Signal, healthy, quantised

RAMP_S = 30.0  # drift and overheat reach their magnitude in this time
SPIKE_EVERY_MS = 8_000
SPIKE_LASTS_MS = 1_500  # one sample of an instrument; a machine that reports every 3 s shows about every second one
DEFAULT_FAULT_CODE = 12
PLATE_OVERHEAT_C = 60.0


class Kind(StrEnum):
    """Kinds of fault that the demo plant knows."""

    DRIFT = "drift"
    STUCK = "stuck"
    SPIKE = "spike"
    NOISE = "noise"
    OVER_RANGE = "over_range"
    SILENCE = "silence"
    FAULT_CODE = "fault_code"
    SOURCE_OFF = "source_off"
    OVERHEAT = "overheat"


# The tag of an asset that a fault of one value hits when only the asset was named; instruments are their own tag.
MAIN_TAG = {"PL-1": "PL-1.pressure", "DMLS-1": "DMLS-1.power"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault; times ms UTC, `until` None = until cleared, `magnitude` None = the signal's own default."""

    id: str
    target: str
    kind: Kind
    started: int
    magnitude: float | None = None
    until: int | None = None

    def is_active(self, now: int) -> bool:
        """True from the start until its end."""
        return self.started <= now and (self.until is None or now < self.until)

    def body(self) -> dict[str, Any]:
        """As GET /api/simulator shows it."""
        return {
            "id": self.id,
            "target": self.target,
            "kind": self.kind.value,
            "started": self.started,
            "magnitude": self.magnitude,
            "until": self.until,
        }


def fault_from(body: dict[str, Any], now: int) -> Fault:
    """Read a command's data or a kept body; raises ValueError or KeyError saying what is wrong."""
    duration_s, until = body.get("duration_s"), body.get("until_ms", body.get("until"))
    started = int(body.get("started", now))
    if until is None and duration_s is not None:
        until = started + round(float(duration_s) * 1000)
    magnitude = body.get("magnitude")
    return Fault(
        id=str(body["id"]),
        target=str(body["target"]),
        kind=Kind(str(body["kind"])),
        started=started,
        magnitude=None if magnitude is None else float(magnitude),
        until=None if until is None else int(until),
    )


def hits(fault: Fault, signal: Signal) -> bool:
    """True when the fault changes this signal: its own name, or its asset where the kind means the whole machine."""
    if fault.target == signal.name:
        return True
    if fault.target != signal.asset:
        return False
    if fault.kind is Kind.OVERHEAT:
        return signal.heat > 0.0
    if fault.kind is Kind.SILENCE:
        return True
    return signal.name == MAIN_TAG.get(fault.target, f"{fault.target}.vibration")


def faulted(signal: Signal, value: float, t_ms: int, faults: Sequence[Fault]) -> float | None:
    """The value of a signal under the faults that hit it; None when it says nothing."""
    shown: float | None = value
    for fault in faults:
        if shown is not None and fault.is_active(t_ms) and hits(fault, signal):
            shown = _one(fault, signal, shown, t_ms)
    return shown


def _one(fault: Fault, signal: Signal, value: float, t_ms: int) -> float | None:
    match fault.kind:
        case Kind.SILENCE:
            return None
        case Kind.STUCK:
            return float(healthy(signal, np.array([fault.started], np.int64))[0])
        case Kind.OVER_RANGE:
            return signal.top * 1.05 if fault.magnitude is None else fault.magnitude
        case Kind.DRIFT | Kind.OVERHEAT | Kind.SPIKE | Kind.NOISE:
            return _sensed(signal, value + _added(fault, signal, t_ms))
        case _:
            return value


def _added(fault: Fault, signal: Signal, t_ms: int) -> float:
    if fault.kind is Kind.DRIFT:
        return ramp(fault, t_ms) * (signal.drift if fault.magnitude is None else fault.magnitude)
    if fault.kind is Kind.OVERHEAT:
        whole = signal.heat if fault.magnitude is None or fault.target == signal.asset != signal.name else fault.magnitude
        return ramp(fault, t_ms) * (whole or signal.drift)
    if fault.kind is Kind.SPIKE:
        size = 25.0 * _deviation(signal) if fault.magnitude is None else fault.magnitude
        return size if (t_ms - fault.started) % SPIKE_EVERY_MS < SPIKE_LASTS_MS else 0.0
    size = 10.0 * _deviation(signal) if fault.magnitude is None else fault.magnitude
    return size * float(white(seed_of(fault.id, 0), np.array([t_ms], np.int64))[0])


def ramp(fault: Fault, t_ms: int) -> float:
    """0 at the start of a fault, 1 after RAMP_S: nothing in a plant warms up or wears in one sample."""
    return float(min(1.0, max(0.0, (t_ms - fault.started) / (RAMP_S * 1000.0))))


def _deviation(signal: Signal) -> float:
    return float(np.hypot(signal.swing, signal.noise))


def _sensed(signal: Signal, value: float) -> float:
    return float(quantised(signal, np.array([value]))[0])


def press_state_under(state: dict[str, float], t_ms: int, faults: Sequence[Fault]) -> dict[str, float]:
    """Run bit, status and fault code of the press while a fault code stands; its stroke counter stands still."""
    standing = [f for f in faults if f.kind is Kind.FAULT_CODE and f.is_active(t_ms) and f.target.partition(".")[0] == "PL-1"]
    if not standing:
        return state
    code = standing[0].magnitude or DEFAULT_FAULT_CODE
    return {**state, "PL-1.running": 0.0, "PL-1.status": float(STATUS_FAULT), "PL-1.fault_code": float(round(code))}


def plate_overheat(t_ms: int, faults: Sequence[Fault]) -> float:
    """°C that overheating adds in the hot spot of the printer's plate."""
    hot = [f for f in faults if f.kind is Kind.OVERHEAT and f.is_active(t_ms) and f.target in {"DMLS-1", *plate_tags()}]
    return sum(ramp(f, t_ms) * (PLATE_OVERHEAT_C if f.magnitude is None else f.magnitude) for f in hot)


def plate_is_silent(t_ms: int, faults: Sequence[Fault]) -> bool:
    """True while the printer sends no frame."""
    return any(f.kind is Kind.SILENCE and f.is_active(t_ms) and f.target in {"DMLS-1", *plate_tags()} for f in faults)


def plate_is_stuck(t_ms: int, faults: Sequence[Fault]) -> Fault | None:
    """The fault that froze the picture of the plate, if any."""
    return next((f for f in faults if f.kind is Kind.STUCK and f.is_active(t_ms) and f.target in plate_tags()), None)


def plate_tags() -> set[str]:
    """The frame and its statistics."""
    return {PLATE, *(f"{PLATE}.{name}" for name in ("min", "max", "mean", "std"))}


def sources_off(now: int, faults: Sequence[Fault]) -> set[str]:
    """Names of the sources that are switched off; an asset or tag stands for the device it is read from."""
    return {source_of(f.target) for f in faults if f.kind is Kind.SOURCE_OFF and f.is_active(now)}


def source_of(target: str) -> str:
    """Source that a target is read from; a source's own name stays."""
    if target in SOURCES:
        return target
    asset = target.partition(".")[0]
    return {"PL-1": "press-s7", "DMLS-1": "dmls-opcua"}.get(asset, "plant-mqtt")


SOURCES = ("press-s7", "plant-mqtt", "dmls-opcua")


def why_refused(fault: Fault, signals: dict[str, Signal]) -> str | None:
    """Why this plant cannot show the fault, in words for the person who asked; None when it can."""
    assets = {signal.asset for signal in signals.values()}
    known = {*signals, *assets, *PRESS_STATE, *plate_tags(), *SOURCES}
    if fault.target not in known:
        return f"{fault.target} is no tag, asset or source of the demo plant"
    if fault.kind is Kind.SOURCE_OFF:
        return None
    if fault.kind is Kind.FAULT_CODE:
        return None if fault.target.partition(".")[0] == "PL-1" else "only the press PL-1 reports fault codes"
    if fault.target in SOURCES:
        return "a source can only be switched off (source_off)"
    if fault.kind is Kind.SILENCE and source_of(fault.target) == "press-s7":
        return "a polled tag of the press cannot fall silent; switch its source off (source_off)"
    if fault.kind is Kind.OVERHEAT:
        heats = fault.target in {"DMLS-1", *plate_tags()} or any(s.heat and hits(fault, s) for s in signals.values())
        return None if heats else "it has nothing that heats up"
    if fault.target in plate_tags():
        return None if fault.kind in {Kind.STUCK, Kind.SILENCE} else "the plate knows overheat, stuck and silence"
    return None if fault.target not in PRESS_STATE else "bits and counters know fault_code and source_off only"
