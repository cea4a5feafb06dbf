"""A refused MQTT payload as readings, where it is a whole one of the two common shapes. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from realtime.refused import Refused

WHOLE = 500  # bytes kept of a sample; one of this length may have been cut
_NAMES = {"machine_id", "timestamp"}


def readings_in(one: Refused) -> list[dict[str, Any]] | None:
    """`readings/<tag>` objects and arrays, `machines/<id>` objects; None where it is neither or was cut."""
    if len(one.sample.encode()) >= WHOLE:
        return None
    try:
        found = msgspec.json.decode(one.sample.encode())
    except (msgspec.MsgspecError, RecursionError):
        return None
    rows = found if isinstance(found, list) else [found]
    if not rows or not all(isinstance(row, dict) for row in rows):
        return None
    return [item for row in rows for item in _items(row, one.topic)] or None


def _items(row: dict[str, Any], topic: str) -> list[dict[str, Any]]:
    machine = row.get("machine_id")
    if isinstance(machine, str) and "timestamp" in row:
        return [
            {"tag": f"{machine}.{name}", "timestamp": row["timestamp"], "value": value} for name, value in row.items() if name not in _NAMES
        ]
    tag = row.get("tag", topic.rpartition("readings/")[2] if "readings/" in topic else None)
    if not isinstance(tag, str) or "value" not in row:
        return []
    return [{"tag": tag, **{name: row[name] for name in ("timestamp", "value", "unit", "seq") if name in row}}]
