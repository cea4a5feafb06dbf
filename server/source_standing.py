"""How sources stand by their collectors' own heartbeats: who reads each, and what it says.

The database has only what was told of a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import redis

from realtime.bus import Bus
from realtime.errors import BusUnavailable
from realtime.supervise import heartbeats
from server.timestamps import rfc3339

FIGURES = ("rate", "lag_ms", "not_good", "overruns", "reconnects")


def said_of_all(bus: Bus) -> dict[str, dict[str, Any]]:
    """What the collector of each source last said of it, by name, with `collector` (program, pid, at). Raises BusUnavailable."""
    try:
        beats = heartbeats(bus)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    found: dict[str, dict[str, Any]] = {}
    for beat in beats:
        listed = beat.get("sources")
        for name, said in listed.items() if isinstance(listed, dict) else ():
            if isinstance(said, dict):
                found[name] = {**said, "collector": {"program": beat.get("program"), "pid": beat.get("pid"), "at": beat.get("at")}}
    return found


def state_of(said: dict[str, Any] | None, *, enabled: bool) -> str:
    """connecting, live, retrying or lost, as its collector says; `off`, or `no_collector`."""
    if not enabled:
        return "off"
    return str(said["state"]) if said else "no_collector"


def since_of(said: dict[str, Any] | None) -> str | None:
    """Since when it stands so, RFC 3339; None where nobody says."""
    since = (said or {}).get("since")
    return rfc3339(datetime.fromtimestamp(since / 1000, UTC)) if isinstance(since, int) else None


def with_standing(bus: Bus, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """REST bodies of sources with their state of now; what was told last stands where the bus is away."""
    try:
        said = said_of_all(bus)
    except BusUnavailable:
        return [dict(body) | dict.fromkeys(FIGURES) for body in bodies]
    return [_standing(body, said.get(body["name"])) for body in bodies]


def _standing(body: dict[str, Any], said: dict[str, Any] | None) -> dict[str, Any]:
    state = state_of(said, enabled=body["enabled"])
    figures = {name: (said or {}).get(name) for name in FIGURES}
    if said is None or state == "off":
        return {**body, **figures, "state": state, "detail": "", "state_since": None}
    return {**body, **figures, "state": state, "detail": str(said.get("error") or ""), "state_since": since_of(said)}
