"""Applies a class to many assets: first the preview of every change, then the same changes, audited. Nothing here commits.

What is a change and what a person's own value is decided by server/rules/class_application.py; plans, procedures and parts of the
class are made once a site by class_work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid
from server.models.plant import Asset, AssetClass, Tag, TagLimit
from server.presets import vibration
from server.rules.class_application import Change, TagNow, TagTemplate, class_change, tag_changes
from server.rules.limit_defaults import filled
from server.store import class_work, snapshot_version
from server.store.actor import Person, need
from server.store.related import by_id, tags_of

COLUMNS = ("label", "unit", "kind", "decimals", "role", "low", "high", "range_low", "range_high", "stuck_s", "drift", "joint")
LIMIT = ("side", "value", "severity", "deadband", "on_delay_s", "off_delay_s", "holds")
PLAIN = {"label": "", "unit": "", "kind": "f64", "decimals": 2, "drift": True, "joint": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be applied how: machine_group of the vibration zones where it is not the class's own."""

    codes: Sequence[str]
    dry_run: bool = True
    replace: bool = False
    machine_group: str | None = None


@dataclass(slots=True)
class _Target:
    asset: Asset
    changes: list[Change] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)


def templates(class_: AssetClass, machine_group: str | None = None) -> list[TagTemplate]:
    """The tags of a class with their limits, those of ISO 20816-3 put in; raises Invalid."""
    group = machine_group or class_.settings.get("machine_group")
    running = class_.settings.get("running") or {}
    return [_template(row, group, running) for row in class_.settings.get("tags") or []]


def _template(row: Mapping[str, Any], group: str | None, running: Mapping[str, Any]) -> TagTemplate:
    limits = list(row.get("limits") or [])
    if row.get("iso20816"):
        if group not in vibration.ZONES:
            raise Invalid("machine_group", "unknown", f"one of {', '.join(vibration.ZONES)}")
        limits = [*vibration.limits(group), *limits]
    # a start-up is blanked by the monitor (Asset.start_up_s): the delay is that of any limit
    common = {"on_delay_s": None, "off_delay_s": 0.0, "holds": "running" if running.get("role") else "always"}
    span = (row.get("range_low"), row.get("range_high"))
    whole = [{name: filled({**common, **limit}, *span)[name] for name in LIMIT} for limit in limits]
    columns = {name: row[name] for name in COLUMNS if row.get(name) is not None}
    return TagTemplate(row["name"], columns, [{**limit, "value": float(limit["value"])} for limit in whole])


def apply(session: Session, class_: AssetClass, order: Order, user: Person, now: datetime) -> dict[str, Any]:
    """The changes of each asset and of the site; made unless it is a dry run. Raises Invalid where a code is no asset."""
    need(user, "classes.write")
    wanted = templates(class_, order.machine_group)
    targets = _targets(session, order.codes, user)
    _judge(session, class_, wanted, targets, order.replace)
    shared = class_work.changes(session, class_, [target.asset for target in targets], user)
    if not order.dry_run:
        for target in targets:
            _make(session, class_, wanted, target, user, now)
        class_work.make(session, class_, shared, user, now)
        if any(change.act != "keep" for target in targets for change in target.changes):
            snapshot_version.bump(session, now, user.name)
    return _answer(class_, targets, shared, order.dry_run)


def _answer(class_: AssetClass, targets: Sequence[_Target], shared: Sequence[Change], dry_run: bool) -> dict[str, Any]:
    everything = [change for target in targets for change in target.changes] + list(shared)
    counts = {act: sum(change.act == act for change in everything) for act in ("add", "change", "keep")}
    return {
        "class": class_.name,
        "dry_run": dry_run,
        "counts": counts,
        "assets": [{"code": target.asset.code, "changes": [asdict(change) for change in target.changes]} for target in targets],
        "site": [asdict(change) for change in shared],
        "lines": [{"on": target.asset.code, **_line(change)} for target in targets for change in target.changes]
        + [{"on": "", **_line(change)} for change in shared],
    }


def _line(change: Change) -> dict[str, str]:
    return {"act": change.act, "kind": change.kind, "thing": change.thing, "field": change.field} | {
        "old": _said(change.old),
        "new": _said(change.new),
    }


def _said(value: Any) -> str:
    """A value in one line as a person reads it: "side high, value 4.5, severity warning; side high, value 7.1"."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_said(below)}" for name, below in value.items() if below is not None and below != "")
    if isinstance(value, list | tuple):
        return ("; " if any(isinstance(below, Mapping) for below in value) else ", ").join(_said(below) for below in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def _targets(session: Session, codes: Sequence[str], user: Person) -> list[_Target]:
    query = select(Asset).where(Asset.site_id == user.site_id, Asset.code.in_(codes), Asset.deleted_at.is_(None))
    found = {asset.code: asset for asset in session.scalars(query.order_by(Asset.id).with_for_update(key_share=True))}
    missing = [code for code in codes if code not in found]
    if missing:
        raise Invalid("assets", "unknown", f"there is no asset {', '.join(missing[:10])}")
    return [_Target(found[code]) for code in dict.fromkeys(codes)]


def _judge(session: Session, class_: AssetClass, wanted: Sequence[TagTemplate], targets: Sequence[_Target], replace: bool) -> None:
    names = [template.name_on(target.asset.code) for target in targets for template in wanted]
    foreign = select(Tag.name).join(Asset, Asset.id == Tag.asset_id).where(Tag.name.in_(names))
    foreign = foreign.where(Tag.asset_id.not_in([target.asset.id for target in targets]))
    taken = session.scalar(foreign.limit(1))
    if taken is not None:
        raise Conflict("name_taken", f"another asset has the tag {taken}")
    rows = tags_of(session, [target.asset.id for target in targets])
    classes = by_id(session, AssetClass, (target.asset.class_id for target in targets))
    for target in targets:
        old = classes.get(target.asset.class_id or 0)
        change = class_change(target.asset.code, old.name if old else None, class_.name, replace=replace)
        target.changes = [change] if change else []
        tags = {tag.name: tag for tag in rows.tags.get(target.asset.id, [])}
        for template in wanted:
            name = template.name_on(target.asset.code)
            tag = tags.get(name)
            now = _now(tag, rows.limits.get(tag.id, []), target.asset.class_applied.get(template.suffix, {})) if tag else None
            target.changes += tag_changes(name, template, now, replace=replace)


def _now(tag: Tag, limits: Sequence[TagLimit], given: Mapping[str, Any]) -> TagNow:
    columns = {name: getattr(tag, name) for name in COLUMNS}
    shown = [{name: getattr(limit, name) for name in LIMIT} for limit in limits]
    return TagNow(columns, shown, given.get("columns", {}), given.get("limits"), PLAIN)


def _make(session: Session, class_: AssetClass, wanted: Sequence[TagTemplate], target: _Target, user: Person, now: datetime) -> None:
    made = [change for change in target.changes if change.act != "keep"]
    if not made:
        return
    asset = target.asset
    tags = {tag.name: tag for tag in session.scalars(select(Tag).where(Tag.asset_id == asset.id, Tag.deleted_at.is_(None)))}
    given = dict(asset.class_applied)
    suffixes = {template.name_on(asset.code): template for template in wanted}
    for change in made:
        if change.kind == "class":
            asset.class_id = class_.id
            continue
        _make_tag(session, change, asset, tags)
        template = suffixes[change.thing]
        entry = dict(given.get(template.suffix, {}))
        if change.kind == "limits":
            entry["limits"] = [dict(limit) for limit in template.limits]
        elif change.kind == "tag":
            entry["columns"] = dict(template.columns)
        else:
            entry["columns"] = {**entry.get("columns", {}), change.field: change.new}
        given[template.suffix] = entry
    asset.class_applied = given
    asset.record_rev += 1
    old = {"changes": [asdict(change) for change in made if change.old is not None]}
    new = {"class": class_.name, "changes": [asdict(change) for change in made]}
    audit.record(session, audit.Change("apply_class", "asset", asset.id, asset.site_id, old, new), user, now)


def _make_tag(session: Session, change: Change, asset: Asset, tags: dict[str, Tag]) -> None:
    if change.kind == "tag":
        # a deleted tag of the name comes back: names are unique in the whole instance
        gone = session.scalars(select(Tag).where(Tag.name == change.thing)).one_or_none()
        tag = gone or Tag(name=change.thing)
        tag.asset_id, tag.deleted_at = asset.id, None
        for name, value in change.new.items():
            setattr(tag, name, value)
        session.add(tag)
        session.flush()
        session.execute(delete(TagLimit).where(TagLimit.tag_id == tag.id))
        tags[tag.name] = tag
        return
    tag = tags[change.thing]
    if change.kind == "value":
        setattr(tag, change.field, change.new)
        return
    session.execute(delete(TagLimit).where(TagLimit.tag_id == tag.id))
    session.add_all(TagLimit(tag_id=tag.id, **limit) for limit in change.new)
    session.flush()
