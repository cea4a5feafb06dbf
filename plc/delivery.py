"""From a connector's columns to batches on the bus: source-time check, scaling, quality, cutting by shard, spool, quarantine.

It knows no protocol and keeps no time of its own but the receive time it is handed.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import orjson
import redis

from plc.connector import Readings
from plc.scaling import TagColumns
from plc.spool import Spool
from realtime.bus import Bus, now_ms
from realtime.errors import BusFull, BusUnavailable
from realtime.events import Batch, Frame, Signal, SignalName
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.delivery")

OLDEST_MS = 7 * 86_400_000
NEWEST_MS = 300_000
QUARANTINE = "quarantine"
QUARANTINE_KEPT = 1000
SAMPLE_BYTES = 500
SAMPLE_EVERY_S = 0.2  # per reason: a storm of bad payloads must not become a storm on the bus
DISCOVERED_KEPT = 500
DISCOVERED_AGAIN_S = 60.0
DISCOVERED_EVERY_S = 0.1


class Ledger:
    """Counts what was refused, samples it to the quarantine, and tells of unknown tags; bounded in memory and rate."""

    def __init__(self, bus: Bus, source: str) -> None:
        self.bus = bus
        self.source = source
        self.drops: Counter[str] = Counter()
        self._sampled: dict[str, float] = {}
        self._discovered: dict[str, float] = {}
        self._told = float("-inf")

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        """Count; keep a sample at most each SAMPLE_EVERY_S a reason."""
        self.drops[reason] += count
        now = time.monotonic()
        if now - self._sampled.get(reason, float("-inf")) < SAMPLE_EVERY_S:
            return
        self._sampled[reason] = now
        shown = sample[:SAMPLE_BYTES].decode("utf-8", "backslashreplace")
        row = {"t": now_ms(), "source": self.source, "reason": reason, "topic": topic[:200], "sample": shown}
        name = self.bus.key(QUARANTINE)
        try:
            pipe = self.bus.client.pipeline(transaction=False)
            pipe.lpush(name, orjson.dumps(row))
            pipe.ltrim(name, 0, QUARANTINE_KEPT - 1)
            pipe.execute()
        except redis.RedisError:
            self.drops["quarantine_unwritten"] += 1

    def discovered(self, tag: str, value: float | str) -> None:
        """Tell the server of an unknown tag and its last value: each at most once a minute, DISCOVERED_KEPT names at most."""
        self.drops["unknown_tag"] += 1
        now = time.monotonic()
        known = tag in self._discovered
        if now - self._told < DISCOVERED_EVERY_S or (not known and len(self._discovered) >= DISCOVERED_KEPT):
            return
        if known and now - self._discovered[tag] < DISCOVERED_AGAIN_S:
            return
        self._discovered[tag] = self._told = now
        shown = value[:100] if isinstance(value, str) else value
        try:
            self.bus.add_signals([Signal(SignalName.TAG_DISCOVERED, now_ms(), {"source": self.source, "tag": tag, "value": shown})])
        except BusUnavailable:
            del self._discovered[tag]


class Delivery:
    """Delivers one source's readings to the bus, or to the spool while the bus is away."""

    def __init__(self, bus: Bus, source: Source, ledger: Ledger, spool: Spool | None) -> None:
        self.bus = bus
        self.source = source
        self.ledger = ledger
        self.spool = spool
        self.delivered = 0
        self.bus_is_away = False
        self.columns = TagColumns([])

    def configure(self, source: Source, tags: Sequence[Tag]) -> None:
        """Take a new configuration."""
        self.source = source
        self.columns = TagColumns(tags)

    def batches(self, readings: Sequence[Readings]) -> list[Batch]:
        """Scale, check times, cut by shard."""
        received = now_ms()
        cut: list[Batch] = []
        for part in readings:
            kept = self._believable(part, received)
            if len(kept):
                cut += self._by_shard(self._scaled(kept), received)
        return cut

    def deliver(self, batches: Sequence[Batch]) -> None:
        """Put batches on the bus; while it is away into the spool, or raise BusUnavailable / BusFull without one."""
        if not batches:
            return
        try:
            if self.spool is not None and self.spool.waiting:
                self._drain(self.spool)
            self.bus.add_batches(batches)
        except (BusUnavailable, BusFull) as error:
            if not self.bus_is_away:
                log.warning("%s: %s; %s", self.source.name, error, "spooling" if self.spool else "not acknowledging")
            self.bus_is_away = True
            if self.spool is None:
                raise
            self.spool.put(batches)
        else:
            if self.bus_is_away:
                log.info("%s: bus is back", self.source.name)
            self.bus_is_away = False
        self.delivered += sum(map(len, batches))

    def _drain(self, spool: Spool) -> None:
        """Give the spool back in order, before anything new."""
        while spool.waiting:
            mark, batches = spool.oldest()
            if batches:
                self.bus.add_batches(batches, live=False)
            spool.remove(mark)

    def _believable(self, part: Readings, received: int) -> Readings:
        """Without the readings whose source time is not believable; replays may be old, nothing may be of the future."""
        if self.source.config.get("time") == "receipt" and not part.replay:
            return replace(part, t=np.full(len(part), received, "i8"))
        wrong = part.t > received + NEWEST_MS
        if not part.replay:
            wrong |= part.t < received - OLDEST_MS
        if not wrong.any():
            return part
        first = int(np.argmax(wrong))
        self.ledger.reject("clock", int(wrong.sum()), topic=f"tag {part.ids[first]}", sample=f"t={part.t[first]}".encode())
        return take(part, ~wrong)

    def _scaled(self, part: Readings) -> Readings:
        if not isinstance(part.values, np.ndarray):
            return part
        values, quality = self.columns.scale(self.columns.places(part.ids), part.values, part.quality)
        return replace(part, values=values, quality=quality)

    def _by_shard(self, part: Readings, received: int) -> list[Batch]:
        shards = self.columns.shards[self.columns.places(part.ids)]
        first = int(shards[0])
        if (shards == first).all():
            return [self._batch(part, first, received)]
        return [self._batch(take(part, shards == shard), int(shard), received) for shard in np.unique(shards)]

    def _batch(self, part: Readings, shard: int, received: int) -> Batch:
        return Batch(
            shard=shard,
            received_ms=received,
            source=self.source.name,
            ids=part.ids,
            t=part.t,
            quality=part.quality,
            seq=part.seq,
            values=part.values,
            kind=part.kind,
            flags=frozenset({"replay"}) if part.replay else frozenset(),
        )


def take(part: Readings, wanted: npt.NDArray[np.bool_]) -> Readings:
    """The readings where wanted (bool (n,)) is true."""
    values: npt.NDArray[np.float64] | list[str] | list[Frame]
    if isinstance(part.values, np.ndarray):
        values = part.values[wanted]
    else:
        values = [value for value, keep in zip(part.values, wanted, strict=True) if keep]  # type: ignore[assignment]
    return Readings(part.ids[wanted], part.t[wanted], values, part.quality[wanted], part.seq[wanted], part.kind, part.replay)
