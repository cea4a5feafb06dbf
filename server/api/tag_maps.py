"""Tag maps and the tables: a judged map as writes, and a source with its tags as a map again. No routes, no requests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from plc.addressing.entries import MappedTag, shown_duration
from plc.addressing.tagmap import DEFAULT_GROUPS, TagMap
from server.masking import masked
from server.models.plant import Asset, Source, Tag
from server.store.tag_writes import SourceWrite, TagWrite

REPORTING = frozenset({"deadband_pct", "max_interval_s", "wire_break", "average_s", "keep", "enabled"})
_SAME = ("address", "unit", "label", "kind", "role", "decimals", "deadband", "range_low", "range_high", "low", "high")
_NEVER_KEPT = frozenset({"enabled", "probe"})


def source_of(found: TagMap) -> SourceWrite:
    """The source of a map."""
    config = {key: value for key, value in found.config.items() if key not in _NEVER_KEPT}
    enabled = found.config.get("enabled")
    return SourceWrite(found.source, found.kind, config, found.groups, enabled if isinstance(enabled, bool) else None)


def writes_of(found: TagMap, *, only_given: bool = False, whole: bool = False) -> list[TagWrite]:
    """The tags of a map. only_given: leave alone what the file does not name; whole: the file says everything, defaults too."""
    return [_write(found, tag, only_given=only_given, whole=whole) for tag in found.tags]


def _write(found: TagMap, tag: MappedTag, *, only_given: bool, whole: bool) -> TagWrite:
    columns: dict[str, Any] = {name: getattr(tag, name) for name in (*_SAME, *REPORTING)}
    columns |= {name: list(getattr(tag, name)) if getattr(tag, name) else None for name in ("scale_raw", "scale_eng")}
    columns |= {"poll_group": tag.group, "period_s": tag.period_s or found.groups[tag.group]}
    if only_given:
        columns = {name: value for name, value in columns.items() if name in tag.given | {"poll_group", "period_s"}}
    elif not whole:
        columns = {name: value for name, value in columns.items() if name not in REPORTING or name in tag.given}
    return TagWrite(tag.name, columns, tag.asset or found.asset, found.source)


def document_of(session: Session, source: Source) -> dict[str, Any]:
    """A source with its tags as a tag map; importing it again changes nothing. Secrets are masked."""
    statement = select(Tag, Asset.code).join(Asset, Asset.id == Tag.asset_id)
    rows = session.execute(statement.where(Tag.source_id == source.id, Tag.deleted_at.is_(None), Tag.virtual.is_(False)).order_by(Tag.name))
    head: dict[str, Any] = {"name": source.name, "driver": source.kind, **masked(source.config)}
    if not source.enabled:
        head["enabled"] = False
    groups = {name: float(period) for name, period in source.groups.items()} or DEFAULT_GROUPS
    shown = {name: shown_duration(period) for name, period in groups.items()}
    return {"source": head, "groups": shown, "tags": [_entry(tag, code, groups) for tag, code in rows]}


def _entry(tag: Tag, asset: str, groups: dict[str, float]) -> dict[str, Any]:
    """The keys of one tag that differ from the defaults."""
    entry: dict[str, Any] = {"name": tag.name, "addr": tag.address, "asset": asset}
    entry |= {name: value for name in ("unit", "label", "role", "low", "high") if (value := getattr(tag, name)) not in (None, "")}
    if tag.kind != "f64":
        entry["kind"] = tag.kind
    if tag.poll_group in groups:
        entry["group"] = tag.poll_group
    if tag.period_s != groups.get(tag.poll_group):
        entry["period"] = shown_duration(tag.period_s)
    if tag.decimals != 2:
        entry["decimals"] = tag.decimals
    if tag.range_low is not None and tag.range_high is not None:
        entry["range"] = [tag.range_low, tag.range_high]
    if tag.scale_raw and tag.scale_eng:
        entry["scale"] = {"raw": tag.scale_raw, "eng": tag.scale_eng}
    return entry | _reporting(tag)


def _reporting(tag: Tag) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if tag.deadband_pct or tag.deadband:
        entry["deadband"] = f"{tag.deadband_pct:g}%" if tag.deadband_pct else tag.deadband
    if tag.max_interval_s != 60.0:
        entry["max_interval"] = shown_duration(tag.max_interval_s)
    if tag.wire_break:
        entry["wire_break"] = tag.wire_break
    if tag.average_s is not None:
        entry["average"] = shown_duration(tag.average_s)
    if tag.keep:
        entry["keep"] = tag.keep
    if not tag.enabled:
        entry["enabled"] = False
    return entry
