"""The bus: Redis streams for what must not be lost, pub/sub for live values, keys for the plant snapshot.

It carries what `realtime.events` encodes and knows nothing of what the messages mean.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from realtime.codec import encode_batch, encode_command, encode_fact, encode_finding, encode_signal
from realtime.errors import BusFull, BusUnavailable
from realtime.events import SHARDS, Batch, Command, Fact, Finding, Signal
from realtime.snapshot import Snapshot, decode_snapshot, encode_snapshot

READINGS = tuple(f"readings.{shard}" for shard in range(SHARDS))
FINDINGS = "findings"
SIGNALS = "signals"
FACTS = "facts"
COMMANDS = "commands"
DEAD = "dead"
LIVE = "live"
QUARANTINE = "quarantine"

# Which groups must have acknowledged an entry before it may be trimmed.
GROUPS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(READINGS, ("history", "monitor")),
    FINDINGS: ("worker",),
    SIGNALS: ("worker",),
    COMMANDS: ("simulator",),
}
FACTS_KEPT = 20_000  # facts have no group: every web process reads them; older ones come from the outbox table
DEAD_KEPT = 10_000
QUARANTINE_KEPT = 1000
FILL_KEPT_S = 5

Fields = dict[bytes, bytes]


def now_ms() -> int:
    """Milliseconds UTC."""
    return time.time_ns() // 1_000_000


def connect(url: str) -> redis.Redis:
    """A client with short retries: request paths must not wait 4 s for a dead server (STACK.md 1.6)."""
    return redis.Redis.from_url(
        url, socket_timeout=5, socket_connect_timeout=2, retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), 2), health_check_interval=15
    )


def consumer_name() -> str:
    """Unique per process; a restarted process takes the entries of its dead forerunner over by XAUTOCLAIM."""
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One stream entry as delivered; deliveries counts from 1."""

    stream: str
    id: bytes
    fields: Fields
    deliveries: int = 1


class Bus:
    """Names, encodings and error translation over one Redis client. Every method raises BusUnavailable when it is away."""

    def __init__(self, client: redis.Redis, prefix: str, max_mb: int = 512) -> None:
        self.client = client
        self.prefix = prefix
        self.max_mb = max_mb
        self._fill = 0.0
        self._fill_read = float("-inf")

    def key(self, name: str) -> str:
        """The full name of a key, stream or channel."""
        return f"{self.prefix}:{name}"

    def ping(self) -> bool:
        """True when Redis answers."""
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def add_batches(self, batches: Sequence[Batch], *, live: bool = True) -> None:
        """Append batches to their shards and publish them live, in one round trip; raises BusFull at BUS_MAX_MB.

        When it returns, Redis has them: only then may a collector acknowledge to its source.
        """
        if self.fill() >= 1.0:
            raise BusFull(f"bus holds {self.max_mb} MB of unacknowledged readings")
        pipe = self.client.pipeline(transaction=False)
        for batch in batches:
            fields = encode_batch(batch)
            pipe.xadd(self.key(READINGS[batch.shard]), cast("Any", fields))
            if live:
                pipe.publish(self.key(LIVE), msgspec.msgpack.encode(fields))
        self._execute(pipe)

    def add_findings(self, findings: Iterable[Finding]) -> None:
        """Append findings, in order."""
        self._add_all(FINDINGS, (encode_finding(finding) for finding in findings))

    def add_signals(self, signals: Iterable[Signal]) -> None:
        """Append signals, in order."""
        self._add_all(SIGNALS, (encode_signal(signal) for signal in signals))

    def add_facts(self, facts: Iterable[Fact]) -> None:
        """Append facts, in order; the stream keeps the last FACTS_KEPT."""
        self._add_all(FACTS, (encode_fact(fact) for fact in facts), maxlen=FACTS_KEPT)

    def add_commands(self, commands: Iterable[Command]) -> None:
        """Append commands, in order."""
        self._add_all(COMMANDS, (encode_command(command) for command in commands))

    def add_refused(self, rows: Iterable[dict[str, Any]]) -> None:
        """Keep samples {t, source, reason, topic, sample} of what was refused; the last QUARANTINE_KEPT stay."""
        encoded = [msgspec.json.encode(row) for row in rows]
        if encoded:
            pipe = self.client.pipeline(transaction=False)
            pipe.lpush(self.key(QUARANTINE), *encoded)
            pipe.ltrim(self.key(QUARANTINE), 0, QUARANTINE_KEPT - 1)
            self._execute(pipe)

    def _add_all(self, stream: str, entries: Iterable[dict[str, bytes]], maxlen: int | None = None) -> None:
        pipe = self.client.pipeline(transaction=False)
        for fields in entries:
            pipe.xadd(self.key(stream), cast("Any", fields), maxlen=maxlen, approximate=True)
        if len(pipe):
            self._execute(pipe)

    def _execute(self, pipe: Any) -> list[Any]:
        try:
            return cast("list[Any]", pipe.execute())
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error

    def publish_config(self, snapshot: Snapshot) -> None:
        """Put the plant snapshot where every worker looks once a second."""
        try:
            pipe = self.client.pipeline(transaction=True)
            pipe.set(self.key("config"), encode_snapshot(snapshot))
            pipe.set(self.key("config_version"), snapshot.version)
            pipe.execute()
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error

    def config_version(self) -> int | None:
        """Version of the published snapshot; None where the key is missing."""
        try:
            raw = cast("bytes | None", self.client.get(self.key("config_version")))
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error
        return None if raw is None else int(raw)

    def config(self) -> Snapshot | None:
        """The published snapshot; None where the key is missing. Raises DecodeError when it is damaged."""
        try:
            raw = cast("bytes | None", self.client.get(self.key("config")))
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error
        return None if raw is None else decode_snapshot(raw)

    def fill(self) -> float:
        """Share of BUS_MAX_MB in use, as the janitor last measured it; read from Redis at most once a second.

        Where no janitor lives it is measured here: without a recorder the bus must stop growing all the same.
        """
        if time.monotonic() - self._fill_read > 1.0:
            try:
                raw = cast("bytes | None", self.client.get(self.key("fill")))
            except redis.RedisError as error:
                raise BusUnavailable(f"bus: {error}") from error
            self._fill = float(raw) if raw else self.measure_fill()
            self._fill_read = time.monotonic()
        return self._fill

    def measure_fill(self) -> float:
        """Ask Redis what our streams take, keep the share of BUS_MAX_MB for the others for FILL_KEPT_S, and return it."""
        pipe = self.client.pipeline(transaction=False)
        for stream in (*GROUPS, FACTS, DEAD):
            pipe.memory_usage(self.key(stream))
        share = sum(size or 0 for size in self._execute(pipe)) / (self.max_mb * 1024 * 1024)
        self._execute(self.client.pipeline(transaction=False).set(self.key("fill"), f"{share:.6f}", ex=FILL_KEPT_S))
        return share

    def dead_letter(self, entry: Entry, group: str, reason: str) -> None:
        """Move an entry to the dead-letter stream with its reason and acknowledge it."""
        fields = {b"stream": entry.stream.encode(), b"group": group.encode(), b"reason": reason.encode(), b"id": entry.id}
        pipe = self.client.pipeline(transaction=True)
        pipe.xadd(self.key(DEAD), cast("Any", {**fields, **{b"f." + k: v for k, v in entry.fields.items()}}), maxlen=DEAD_KEPT)
        pipe.xack(self.key(entry.stream), group, entry.id)
        self._execute(pipe)

    def trim(self, stream: str) -> int:
        """Drop what every registered group has acknowledged; returns the number dropped. A missing group blocks trimming."""
        name = self.key(stream)
        try:
            if not self.client.exists(name):
                return 0
            groups = {cast("bytes", g["name"]).decode(): g for g in self.client.xinfo_groups(name)}
            oldest: list[tuple[int, int]] = []
            for group in GROUPS[stream]:
                if group not in groups:
                    return 0
                # "min" is None when the last pending entry was acknowledged between the two questions
                if groups[group]["pending"] and (first := self.client.xpending(name, group)["min"]):
                    oldest.append(id_pair(first))
                else:
                    ms, number = id_pair(groups[group]["last-delivered-id"])
                    oldest.append((ms, number + 1))
            low = min(oldest)
            return self.client.xtrim(name, minid=f"{low[0]}-{low[1]}", approximate=False)
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error


def id_pair(raw: bytes) -> tuple[int, int]:
    """A stream id as a comparable pair."""
    ms, _, number = raw.partition(b"-")
    return int(ms), int(number or 0)


def unpack_live(message: bytes) -> Fields:
    """Fields of a live message; feed them to `codec.decode_batch`."""
    return {key.encode(): value for key, value in msgspec.msgpack.decode(message, type=dict[str, bytes]).items()}
