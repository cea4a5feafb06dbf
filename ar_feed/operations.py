"""One operation of `POST /ops`: what a well-formed one is. Pure; doing it is `ar_feed.ops`'."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from server.errors import Invalid

MAX_OPS = 50
MAX_NOTE, MAX_TEXT, MAX_MEDIA = 500, 500, 10
AHEAD = timedelta(hours=24)
SKEW = timedelta(minutes=5)
KINDS = ("start", "pause", "resume", "step", "undo", "problem", "finish")
BY = ("voice", "touch", "gaze", "keys", "auto")
FIELDS = frozenset({"key", "task", "step", "k", "value", "unit", "opt", "code", "media", "note", "at", "by", "rev"})
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID = 2**63


@dataclass(frozen=True, slots=True)
class Operation:
    """A well-formed operation; `value` is a finite number, a text or nothing."""

    key: str
    task: int
    kind: str
    at: datetime
    by: str
    step: str | None = None
    value: float | str | None = None
    unit: str | None = None
    option: str | None = None
    code: str | None = None
    media: tuple[int, ...] = ()
    note: str | None = None


def body_hash(raw: Mapping[str, Any]) -> str:
    """Fingerprint of an operation's content, whatever the order of its fields."""
    return hashlib.sha256(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)).hexdigest()


def parse(raw: object, now: datetime) -> Operation:
    """Read one operation; raises Invalid naming the field."""
    if not isinstance(raw, dict):
        raise Invalid("op", "not_an_object", "an operation is an object")
    kind = _one_of(raw, "k", KINDS)
    step = _text(raw, "step", 64)
    if kind in {"step", "undo"} and not step:
        raise Invalid("step", "missing", f"{kind} needs a step")
    return Operation(
        key=_key(raw.get("key")),
        task=_whole(raw.get("task"), "task"),
        kind=kind,
        at=_time(raw.get("at"), now),
        by=_one_of(raw, "by", BY),
        step=step,
        value=_value(raw.get("value")),
        unit=_text(raw, "unit", 20),
        option=_text(raw, "opt", 64),
        code=_text(raw, "code", 200),
        media=_media(raw.get("media")),
        note=_text(raw, "note", MAX_NOTE),
    )


def _key(raw: object) -> str:
    if not isinstance(raw, str) or not _UUID.fullmatch(raw.lower()):
        raise Invalid("key", "not_a_uuid", "every operation needs a UUID as its key")
    return raw.lower()


def _whole(raw: object, field: str) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not 0 < raw < _ID:
        raise Invalid(field, "not_an_id", "an id is a positive whole number")
    return raw


def _one_of(raw: Mapping[str, Any], field: str, allowed: tuple[str, ...]) -> str:
    value = raw.get(field)
    if not isinstance(value, str) or value not in allowed:
        raise Invalid(field, "unknown", f"must be one of {', '.join(allowed)}")
    return value


def _text(raw: Mapping[str, Any], field: str, longest: int) -> str | None:
    value = raw.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid(field, "not_text", "must be text")
    if len(value) > longest:
        raise Invalid(field, "too_long", f"{len(value)} characters; {longest} at most")
    return value


def _value(raw: object) -> float | str | None:
    if raw is None:
        return None
    if isinstance(raw, str):
        if len(raw) > MAX_TEXT:
            raise Invalid("value", "too_long", f"{len(raw)} characters; {MAX_TEXT} at most")
        return raw
    if isinstance(raw, bool) or not isinstance(raw, int | float) or abs(raw) > 1e300:
        raise Invalid("value", "not_a_number", "a value is a number or text")
    return float(raw)


def _media(raw: object) -> tuple[int, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or len(raw) > MAX_MEDIA:
        raise Invalid("media", "not_a_list", f"media is a list of up to {MAX_MEDIA} ids")
    return tuple(_whole(item, "media") for item in raw)


def _time(raw: object, now: datetime) -> datetime:
    if not isinstance(raw, str) or len(raw) > 40 or "T" not in raw.upper():
        raise Invalid("at", "not_a_time", "at is an RFC 3339 time")
    try:
        at = datetime.fromisoformat(raw)
    except ValueError as error:
        raise Invalid("at", "not_a_time", "at is an RFC 3339 time") from error
    if at.tzinfo is None:
        raise Invalid("at", "no_zone", "at needs its offset from UTC, or Z")
    try:
        ahead = at - now > AHEAD
    except OverflowError as error:
        raise Invalid("at", "not_a_time", "this year cannot be") from error
    if ahead:
        raise Invalid("at", "in_the_future", "at is more than 24 h ahead; set the device's clock")
    return at
