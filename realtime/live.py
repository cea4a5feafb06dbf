"""Conflation of live values: the newest value per tag, what changed since when, and how fast to send it on.

Pure: no Redis, no sockets, no clock. `realtime.push` feeds batches in and sends the columns out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from realtime.events import Batch, Frame, Quality

QUALITY_BITS = 0b11
NEVER = np.iinfo(np.int64).min
MIN_PAUSE_S = 0.002
MAX_PAUSE_S = 0.25
PAUSE_PER_COST = 3.0  # a round and its pause: sending takes a quarter of a core at most

Ids = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Columns:
    """Newest values of some tags, columnar: id uint32 (n,), t int64 (n,) ms UTC, v float64 (n,) NaN = none, q uint8 (n,) 0..2."""

    id: Ids
    t: npt.NDArray[np.int64]
    v: npt.NDArray[np.float64]
    q: npt.NDArray[np.uint8]
    texts: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.id)

    def values(self) -> npt.NDArray[np.float64] | list[float | str | None]:
        """The value column as it goes on the wire: an array, or a list where a tag has words instead of a number."""
        if not self.texts:
            return self.v
        numbers = (None if np.isnan(v) else float(v) for v in self.v)
        return [self.texts.get(int(i), v) for i, v in zip(self.id, numbers, strict=True)]

    def body(self) -> bytes:
        """JSON of `reading.batch`: `q` is left out when every value is good, NaN is null."""
        body: dict[str, object] = {"id": self.id, "t": self.t, "v": self.values()}
        if self.q.any():
            body["q"] = self.q
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


class LiveTable:
    """Current value per tag id in arrays indexed by the id, and the version at which each last changed.

    A view is dirty where `changed > seen`; a client that is skipped keeps its old `seen`, so its next columns carry
    the latest value of everything it missed: latest wins, memory is bounded by the number of tags.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self.version = 0
        self.readings = 0
        self.frames: dict[int, tuple[int, Frame, int]] = {}
        self._texts: dict[int, str] = {}
        self._t = np.full(capacity, NEVER, np.int64)
        self._v = np.full(capacity, np.nan)
        self._good_t = np.full(capacity, NEVER, np.int64)  # of the last good number; NEVER: unknown here, history may know it
        self._good_v = np.full(capacity, np.nan)
        self._q = np.full(capacity, Quality.BAD, np.uint8)
        self._changed = np.zeros(capacity, np.int64)

    def _reserve(self, top: int) -> None:
        missing = top + 1 - len(self._t)
        if missing <= 0:
            return
        grow = max(missing, len(self._t))
        self._t = np.concatenate([self._t, np.full(grow, NEVER, np.int64)])
        self._v = np.concatenate([self._v, np.full(grow, np.nan)])
        self._good_t = np.concatenate([self._good_t, np.full(grow, NEVER, np.int64)])
        self._good_v = np.concatenate([self._good_v, np.full(grow, np.nan)])
        self._q = np.concatenate([self._q, np.full(grow, Quality.BAD, np.uint8)])
        self._changed = np.concatenate([self._changed, np.zeros(grow, np.int64)])

    def apply(self, batch: Batch) -> None:
        """Take the newest value per tag of a batch; what is older than the current value changes nothing.

        A current value from the future (a device clock put right since) does not hold newer ones back.
        """
        if not len(batch):
            return
        self.readings += len(batch)
        self._reserve(int(batch.ids.max()))
        order = np.argsort(batch.t, kind="stable")  # numpy assigns in order: the last of a repeated index stays
        current = self._t[batch.ids[order]]
        fresh = order[(batch.t[order] >= current) | (current > batch.received_ms)]
        if not len(fresh):
            return
        ids = batch.ids[fresh]
        self.version += 1
        if batch.kind == "frame":
            frames = batch.frames()
            for i in fresh:
                self.frames[int(batch.ids[i])] = (int(batch.t[i]), frames[i], int(batch.quality[i]) & QUALITY_BITS)
        elif batch.kind == "text":
            texts = batch.texts()
            self._texts.update({int(batch.ids[i]): texts[i] for i in fresh})
        else:
            numbers = batch.numbers()[fresh]
            self._v[ids] = numbers
            good = (batch.quality[fresh] & QUALITY_BITS < Quality.BAD) & ~np.isnan(numbers)
            self._good_t[ids[good]], self._good_v[ids[good]] = batch.t[fresh][good], numbers[good]
        self._t[ids] = batch.t[fresh]
        self._q[ids] = batch.quality[fresh] & QUALITY_BITS
        self._changed[ids] = self.version

    def fill(self, rows: Mapping[int, tuple[int, float, int]]) -> None:
        """Put values from history (id -> t, value, quality byte) where nothing newer is known."""
        if not rows:
            return
        self._reserve(max(rows))
        self.version += 1
        for tag, (t, value, quality) in rows.items():
            if t > self._t[tag]:
                self._t[tag], self._v[tag], self._q[tag] = t, value, quality & QUALITY_BITS
                self._changed[tag] = self.version
                if quality & QUALITY_BITS < Quality.BAD and not np.isnan(value):
                    self._good_t[tag], self._good_v[tag] = t, value

    def without_good(self, ids: Ids) -> Ids:
        """Those of `ids` that are bad now and of whose last good value history was not asked yet."""
        bad = self._bad(ids)
        asked: Ids = bad[self._good_t[bad] == NEVER]
        return asked

    def fill_good(self, ids: Ids, rows: Mapping[int, tuple[int, float]]) -> None:
        """Put last good values from history (id -> t, value); ids that have none are not asked for again."""
        for tag in map(int, ids):
            if self._good_t[tag] == NEVER:
                self._good_t[tag], self._good_v[tag] = rows.get(tag, (NEVER + 1, np.nan))

    def last_good(self, ids: Ids) -> dict[str, npt.NDArray[Any]]:
        """Columns id, t, v of the last good value of those `ids` that are bad now and once were good."""
        bad = self._bad(ids)
        known = bad[~np.isnan(self._good_v[bad])]
        return {"id": known, "t": self._good_t[known], "v": self._good_v[known]}

    def _bad(self, ids: Ids) -> Ids:
        if len(ids):
            self._reserve(int(ids.max()))
        bad: Ids = ids[(self._changed[ids] > 0) & (self._q[ids] == Quality.BAD)]
        return bad

    def unknown(self, ids: Ids) -> Ids:
        """Those of `ids` that never had a value."""
        if not len(ids):
            return ids
        self._reserve(int(ids.max()))
        fresh: Ids = ids[self._changed[ids] == 0]
        return fresh

    def since(self, ids: Ids, version: int) -> Columns:
        """Newest values of those `ids` that changed after `version`; 0 = all that have one."""
        if len(ids):
            self._reserve(int(ids.max()))
        dirty = ids[self._changed[ids] > version]
        texts = {int(i): self._texts[int(i)] for i in dirty if int(i) in self._texts} if self._texts else {}
        return Columns(dirty, self._t[dirty], self._v[dirty], self._q[dirty], texts)

    def frames_since(self, ids: Sequence[int], version: int) -> list[tuple[int, int, Frame, int]]:
        """Newest frame (id, t, frame, q) of those `ids` that changed after `version`."""
        return [(i, *self.frames[i]) for i in ids if i in self.frames and self._changed[i] > version]


def pause_after(cost_s: float) -> float:
    """Seconds to wait after a round that took `cost_s`: milliseconds for few clients, a quarter second at most."""
    return min(max(MIN_PAUSE_S, PAUSE_PER_COST * cost_s), MAX_PAUSE_S)
