"""Reads a tag map (YAML or JSON, PROTOCOLS.md 7) into sources and tags. Pure: the server stores what it returns.

machine: PRESS-01
source: {name: press-s7, driver: s7, host: 10.0.0.5, rack: 0, slot: 1}
groups: {fast: 200ms, normal: 1s}
tags:
 - {name: PT-101, addr: "DB1,REAL8", unit: bar, group: normal, scale: {raw: [0, 27648], eng: [0, 10]}, range: [0, 10]}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from plc.addressing import kinds, mqtt_mapping
from plc.addressing.documents import MAX_BYTES, MAX_DEPTH, mapping, mapping_of
from plc.addressing.entries import MAX_NAME, MappedTag, read_entry, seconds
from plc.addressing.errors import TagMapError
from plc.addressing.overlaps import overlaps

MAX_TAGS = 20_000
MAX_GROUPS = 50
MOST_WARNINGS = 200
DEFAULT_GROUPS = {"fast": 0.2, "normal": 1.0, "slow": 60.0}
__all__ = ["MAX_BYTES", "MAX_DEPTH", "MappedTag", "TagMap", "TagMapError", "judge", "parse", "read"]


@dataclass(frozen=True, slots=True)
class TagMap:
    """One source with its tags; config holds what the connector reads (host, rack, slot, ...)."""

    source: str
    kind: str
    config: dict[str, Any]
    groups: dict[str, float]
    asset: str | None
    tags: list[MappedTag]
    warnings: list[str] = field(default_factory=list)


def parse(text: str) -> TagMap:
    """Read a tag map; raises TagMapError naming the field."""
    return read(mapping_of(text))


def read(document: dict[str, Any]) -> TagMap:
    """Read a tag map that is parsed already, as a JSON body is; raises TagMapError naming the first wrong field."""
    found, wrong = judge(document, None)
    if wrong:
        raise wrong[0]
    return found


def judge(document: dict[str, Any], origins: Sequence[str] | None) -> tuple[TagMap, list[TagMapError]]:
    """Read a tag map and go on after a wrong tag: the map with the good ones, and what is wrong with the others.

    origins: where in the file each entry stands ("line 12"), None = `tags[i]`. Raises TagMapError where the source itself is wrong.
    """
    source = mapping(document.get("source"), "source")
    kind = str(source.pop("driver", source.pop("kind", "")))
    machine = document.get("machine")
    name = str(source.pop("name", "") or (f"{machine}-{kind}" if machine else ""))
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise TagMapError("source.name", f"name the source, or the machine: 1 to {MAX_NAME} printable characters")
    groups = _groups(document.get("groups"))
    entries = document.get("tags")
    if not isinstance(entries, list) or len(entries) > MAX_TAGS:
        raise TagMapError("tags", f"a list of at most {MAX_TAGS} tags")
    if entries and kind not in kinds.KINDS:
        raise TagMapError("source.driver", f"{kind[:40]!r} is none of {', '.join(kinds.KINDS)}")
    if kind == "mqtt":
        _check_mappings(source.get("mappings"))
    found = TagMap(name, kind, source, groups, str(machine) if machine else None, [])
    return found, _judge_tags(found, entries, origins)


def _check_mappings(value: Any) -> None:
    try:
        mqtt_mapping.parse_all(value)
    except mqtt_mapping.MappingError as error:
        raise TagMapError(f"source.{error.field}", f"at character {error.position + 1}: {error.hint}") from error


def _judge_tags(found: TagMap, entries: list[Any], origins: Sequence[str] | None) -> list[TagMapError]:
    wrong: list[TagMapError] = []
    warnings: list[str] = []
    where_of: dict[str, str] = {}
    for i, entry in enumerate(entries):
        where = origins[i] if origins else f"tags[{i}]"
        try:
            tag = read_entry(entry, where, found.kind, found.groups, warnings)
        except TagMapError as error:
            wrong.append(error)
            continue
        if tag.name in where_of:
            wrong.append(TagMapError(f"{where}.name", f"{tag.name!r} stands twice"))
            continue
        where_of[tag.name] = where
        found.tags.append(tag)
    warnings += [f"{where_of[name]}.addr: {told}" for name, told in overlaps(found.kind, found.tags)]
    found.warnings.extend(warnings[:MOST_WARNINGS])
    if len(warnings) > MOST_WARNINGS:
        found.warnings.append(f"and {len(warnings) - MOST_WARNINGS} more")
    return wrong


def _groups(value: Any) -> dict[str, float]:
    given = mapping(value or {}, "groups")
    if len(given) > MAX_GROUPS or any(not name or len(name) > MAX_NAME or not name.isprintable() for name in given):
        raise TagMapError("groups", f"at most {MAX_GROUPS} groups with names of 1 to {MAX_NAME} printable characters")
    return {name: seconds(period, f"groups.{name}") for name, period in given.items()} or dict(DEFAULT_GROUPS)
