"""Readings as devices post them, checked one by one and made into batches. Pure: the snapshot and the time are arguments."""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from realtime.events import Batch, Frame, Quality, Reason, quality_byte
from realtime.snapshot import Tag
from server.api.times import to_ms

OLDEST_MS = 7 * 86_400_000  # source time outside -7 d .. +5 min is not believed (DESIGN.md 4)
NEWEST_MS = 5 * 60_000
REPLAY_OLDEST_MS = 400 * 86_400_000  # what waited at an edge, or is handed out again, may be old
LONGEST_TEXT = 1000
FRAME_SIDE = 4096
_SIZES = {"i2": 2, "u1": 1, "f4": 4}
_REASONS = {reason.name.lower(): reason for reason in Reason}


class Rejected(Exception):
    """One reading cannot be taken; the code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Row:
    """One good reading."""

    tag: Tag
    t: int
    value: float | str | Frame
    quality: int
    seq: int
    kept: bool = True

    @property
    def identity(self) -> tuple[int, int, int]:
        """What makes it the same reading."""
        return self.tag.id, self.t, self.seq


@dataclass(slots=True)
class Checked:
    """What came of a post: rows to store, how many were the same, which were refused and why."""

    rows: list[Row] = field(default_factory=list)
    duplicate: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)


def check(items: Sequence[Any], find: Callable[[str], Tag | None], now_ms: int, *, oldest_ms: int = OLDEST_MS) -> Checked:
    """Judge every reading by itself; a bad one never costs a good one its place. `find` knows the tags that this caller may write."""
    result = Checked()
    seen: dict[tuple[int, int, int], float | str | Frame] = {}
    for i, item in enumerate(items):
        try:
            row = _row(item, find, now_ms, oldest_ms)
        except Rejected as rejected:
            result.rejected.append({"i": i, "code": rejected.code})
            continue
        if row.identity not in seen:
            seen[row.identity] = row.value
            result.rows.append(row)
        elif _same(seen[row.identity], row.value):
            result.duplicate += 1
        else:
            result.rejected.append({"i": i, "code": "conflict"})
    return result


def _same(one: float | str | Frame, other: float | str | Frame) -> bool:
    return one == other or (isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other))


def _row(item: Any, find: Callable[[str], Tag | None], now_ms: int, oldest_ms: int) -> Row:
    if not isinstance(item, dict):
        raise Rejected("not_an_object")
    name = item.get("tag")
    tag = find(name) if isinstance(name, str) else None
    if tag is None:
        raise Rejected("unknown_tag")
    unit = item.get("unit")
    if unit is not None and unit != tag.unit:
        raise Rejected("unit")
    quality = _quality(item.get("quality", 0), item.get("reason"))
    value = frame_of(item.get("frame")) if tag.kind == "frame" else _value(item.get("value"), tag, quality)
    t = _time(item.get("timestamp"), now_ms, oldest_ms)
    return Row(tag, t, value, quality, _seq(item.get("seq", 0)), item.get("kept") is not False)


def _time(value: Any, now_ms: int, oldest_ms: int) -> int:
    try:
        t = to_ms(value)
    except (ValueError, OverflowError) as error:
        raise Rejected("time") from error
    if not now_ms - oldest_ms <= t <= now_ms + NEWEST_MS:
        raise Rejected("clock")
    return t


def _quality(value: Any, reason: Any) -> int:
    """The quality byte; a bad sample without a reason is the device's."""
    if isinstance(value, bool) or value not in (0, 1, 2):
        raise Rejected("quality")
    if reason is None:
        return quality_byte(Quality(value), Reason.DEVICE if value == Quality.BAD else Reason.NONE)
    if not isinstance(reason, str) or reason not in _REASONS or (value == Quality.GOOD) != (reason == "none"):
        raise Rejected("reason")
    return quality_byte(Quality(value), _REASONS[reason])


def _value(value: Any, tag: Tag, quality: int) -> float | str:
    if tag.kind == "text":
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise Rejected("value")
        return value
    if value is None and quality & 3 != Quality.GOOD:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Rejected("value")
    return float(value)


def _seq(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise Rejected("seq")
    return value


def frame_of(value: Any) -> Frame:
    """A picture from its JSON {shape, dtype, scale, offset, unit, data in base64}; raises Rejected."""
    try:
        height, width = (int(side) for side in value["shape"])
        data = b64decode(value["data"], validate=True)
        scale, offset = float(value.get("scale", 1.0)), float(value.get("offset", 0.0))
        dtype, unit = str(value["dtype"]), str(value.get("unit", ""))[:32]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected("frame") from error
    is_shaped = 1 <= height <= FRAME_SIDE and 1 <= width <= FRAME_SIDE and len(data) == height * width * _SIZES.get(dtype, 0)
    if not is_shaped or not math.isfinite(scale) or not math.isfinite(offset):
        raise Rejected("frame")
    return Frame((height, width), dtype, scale, offset, unit, data)  # type: ignore[arg-type]


def batches(rows: Sequence[Row], source: str, received_ms: int, flags: frozenset[Any] = frozenset()) -> list[Batch]:
    """One batch per shard and kind, rows in the order they came."""
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.tag.shard, row.tag.kind), []).append(row)
    return [_batch(shard, group, source, received_ms, flags) for (shard, _kind), group in groups.items()]


def _batch(shard: int, rows: list[Row], source: str, received_ms: int, flags: frozenset[Any]) -> Batch:
    kind = rows[0].tag.kind
    values: list[Any] = [row.value for row in rows]
    kept = np.array([row.kept for row in rows], bool)
    return Batch(
        shard=shard,
        received_ms=received_ms,
        source=source,
        ids=np.array([row.tag.id for row in rows], np.uint32),
        t=np.array([row.t for row in rows], np.int64),
        quality=np.array([row.quality for row in rows], np.uint8),
        seq=np.array([row.seq for row in rows], np.uint32),
        values=np.array(values, np.float64) if kind == "f64" else values,
        kind=kind,
        flags=flags,
        kept=None if kept.all() else kept,
    )
