"""A lease: a name that one process holds at a time."""

from __future__ import annotations

import redis

from realtime.bus import Bus, consumer_name
from realtime.errors import BusUnavailable


class Lease:
    """A name that one process holds at a time; it must renew before `ttl_ms` or another may take it."""

    def __init__(self, bus: Bus, name: str, holder: str | None = None, ttl_ms: int = 5000) -> None:
        self.bus = bus
        self.name = bus.key(f"lease.{name}")
        self.holder = (holder or consumer_name()).encode()
        self.ttl_ms = ttl_ms

    def hold(self) -> bool:
        """Take or renew; True while it is ours. Raises BusUnavailable."""
        try:
            if self.bus.client.set(self.name, self.holder, nx=True, px=self.ttl_ms):
                return True
            with self.bus.client.pipeline() as pipe:
                pipe.watch(self.name)  # type: ignore[no-untyped-call]
                if pipe.get(self.name) != self.holder:
                    return False
                pipe.multi()
                pipe.pexpire(self.name, self.ttl_ms)
                return bool(pipe.execute()[0])
        except redis.WatchError:
            return False
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error

    def release(self) -> None:
        """Give it up if it is ours; raises BusUnavailable."""
        try:
            with self.bus.client.pipeline() as pipe:
                pipe.watch(self.name)  # type: ignore[no-untyped-call]
                if pipe.get(self.name) == self.holder:
                    pipe.multi()
                    pipe.delete(self.name)
                    pipe.execute()
        except redis.WatchError:
            return
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error
