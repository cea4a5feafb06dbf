"""What a web process hears from the bus: live values by pub/sub, facts by stream, the plant snapshot.

Both loops run for ever in background tasks of the socket server and come back by themselves after a Redis restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import redis

from realtime.bus import FACTS, LIVE, Bus, Fields, unpack_live
from realtime.codec import decode_batch, decode_fact
from realtime.errors import BusUnavailable, DecodeError
from realtime.events import Batch, Fact
from realtime.snapshot import Snapshot

log = logging.getLogger(__name__)

CUT = "cut"
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

Sleep = Callable[[float], None]


class Backoff:
    """Pauses that double from 0.1 s to 2 s; one log line on loss, one on recovery."""

    def __init__(self, what: str, sleep: Sleep) -> None:
        self._what = what
        self._sleep = sleep
        self._pause = 0.0

    def failed(self, error: Exception) -> None:
        """Log the first failure and wait."""
        if not self._pause:
            log.warning("%s: lost, retrying: %s", self._what, error)
        self._pause = min(max(FIRST_PAUSE_S, self._pause * 2), LONGEST_PAUSE_S)
        self._sleep(self._pause)

    def worked(self) -> None:
        """Log the recovery, once."""
        if self._pause:
            log.info("%s: back", self._what)
        self._pause = 0.0


class LiveListener:
    """Live batches and cut users by pub/sub; what is published while it is away is lost, `resubscribed` says so."""

    def __init__(
        self, bus: Bus, *, on_batch: Callable[[Batch], None], on_cut: Callable[[int], None], resubscribed: Callable[[], None], sleep: Sleep
    ) -> None:
        self._bus = bus
        self._on_batch = on_batch
        self._on_cut = on_cut
        self._resubscribed = resubscribed
        self._backoff = Backoff("live values", sleep)
        self.undecodable = 0
        self.connected = False

    def run(self, stopped: Callable[[], bool]) -> None:
        """Listen until stopped."""
        while not stopped():
            pubsub = self._bus.client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            try:
                pubsub.subscribe(self._bus.key(LIVE), self._bus.key(CUT))
                self._backoff.worked()
                self.connected = True
                self._resubscribed()
                while not stopped():
                    self._take(pubsub.get_message(timeout=1.0))
            except redis.RedisError as error:
                self.connected = False
                self._backoff.failed(error)
            finally:
                pubsub.close()

    def _take(self, message: dict[str, Any] | None) -> None:
        if message is None:
            return
        if message["channel"] == self._bus.key(CUT).encode():
            self._on_cut(int(message["data"]))
            return
        try:
            self._on_batch(decode_batch(unpack_live(message["data"])))
        except (DecodeError, ValueError) as error:
            self.undecodable += 1
            log.warning("live batch unreadable: %s", error)


class FactListener:
    """Facts from the stream, without a group, from what is newest at start; goes on from the last id after an outage."""

    def __init__(self, bus: Bus, *, on_fact: Callable[[Fact], None], sleep: Sleep) -> None:
        self._bus = bus
        self._on_fact = on_fact
        self._backoff = Backoff("facts", sleep)
        self._last: bytes | None = None
        self.undecodable = 0
        self.connected = False

    def run(self, stopped: Callable[[], bool]) -> None:
        """Listen until stopped."""
        while not stopped():
            try:
                entries = self.read()
            except redis.RedisError as error:
                self.connected = False
                self._backoff.failed(error)
                continue
            self._backoff.worked()
            self.connected = True
            for _id, fields in entries:
                self._take(fields)

    def read(self, block_ms: int = 1000) -> list[tuple[bytes, Fields]]:
        """The next facts, remembering the last id."""
        name = self._bus.key(FACTS)
        if self._last is None:
            newest = cast("list[tuple[bytes, Fields]]", self._bus.client.xrevrange(name, count=1))
            self._last = newest[0][0] if newest else b"0-0"
        answer = cast("Any", self._bus.client.xread({name: self._last}, count=500, block=block_ms))
        found = entries_of(answer)
        if found:
            self._last = found[-1][0]
        return found

    def _take(self, fields: Fields) -> None:
        try:
            fact = decode_fact(fields)
        except DecodeError as error:
            self.undecodable += 1
            log.warning("%s", error)
            return
        self._on_fact(fact)


def entries_of(answer: Any) -> list[tuple[bytes, Fields]]:
    """Entries of an XREAD of one stream; RESP3 answers a map whose entries sit in one more list."""
    if not answer:
        return []
    raw = next(iter(answer.values())) if isinstance(answer, dict) else answer[0][1]
    if raw and isinstance(raw[0], list) and raw[0] and isinstance(raw[0][0], (list, tuple)):
        raw = raw[0]
    return [(id_, fields) for id_, fields in raw if fields]


class PlantCopy:
    """This process's copy of the plant snapshot, kept current by version."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.snapshot = Snapshot(version=0)

    def refresh(self) -> bool:
        """Fetch the snapshot when its version moved on; True when it did. An unreachable bus keeps the last copy."""
        try:
            version = self._bus.config_version()
            if version is None or version == self.snapshot.version:
                return False
            found = self._bus.config()
        except (BusUnavailable, DecodeError) as error:
            log.debug("plant snapshot not refreshed: %s", error)
            return False
        if found is None:
            return False
        self.snapshot = found
        return True
