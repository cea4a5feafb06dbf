"""Fault codes: what a code or bit means, of a class or of one asset, in every language; codes that nobody has named yet.

An open alert takes on the words when its code is named. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from realtime.events import AlertType, FactName
from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.alerts import AlertRecord
from server.models.fault_codes import FaultCode
from server.models.plant import Asset, AssetClass
from server.rules.wording import Subject, message
from server.store import alerts, assets, snapshot_version
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of
from server.store.related import by_id
from server.timestamps import rfc3339

TERMS = ("category", "what", "why", "where", "procedure")
COLUMNS = ("text", "texts", "severity", *TERMS)
LANGUAGES = ("fr", "ar")
MOST_UNKNOWN = 500


def of_asset(session: Session, asset: Asset, code: str) -> FaultCode | None:
    """What a code means on an asset: the asset's own row before its class's."""
    ours = (FaultCode.asset_id == asset.id) | (FaultCode.class_id == asset.class_id)
    rows = session.scalars(select(FaultCode).where(ours, FaultCode.code == code, FaultCode.deleted_at.is_(None))).all()
    return max(rows, key=lambda row: row.asset_id is not None, default=None)


def words(row: FaultCode | None) -> dict[str, Any]:
    """What an alert carries of it; `named` False = the code stands there raw."""
    if row is None:
        return {"named": False}
    return {"named": True, "texts": {"en": row.text, **row.texts}, **{term: getattr(row, term) for term in TERMS}}


def list_codes(
    session: Session, user: Person, *, class_: str | None, asset: str | None, search: str | None, sort: str, limit: int, offset: int
) -> Page[FaultCode]:
    """Codes of classes, and of the assets of the caller's site."""
    query = select(FaultCode).outerjoin(Asset, Asset.id == FaultCode.asset_id).where(FaultCode.deleted_at.is_(None))
    query = query.where(FaultCode.asset_id.is_(None) | (Asset.site_id == user.site_id))
    if class_ is not None:
        query = query.where(FaultCode.class_id.in_(select(AssetClass.id).where(AssetClass.name == class_)))
    if asset is not None:
        query = query.where(Asset.code == asset)
    if search:
        query = query.where(FaultCode.code.icontains(search, autoescape=True) | FaultCode.text.icontains(search, autoescape=True))
    sorts = {"code": FaultCode.code, "text": FaultCode.text, "severity": FaultCode.severity, "id": FaultCode.id}
    return page_of(session, query, ordering(sort or "code", sorts, "id"), limit, offset)


def get_code(session: Session, code_id: int, user: Person, *, lock: bool = False) -> FaultCode:
    """A visible one; raises NotFound."""
    row = session.get(FaultCode, code_id, with_for_update=lock or None)
    owner = session.get(Asset, row.asset_id) if row is not None and row.asset_id is not None else None
    if row is None or row.deleted_at is not None or (owner is not None and owner.site_id != user.site_id):
        raise NotFound("fault code", code_id)
    return row


def name_code(session: Session, given: Mapping[str, Any], user: Person, now: datetime) -> FaultCode:
    """Say what a code means, for a class or one asset; raises Invalid, NotFound or Conflict."""
    need(user, "classes.write")
    owner = _owner(session, given, user)
    if _taken(session, owner, given["code"]):
        raise Conflict("code_taken", f"code {given['code']} has a meaning already; change that")
    row = _added(session, owner, given, user, now)
    snapshot_version.bump(session, now, user.name)
    _reword(session, row, user, now)
    return row


def add_shipped(session: Session, class_: AssetClass, rows: Sequence[Mapping[str, Any]], user: Person, now: datetime) -> int:
    """Codes of a preset that the class has no meaning for yet; the number added."""
    known = set(session.scalars(select(FaultCode.code).where(FaultCode.class_id == class_.id, FaultCode.deleted_at.is_(None))))
    missing = [row for row in rows if row["code"] not in known]
    for row in missing:
        texts = {language: row[language] for language in LANGUAGES if language in row}
        _added(session, {"class_id": class_.id}, {**row, "texts": texts}, user, now)
    if missing:
        snapshot_version.bump(session, now, user.name)
    return len(missing)


def change_code(session: Session, row: FaultCode, given: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change what is given."""
    need(user, "classes.write")
    changed = {name: given[name] for name in COLUMNS if name in given and getattr(row, name) != given[name]}
    if not changed:
        return
    old = {name: getattr(row, name) for name in changed}
    for name, value in changed.items():
        setattr(row, name, value)
    row.rev += 1
    audit.record(session, audit.Change("change", "fault_code", row.id, _site(session, row), old, changed), user, now)
    snapshot_version.bump(session, now, user.name)
    _reword(session, row, user, now)


def delete_code(session: Session, row: FaultCode, user: Person, now: datetime) -> None:
    """Take the meaning away; the code then counts as unknown."""
    need(user, "classes.write")
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "fault_code", row.id, _site(session, row), {"code": row.code}, None), user, now)
    snapshot_version.bump(session, now, user.name)


def unknown(session: Session, site: int | None) -> list[dict[str, Any]]:
    """Codes that machines of a site showed and nobody has named, the most frequent first."""
    known = select(FaultCode.id).where(
        FaultCode.deleted_at.is_(None),
        FaultCode.code == AlertRecord.code,
        (FaultCode.asset_id == Asset.id) | (FaultCode.class_id == Asset.class_id),
    )
    times, last = func.sum(AlertRecord.occurrences), func.max(AlertRecord.last_at)
    query = (
        select(Asset.id, Asset.code, Asset.name, AssetClass.name, AlertRecord.code, times, last)
        .join(Asset, Asset.id == AlertRecord.asset_id)
        .outerjoin(AssetClass, AssetClass.id == Asset.class_id)
        .where(AlertRecord.type == str(AlertType.MACHINE_FAULT), AlertRecord.code.is_not(None), Asset.site_id == site, ~known.exists())
        .group_by(Asset.id, Asset.code, Asset.name, AssetClass.name, AlertRecord.code)
        .order_by(times.desc(), last.desc())
        .limit(MOST_UNKNOWN)
    )
    return [
        {"asset": {"id": id_, "code": asset, "name": name}, "class": class_, "code": code, "times": int(count), "last_at": rfc3339(at)}
        for id_, asset, name, class_, code, count, at in session.execute(query)
    ]


def code_bodies(session: Session, rows: Sequence[FaultCode]) -> list[dict[str, Any]]:
    """The REST bodies."""
    classes = by_id(session, AssetClass, (row.class_id for row in rows))
    owners = by_id(session, Asset, (row.asset_id for row in rows))
    return [_body(row, classes.get(row.class_id or 0), owners.get(row.asset_id or 0)) for row in rows]


def _body(row: FaultCode, class_: AssetClass | None, asset: Asset | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "code": row.code,
        "class": {"id": class_.id, "name": class_.name, "label": class_.label or class_.name} if class_ else None,
        "asset": {"id": asset.id, "code": asset.code, "name": asset.name} if asset else None,
        "text": row.text,
        "texts": {language: row.texts.get(language, "") for language in LANGUAGES},
        "severity": row.severity,
        **{term: getattr(row, term) for term in TERMS},
        "rev": row.rev,
    }


def _owner(session: Session, given: Mapping[str, Any], user: Person) -> dict[str, int]:
    if bool(given.get("class")) == bool(given.get("asset")):
        raise Invalid("class", "one_owner", "name the class or the asset, one of them")
    if given.get("asset"):
        return {"asset_id": assets.get_asset(session, given["asset"], user).id}
    found = session.scalar(select(AssetClass.id).where(AssetClass.name == given["class"], AssetClass.deleted_at.is_(None)))
    if found is None:
        raise Invalid("class", "unknown", f"there is no class {given['class']}")
    return {"class_id": found}


def _taken(session: Session, owner: Mapping[str, int], code: str) -> bool:
    query = select(FaultCode.id).filter_by(**owner, code=code).where(FaultCode.deleted_at.is_(None))
    return session.scalar(query) is not None


def _added(session: Session, owner: Mapping[str, int], given: Mapping[str, Any], user: Person, now: datetime) -> FaultCode:
    columns = {name: given[name] for name in COLUMNS if name in given}
    row = FaultCode(code=given["code"], **owner, **columns)
    session.add(row)
    session.flush()
    audit.record(
        session, audit.Change("create", "fault_code", row.id, _site(session, row), None, {"code": row.code, **owner, **columns}), user, now
    )
    return row


def _site(session: Session, row: FaultCode) -> int | None:
    return None if row.asset_id is None else session.get_one(Asset, row.asset_id).site_id


def _reword(session: Session, row: FaultCode, user: Person, now: datetime) -> None:
    """Open alerts of the code say what it means from now on; a class's words do not reach an asset that has its own."""
    ours: ColumnElement[bool] = Asset.class_id == row.class_id if row.asset_id is None else Asset.id == row.asset_id
    query = select(AlertRecord, Asset).join(Asset, Asset.id == AlertRecord.asset_id).where(ours, AlertRecord.resolved_at.is_(None))
    query = query.where(AlertRecord.type == str(AlertType.MACHINE_FAULT), AlertRecord.code == row.code)
    for alert, asset in session.execute(query.order_by(AlertRecord.id).limit(MOST_UNKNOWN)).all():
        if of_asset(session, asset, row.code) is not row:
            continue
        alert.message = message(Subject(type=AlertType.MACHINE_FAULT, code=row.code, asset=asset.code, text=row.text))
        alert.data = {**alert.data, **words(row)}
        alerts.tell(session, alert, FactName.ALERT_RAISED, user.name, now)
