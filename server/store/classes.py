"""Asset classes as people keep them: definitions, shipped presets, bodies. Nothing here commits.

What a class does to assets is class_apply's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.fault_codes import FaultCode
from server.models.plant import Asset, AssetClass
from server.presets import library
from server.rules import procedure
from server.store import fault_codes
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of

PARTS = ("machine_group", "running", "tags", "plans", "procedures", "bom")


def list_classes(session: Session, *, search: str | None, sort: str, limit: int, offset: int) -> Page[AssetClass]:
    """Classes by name; they are the same for every site."""
    query = select(AssetClass).where(AssetClass.deleted_at.is_(None))
    if search:
        query = query.where(AssetClass.name.icontains(search, autoescape=True) | AssetClass.label.icontains(search, autoescape=True))
    return page_of(session, query, ordering(sort, {"name": AssetClass.name, "label": AssetClass.label}, "name"), limit, offset)


def get_class(session: Session, class_id: int, *, lock: bool = False) -> AssetClass:
    """A class, locked until commit where it is to be changed; raises NotFound."""
    row = session.get(AssetClass, class_id, with_for_update={"key_share": True} if lock else None)
    if row is None or row.deleted_at is not None:
        raise NotFound("class", class_id)
    return row


def create_class(session: Session, given: Mapping[str, Any], user: Person, now: datetime) -> AssetClass:
    """A new class, or one of that name that was deleted come back; raises Conflict or Invalid."""
    need(user, "classes.write")
    name = given["name"]
    row = session.scalars(select(AssetClass).where(AssetClass.name == name).with_for_update()).one_or_none()
    if row is not None and row.deleted_at is None:
        raise Conflict("name_taken", f"there is a class {name} already")
    row = row or AssetClass(name=name, rev=0)
    row.label, row.settings, row.deleted_at = given.get("label") or name, _settings({}, given), None
    row.rev += 1
    session.add(row)
    session.flush()
    audit.record(
        session, audit.Change("create", "class", row.id, None, None, {"name": name, "label": row.label, **row.settings}), user, now
    )
    return row


def change_class(session: Session, row: AssetClass, given: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change what is given; assets follow when the class is applied again. Raises Invalid."""
    need(user, "classes.write")
    new = {"label": given.get("label", row.label), "settings": _settings(row.settings, given)}
    changed = {name: value for name, value in new.items() if getattr(row, name) != value}
    if not changed:
        return
    old = {name: getattr(row, name) for name in changed}
    audit.record(session, audit.Change("change", "class", row.id, None, old, changed), user, now)
    for name, value in changed.items():
        setattr(row, name, value)
    row.rev += 1


def delete_class(session: Session, row: AssetClass, user: Person, now: datetime) -> None:
    """Take it out; raises Conflict while assets are in it."""
    need(user, "classes.write")
    count = session.scalar(select(func.count()).where(Asset.class_id == row.id, Asset.deleted_at.is_(None)))
    if count:
        raise Conflict("in_use", f"{count} assets are of the class {row.name}")
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "class", row.id, None, {"name": row.name}, None), user, now)


def _settings(old: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    settings = {**old, **{part: given[part] for part in PARTS if part in given}}
    for document in settings.get("procedures", []):
        wrong = procedure.faults(document)
        if wrong:
            raise Invalid("procedures", wrong[0].code, f"{document.get('code', '?')}: {wrong[0].field}: {wrong[0].detail}")
    return settings


def install(session: Session, name: str, user: Person, now: datetime) -> dict[str, list[str]]:
    """The classes of a preset with their fault codes; what is there already is completed, never overwritten. Raises NotFound."""
    need(user, "classes.write")
    if name not in library.presets():
        raise NotFound("preset", name)
    result: dict[str, list[str]] = {"created": [], "completed": [], "unchanged": []}
    for class_name in library.presets()[name]["classes"]:
        result[_install(session, class_name, user, now)].append(class_name)
    return result


def _install(session: Session, name: str, user: Person, now: datetime) -> str:
    shipped = library.classes()[name]
    row = session.scalars(select(AssetClass).where(AssetClass.name == name).with_for_update()).one_or_none()
    if row is None or row.deleted_at is not None:
        row = create_class(session, {"name": name, **shipped}, user, now)
        fault_codes.add_shipped(session, row, shipped["fault_codes"], user, now)
        return "created"
    before = row.rev
    change_class(session, row, {part: shipped[part] for part in PARTS if part in shipped and not row.settings.get(part)}, user, now)
    added = fault_codes.add_shipped(session, row, shipped["fault_codes"], user, now)
    return "completed" if added or row.rev != before else "unchanged"


def class_bodies(session: Session, rows: Sequence[AssetClass], site: int | None) -> list[dict[str, Any]]:
    """Short bodies, with the number of assets of the caller's site in each."""
    ids = [row.id for row in rows]
    counted = select(Asset.class_id, func.count()).where(Asset.class_id.in_(ids), Asset.site_id == site, Asset.deleted_at.is_(None))
    counts = {row[0]: row[1] for row in session.execute(counted.group_by(Asset.class_id))}
    coded = select(FaultCode.class_id, func.count()).where(FaultCode.class_id.in_(ids), FaultCode.deleted_at.is_(None))
    codes = {row[0]: row[1] for row in session.execute(coded.group_by(FaultCode.class_id))}
    return [_body(row, counts.get(row.id, 0), codes.get(row.id, 0)) for row in rows]


def _body(row: AssetClass, assets: int, codes: int) -> dict[str, Any]:
    names = {"id": row.id, "name": row.name, "label": row.label or row.name}
    return {**names, "assets": assets, "fault_codes": codes, **{part: row.settings.get(part) for part in PARTS}, "rev": row.rev}


def class_body(session: Session, row: AssetClass, site: int | None) -> dict[str, Any]:
    """The REST body of one."""
    return class_bodies(session, [row], site)[0]
