"""Live values of a task as the feed says them: `{t, v: {key: [value, q, a, age]}}`. Pure.

q: 0 good, 1 uncertain or older than two periods, 2 bad. a: -2 -1 0 1 2, low alarm to high alarm. age: seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from realtime.events import PACES, Quality
from realtime.snapshot import Tag

STALE_PERIODS = 2


def alarm_of(tag: Tag, value: float) -> int:
    """How far outside its limits a value is: 2 beyond a critical limit, 1 beyond any other or the normal range; negative = low."""
    worst = 0
    for limit in tag.limits:
        if limit.side in PACES:  # a pace, which one value does not show
            continue
        beyond = value > limit.value if limit.side == "high" else value < limit.value
        weight = (2 if limit.severity == "critical" else 1) * (1 if limit.side == "high" else -1)
        if beyond and abs(weight) > abs(worst):
            worst = weight
    if worst == 0 and tag.high is not None and value > tag.high:
        return 1
    if worst == 0 and tag.low is not None and value < tag.low:
        return -1
    return worst


def entry(tag: Tag, t: int, value: float | None, quality: int, now_ms: int) -> list[Any]:
    """`[value, q, a, age]` of one tag; no value means bad."""
    age_s = max(0.0, (now_ms - t) / 1000)
    if value is None or math.isnan(value):
        return [None, int(Quality.BAD), 0, round(age_s, 1)]
    stale = age_s > STALE_PERIODS * tag.period_s
    q = max(int(quality) & 3, int(Quality.UNCERTAIN) if stale else 0)
    return [round(value, tag.decimals), q, alarm_of(tag, value), round(age_s, 1) if age_s < 10 else int(age_s)]


def frame(tags: Sequence[tuple[str, Tag]], rows: Mapping[int, tuple[int, float | None, int]], now_ms: int) -> dict[str, Any]:
    """The body of `/tasks/{id}/live` and `ar.live`: tags are (key, tag), rows id -> (t, value, quality byte)."""
    at = datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"t": at, "v": {key: entry(tag, *rows[tag.id], now_ms) if tag.id in rows else [None, 2, 0, None] for key, tag in tags}}
