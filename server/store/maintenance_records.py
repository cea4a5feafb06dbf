"""Maintenance records: what was done to an asset or instrument, by whom, with which parts (S2-19). Nothing here commits.

Completing an order writes one too (server/store/completion.py); maintenance windows are in server/store/maintenance.py.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Invalid, NotFound
from server.models.calibration import MaintenanceRecord
from server.models.plant import Asset, Instrument
from server.models.work import WorkOrder
from server.store import numbers
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of
from server.store.related import by_id
from server.timestamps import rfc3339

ACTIONS = ("repair", "replace", "clean", "adjust", "lubricate", "inspect", "other")
CLOCKS_APART = timedelta(minutes=5)


def next_number(session: Session) -> str:
    """MR-12."""
    return f"MR-{numbers.next_number(session, 'maintenance_record')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """What a person says was done; the asset is the instrument's where only that is named."""

    asset: Asset
    instrument: Instrument | None
    order: WorkOrder | None
    action: str
    description: str
    parts: list[dict[str, Any]]
    duration_min: int | None
    performed_at: datetime | None
    performed_by: str | None


def create(session: Session, new: NewRecord, user: Person, now: datetime) -> MaintenanceRecord:
    """Write it down; raises Invalid for an order of another asset, an instrument of another asset or a time to come."""
    need(user, "orders.work")
    if new.order is not None and new.order.asset_id != new.asset.id:
        raise Invalid("work_order", "other_asset", f"{new.order.number} is about another asset")
    if new.instrument is not None and new.instrument.asset_id != new.asset.id:
        raise Invalid("instrument", "other_asset", f"{new.instrument.tag} belongs to another asset")
    if new.performed_at is not None and new.performed_at > now + CLOCKS_APART:
        raise Invalid("performed_at", "future", "it has not happened yet")
    row = MaintenanceRecord(
        number=next_number(session),
        asset_id=new.asset.id,
        instrument_id=new.instrument.id if new.instrument else None,
        work_order_id=new.order.id if new.order else None,
        action=new.action,
        description=new.description.strip(),
        parts=new.parts,
        duration_min=new.duration_min,
        performed_at=new.performed_at or now,
        performed_by=new.performed_by or user.name,
    )
    session.add(row)
    session.flush()
    told = {"number": row.number, "asset": new.asset.code, "action": row.action, "description": row.description, "parts": row.parts}
    audit.record(session, audit.Change("create", "maintenance_record", row.id, new.asset.site_id, None, told), user, now)
    return row


def _of_site(site: int | None) -> Select[MaintenanceRecord]:
    query = select(MaintenanceRecord).join(Asset, Asset.id == MaintenanceRecord.asset_id)
    return query if site is None else query.where(Asset.site_id == site)


def get(session: Session, record_id: int, user: Person) -> MaintenanceRecord:
    """A visible record; raises NotFound."""
    row: MaintenanceRecord | None = session.scalars(_of_site(user.site_id).where(MaintenanceRecord.id == record_id)).one_or_none()
    if row is None:
        raise NotFound("maintenance record", record_id)
    return row


def list_records(session: Session, site: int | None, wanted: dict[str, Any]) -> Page[MaintenanceRecord]:
    """Records of a site, newest first; `wanted` as in the query of GET /api/maintenance."""
    query = _of_site(site)
    if wanted.get("asset"):
        query = query.where(Asset.code == wanted["asset"])
    if wanted.get("instrument"):
        query = query.where(MaintenanceRecord.instrument_id.in_(select(Instrument.id).where(Instrument.tag == wanted["instrument"])))
    if wanted.get("action"):
        query = query.where(MaintenanceRecord.action == wanted["action"])
    if wanted.get("search"):
        words = wanted["search"]
        columns = (MaintenanceRecord.number, MaintenanceRecord.description, MaintenanceRecord.performed_by)
        first, second, third = (column.icontains(words, autoescape=True) for column in columns)
        query = query.where(first | second | third)
    columns_by_name = {"number": MaintenanceRecord.id, "performed_at": MaintenanceRecord.performed_at, "action": MaintenanceRecord.action}
    order = ordering(wanted.get("sort") or "-performed_at", columns_by_name, "-number")
    return page_of(session, query, order, wanted["limit"], wanted["offset"])


def bodies(session: Session, rows: Collection[MaintenanceRecord]) -> list[dict[str, Any]]:
    """The REST bodies."""
    assets = by_id(session, Asset, (row.asset_id for row in rows))
    instruments = by_id(session, Instrument, (row.instrument_id for row in rows))
    orders = by_id(session, WorkOrder, (row.work_order_id for row in rows))
    found = []
    for row in rows:
        asset, instrument = assets[row.asset_id], instruments.get(row.instrument_id or 0)
        order = orders.get(row.work_order_id or 0)
        found.append(
            {
                "id": row.id,
                "number": row.number,
                "asset": {"id": asset.id, "code": asset.code, "name": asset.name},
                "instrument": {"id": instrument.id, "tag": instrument.tag, "name": instrument.name} if instrument else None,
                "work_order": {"id": order.id, "number": order.number} if order else None,
                "action": row.action,
                "description": row.description,
                "parts": row.parts,
                "duration_min": row.duration_min,
                "performed_at": rfc3339(row.performed_at),
                "performed_by": row.performed_by,
                "rev": 1,
            }
        )
    return found
