"""Downtime rows and their reasons: who sees which, and their bodies. What people do with them is in downtime_acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.downtime import Downtime, DowntimeReason
from server.models.plant import Area, Asset
from server.models.work import WorkOrder
from server.rules.downtime import Category, money
from server.store.actor import Person, need, sees_site
from server.store.page import Page, ordering, page_of
from server.store.related import by_id
from server.timestamps import rfc3339

SORTS = {
    "started_at": Downtime.started_at,
    "ended_at": Downtime.ended_at,
    "category": Downtime.category,
    "asset": Asset.code,
    "id": Downtime.id,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows; None = any. `own` leaves out what stood only because another machine did; `open` tells those still standing."""

    start: datetime | None = None
    end: datetime | None = None
    area: str | None = None
    asset: str | None = None
    category: str | None = None
    search: str | None = None
    own: bool | None = None
    open: bool | None = None
    sort: str = ""
    limit: int = 50
    offset: int = 0


def list_downtimes(session: Session, site: int | None, wanted: Wanted) -> Page[Downtime]:
    """Rows of a site that touch the period, newest first."""
    query = select(Downtime).join(Asset, Asset.id == Downtime.asset_id).where(Downtime.deleted_at.is_(None))
    conditions: list[Any] = []
    if site is not None:
        conditions.append(Downtime.site_id == site)
    if wanted.start is not None:
        conditions.append(Downtime.ended_at.is_(None) | (Downtime.ended_at > wanted.start))
    if wanted.end is not None:
        conditions.append(Downtime.started_at < wanted.end)
    if wanted.area is not None:
        conditions.append(Asset.area_id.in_(select(Area.id).where(Area.name == wanted.area)))
    if wanted.asset is not None:
        conditions.append(Asset.code == wanted.asset)
    if wanted.category is not None:
        conditions.append(Downtime.category == wanted.category)
    conditions += _flags(wanted)
    page = query.where(*conditions)
    return page_of(session, page, ordering(wanted.sort or "-started_at", SORTS, "-id"), wanted.limit, wanted.offset)


def _flags(wanted: Wanted) -> list[Any]:
    found: list[Any] = []
    if wanted.own is not None:
        found.append(Downtime.cause_id.is_(None) if wanted.own else Downtime.cause_id.is_not(None))
    if wanted.open is not None:
        found.append(Downtime.ended_at.is_(None) if wanted.open else Downtime.ended_at.is_not(None))
    if wanted.search:
        columns = (Asset.code, Asset.name, Downtime.note, Downtime.fault_code)
        first, *rest = (column.icontains(wanted.search, autoescape=True) for column in columns)
        for other in rest:
            first = first | other
        found.append(first)
    return found


def get(session: Session, downtime_id: int, user: Person) -> Downtime:
    """A visible row; raises NotFound."""
    row = session.get(Downtime, downtime_id)
    if row is None or row.deleted_at is not None or not sees_site(user, row.site_id):
        raise NotFound("downtime", downtime_id)
    return row


def bodies(session: Session, rows: Sequence[Downtime], now: datetime) -> list[dict[str, Any]]:
    """REST bodies, in their order."""
    assets = by_id(session, Asset, (row.asset_id for row in rows))
    areas = by_id(session, Area, (asset.area_id for asset in assets.values()))
    reasons = by_id(session, DowntimeReason, (row.reason_id for row in rows))
    orders = by_id(session, WorkOrder, (row.work_order_id for row in rows))
    causes = by_id(session, Downtime, (row.cause_id for row in rows))
    cause_assets = by_id(session, Asset, (row.asset_id for row in causes.values()))
    found = []
    for row in rows:
        asset, cause, order = assets[row.asset_id], causes.get(row.cause_id or 0), orders.get(row.work_order_id or 0)
        reason = reasons.get(row.reason_id or 0)
        seconds = ((row.ended_at or now) - row.started_at).total_seconds()
        found.append(
            {
                "id": row.id,
                "asset": {"id": asset.id, "code": asset.code, "name": asset.name, "area": areas[asset.area_id].name},
                "started_at": rfc3339(row.started_at),
                "ended_at": rfc3339(row.ended_at),
                "minutes": round(max(seconds, 0) / 60, 2),
                "state": row.state,
                "fault_code": row.fault_code,
                "category": row.category,
                "reason": {"id": reason.id, "code": reason.code, "label": reason.label} if reason else None,
                "note": row.note,
                "order": {"id": order.id, "number": order.number} if order else None,
                "cause": {"id": cause.id, "asset": cause_assets[cause.asset_id].code} if cause else None,
                "machine_rate": None if row.machine_rate is None else float(row.machine_rate),
                "cost": None if row.cause_id or row.machine_rate is None else float(money(max(seconds, 0), row.machine_rate)),
                "classified_by": row.classified_by,
                "classified_at": rfc3339(row.classified_at),
                "rev": row.rev,
            }
        )
    return found


def list_reasons(session: Session, site: int | None, search: str | None, page: Mapping[str, Any]) -> Page[DowntimeReason]:
    """Reasons of a site by code."""
    query = select(DowntimeReason).where(DowntimeReason.deleted_at.is_(None))
    if site is not None:
        query = query.where(DowntimeReason.site_id == site)
    if search:
        query = query.where(
            DowntimeReason.code.icontains(search, autoescape=True) | DowntimeReason.label.icontains(search, autoescape=True)
        )
    columns = {"code": DowntimeReason.code, "label": DowntimeReason.label, "category": DowntimeReason.category}
    return page_of(session, query, ordering(page["sort"], columns, "code"), page["limit"], page["offset"])


def get_reason(session: Session, reason_id: int, user: Person) -> DowntimeReason:
    """A visible reason; raises NotFound."""
    row = session.get(DowntimeReason, reason_id)
    if row is None or row.deleted_at is not None or not sees_site(user, row.site_id):
        raise NotFound("downtime reason", reason_id)
    return row


def save_reason(session: Session, row: DowntimeReason | None, columns: Mapping[str, Any], user: Person, now: datetime) -> DowntimeReason:
    """Make or change a reason; rows keep the category they got by it. Raises Conflict where the code is taken."""
    need(user, "taxonomy.write")
    if user.site_id is None:
        raise Invalid("site", "required", "a reason belongs to a site")
    code = columns.get("code", row.code if row else None)
    taken = session.scalars(select(DowntimeReason).where(DowntimeReason.site_id == user.site_id, DowntimeReason.code == code)).one_or_none()
    if taken is not None and taken is not row:
        if taken.deleted_at is None or row is not None:
            raise Conflict("code_taken", f"there is a reason {code} already")
        row, taken.deleted_at = taken, None  # a code that was taken out comes back as what it was, so that old rows keep their name
    made = row is None
    old = None if row is None else {name: getattr(row, name) for name in columns}
    row = row or DowntimeReason(site_id=user.site_id, category=str(Category.UNPLANNED))
    for name, value in columns.items():
        setattr(row, name, value)
    row.rev = 1 if made else row.rev + 1
    session.add(row)
    session.flush()
    change = audit.Change("create" if made else "change", "downtime_reason", row.id, row.site_id, old, dict(columns))
    audit.record(session, change, user, now)
    return row


def delete_reason(session: Session, row: DowntimeReason, user: Person, now: datetime) -> None:
    """Offer it no more; rows that name it keep it."""
    need(user, "taxonomy.write")
    row.deleted_at = now
    row.rev += 1
    audit.record(
        session, audit.Change("delete", "downtime_reason", row.id, row.site_id, {"deleted_at": None}, {"deleted_at": now}), user, now
    )


def reason_body(row: DowntimeReason) -> dict[str, Any]:
    """The REST body."""
    return {"id": row.id, "code": row.code, "label": row.label, "category": row.category, "rev": row.rev}
