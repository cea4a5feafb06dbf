"""A change of limits, tag settings, detector settings or model as a person asks about it: read, told, and made on the ordinary way.

A change is plain values with `kind`, `before` and `after`, so that it can be kept, replayed and compared later. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import Conflict, Invalid
from server.models.ml import MLModelVersion
from server.models.plant import Asset, Tag, TagLimit
from server.rules.limit_defaults import filled, merged
from server.store import assets, limits, training
from server.store.actor import Person
from server.store.tag_writes import TagWrite, put_tags

OF_EITHER = ("cusum_k", "cusum_h")  # of a tag where one is named, else of the detector
TAG_FIELDS = ("range_low", "range_high", "stuck_s", "stuck_deadband", "drift", "joint", *OF_EITHER)
DETECTOR_FIELDS = (*OF_EITHER, "stuck_sensor_minutes")
NEW_LIMIT = {"severity": "warning", "deadband": None, "on_delay_s": None, "off_delay_s": 0.0, "holds": "running", "confirmed": True}
WORDS = {"on_delay_s": "delay (s)", "off_delay_s": "delay back (s)", "stuck_s": "stuck after (s)", "stuck_deadband": "stuck within"}
Change = dict[str, Any]


def read(session: Session, asked: Mapping[str, Any], user: Person) -> tuple[Asset, Change]:
    """The asset and the one change that is asked about; raises NotFound or Invalid."""
    given = {name: value for name, value in asked.items() if value is not None}
    kinds = {
        "model": "model_id" in given,
        "detector": any(name in given for name in DETECTOR_FIELDS if not ("tag_id" in given and name in OF_EITHER)),
        "limit": "limit_id" in given or any(name in given for name in limits.COLUMNS),
        "setting": any(name in given for name in TAG_FIELDS if "tag_id" in given or name not in OF_EITHER),
    }
    wanted = [kind for kind, is_asked in kinds.items() if is_asked]
    if len(wanted) != 1:
        raise Invalid("value", "one_change", "ask about one change: of a limit, of a tag's settings, of a detector's setting, or a model")
    (kind,) = wanted
    if kind == "model":
        return _model(session, given, user)
    if kind == "detector" and "tag_id" not in given:
        asset = assets.get_asset(session, str(given.get("asset", "")), user)
        return asset, _detector(given)
    if not {"tag_id", "limit_id"} & given.keys():
        raise Invalid("tag_id", "required", "name the tag, or the limit that stands")
    tag = limits.get_tag(session, given["tag_id"], user) if "tag_id" in given else limits.tag_of(session, given["limit_id"], user)
    asset = session.get_one(Asset, tag.asset_id)
    if kind == "detector":
        return asset, _detector(given)
    base = {"kind": kind, "tag": tag.id, "name": tag.name}
    return asset, base | (_limit(session, tag, given) if kind == "limit" else _setting(tag, given))


def _limit(session: Session, tag: Tag, given: Mapping[str, Any]) -> Change:
    values = {name: given[name] for name in limits.COLUMNS if name in given}
    if "limit_id" not in given:
        if not {"side", "value"} <= values.keys():
            raise Invalid("value", "required", "a new limit has a side and a value")
        return {"limit": None, "before": None, "after": filled({**NEW_LIMIT, **values}, tag.range_low, tag.range_high)}
    before = limits.values(limits.get_limit(session, tag, given["limit_id"]))
    after = None if given.get("remove") else merged(before, values, tag.range_low, tag.range_high)
    return {"limit": given["limit_id"], "before": before, "after": after}


def _setting(tag: Tag, given: Mapping[str, Any]) -> Change:
    after = {name: given[name] for name in TAG_FIELDS if name in given}
    return {"before": {name: getattr(tag, name) for name in after}, "after": after}


def _detector(given: Mapping[str, Any]) -> Change:
    return {"kind": "detector", "before": None, "after": {name: given[name] for name in DETECTOR_FIELDS if name in given}}


def _model(session: Session, given: Mapping[str, Any], user: Person) -> tuple[Asset, Change]:
    row = session.get(MLModelVersion, given["model_id"])
    if row is None:
        raise Invalid("model_id", "unknown", f"there is no model {given['model_id']}")
    asset = session.get_one(Asset, row.asset_id)
    asset = assets.get_asset(session, asset.code, user)
    return asset, {"kind": "model", "model": row.id, "before": _active(session, asset.id), "after": row.version}


def _active(session: Session, asset_id: int) -> int | None:
    return session.scalar(select(MLModelVersion.version).where(MLModelVersion.asset_id == asset_id, MLModelVersion.active))


def proposal(session: Session, change: Change) -> dict[str, Any]:
    """The change as `ml.proposal` takes it."""
    if change["kind"] == "model":
        return {"model": change["after"]}
    if change["kind"] == "detector":
        return {"settings": change["after"]}
    if change["kind"] == "setting":
        return {"tag": change["tag"], "fields": change["after"]}
    rows = session.scalars(select(TagLimit).where(TagLimit.tag_id == change["tag"]).order_by(TagLimit.id))
    kept = [limits.values(row) for row in rows if row.id != change["limit"]]
    return {"tag": change["tag"], "fields": {"limits": kept + ([change["after"]] if change["after"] else [])}}


def make(session: Session, change: Change, user: Person, now: datetime) -> None:
    """Make it as a person would by hand; raises Conflict where things are no longer as they were, NotFound, Invalid or Forbidden."""
    if change["kind"] == "detector":
        told = ", ".join(f"{name.upper()}={value:g}" for name, value in change["after"].items())
        raise Conflict("by_environment", f"set {told} in the environment of the monitors and restart them")
    if change["kind"] == "model":
        _refuse_switched(session, change)
        training.activate(session, change["model"], user, now)
        return
    tag = limits.get_tag(session, change["tag"], user, lock=True)
    if change["kind"] == "setting":
        _unchanged({name: getattr(tag, name) for name in change["after"]}, change)
        put_tags(session, [TagWrite(tag.name, change["after"])], user, now)
    elif change["limit"] is None:
        limits.add_limit(session, tag, change["after"], user, now)
    else:
        row = limits.get_limit(session, tag, change["limit"])
        _unchanged(limits.values(row), change)
        if change["after"] is None:
            limits.remove_limit(session, tag, row, user, now)
        else:
            limits.change_limit(session, tag, row, change["after"], user, now)


def _refuse_switched(session: Session, change: Change) -> None:
    asset_id = session.scalars(select(MLModelVersion.asset_id).where(MLModelVersion.id == change["model"])).one()
    assets.lock_asset(session, asset_id)
    if _active(session, asset_id) != change["before"]:
        raise Conflict("changed", "another version judges since: ask for a new replay beside that one")


def _unchanged(now: Mapping[str, Any], change: Change) -> None:
    if dict(now) != change["before"]:
        raise Conflict("changed", "it was changed since: ask for a new replay of what it is now")


def words(change: Change) -> str:
    """The change in one line: "PT-101: high 8 -> 9 bar"."""
    before, after = change["before"], change["after"]
    if change["kind"] == "model":
        return f"Model {before or 'of the monitor'} → {after}"
    if change["kind"] == "limit" and before is None:
        return f"{change['name']}: new limit {after['side']} {after['value']:g}"
    if after is None:
        return f"{change['name']}: without limit {before['side']} {before['value']:g}"
    parts = [
        f"{WORDS.get(name, name)} {_short((before or {}).get(name))} → {_short(value)}"
        for name, value in after.items()
        if (before or {}).get(name) != value
    ]
    which = f" {before['side']} {before['value']:g}" if change["kind"] == "limit" else ""
    return f"{change.get('name', 'Detectors')}{which}: {', '.join(parts) or 'as it is'}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | int) and not isinstance(value, bool) else "–" if value is None else str(value)
