"""The demo plant at a moment: healthy signals with the active faults applied. Devices ask it, commands change it.

It is the only holder of fault state; `python -m plc.simulator` copies the list to the bus for people to see.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from plc.simulator import faults
from plc.simulator.faults import Fault
from plc.simulator.noise import Floats
from plc.simulator.plate import plate
from plc.simulator.signals import healthy, plant_signals, press_state


class Plant:
    """Signals and faults; safe to ask from several threads."""

    def __init__(self, machines: int = 3) -> None:
        self.signals = plant_signals(machines)
        self._faults: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self._refused: dict[str, dict[str, Any]] = {}

    def active(self, now: int) -> list[Fault]:
        """Faults that stand now, oldest first; forgets those whose end has passed."""
        with self._lock:
            self._faults = {id_: f for id_, f in self._faults.items() if f.until is None or now < f.until}
            return list(self._faults.values())

    def inject(self, fault: Fault) -> str | None:
        """Let a fault stand; returns why not where this plant cannot show it. The same id again changes nothing."""
        reason = faults.why_refused(fault, self.signals)
        with self._lock:
            if reason is None:
                self._faults.setdefault(fault.id, fault)
            else:
                self._refused = dict([*self._refused.items(), (fault.id, {**fault.body(), "refused": reason})][-5:])
        return reason

    def clear(self, fault_id: str) -> None:
        """End a fault; an unknown id is no error, it may have ended by itself."""
        with self._lock:
            self._faults.pop(fault_id, None)
            self._refused.pop(fault_id, None)

    def bodies(self, now: int) -> list[dict[str, Any]]:
        """Active faults, then the last refused ones with the reason."""
        active = [fault.body() for fault in self.active(now)]
        with self._lock:
            return active + list(self._refused.values())

    def value(self, name: str, t_ms: int) -> float | None:
        """What the sensor of an analogue tag shows; None when it says nothing."""
        signal = self.signals[name]
        value = float(healthy(signal, np.array([t_ms], np.int64))[0])
        return faults.faulted(signal, value, t_ms, self.active(t_ms))

    def press_state(self, t_ms: int) -> dict[str, float]:
        """Run bit, status, fault code and counter of the press."""
        state = {name: float(column[0]) for name, column in press_state(np.array([t_ms], np.int64)).items()}
        return faults.press_state_under(state, t_ms, self.active(t_ms))

    def plate(self, t_ms: int) -> Floats | None:
        """The printer's plate, (100, 100) °C; None when it says nothing."""
        active = self.active(t_ms)
        if faults.plate_is_silent(t_ms, active):
            return None
        frozen = faults.plate_is_stuck(t_ms, active)
        return plate(t_ms if frozen is None else frozen.started, faults.plate_overheat(t_ms, active))

    def sources_off(self, now: int) -> set[str]:
        """Names of the sources that are switched off."""
        return faults.sources_off(now, self.active(now))
