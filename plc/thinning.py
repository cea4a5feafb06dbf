"""Report by exception: which samples the history needs. The alarm rules and live views still get every one. Columnar, pure.

A tag with a deadband (engineering units, or per cent of its range) is kept when it has moved by more than that since the last sample
kept, when its quality changes, and at least every `max_interval_s`. Bits, words and what tells a machine's state are always kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plc.connector import Readings
from plc.scaling import Flags, Floats, Places
from realtime.snapshot import Tag

STATES = frozenset({"running", "idle", "fault", "status", "fault_code", "command"})
NEVER = np.iinfo(np.int64).min
_BIT = re.compile(r"%?(?:DB\d+\.DBX\d+|[MIQ]\d+)\.[0-7]|.*:BOOL", re.IGNORECASE)


class Thinning:
    """What was last kept of each tag, by its place in the source's columns."""

    def __init__(self, tags: Sequence[Tag], former: Thinning | None = None) -> None:
        n = len(tags)
        self.ids = np.array([tag.id for tag in tags], "u4")
        self.band = np.array([_band(tag) for tag in tags], "f8")
        self.longest_ms = np.array([tag.max_interval_s * 1000 for tag in tags], "f8")
        self.any = bool((self.band > 0).any())
        self._t = np.full(n, NEVER)
        self._value = np.full(n, np.nan)
        self._quality = np.zeros(n, "u1")
        if former is not None and n and len(former.ids):
            _, mine, theirs = np.intersect1d(self.ids, former.ids, assume_unique=True, return_indices=True)
            self._t[mine], self._value[mine], self._quality[mine] = former._t[theirs], former._value[theirs], former._quality[theirs]

    def kept(self, part: Readings, places: Places) -> Flags | None:
        """bool (n,): false where the history can do without the sample; None = all are kept."""
        if not self.any or part.replay or not isinstance(part.values, np.ndarray) or not (self.band[places] > 0).any():
            return None
        kept = np.ones(len(part), bool)
        for chosen in _rounds(places):
            kept[chosen] = self._judge(places[chosen], part.t[chosen], part.values[chosen], part.quality[chosen])
        return None if kept.all() else kept

    def _judge(self, places: Places, t: npt.NDArray[np.int64], values: Floats, quality: npt.NDArray[np.uint8]) -> Flags:
        """Samples of tags that are all different."""
        band, last_t = self.band[places], self._t[places]
        first = last_t == NEVER
        since = t - np.where(first, t, last_t)
        kept: Flags = (band <= 0) | first | (quality != self._quality[places]) | (since < 0) | (since >= self.longest_ms[places])
        kept |= np.abs(values - self._value[places]) > band
        newer = kept & (since >= 0)
        at = places[newer]
        self._t[at], self._value[at], self._quality[at] = t[newer], values[newer], quality[newer]
        return kept


def _band(tag: Tag) -> float:
    """The wider of both deadbands in engineering units; 0 where every sample is kept."""
    if tag.kind != "f64" or tag.role in STATES or _is_bit(tag):
        return 0.0
    span = abs(tag.range_high - tag.range_low) if tag.range_low is not None and tag.range_high is not None else 0.0
    return max(tag.deadband, tag.deadband_pct / 100 * span)


def _is_bit(tag: Tag) -> bool:
    return _BIT.fullmatch(tag.address) is not None


def _rounds(places: Places) -> list[npt.NDArray[np.intp]]:
    """Indices cut so that each tag comes once a round, in the order in which its samples came."""
    if len(np.unique(places)) == len(places):
        return [np.arange(len(places))]
    order = np.argsort(places, kind="stable")
    sorted_ = places[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_[1:] != sorted_[:-1]]))
    rank = np.arange(len(places)) - np.repeat(starts, np.diff(starts, append=len(places)))
    return [order[rank == k] for k in range(int(rank.max()) + 1)]
