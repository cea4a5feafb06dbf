"""The build plate of the metal printer: 100 x 100 temperatures with a melt pattern that travels, and a hot spot when overheated.

It computes pictures only; opcua_printer serves them.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from plc.simulator.noise import Floats, seed_of, wander
from plc.simulator.signals import SEED

SIZE = 100
AMBIENT_C = 27.0
BED_C = 17.0  # the heated bed above ambient, in the middle
MELT_C = 26.0  # the freshly melted track above the bed
TRACK_MS = 9_000  # one pass of the recoater's track over the plate
HOT_SPOT = (82, 17)  # row, column; the melt does not come near it
_NOISE_FIELDS = 32


@cache
def _noise_fields() -> Floats:
    rng = np.random.default_rng(seed_of("plate", SEED))
    return np.asarray(rng.normal(0.0, 0.22, (_NOISE_FIELDS, SIZE, SIZE)), np.float64)


@cache
def _bed() -> Floats:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    far = ((x - 49.5) ** 2 + (y - 49.5) ** 2) / (2.0 * 38.0**2)
    return np.asarray(AMBIENT_C + BED_C * np.exp(-far), np.float64)


def _bump(centre: float, width: float) -> Floats:
    at = np.arange(SIZE, dtype=np.float64)
    return np.asarray(np.exp(-((at - centre) ** 2) / (2.0 * width**2)), np.float64)


def plate(t_ms: int, overheat_c: float = 0.0) -> Floats:
    """float64 (100, 100), °C, row-major, at one time; `overheat_c` is added in the middle of the hot spot."""
    moment = np.array([t_ms], np.int64)
    own = seed_of("plate/level", SEED)
    level = 0.25 * float(wander(own, moment, 40.0)[0]) + 0.2 * float(wander(own + 10, moment, 300.0)[0])
    heat = MELT_C + 0.5 * float(wander(own + 20, moment, 15.0)[0]) + 0.4 * float(wander(own + 30, moment, 120.0)[0])
    turn = 2.0 * np.pi * (t_ms % TRACK_MS) / TRACK_MS
    row, column = 49.5 + 14.0 * np.sin(turn), 49.5 + 14.0 * np.cos(turn)
    melt = np.outer(_bump(row, 6.0), _bump(column, 6.0))
    trail = np.outer(_bump(49.5, 20.0), _bump(49.5, 20.0))
    picture = _bed() + level + heat * melt + 6.0 * trail + _noise_fields()[(t_ms // 1000) % _NOISE_FIELDS]
    if overheat_c:
        picture = picture + overheat_c * np.outer(_bump(HOT_SPOT[0], 5.0), _bump(HOT_SPOT[1], 5.0))
    return np.asarray(np.round(picture, 2), np.float64)


def statistics(picture: Floats) -> dict[str, float]:
    """min, max, mean and standard deviation, as the collector computes them from a frame."""
    return {"min": float(picture.min()), "max": float(picture.max()), "mean": float(picture.mean()), "std": float(picture.std())}
