"""The register of reference standards and the reverse trace: what was calibrated with one (S2-9). Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.calibration import CalibrationRecord, ReferenceStandard
from server.rules.calibration import is_overdue
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of
from server.timestamps import rfc3339

COLUMNS = (
    "serial",
    "name",
    "type",
    "unit",
    "range_low",
    "range_high",
    "uncertainty",
    "certificate",
    "calibrated_at",
    "due",
    "notes",
)
_SORTS = {
    "serial": ReferenceStandard.serial,
    "name": ReferenceStandard.name,
    "due_at": ReferenceStandard.due,
    "id": ReferenceStandard.id,
}


def list_standards(session: Session, site: int | None, wanted: Mapping[str, Any], now: datetime) -> Page[ReferenceStandard]:
    """Standards of a site; `wanted` as in the query of GET /api/standards."""
    query = select(ReferenceStandard).where(ReferenceStandard.deleted_at.is_(None))
    if site is not None:
        query = query.where(ReferenceStandard.site_id == site)
    if wanted.get("search"):
        columns = (ReferenceStandard.serial, ReferenceStandard.name, ReferenceStandard.certificate)
        first, second, third = (column.icontains(wanted["search"], autoescape=True) for column in columns)
        query = query.where(first | second | third)
    if wanted.get("overdue") is not None:
        query = query.where(ReferenceStandard.due <= now if wanted["overdue"] else ReferenceStandard.due > now)
    return page_of(session, query, ordering(wanted["sort"], _SORTS, "serial"), wanted["limit"], wanted["offset"])


def get(session: Session, standard_id: int, user: Person, *, lock: bool = False) -> ReferenceStandard:
    """A visible standard, locked until commit where it is to be changed; raises NotFound."""
    row = session.get(ReferenceStandard, standard_id, with_for_update={"key_share": True} if lock else None)
    if row is None or row.deleted_at is not None or (user.site_id is not None and row.site_id != user.site_id):
        raise NotFound("standard", standard_id)
    return row


def find(session: Session, id_or_serial: int | str, user: Person) -> ReferenceStandard:
    """A visible standard by id or serial number; raises Invalid, for the body that names it."""
    query = select(ReferenceStandard).where(ReferenceStandard.site_id == user.site_id, ReferenceStandard.deleted_at.is_(None))
    named = ReferenceStandard.id == id_or_serial if isinstance(id_or_serial, int) else ReferenceStandard.serial == id_or_serial
    row = session.scalars(query.where(named)).one_or_none()
    if row is None:
        raise Invalid("standard", "unknown", f"there is no standard {id_or_serial} in the register")
    return row


def create(session: Session, columns: Mapping[str, Any], user: Person, now: datetime) -> ReferenceStandard:
    """Enter a standard; raises Conflict where the serial number is taken, Invalid for a range without span."""
    need(user, "standards.write")
    _check(session, columns, user, None)
    row = ReferenceStandard(site_id=user.site_id, created_at=now, **columns)
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "standard", row.id, row.site_id, None, dict(columns)), user, now)
    return row


def change(session: Session, row: ReferenceStandard, columns: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change what is named, as after a calibration of the standard itself; earlier records keep what stood here then."""
    need(user, "standards.write")
    merged = {name: columns.get(name, getattr(row, name)) for name in COLUMNS}
    _check(session, merged, user, row.id)
    old = {name: getattr(row, name) for name in columns if getattr(row, name) != columns[name]}
    if not old:
        return
    for name in old:
        setattr(row, name, columns[name])
    row.rev += 1
    session.flush()
    audit.record(session, audit.Change("change", "standard", row.id, row.site_id, old, {name: columns[name] for name in old}), user, now)


def delete(session: Session, row: ReferenceStandard, user: Person, now: datetime) -> None:
    """Take it out of the register; records keep naming it."""
    need(user, "standards.write")
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "standard", row.id, row.site_id, {"deleted_at": None}, {"deleted_at": now}), user, now)


def _check(session: Session, columns: Mapping[str, Any], user: Person, own_id: int | None) -> None:
    low, high = columns.get("range_low"), columns.get("range_high")
    if low is not None and high is not None and not high > low:
        raise Invalid("range_high", "order", "must be above range_low")
    taken = select(ReferenceStandard.id).where(
        ReferenceStandard.site_id == user.site_id, ReferenceStandard.serial == columns["serial"], ReferenceStandard.deleted_at.is_(None)
    )
    if session.scalar(taken) not in {None, own_id}:
        raise Conflict("serial_taken", f"there is a standard {columns['serial']} already")


@dataclass(frozen=True, slots=True)
class Used:
    """How often a standard was used, and when last."""

    times: int
    last: datetime | None


def uses(session: Session, rows: list[ReferenceStandard]) -> dict[int, Used]:
    """Use of each standard, by id."""
    query = (
        select(CalibrationRecord.standard_id, func.count(), func.max(CalibrationRecord.performed_at))
        .where(CalibrationRecord.standard_id.in_([row.id for row in rows]))
        .group_by(CalibrationRecord.standard_id)
    )
    return {int(standard or 0): Used(times, last) for standard, times, last in session.execute(query)}


def bodies(session: Session, rows: list[ReferenceStandard], now: datetime) -> list[dict[str, Any]]:
    """The REST bodies."""
    used = uses(session, rows)
    return [_body(row, used.get(row.id, Used(0, None)), now) for row in rows]


def _body(row: ReferenceStandard, used: Used, now: datetime) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in COLUMNS if name not in {"calibrated_at", "due"}}
    return {
        "id": row.id,
        **plain,
        "calibrated_at": rfc3339(row.calibrated_at),
        "due_at": rfc3339(row.due),
        "overdue": is_overdue(row.due, now),
        "used": used.times,
        "last_used_at": rfc3339(used.last),
        "created_at": rfc3339(row.created_at),
        "rev": row.rev,
    }


def facts(row: ReferenceStandard) -> dict[str, Any]:
    """What a calibration record keeps of the standard as it stands now."""
    return {
        "serial": row.serial,
        "name": row.name,
        "certificate": row.certificate,
        "due_at": rfc3339(row.due),
        "uncertainty": row.uncertainty,
        "unit": row.unit,
    }
