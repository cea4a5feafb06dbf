"""What was refused and what could not be handled, as people look at it: samples in the quarantine, entries in the dead letters.

It reads, takes out and gives back; who may do so, and what a sample means, is the server's business.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import redis

from realtime.bus import DEAD, DEAD_KEPT, GROUPS, QUARANTINE, QUARANTINE_KEPT, Bus
from realtime.errors import BusUnavailable

FIELD = b"f."  # before the fields that an entry had


@dataclass(frozen=True, slots=True)
class Refused:
    """One sample of the quarantine; id stands for its content. t ms UTC."""

    id: str
    raw: bytes
    t: int
    source: str
    reason: str
    topic: str
    sample: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One entry that a group could not handle; entry is its id in the stream it came from."""

    id: str
    stream: str
    group: str
    reason: str
    entry: str
    fields: dict[bytes, bytes]

    @property
    def t(self) -> int:
        """When it was given up, ms UTC."""
        return int(self.id.partition("-")[0])


def quarantined(bus: Bus) -> list[Refused]:
    """Every sample, newest first; at most QUARANTINE_KEPT."""
    try:
        rows = cast("list[bytes]", bus.client.lrange(bus.key(QUARANTINE), 0, QUARANTINE_KEPT))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    return [one for raw in rows if (one := _refused(raw)) is not None]


def _refused(raw: bytes) -> Refused | None:
    try:
        row: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
        words = [str(row.get(name, "")) for name in ("source", "reason", "topic", "sample")]
        return Refused(hashlib.sha256(raw).hexdigest()[:16], raw, int(row["t"]), *words)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return None


def drop_refused(bus: Bus, one: Refused) -> bool:
    """Take a sample out; False where it was gone already."""
    try:
        return bool(bus.client.lrem(bus.key(QUARANTINE), 1, cast("Any", one.raw)))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error


def dead_letters(bus: Bus) -> list[DeadLetter]:
    """Every entry, newest first; at most about DEAD_KEPT."""
    try:
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", bus.client.xrevrange(bus.key(DEAD), count=DEAD_KEPT))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    return [_letter(name, fields) for name, fields in entries]


def dead_letter(bus: Bus, name: str) -> DeadLetter | None:
    """One entry by its id, None where it is gone."""
    try:
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", bus.client.xrange(bus.key(DEAD), name, name))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    return _letter(*entries[0]) if entries else None


def _letter(name: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    stream, group, reason, entry = (fields.get(key, b"").decode("utf-8", "replace") for key in (b"stream", b"group", b"reason", b"id"))
    kept = {key.removeprefix(FIELD): value for key, value in fields.items() if key.startswith(FIELD)}
    return DeadLetter(name.decode(), stream, group, reason, entry, kept)


def send_again(bus: Bus, letter: DeadLetter) -> bool:
    """Append the entry to its stream anew and take it out, both or neither; False where it is gone, or has no stream of ours.

    Every group of the stream gets it again: readings have their identity, findings their key, so that nothing counts twice.
    """
    if letter.stream not in GROUPS or not letter.fields:
        return False
    try:
        with bus.client.pipeline(transaction=True) as pipe:
            cast("Any", pipe).watch(bus.key(DEAD))
            if not pipe.xrange(bus.key(DEAD), letter.id, letter.id):
                return False
            pipe.multi()
            pipe.xadd(bus.key(letter.stream), cast("Any", letter.fields))
            pipe.xdel(bus.key(DEAD), letter.id)
            pipe.execute()
    except redis.WatchError:
        return send_again(bus, letter)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    return True


def drop_letter(bus: Bus, letter: DeadLetter) -> bool:
    """Take an entry out; False where it was gone already."""
    try:
        return bool(bus.client.xdel(bus.key(DEAD), letter.id))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
