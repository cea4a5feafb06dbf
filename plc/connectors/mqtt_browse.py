"""What was heard on a broker as the branches of a tree: levels of topics, and below a topic the fields of its JSON object. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import orjson

from plc.addressing import mqtt
from plc.addressing.errors import AddressError
from plc.connector import Branch
from plc.connectors.mqtt_batch import Message

MAX_BRANCHES = 1000
SHOWN = 200  # characters of a payload


def branches(messages: Sequence[Message], prefix: str, path: str) -> list[Branch]:
    """The level below path of the topics that were heard; path `topic#` lists the fields of the last object on that topic."""
    last = {message.topic.removeprefix(prefix): message.payload for message in messages}
    topic, hash_mark, _ = path.partition("#")
    if hash_mark:
        return _fields(topic, _json(last.get(topic, b"")))
    head = f"{path}/" if path else ""
    names: dict[str, None] = {}
    for heard in sorted(last):
        if heard.startswith(head):
            names.setdefault(heard[len(head) :].partition("/")[0])
    return [_branch(head + name, name, last) for name in list(names)[:MAX_BRANCHES]]


def _branch(topic: str, name: str, last: dict[str, bytes]) -> Branch:
    payload = last.get(topic)
    is_folder = any(heard.startswith(f"{topic}/") for heard in last)
    if payload is None:
        return Branch(name, path=topic)
    found = _json(payload)
    below = topic if is_folder else f"{topic}#" if isinstance(found, dict) else ""
    value = found.get("value") if isinstance(found, dict) else found
    unit = found.get("unit") if isinstance(found, dict) else None
    return Branch(
        name,
        path=below,
        address=_usable(topic) if _kind(value) else "",
        kind=_kind(value),
        unit=unit if isinstance(unit, str) else "",
        value=payload[:SHOWN].decode("utf-8", "backslashreplace"),
        detail=topic,
    )


def _fields(topic: str, found: Any) -> list[Branch]:
    if not isinstance(found, dict):
        return []
    return [
        Branch(name, address=_usable(f"{topic}#{name}") if _kind(value) else "", kind=_kind(value), value=str(value)[:SHOWN])
        for name, value in list(found.items())[:MAX_BRANCHES]
    ]


def _usable(text: str) -> str:
    """The address where it can be one."""
    try:
        return mqtt.parse(text).canonical()
    except AddressError:
        return ""


def _kind(value: Any) -> Literal["f64", "text", ""]:
    if isinstance(value, str):
        return "text"
    return "f64" if isinstance(value, int | float) else ""


def _json(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
