"""A member of a consumer group: own pending entries first, then new ones, then what the dead left behind.

It acknowledges nothing by itself and knows nothing of what the entries mean.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, cast

import redis

from realtime.bus import Bus, Entry, consumer_name
from realtime.errors import BusUnavailable

MAX_DELIVERIES = 5
CLAIM_IDLE_MS = 30_000  # longer than the slowest handler


class Consumer:
    """One member of a consumer group over one or more streams: own pending first, then new, then what the dead left.

    `lost_groups` counts groups that had vanished (FLUSHALL, eviction) and were made anew from the start of the stream:
    the owner reports it, it is an alarm.
    """

    def __init__(self, bus: Bus, streams: Sequence[str], group: str, name: str | None = None, claim_idle_ms: int = CLAIM_IDLE_MS) -> None:
        self.bus = bus
        self.claim_idle_ms = claim_idle_ms
        self.streams = tuple(streams)
        self.group = group
        self.name = name or consumer_name()
        self.lost_groups: list[str] = []
        self._pending = dict.fromkeys(self.streams, b"0")  # read own pending from here; removed when exhausted
        self._claimed_at = 0.0

    def ensure_groups(self) -> list[str]:
        """Create the groups where they are missing, from the start of the stream; returns the streams where it did."""
        created: list[str] = []
        for stream in self.streams:
            try:
                self.bus.client.xgroup_create(self.bus.key(stream), self.group, id="0", mkstream=True)
                created.append(stream)
            except redis.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise BusUnavailable(f"bus: {error}") from error
            except redis.RedisError as error:
                raise BusUnavailable(f"bus: {error}") from error
        return created

    def read(self, count: int = 100, block_ms: int = 1000) -> list[Entry]:
        """Up to `count` entries a stream; [] after `block_ms` (at most 2000) with none. Raises BusUnavailable.

        Entries delivered more than MAX_DELIVERIES times go to the dead-letter stream instead.
        """
        try:
            for stream in list(self._pending):
                entries = self._read_pending(stream, count)
                if entries:
                    return entries
            if time.monotonic() - self._claimed_at > self.claim_idle_ms / 1000:
                self._claimed_at = time.monotonic()
                claimed = [entry for stream in self.streams for entry in self._claim(stream, count)]
                if claimed:
                    return claimed
            wanted = {self.bus.key(stream): ">" for stream in self.streams}
            answer = self.bus.client.xreadgroup(self.group, self.name, cast("Any", wanted), count=count, block=min(block_ms, 2000))
            return self._entries(answer)
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise BusUnavailable(f"bus: {error}") from error
            self._recreate_lost()
            return []
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error

    def rewind(self) -> None:
        """Read own pending entries again from the first: for a caller that dropped what it had read (a broken connection)."""
        self._pending = dict.fromkeys(self.streams, b"0")

    def _recreate_lost(self) -> None:
        for stream in self.streams:
            name = self.bus.key(stream)
            present: set[bytes] = set()
            if self.bus.client.exists(name):
                present = {cast("bytes", g["name"]) for g in self.bus.client.xinfo_groups(name)}
            if self.group.encode() not in present:
                self.lost_groups.append(stream)
        self._pending = dict.fromkeys(self.streams, b"0")
        self.ensure_groups()

    def _read_pending(self, stream: str, count: int) -> list[Entry]:
        name = self.bus.key(stream)
        answer = self.bus.client.xreadgroup(self.group, self.name, cast("Any", {name: self._pending[stream]}), count=count)
        entries = self._entries(answer)
        if not entries:
            del self._pending[stream]
            return []
        self._pending[stream] = entries[-1].id
        return self._poison_removed(stream, entries)

    def _claim(self, stream: str, count: int) -> list[Entry]:
        name = self.bus.key(stream)
        answer = cast("Any", self.bus.client.xautoclaim(name, self.group, self.name, min_idle_time=self.claim_idle_ms, count=count))
        entries = [Entry(stream, id_, fields) for id_, fields in answer[1] if fields]
        return self._poison_removed(stream, entries)

    def _poison_removed(self, stream: str, entries: list[Entry]) -> list[Entry]:
        if not entries:
            return []
        rows = self.bus.client.xpending_range(
            self.bus.key(stream), self.group, min=entries[0].id, max=entries[-1].id, count=len(entries) + 100, consumername=self.name
        )
        deliveries = {row["message_id"]: int(row["times_delivered"]) for row in rows}
        kept: list[Entry] = []
        for entry in entries:
            times = deliveries.get(entry.id, 1)
            if times > MAX_DELIVERIES:
                self.bus.dead_letter(entry, self.group, f"delivered {times} times without being acknowledged")
            else:
                kept.append(Entry(stream, entry.id, entry.fields, times))
        return kept

    def _entries(self, answer: Any) -> list[Entry]:
        cut = len(self.bus.prefix) + 1
        pairs = answer.items() if isinstance(answer, dict) else (answer or [])
        found: list[Entry] = []
        for name, raw in pairs:
            # RESP3 wraps each stream's entries in one more list
            entries = raw[0] if raw and isinstance(raw[0], list) and raw[0] and isinstance(raw[0][0], (list, tuple)) else raw
            found += [Entry(name.decode()[cut:], id_, fields) for id_, fields in entries if fields]
        return found

    def ack(self, entries: Iterable[Entry]) -> None:
        """Acknowledge entries after what they caused is durable."""
        pipe = self.bus.client.pipeline(transaction=False)
        by_stream: dict[str, list[bytes]] = {}
        for entry in entries:
            by_stream.setdefault(entry.stream, []).append(entry.id)
        for stream, ids in by_stream.items():
            pipe.xack(self.bus.key(stream), self.group, *ids)
        if by_stream:
            self.bus._execute(pipe)

    def reject(self, entry: Entry, reason: str) -> None:
        """Dead-letter an entry that cannot be read."""
        self.bus.dead_letter(entry, self.group, reason)
