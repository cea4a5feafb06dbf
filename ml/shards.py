"""Which shards this monitor owns: a lease each, in even shares among the monitors that live."""

from __future__ import annotations

import time

import redis

from realtime.bus import Bus
from realtime.errors import BusUnavailable
from realtime.events import SHARDS
from realtime.lease import Lease

LEASE_MS = 5000
TICK_S = 1.0
ALIVE_S = 4.0
MEMBERS = "monitors"


class Shards:
    """Call `tick` about once a second; `held` are ours until `valid` says otherwise."""

    def __init__(self, bus: Bus, holder: str) -> None:
        self.bus = bus
        self.holder = holder
        self.held: set[int] = set()
        self._leases = [Lease(bus, f"shard.{shard}", holder, LEASE_MS) for shard in range(SHARDS)]
        self._renewed = float("-inf")
        self._ticked = float("-inf")

    def due(self) -> bool:
        """True when `tick` should be called."""
        return time.monotonic() - self._ticked >= TICK_S

    def valid(self) -> bool:
        """False when the leases may have run out unnoticed (this process slept): nothing in hand is ours any more."""
        return time.monotonic() - self._renewed < LEASE_MS / 1000

    def tick(self) -> tuple[set[int], set[int]]:
        """(free shards to take over, shards to hand back): renews what is held. A shard that was lost leaves `held` at once.

        Raises BusUnavailable.
        """
        self._ticked = time.monotonic()
        share = -(-SHARDS // self._members())
        asked = time.monotonic()
        self.held = {shard for shard in sorted(self.held) if self._leases[shard].hold()}
        self._renewed = asked
        surplus = set(sorted(self.held)[share:])
        free: set[int] = set()
        # start at a place of our own, so that two monitors do not race for the same ones
        first = hash(self.holder) % SHARDS
        for shard in ((first + i) % SHARDS for i in range(SHARDS)):
            if len(self.held) - len(surplus) + len(free) >= share:
                break
            if shard not in self.held and self._leases[shard].hold():
                free.add(shard)
        return free, surplus

    def keep(self, shard: int) -> None:
        """A shard from `tick` is taken over."""
        self.held.add(shard)

    def give_back(self, shard: int) -> None:
        """Release a shard, ours or just leased; raises BusUnavailable."""
        self.held.discard(shard)
        self._leases[shard].release()

    def leave(self) -> None:
        """Release everything; raises BusUnavailable."""
        for shard in sorted(self.held):
            self.give_back(shard)
        try:
            self.bus.client.zrem(self.bus.key(MEMBERS), self.holder)
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error

    def _members(self) -> int:
        """How many monitors said within ALIVE_S, by the server's clock, that they live; this one among them."""
        key = self.bus.key(MEMBERS)
        try:
            seconds, micros = self.bus.client.time()
            now = seconds + micros / 1e6
            pipe = self.bus.client.pipeline(transaction=True)
            pipe.zadd(key, {self.holder: now})
            pipe.zremrangebyscore(key, "-inf", now - ALIVE_S)
            pipe.zcard(key)
            return max(int(pipe.execute()[2]), 1)
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error
