"""Zone boundaries of vibration velocity of machines, as data. Which group a machine is in is for people to say.

Source: ISO 20816-3:2022 (before: ISO 10816-3), tables A.1 and A.2: r.m.s. velocity in mm/s, 10 Hz to 1 kHz, on non-rotating parts, for
coupled industrial machines above 15 kW from 120 to 15,000 r/min. Group 1: above 300 kW or shaft height from 315 mm; group 2: 15 to
300 kW or shaft height 160 to 315 mm; support rigid or flexible.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Zones:
    """Boundaries in mm/s: A/B new machines, B/C fit for long operation up to here, C/D damage above."""

    ab: float
    bc: float
    cd: float


ZONES = {
    "1-rigid": Zones(2.3, 4.5, 7.1),
    "1-flexible": Zones(3.5, 7.1, 11.0),
    "2-rigid": Zones(1.4, 2.8, 4.5),
    "2-flexible": Zones(2.3, 4.5, 7.1),
}
DEADBAND = 0.1  # share of a boundary that a value must fall below it


def limits(group: str) -> list[dict[str, float | str]]:
    """A warning at B/C and a critical limit at C/D."""
    zones = ZONES[group]
    pairs = (("warning", zones.bc), ("critical", zones.cd))
    return [{"side": "high", "value": value, "severity": severity, "deadband": round(value * DEADBAND, 2)} for severity, value in pairs]
