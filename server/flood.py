"""At most so many requests of one kind a minute from one address or person; counted on the bus, open while that is away."""

from __future__ import annotations

import hashlib

import redis
from flask import request

from server.problems import too_many
from server.services import services

WINDOW_S = 60


def refuse_flood(kind: str, per_minute: int, who: str | None = None) -> None:
    """Count this request; raises Problem 429 with the time to wait when there were too many."""
    bus = services().bus
    named = hashlib.sha256((who or request.remote_addr or "").encode()).hexdigest()[:24]
    key = bus.key(f"flood.{kind}.{named}")
    try:
        pipe = bus.client.pipeline(transaction=True)
        pipe.incr(key)
        pipe.expire(key, WINDOW_S, nx=True)
        pipe.ttl(key)
        count, _set, wait_s = pipe.execute()
    except redis.RedisError:
        return
    if count > per_minute:
        raise too_many("too_many_requests", f"{per_minute} a minute at most", max(1, wait_s))
