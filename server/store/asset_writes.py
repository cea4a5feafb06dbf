"""Assets as people write them: made, changed, moved in the tree, taken out. Nothing here commits; everything is audited.

States (`operating`, `maintenance`, health) follow the machine and the work (server/store/assets.py); tags are tag_writes'.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid
from server.models.plant import Area, Asset, AssetClass, Instrument, Site, Tag
from server.models.work import WorkOrder
from server.rules.work_order import UNVERIFIED
from server.store import assets, markers, snapshot_version
from server.store.actor import Person, need
from server.store.numbers import next_number
from server.store.register import COLUMNS
from server.store.tag_writes import UNASSIGNED

DEEPEST = 20  # levels of the tree
RESERVED = frozenset({"labels", "tree", "export"})  # words that stand where codes do in addresses
IN_SNAPSHOT = frozenset({"code", "name", "class_id", "parent_id"})


def create_asset(session: Session, given: Mapping[str, Any], user: Person, now: datetime) -> Asset:
    """A new asset: columns, `area`, `class` and `parent` by their names, `code` or the next number; raises Invalid or Conflict."""
    need(user, "assets.write")
    row = added(session, given, user, now)
    snapshot_version.bump(session, now, user.name)
    return row


def added(session: Session, given: Mapping[str, Any], user: Person, now: datetime) -> Asset:
    """As `create_asset` for one of many: the caller has judged the right and makes the new version of the plant."""
    site = _locked_site(session, user)
    code = given.get("code") or f"A-{next_number(session, 'asset'):04d}"
    check_code(code)
    if session.scalar(select(Asset.id).where(Asset.site_id == site.id, Asset.code == code, Asset.deleted_at.is_(None))) is not None:
        raise Conflict("code_taken", f"there is an asset {code} already")
    row = Asset(site_id=site.id, code=code, **_values(session, site.id, {"area": UNASSIGNED, **given}))
    row.name = row.name or code
    _check_parent(session, row)
    session.add(row)
    session.flush()
    markers.give_marker(session, row)
    _note(session, "create", row, None, {"code": code, **_told(row)}, user, now)
    return row


def change_asset(session: Session, row: Asset, given: Mapping[str, Any], user: Person, now: datetime) -> bool:
    """Change what is given; True when anything did. Raises Invalid or Conflict."""
    need(user, "assets.write")
    changed = changed_columns(session, row, given, user, now)
    if changed & IN_SNAPSHOT:
        snapshot_version.bump(session, now, user.name)
    if changed:
        assets.announce(session, row, user.name, now)
    return bool(changed)


def changed_columns(session: Session, row: Asset, given: Mapping[str, Any], user: Person, now: datetime) -> frozenset[str]:
    """As `change_asset` for one of many; returns the columns that changed."""
    values = _values(session, row.site_id, given)
    if values.get("name") == "":
        raise Invalid("name", "required", "an asset has a name")
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    if not changed:
        return frozenset()
    old = {name: getattr(row, name) for name in changed}
    if "parent_id" in changed:
        _locked_site(session, user)
    for name, value in changed.items():
        setattr(row, name, value)
    if "parent_id" in changed:
        _check_parent(session, row)
    row.record_rev += 1
    _note(session, "change", row, old, changed, user, now)
    return frozenset(changed)


def delete_asset(session: Session, row: Asset, user: Person, now: datetime) -> None:
    """Take it out of the register with its tags and instruments; raises Conflict while something still needs it."""
    need(user, "assets.write")
    below = session.scalar(select(func.count()).where(Asset.parent_id == row.id, Asset.deleted_at.is_(None)))
    if below:
        raise Conflict("has_children", f"{below} assets are part of {row.code}; move them first")
    waiting = select(WorkOrder.number).where(WorkOrder.asset_id == row.id, WorkOrder.state.in_([str(state) for state in UNVERIFIED]))
    number = session.scalar(waiting.order_by(WorkOrder.id).limit(1))
    if number is not None:
        raise Conflict("has_orders", f"{number} on {row.code} is not finished")
    row.deleted_at = now
    row.rev += 1
    row.record_rev += 1
    tags = session.scalars(select(Tag).where(Tag.asset_id == row.id, Tag.deleted_at.is_(None))).all()
    instruments = session.scalars(select(Instrument).where(Instrument.asset_id == row.id, Instrument.deleted_at.is_(None))).all()
    for tag in tags:
        tag.deleted_at = now
    for instrument in instruments:
        instrument.deleted_at = now
    gone = {"code": row.code, "tags": [tag.name for tag in tags], "instruments": [one.tag for one in instruments]}
    _note(session, "delete", row, gone, None, user, now)
    snapshot_version.bump(session, now, user.name)


def extend_life(session: Session, row: Asset, extension: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Note what an overhaul added to the expected life, and why (S1-39)."""
    need(user, "assets.write")
    entry = {**extension, "on": now.date().isoformat(), "by": user.name}
    row.life_extensions = [*row.life_extensions, entry]
    row.record_rev += 1
    _note(session, "extend_life", row, None, entry, user, now)


def check_code(code: str) -> None:
    """Raise Invalid where a code could not stand in an address or on a label."""
    fits = code == code.strip() and all(letter.isalnum() or letter in "-_.+: " for letter in code)
    if not fits or code in RESERVED or not code.strip("."):
        raise Invalid("code", "not_a_code", "letters, digits, - _ . + : and inner spaces")


def _locked_site(session: Session, user: Person) -> Site:
    """The site, locked against others who shape its tree, but not against what merely refers to it."""
    site = session.scalars(select(Site).where(Site.id == user.site_id).with_for_update(key_share=True)).one_or_none()
    if site is None:
        raise Invalid("site", "none", "an account of a site is needed")
    return site


def _values(session: Session, site_id: int, given: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: given[name] for name in COLUMNS if name in given}
    if "area" in given:
        values["area_id"] = area_id(session, site_id, given["area"])
    if "class" in given:
        values["class_id"] = class_id(session, given["class"])
    if "parent" in given:
        values["parent_id"] = parent_id(session, site_id, given["parent"])
    return values


def area_id(session: Session, site_id: int, name: str) -> int:
    """The area by its name; only `Unassigned` is made where it is missing. Raises Invalid."""
    row = session.scalars(select(Area).where(Area.site_id == site_id, Area.name == name)).one_or_none()
    if name == UNASSIGNED:
        row = row or Area(site_id=site_id, name=name)
        row.deleted_at = None
        session.add(row)
        session.flush()
    if row is None or row.deleted_at is not None:
        raise Invalid("area", "unknown", f"there is no area {name}")
    return row.id


def class_id(session: Session, name: str | None) -> int | None:
    """The class by its name; raises Invalid."""
    if not name:
        return None
    found = session.scalar(select(AssetClass.id).where(AssetClass.name == name, AssetClass.deleted_at.is_(None)))
    if found is None:
        raise Invalid("class", "unknown", f"there is no class {name}")
    return found


def parent_id(session: Session, site_id: int, code: str | None) -> int | None:
    """The asset it is part of by its code; raises Invalid."""
    if not code:
        return None
    found = session.scalar(select(Asset.id).where(Asset.site_id == site_id, Asset.code == code, Asset.deleted_at.is_(None)))
    if found is None:
        raise Invalid("parent", "unknown", f"there is no asset {code}")
    return found


def _check_parent(session: Session, row: Asset) -> None:
    """Raise Invalid where the asset would come to stand below itself or too deep; the caller holds the site."""
    above, levels = row.parent_id, 1
    with session.no_autoflush:
        while above is not None:
            if above == row.id:
                raise Invalid("parent", "cycle", "an asset cannot be part of itself")
            levels += 1
            if levels > DEEPEST:
                raise Invalid("parent", "too_deep", f"a tree has {DEEPEST} levels at most")
            above = session.scalar(select(Asset.parent_id).where(Asset.id == above))


def _told(row: Asset) -> dict[str, Any]:
    links = {"area_id": row.area_id, "class_id": row.class_id, "parent_id": row.parent_id}
    return {**{name: value for name in COLUMNS if (value := getattr(row, name)) not in (None, "")}, **links}


def _note(
    session: Session, action: str, row: Asset, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, by: Person, now: datetime
) -> None:
    audit.record(session, audit.Change(action, "asset", row.id, row.site_id, old, new), by, now)
