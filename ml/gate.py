"""What of a bus batch may be scored: known tags, in time order, good samples, outside start-up and standstill.

It judges no value; that is the detectors' part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from ml.arrays import Keyed
from ml.channels import Channels
from ml.plain import flags, floats, wholes
from ml.regimes import START_UP_S as START_UP_S  # noqa: PLC0414 - those that replay know it from here
from ml.regimes import Condition, Regimes, regime, regime_of
from ml.scoring import GREATEST, RUNNING, STARTING, UNKNOWN, Chunk, Flags, Floats, Ints, Reading, Turn
from realtime.events import Batch, Quality, Reason, quality_byte

FIRST_READINGS_S = 5.0  # of a tag never seen before: a collector that just connected settles first
RESTART_PERIODS = 5.0  # an interval longer than this many periods (and 5 s) restarts the windows
Arrived = tuple[int, int, float, int, int]  # slot, t, v, quality byte, at: a row of `Arrivals`
BEYOND = np.uint8(quality_byte(Quality.BAD, Reason.RANGE))
NEVER = np.iinfo(np.int64).min // 2


def restart_ms(period_s: float) -> float:
    """An interval longer than this restarts the windows of a tag with this period."""
    return max(RESTART_PERIODS * period_s, 5.0) * 1000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Readings of one shard, all kinds, in stream order; columns as in `Chunk`, q uint8 the quality byte."""

    slots: Ints
    t: Ints
    v: Floats
    q: npt.NDArray[np.uint8]
    at: Ints

    def take(self, index: Ints | Flags) -> Arrivals:
        """Some of the readings."""
        return Arrivals(self.slots[index], self.t[index], self.v[index], self.q[index], self.at[index])


@dataclass(frozen=True, slots=True)
class Round:
    """At most one reading per tag: `heard` every one that a device sent, `scored` those that the detectors may judge,
    `lost` the samples by which the collector says that a link is down."""

    heard: Chunk
    scored: Chunk
    lost: Chunk | None = None


class Gate(Keyed):
    """Per tag: when it was last heard, whether its windows must restart, what its machine's state tags say."""

    STATE = ("last_t", "good_t", "born", "restart", "lost", "value", "changed_t")

    def __init__(self, channels: Channels) -> None:
        n = len(channels)
        self.channels = channels
        self.keys = channels.tag_keys()
        self.last_t = np.full(n, NEVER)
        self.good_t = np.full(n, NEVER)
        self.born = np.full(n, NEVER)
        self.restart = np.ones(n, bool)
        self.lost = np.zeros(n, bool)  # the collector said that the link to its source is down
        self.value = np.full(n, np.nan)
        self.changed_t = np.full(n, NEVER)
        self.restart_ms = np.array([restart_ms(tag.period_s) for tag in channels.tags])
        self.any_runs_by_bit = bool((channels.running_slot >= 0).any())
        kinds = dict.fromkeys(one.words for one in channels.conditions)
        self.by_words = [(words, np.array([one.words == words for one in channels.conditions], bool)) for words in kinds]
        self.start_up_ms = np.array([round(one.start_up_s * 1000) for one in channels.conditions], np.int64)
        self.words = [{float(word): meaning for word, meaning in one.words} for one in channels.conditions]
        self.drops = {"unknown_tag": 0, "out_of_order": 0, "replayed": 0}
        self._last_t, self._good_t, self._born = wholes(self.last_t), wholes(self.good_t), wholes(self.born)
        self._restart, self._lost, self._analogue = flags(self.restart), flags(self.lost), flags(channels.analogue)
        self._value, self._changed_t, self._restart_ms = floats(self.value), wholes(self.changed_t), floats(self.restart_ms)
        self._asset, self._running_slot, self._idle_slot = (wholes(x) for x in (channels.asset, channels.running_slot, channels.idle_slot))

    def arrivals(self, batches: Sequence[Batch]) -> Arrivals:
        """The readings of known tags; replayed and late ones are left out, because they may not raise anything now."""
        parts: list[Arrivals] = []
        for batch in batches:
            if batch.flags:
                self.drops["replayed"] += len(batch)
                continue
            slots = self.channels.slots_of(batch.ids)
            values = batch.numbers() if batch.kind == "f64" else np.zeros(len(batch))
            part = Arrivals(slots, batch.t, values, _quality(batch.quality, values), np.full(len(batch), batch.received_ms, np.int64))
            known = slots >= 0
            self.drops["unknown_tag"] += int(len(known) - known.sum())
            parts.append(part if known.all() else part.take(known))
        if len(parts) == 1:
            return parts[0]
        columns = [[getattr(part, name) for part in parts] for name in ("slots", "t", "v", "q", "at")]
        kinds = (np.int64, np.int64, np.float64, np.uint8, np.int64)
        return Arrivals(*(np.concatenate([np.empty(0, kind), *column]).astype(kind) for column, kind in zip(columns, kinds, strict=True)))

    def single(self, batch: Batch) -> tuple[Reading, bool] | None:
        """A batch of one ordinary reading, admitted as `rounds` would, and whether the detectors may judge it.

        None, and nothing changed, where it is something else.
        """
        if batch.flags or batch.kind != "f64" or batch.quality.item(0):
            return None
        slot, t, v = self.channels.slot_of.get(batch.ids.item(0)), batch.t.item(0), batch.numbers().item(0)
        if slot is None or not abs(v) <= GREATEST or t <= self._last_t[slot]:
            return None
        asset, since = self._asset[slot], t - self._good_t[slot]
        fresh = self._restart[slot] or since > self._restart_ms[slot]
        self._last_t[slot] = t
        self._restart[slot] = self._lost[slot] = False
        judged = self._taken_in(slot, t, v)
        running = self._regime(asset, t) if self.any_runs_by_bit else RUNNING
        return (slot, t, v, 0.0 if fresh else since / 1000, fresh, asset, running, batch.received_ms), judged

    def listed(self, batches: Sequence[Batch]) -> list[Arrived]:
        """The same as `arrivals`, reading by reading."""
        found: list[Arrived] = []
        for batch in batches:
            if batch.flags:
                self.drops["replayed"] += len(batch)
                continue
            slots = [self.channels.slot_of.get(number, -1) for number in batch.ids.tolist()]
            self.drops["unknown_tag"] += slots.count(-1)
            values = batch.numbers() if batch.kind == "f64" else np.zeros(len(batch))
            columns, at = (slots, batch.t.tolist(), values.tolist(), _quality(batch.quality, values).tolist()), batch.received_ms
            found += [(s, t, v, q, at) for s, t, v, q in zip(*columns, strict=True) if s >= 0]
        return found

    def turns(self, arrived: list[Arrived]) -> Iterator[Turn]:
        """The same as `rounds`, reading by reading."""
        if len({one[0] for one in arrived}) == len(arrived):
            yield self._turn(arrived)
            return
        ranks: list[list[Arrived]] = []
        seen: dict[int, int] = {}
        for one in sorted(arrived, key=itemgetter(0, 1)):
            rank = seen[one[0]] = seen.get(one[0], -1) + 1
            if rank == len(ranks):
                ranks.append([])
            ranks[rank].append(one)
        for each in ranks:
            yield self._turn(each)

    def _turn(self, arrived: list[Arrived]) -> Turn:
        """`_admit` of one round."""
        turn = Turn([], [], [])
        for slot, t, v, q, at in arrived:
            if t <= self._last_t[slot]:
                self.drops["out_of_order"] += 1
                continue
            good, lost, value = (True, False, v) if not q and isfinite(v) else _seen_odd(v, q)
            self._last_t[slot], self._lost[slot] = t, lost
            since = t - self._good_t[slot]
            fresh = not good or self._restart[slot] or since > self._restart_ms[slot]
            one = (slot, t, value, 0.0 if fresh else since / 1000, fresh, self._asset[slot], RUNNING, at)
            (turn.lost if lost else turn.heard).append(one)
            self._restart[slot] = not good
            if good and self._taken_in(slot, t, value):
                turn.scored.append(one)
        if self.any_runs_by_bit:
            turn.scored = [(s, t, v, dt, fresh, g, self._regime(g, t), at) for s, t, v, dt, fresh, g, _, at in turn.scored]
        return turn

    def _taken_in(self, slot: int, t: int, v: float) -> bool:
        """A good reading; whether the detectors may judge it."""
        self._good_t[slot] = t
        if self._born[slot] == NEVER:
            self._born[slot] = t
        if self.any_runs_by_bit and self._value[slot] != v:
            self._changed_t[slot], self._value[slot] = t, v
        return self._analogue[slot] and t - self._born[slot] >= FIRST_READINGS_S * 1000

    def _regime(self, asset: int, t: int) -> int:
        """The same as `running` of one."""
        bit, idle = self._running_slot[asset], self._idle_slot[asset]
        if bit < 0:
            return RUNNING
        resting = self._value[idle] if idle >= 0 else nan
        found = regime_of(self.words[asset], nan if self._lost[bit] else self._value[bit], resting)
        return STARTING if found == RUNNING and t - self._changed_t[bit] < self.start_up_ms[asset] else found

    def rounds(self, arrivals: Arrivals) -> Iterator[Round]:
        """Cut into rounds of unique tags, each tag's readings in time order, and admit them one round at a time."""
        n = len(arrivals.slots)
        if not n:
            return
        if int(np.bincount(arrivals.slots, minlength=1).max()) == 1:
            yield self._admit(arrivals)
            return
        sorted_ = arrivals.take(np.lexsort((arrivals.t, arrivals.slots)))
        starts = np.flatnonzero(np.concatenate([[True], sorted_.slots[1:] != sorted_.slots[:-1]]))
        rank = np.arange(n) - np.repeat(starts, np.diff(starts, append=n))
        for k in range(int(rank.max()) + 1):
            yield self._admit(sorted_.take(rank == k))

    def _admit(self, a: Arrivals) -> Round:
        newer = a.t > self.last_t[a.slots]
        if not newer.all():
            self.drops["out_of_order"] += int(len(newer) - newer.sum())
            a = a.take(newer)
        s = a.slots
        self.last_t[s] = a.t
        if not a.q.any() and np.isfinite(a.v).all():
            self.lost[s] = False
            return self._round(a, a)
        quality, reason = a.q & 3, a.q >> 2
        lost = (quality == Quality.BAD) & (reason == Reason.COMM)
        # what the collector calls over-range has no number, but it is a reading that the range detector names
        beyond = (quality == Quality.BAD) & (reason == Reason.RANGE)
        good = ((quality == Quality.GOOD) & np.isfinite(a.v)) | beyond
        self.lost[s] = lost
        self.restart[s[~good]] = True
        v = np.where(beyond, np.where(a.v < 0, -np.inf, np.inf), a.v)
        admitted = self._round(a.take(~lost), Arrivals(s, a.t, v, a.q, a.at).take(good))
        return replace(admitted, lost=self._chunk(a.take(lost))) if lost.any() else admitted

    def _round(self, heard: Arrivals, good: Arrivals) -> Round:
        heard_chunk = self._chunk(heard)
        chunk = heard_chunk if heard is good else self._chunk(good)
        s = good.slots
        unborn = self.born[s] == NEVER
        if unborn.any():
            self.born[s[unborn]] = good.t[unborn]
        self.good_t[s] = good.t
        self.restart[s] = False
        if self.any_runs_by_bit:
            self._note_bits(good)
            chunk = replace(chunk, running=self.running(s, good.t))
        return Round(heard_chunk, chunk.only(self.channels.analogue[s] & (good.t - self.born[s] >= FIRST_READINGS_S * 1000)))

    def _chunk(self, a: Arrivals) -> Chunk:
        since = a.t - self.good_t[a.slots]
        fresh = self.restart[a.slots] | (since > self.restart_ms[a.slots])
        dt = since / 1000
        dt[fresh] = 0.0
        return Chunk(a.slots, a.t, a.v, dt, fresh, np.full(len(a.slots), RUNNING, np.int8), a.at)

    def _note_bits(self, a: Arrivals) -> None:
        changed = self.value[a.slots] != a.v
        self.changed_t[a.slots[changed]] = a.t[changed]
        self.value[a.slots] = a.v

    def running(self, slots: Ints, t: Ints) -> Regimes:
        """int8 (n,) what the tag's machine does at t int64 (n,); a machine without a state tag always runs."""
        asset = self.channels.asset[slots]
        bit, idle = self.channels.running_slot[asset], self.channels.idle_slot[asset]
        value = np.where(self.lost[bit], np.nan, self.value[bit])
        resting = np.where(idle >= 0, self.value[idle], np.nan)
        found = np.full(len(slots), UNKNOWN, np.int8)
        for words, rows in self.by_words:
            of = rows[asset]
            found[of] = regime(Condition(words=words), value[of], resting[of])
        found[bit < 0] = RUNNING
        started = t - self.changed_t[bit]
        found[(found == RUNNING) & (bit >= 0) & (started < self.start_up_ms[asset])] = STARTING
        return found

    @staticmethod
    def steady(chunk: Chunk) -> Flags:
        """bool (n,): the machine runs and its start-up is over."""
        steady: Flags = chunk.running == RUNNING
        return steady

    def pause_one(self, slot: int) -> None:
        """The same of one tag."""
        self._restart[slot] = True

    def pause(self, slots: Ints) -> None:
        """The windows of these tags restart with their next reading."""
        self.restart[slots] = True


def _quality(quality: npt.NDArray[np.uint8], v: Floats) -> npt.NDArray[np.uint8]:
    """uint8 (n,): bad, beyond its range, where a device calls good what no process value can be."""
    wild = np.isfinite(v) & (np.abs(v) > GREATEST)
    return np.where(wild & (quality & 3 == Quality.GOOD), BEYOND, quality) if wild.any() else quality


def _seen_odd(v: float, q: int) -> tuple[bool, bool, float]:
    """good, lost and value of a sample that is no number or not of good quality, as `_admit` has them."""
    quality, reason = q & 3, q >> 2
    if quality == Quality.BAD and reason == Reason.RANGE:
        return True, False, -inf if v < 0 else inf
    return quality == Quality.GOOD and isfinite(v), quality == Quality.BAD and reason == Reason.COMM, v
