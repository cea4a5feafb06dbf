"""What an edge says of itself, read strictly: it comes from another machine, and /health, /metrics and the pages believe its types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from server.errors import Invalid

Name = Annotated[str, msgspec.Meta(max_length=200)]
Words = Annotated[str, msgspec.Meta(max_length=1000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Figure = Annotated[float, msgspec.Meta(ge=0, le=1e15)]


class Group(msgspec.Struct):
    """A polling group."""

    period_s: Figure
    took_ms: Figure | None = None


class NotGood(msgspec.Struct):
    """A tag that is not good now."""

    tag: Name
    quality: Annotated[int, msgspec.Meta(ge=0, le=2)]
    reason: Name
    since: Count | None = None
    last_good: Count | None = None


class Waiting(msgspec.Struct):
    """A source's spool."""

    state: Literal["ok", "thinning", "dropping"]
    fill: Figure
    batches: Count = 0
    readings: Count = 0
    bytes: Count = 0
    quota_bytes: Count = 0
    thinned: Count = 0
    dropped: Count = 0
    damaged: Count = 0


class SourceState(msgspec.Struct):
    """One source as plc.runner tells it; further plain values are what its protocol says of the link."""

    state: Literal["connecting", "live", "retrying", "lost"]
    since: Count | None = None
    error: Words = ""
    tags: Count = 0
    readings: Count = 0
    rate: Figure = 0.0
    newest: Count | None = None
    lag_ms: Count | None = None
    reconnects: Count = 0
    overruns: Count = 0
    groups: dict[Name, Group] = {}
    drops: dict[Name, Count] = {}
    not_good: Count = 0
    not_good_tags: list[NotGood] = []
    spooled: Count = 0
    spool: Waiting | None = None
    delivering: bool = True
    troubles: dict[Name, Words] = {}


class Counters(msgspec.Struct):
    """One process of an edge."""

    pid: Count = 0
    kind: Name = ""
    kinds: list[Name] = []
    readings: Count = 0
    drops: dict[Name, Count] = {}
    sources: dict[Name, dict[str, Any]] = {}
    standby: list[Name] = []
    cpu_s: Figure = 0.0
    config_version: Count | None = None


def read(said: dict[str, Any]) -> dict[str, Any]:
    """The counters, each of the type it must have, without what nobody knows; raises Invalid."""
    try:
        counters: dict[str, Any] = msgspec.to_builtins(msgspec.convert(said, Counters))
        counters["sources"] = {name: _state(state) for name, state in counters["sources"].items()}
    except msgspec.ValidationError as error:
        raise Invalid("counters", "invalid", str(error)) from error
    return counters


def _state(said: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = msgspec.to_builtins(msgspec.convert(said, SourceState))
    link = {key: value for key, value in said.items() if key not in known and _is_plain(key, value)}
    return {**link, **known}


def _is_plain(key: str, value: object) -> bool:
    """A figure or a short word under a short name."""
    return len(key) <= 64 and (isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 500))
