"""Back-off for password tries per user and address, and per address; kept on the bus, in memory while that is away.

No lock is for ever: waits double up to 15 minutes, and another address is not held back.
"""

from __future__ import annotations

import hashlib
import time

import redis

from realtime.bus import Bus
from server.problems import too_many

FREE_TRIES = 4  # then 2, 4, 8, ... s: the tenth try in a row is always refused
ADDRESS_TRIES = 100  # per WINDOW_S
WINDOW_S = 900
MEMORY_KEYS = 10_000

_memory: dict[str, tuple[int, float]] = {}  # key -> failures, end of their window (monotonic); only while the bus is away
_waits: dict[str, float] = {}


def wait_after(failures: int) -> float:
    """Seconds to wait after that many failures in a row."""
    return 0.0 if failures <= FREE_TRIES else float(min(2 ** (failures - FREE_TRIES), WINDOW_S))


def _keys(employee_number: str, address: str) -> tuple[str, str]:
    pair = hashlib.sha256(f"{employee_number.strip().lower()}\0{address}".encode()).hexdigest()[:32]
    return f"login.pair.{pair}", f"login.from.{hashlib.sha256(address.encode()).hexdigest()[:32]}"


def check(bus: Bus, employee_number: str, address: str) -> None:
    """Raise Problem 429 with the time to wait when this pair or address has failed too often."""
    pair, origin = _keys(employee_number, address)
    try:
        wait_ms = int(bus.client.pttl(bus.key(f"{pair}.wait")))
        tries = int(bus.client.get(bus.key(origin)) or 0)
        origin_s = float(bus.client.ttl(bus.key(origin))) if tries >= ADDRESS_TRIES else 0.0
        wait_s = max(wait_ms / 1000, origin_s)
    except redis.RedisError:
        wait_s = _waits.get(pair, 0.0) - time.monotonic()
    if wait_s > 0:
        raise too_many("too_many_tries", "too many wrong passwords; wait before the next try", wait_s)


def failed(bus: Bus, employee_number: str, address: str) -> None:
    """Count a wrong password."""
    pair, origin = _keys(employee_number, address)
    try:
        pipe = bus.client.pipeline(transaction=True)
        pipe.incr(bus.key(pair))
        pipe.expire(bus.key(pair), WINDOW_S * 2)
        pipe.incr(bus.key(origin))
        pipe.expire(bus.key(origin), WINDOW_S, nx=True)
        wait_s = wait_after(int(pipe.execute()[0]))
        if wait_s:
            bus.client.set(bus.key(f"{pair}.wait"), 1, px=int(wait_s * 1000))
    except redis.RedisError:
        _failed_in_memory(pair)


def _failed_in_memory(pair: str) -> None:
    now = time.monotonic()
    if len(_memory) > MEMORY_KEYS:
        _memory.clear()
        _waits.clear()
    failures, end = _memory.get(pair, (0, now + WINDOW_S))
    failures = failures + 1 if now < end else 1
    _memory[pair] = (failures, now + WINDOW_S)
    _waits[pair] = now + wait_after(failures)


def succeeded(bus: Bus, employee_number: str, address: str) -> None:
    """Forget the failures of this pair."""
    pair, _origin = _keys(employee_number, address)
    _memory.pop(pair, None)
    _waits.pop(pair, None)
    try:
        bus.client.delete(bus.key(pair), bus.key(f"{pair}.wait"))
    except redis.RedisError:
        return
