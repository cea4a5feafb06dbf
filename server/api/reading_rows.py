"""Readings as devices post them, checked one by one and made into batches. Pure: the snapshot and the time are arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from realtime.events import Batch, Quality, Reason, quality_byte
from realtime.snapshot import Tag
from server.api.times import to_ms

OLDEST_MS = 7 * 86_400_000  # source time outside -7 d .. +5 min is not believed (DESIGN.md 4)
NEWEST_MS = 5 * 60_000
LONGEST_TEXT = 1000


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
    value: float | str
    quality: int
    seq: int

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


def check(items: Sequence[Any], find: Callable[[str], Tag | None], now_ms: int) -> Checked:
    """Judge every reading by itself; a bad one never costs a good one its place."""
    result = Checked()
    seen: dict[tuple[int, int, int], float | str] = {}
    for i, item in enumerate(items):
        try:
            row = _row(item, find, now_ms)
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


def _same(one: float | str, other: float | str) -> bool:
    return one == other or (isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other))


def _row(item: Any, find: Callable[[str], Tag | None], now_ms: int) -> Row:
    if not isinstance(item, dict):
        raise Rejected("not_an_object")
    name = item.get("tag")
    tag = find(name) if isinstance(name, str) else None
    if tag is None or tag.virtual:
        raise Rejected("unknown_tag")
    unit = item.get("unit")
    if unit is not None and unit != tag.unit:
        raise Rejected("unit")
    quality = _quality(item.get("quality", 0))
    return Row(tag, _time(item.get("timestamp"), now_ms), _value(item.get("value"), tag, quality), quality, _seq(item.get("seq", 0)))


def _time(value: Any, now_ms: int) -> int:
    try:
        t = to_ms(value)
    except (ValueError, OverflowError) as error:
        raise Rejected("time") from error
    if not now_ms - OLDEST_MS <= t <= now_ms + NEWEST_MS:
        raise Rejected("clock")
    return t


def _quality(value: Any) -> int:
    if isinstance(value, bool) or value not in (0, 1, 2):
        raise Rejected("quality")
    return quality_byte(Quality(value), Reason.DEVICE if value == Quality.BAD else Reason.NONE)


def _value(value: Any, tag: Tag, quality: int) -> float | str:
    if tag.kind == "text":
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise Rejected("value")
        return value
    if tag.kind != "f64":
        raise Rejected("kind")
    if value is None and quality & 3 == Quality.BAD:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Rejected("value")
    return float(value)


def _seq(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise Rejected("seq")
    return value


def batches(rows: Sequence[Row], source: str, received_ms: int) -> list[Batch]:
    """One batch per shard and kind, rows in the order they came."""
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.tag.shard, row.tag.kind), []).append(row)
    return [_batch(shard, group, source, received_ms) for (shard, _kind), group in groups.items()]


def _batch(shard: int, rows: list[Row], source: str, received_ms: int) -> Batch:
    is_text = rows[0].tag.kind == "text"
    return Batch(
        shard=shard,
        received_ms=received_ms,
        source=source,
        ids=np.array([row.tag.id for row in rows], np.uint32),
        t=np.array([row.t for row in rows], np.int64),
        quality=np.array([row.quality for row in rows], np.uint8),
        seq=np.array([row.seq for row in rows], np.uint32),
        values=[str(row.value) for row in rows] if is_text else np.array([row.value for row in rows], np.float64),
        kind="text" if is_text else "f64",
    )
