"""Looks at devices over the bus: the server asks, the supervisor of the collectors answers. Bounded in number and time."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any, cast

import redis

from realtime.bus import Bus, now_ms
from realtime.errors import BusUnavailable, SightlineError

REQUESTS = "probes"
TIME_S = 10.0  # one look
WAITED_S = 12.0  # of the asker: the look and the way there and back
AT_ONCE = 2
MOST_WAITING = 2
ANSWER_KEPT_S = 30
LOOK_EVERY_S = 0.05


class ProbeBusy(SightlineError):
    """As many looks as may be at once are under way."""


class NoCollector(SightlineError):
    """Nobody answered: no collector is running."""


def answer_key(name: str) -> str:
    """Where the answer to a request stands."""
    return f"probe.{name}"


def ask(bus: Bus, request: dict[str, Any], waited_s: float = WAITED_S) -> dict[str, Any]:
    """Put a request and wait for its answer; raises ProbeBusy, NoCollector or BusUnavailable."""
    name = secrets.token_hex(12)
    body = json.dumps({**request, "id": name, "until_ms": now_ms() + int(waited_s * 1000)})
    try:
        if bus.client.llen(bus.key(REQUESTS)) >= MOST_WAITING:
            raise ProbeBusy("other looks at devices are under way; try again in some seconds")
        pipe = bus.client.pipeline(transaction=True)
        pipe.rpush(bus.key(REQUESTS), body)
        pipe.expire(bus.key(REQUESTS), int(waited_s) + 1)  # what nobody takes does not wait with its secrets
        pipe.execute()
        until = time.monotonic() + waited_s
        while time.monotonic() < until:
            raw = cast("bytes | None", bus.client.getdel(bus.key(answer_key(name))))
            if raw is not None:
                return cast("dict[str, Any]", json.loads(raw))
            time.sleep(LOOK_EVERY_S)
        bus.client.lrem(bus.key(REQUESTS), 0, body)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    raise NoCollector("no collector answered; is `python -m plc` running on this bus?")
