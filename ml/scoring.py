"""The values that pass between the monitor and its detectors: chunks of readings in, scores out, history to learn from.

Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.snapshot import Tag

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# What a detector learned of one asset: arrays by name; one row per tag of the history unless the detector says otherwise.
Learned = dict[str, npt.NDArray[Any]]

# One ordinary reading as `Noting` takes it: slot, t in ms UTC, value, seconds since the former good one.
Noted = tuple[int, int, float, float]
# One reading with everything about it: the same, then fresh, the row of its asset, running and at, as in `Chunk`.
Reading = tuple[int, int, float, float, bool, int, int, int]

# No process value: what is further from zero is the garbage of a broken device. Sums would forget what else is in them.
GREATEST = 1e30

# What a machine does; what holds "while running" holds in RUNNING alone.
RUNNING, STOPPED, UNKNOWN, IDLE, STARTING = 1, 0, -1, 2, 3


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most one reading per tag: slots int64 (n,) unique; t int64 (n,) ms UTC; v float64 (n,) engineering units.

    dt float64 (n,) seconds since the tag's former good reading, 0 where fresh; fresh bool (n,): windows restart with this
    reading, because a gap, a bad sample or a standstill came before it; running int8 (n,) RUNNING, STARTING, IDLE, STOPPED or UNKNOWN;
    at int64 (n,) ms UTC when the collector received it.
    """

    slots: Ints
    t: Ints
    v: Floats
    dt: Floats
    fresh: Flags
    running: npt.NDArray[np.int8]
    at: Ints

    def __len__(self) -> int:
        return len(self.slots)

    def only(self, keep: Flags) -> Chunk:
        """The readings where `keep`."""
        if keep.all():
            return self
        return Chunk(self.slots[keep], self.t[keep], self.v[keep], self.dt[keep], self.fresh[keep], self.running[keep], self.at[keep])


def chunk_of(readings: Sequence[Reading]) -> Chunk:
    """The same as arrays."""
    slots, t, v, dt, fresh, _, running, at = zip(*readings, strict=True)
    return Chunk(np.array(slots), np.array(t), np.array(v), np.array(dt), np.array(fresh), np.array(running, np.int8), np.array(at))


def rows_of(chunk: Chunk, asset: Ints) -> list[Reading]:
    """The inverse; asset int64 (n_slots,) the row of each tag's asset."""
    columns = (chunk.slots, chunk.t, chunk.v, chunk.dt, chunk.fresh, asset[chunk.slots], chunk.running, chunk.at)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@dataclass(slots=True)
class Turn:
    """A `Round` of few readings, as rows."""

    heard: list[Reading]
    scored: list[Reading]
    lost: list[Reading]


@dataclass(frozen=True, slots=True)
class Score:
    """What a detector says of some of its rows (a row is a tag, a side of a tag or an asset, as the detector counts).

    value float64 (n,), in alarm at or above limit float64 (n,); active bool (n,) is the detector's decision, with its delays
    and hysteresis; code int64 (n,) indexes the detector's `codes`; slot int64 (n,) the tag to name, -1 for none; t and
    onset int64 (n,) ms UTC; reading float64 (n,) engineering units, NaN for none; severity int64 (n,) 0 advisory,
    1 warning, 2 critical, -1 where fusion decides; provisional bool (n,): judged without anything learned, None = by its model.
    """

    rows: Ints
    value: Floats
    limit: Floats
    active: Flags
    code: Ints
    slot: Ints
    t: Ints
    onset: Ints
    reading: Floats
    severity: Ints
    provisional: Flags | None = None


def undecided(n: int) -> Ints:
    """A severity column that leaves the decision to fusion."""
    return np.full(n, -1, np.int64)


@dataclass(frozen=True, slots=True)
class Series:
    """Good readings of one tag: t int64 (n,) ms UTC ascending, v float64 (n,) at the live sampling period.

    levels float64 (m, 3): minimum, mean and maximum per minute or longer over the whole baseline, coarse parts included;
    level_t int64 (m,) ms UTC when each begins, empty where nobody needs it. wide_t, wide_v (k,): stretches of the baseline before
    t, at the live sampling period too: what it does at other hours, with other products.
    """

    t: Ints
    v: Floats
    levels: Floats
    level_t: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    wide_t: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    wide_v: Floats = field(default_factory=lambda: np.empty(0))

    def unbroken(self, length: int, longest_ms: float) -> Flags:
        """bool (n - length + 1,): no two neighbours of the `length` readings from here on lie further apart than longest_ms."""
        cuts = np.r_[0, np.cumsum(np.diff(self.t) > longest_ms)]
        followed: Flags = cuts[length - 1 :] == cuts[: len(cuts) - length + 1]
        return followed

    def widened(self) -> Series:
        """The same with its stretches in front: for what must know the whole of a day and bears gaps."""
        if not len(self.wide_t):
            return self
        return replace(self, t=np.r_[self.wide_t, self.t], v=np.r_[self.wide_v, self.v])


@dataclass(frozen=True, slots=True)
class History:
    """What one asset's detectors learn from; tags and series run in parallel."""

    tags: tuple[Tag, ...]
    series: tuple[Series, ...]
    window_s: float
    trees: int = 100
    seed: int = 0

    def widened(self) -> History:
        """Every series with its stretches in front."""
        return replace(self, series=tuple(one.widened() for one in self.series))
