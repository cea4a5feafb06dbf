"""What every program does beside its work: stop on a signal, tell that it lives, log one line a state change.

Starting and restarting programs is run.py's.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import redis

from realtime.bus import Bus, now_ms

HEARTBEAT_EVERY_S = 2.0
HEARTBEAT_KEPT_S = 15

T = TypeVar("T")


def configure_logging() -> None:
    """One line a record on stderr: time, level, program part, message."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    for chatty in ("asyncua", "alembic", "engineio", "socketio", "werkzeug", "amqtt", "transitions", "s7", "snap7"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def stop_event() -> threading.Event:
    """An event that SIGTERM and SIGINT set; call it once, from the main thread."""
    event = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        event.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return event


def backoff(first_s: float = 0.5, cap_s: float = 15.0) -> Iterator[float]:
    """Waits between attempts, for ever: doubling with +-20 % jitter, so that a plant does not reconnect in step."""
    wait = first_s
    while True:
        yield wait * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
        wait = min(wait * 2, cap_s)


def retry_until(stop: threading.Event, what: str, act: Callable[[], T], errors: tuple[type[Exception], ...]) -> T | None:
    """Call `act` until it succeeds; None when stopped first. Logs the first failure and the recovery, not each try."""
    log = logging.getLogger("supervise")
    failed = False
    for wait in backoff():
        try:
            result = act()
        except errors as error:
            if not failed:
                log.warning("%s: %s; retrying", what, error)
                failed = True
        else:
            if failed:
                log.info("%s: back", what)
            return result
        if stop.wait(wait):
            return None
    return None


class Heartbeat:
    """Tells /health that a program lives, with its counters; the key expires by itself when the program does not."""

    def __init__(self, bus: Bus, program: str) -> None:
        self.bus = bus
        self.program = program
        self._last = float("-inf")

    def beat(self, **counters: Any) -> None:
        """Write the counters, at most once in HEARTBEAT_EVERY_S; a bus that is away is no error here."""
        if time.monotonic() - self._last < HEARTBEAT_EVERY_S:
            return
        self._last = time.monotonic()
        pid = os.getpid()
        body = {"program": self.program, "pid": pid, "at": now_ms(), **counters}
        try:
            self.bus.client.set(self.bus.key(f"health.{self.program}.{pid}"), json.dumps(body), ex=HEARTBEAT_KEPT_S)
        except redis.RedisError:
            return


def heartbeats(bus: Bus) -> list[dict[str, Any]]:
    """What the living programs last said; raises redis.RedisError."""
    keys = sorted(bus.client.scan_iter(bus.key("health.*")))
    return [json.loads(raw) for raw in bus.client.mget(keys) if raw] if keys else []
