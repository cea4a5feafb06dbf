"""Reads the JSON of DESIGN.md 4 off MQTT: what one payload says, strictly. Pure: every refusal is a `Refused` with its reason.

`plc.connectors.mqtt_batch` takes the straight road for well-formed readings; what it cannot take comes here to be explained.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from realtime.errors import SightlineError
from realtime.snapshot import Tag

MAX_MESSAGE = 256_000
MAX_DEPTH = 8
MAX_NAME = 64
MAX_TEXT = 1000
MAX_SEQ = 0xFFFFFFFF
RESERVED = frozenset({"machine_id", "timestamp", "seq"})
BIT_ROLES = frozenset({"running", "idle", "fault"})
UNIT_SPELLINGS = {"C": "°C", "degC": "°C", "F": "°F", "degF": "°F", "m3/h": "m³/h", "m3": "m³", "um": "µm"}

_NAME = re.compile(r"[^\x00-\x1f\x7f<>&\"'`\\]+")


class Refused(SightlineError):
    """A payload, or one reading in it, that is not taken."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unknown(Refused):
    """A well-formed reading of a tag nobody has configured."""

    def __init__(self, tag: str, value: float | str) -> None:
        super().__init__("unknown_tag")
        self.tag = tag
        self.value = value


@dataclass(frozen=True, slots=True)
class Row:
    """One reading that is taken."""

    tag: Tag
    t: int
    value: float | str
    seq: int


class _Duplicate(ValueError):
    """A key stands twice in one object."""


def document(payload: bytes) -> Any:
    """The JSON of a payload within the limits; raises Refused."""
    if len(payload) > MAX_MESSAGE:
        raise Refused("too_large")
    if not payload.strip():
        raise Refused("empty")
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Refused(_why_not_json(payload, str(error))) from error
    if _depth(found) > MAX_DEPTH:
        raise Refused("too_deep")
    try:
        json.loads(payload, object_pairs_hook=_pairs)  # orjson keeps the last of two equal keys in silence
    except _Duplicate as error:
        raise Refused("duplicate_key") from error
    return found


def _why_not_json(payload: bytes, error: str) -> str:
    if "depth" in error:
        return "too_deep"
    if "infinity" in error:
        return "not_finite"
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        return "not_utf8"
    return "not_json"


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Duplicate
    return found


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
    return depth


def reading_rows(payload: bytes, topic_tag: str, tags: dict[str, Tag], received: int, *, no_time: bool) -> Iterator[Row | Refused]:
    """What a message on `readings/<topic_tag>` says: one reading or an array of such; never raises."""
    try:
        found = document(payload)
    except Refused as refused:
        yield refused
        return
    is_array = isinstance(found, list)
    for entry in found if is_array else [found]:
        try:
            yield _reading(entry, topic_tag, tags, received, no_time=no_time, is_array=is_array)
        except Refused as refused:
            yield refused


def _reading(entry: Any, topic_tag: str, tags: dict[str, Tag], received: int, *, no_time: bool, is_array: bool) -> Row:
    if not isinstance(entry, dict):
        raise Refused("not_an_object")
    name = entry.get("tag", topic_tag)
    check_name(name)
    if name != topic_tag and (not is_array or topic_tag in tags):
        raise Refused("topic_mismatch")
    if "value" not in entry:
        raise Refused("no_value")
    tag = tags.get(name)
    if tag is None:
        raise Unknown(name, any_value(entry["value"]))
    check_unit(entry.get("unit"), tag)
    t = time_ms(entry.get("timestamp"), received, no_time=no_time)
    return Row(tag, t, typed_value(entry["value"], tag), sequence(entry.get("seq", 0)))


def machine_rows(payload: bytes, machine: str, tags: dict[str, Tag], received: int, *, no_time: bool) -> Iterator[Row | Refused]:
    """What a message on `machines/<machine>` says: every other field is a tag `<machine>.<field>`; never raises."""
    try:
        found, t, seq = _machine_head(payload, machine, received, no_time=no_time)
    except Refused as refused:
        yield refused
        return
    for field, value in found.items():
        if field in RESERVED:
            continue
        try:
            yield _machine_field(f"{machine}.{field}", value, tags, t, seq)
        except Refused as refused:
            yield refused


def _machine_head(payload: bytes, machine: str, received: int, *, no_time: bool) -> tuple[dict[str, Any], int, int]:
    found = document(payload)
    if not isinstance(found, dict):
        raise Refused("not_an_object")
    check_name(machine)
    if found.get("machine_id", machine) != machine:
        raise Refused("topic_mismatch")
    return found, time_ms(found.get("timestamp"), received, no_time=no_time), sequence(found.get("seq", 0))


def _machine_field(name: str, value: Any, tags: dict[str, Tag], t: int, seq: int) -> Row:
    check_name(name)
    tag = tags.get(name)
    if tag is None:
        raise Unknown(name, any_value(value))
    return Row(tag, t, typed_value(value, tag), seq)


def mapped_row(payload: bytes, field: str | None, tag: Tag, received: int) -> Row:
    """A reading by an explicit address: a bare value, or one field of an object; raises Refused. No time = receive time."""
    found = document(payload)
    if field is None and not isinstance(found, dict):
        return Row(tag, received, typed_value(found, tag), 0)
    if not isinstance(found, dict):
        raise Refused("not_an_object")
    if (field or "value") not in found:
        raise Refused("no_value")
    t = time_ms(found.get("timestamp"), received, no_time=True)
    return Row(tag, t, typed_value(found[field or "value"], tag), sequence(found.get("seq", 0)))


def check_name(name: Any) -> None:
    """Refuse what cannot be a tag name."""
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not _NAME.fullmatch(name):
        raise Refused("tag_name")
    if unicodedata.normalize("NFC", name) != name:
        raise Refused("tag_name")


def check_unit(unit: Any, tag: Tag) -> None:
    """Refuse another unit than the tag's; none said is the tag's."""
    if unit is None or unit == tag.unit or not tag.unit:
        return
    if not isinstance(unit, str) or UNIT_SPELLINGS.get(unit, unit) != tag.unit:
        raise Refused("unit")


def time_ms(stamp: Any, received: int, *, no_time: bool) -> int:
    """Milliseconds UTC of a timestamp: RFC 3339 with a zone, or epoch seconds or milliseconds; raises Refused."""
    if stamp is None:
        if no_time:
            return received
        raise Refused("no_time")
    if isinstance(stamp, str):
        return text_time_ms(stamp)
    if isinstance(stamp, bool) or not isinstance(stamp, int | float):
        raise Refused("time")
    return epoch_ms(stamp)


def epoch_ms(stamp: float) -> int:
    """Seconds below 1e11 (year 5138), milliseconds below 1e14; anything else is another unit and refused."""
    if not 0 <= stamp < 1e14:
        raise Refused("time")
    return round(stamp * 1000) if stamp < 1e11 else round(stamp)


def text_time_ms(stamp: str) -> int:
    """Milliseconds UTC of an RFC 3339 time with a zone; raises Refused."""
    if len(stamp) > 40:
        raise Refused("time")
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError as error:
        raise Refused("time") from error
    if moment.tzinfo is None:
        raise Refused("time_zone")  # local time is ambiguous, and in the hour of the clock change it may not even exist
    try:
        return round(moment.timestamp() * 1000)
    except OverflowError as error:
        raise Refused("time") from error


def typed_value(value: Any, tag: Tag) -> float | str:
    """The value as the tag's kind takes it; raises Refused."""
    if tag.kind == "text":
        if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
            raise Refused("value_type")
        return value
    if isinstance(value, dict | list):
        raise Refused("nested")
    if value is None:
        raise Refused("null")
    if isinstance(value, bool):
        if tag.role in BIT_ROLES:
            return 1.0 if value else 0.0
        raise Refused("value_type")
    if tag.kind != "f64" or not isinstance(value, int | float):
        raise Refused("value_type")
    return float(value)


def any_value(value: Any) -> float | str:
    """The value of a tag nobody has configured, as it is shown; raises Refused."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Refused("value_type")
    return value[:MAX_NAME] if isinstance(value, str) else float(value)


def sequence(value: Any) -> int:
    """A device's counter; raises Refused."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SEQ:
        raise Refused("seq")
    return value
