"""Noise with random access: every value is a pure function of a seed and a time, so history and live join without a seam.

A counter-based generator (splitmix64 of seed and lattice index) stands in for the state that an ordinary one would carry.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def seed_of(name: str, seed: int) -> int:
    """A stable 32-bit seed of its own for a name (Python's hash() differs from process to process)."""
    return zlib.crc32(f"{seed}/{name}".encode())


def uniform(seed: int, index: Times) -> Floats:
    """float64 in [0, 1), one per index."""
    x = index.astype(np.uint64) * _GOLDEN + np.array([seed], np.uint64) * _MIX_2
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    x = x ^ (x >> np.uint64(31))
    found: Floats = (x >> np.uint64(11)).astype(np.float64) / float(1 << 53)
    return found


def white(seed: int, index: Times) -> Floats:
    """Mean 0, standard deviation 1, never beyond 3.47: four uniforms summed, as a healthy sensor has no endless tails."""
    total = sum(uniform(seed + k, index) for k in range(1, 5))
    return np.asarray((total - 2.0) * np.sqrt(3.0), np.float64)


def wander(seed: int, t_ms: Times, tau_s: float) -> Floats:
    """Correlated noise, mean 0, standard deviation 1 at every t, forgotten after about `tau_s`: lattice noise, smoothly joined."""
    place = t_ms / (tau_s * 1000.0)
    cell = np.floor(place).astype(np.int64)
    f = place - cell
    w = f * f * (3.0 - 2.0 * f)
    joined = (1.0 - w) * white(seed, cell) + w * white(seed, cell + 1)
    return np.asarray(joined / np.sqrt((1.0 - w) ** 2 + w**2), np.float64)
