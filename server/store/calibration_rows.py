"""Reads calibration records: history, what is in force, bodies. Writing is in server/store/calibrations.py; no order is touched here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from server.errors import Invalid, NotFound
from server.models.calibration import CalibrationRecord, ImpactReview
from server.models.plant import Asset, Instrument
from server.models.work import WorkOrder
from server.rules.interval import Check
from server.store.actor import Person
from server.store.page import Page, ordering, page_of
from server.store.related import by_id
from server.timestamps import rfc3339

_SORTS = {
    "performed_at": CalibrationRecord.performed_at,
    "number": CalibrationRecord.id,
    "next_due_at": CalibrationRecord.next_due,
    "instrument": Instrument.tag,
}


def has_record(session: Session, order_id: int) -> bool:
    """Whether a calibration was recorded under the order: what a calibration order needs to be completed (S2-21)."""
    return session.scalar(select(CalibrationRecord.id).where(CalibrationRecord.work_order_id == order_id).limit(1)) is not None


def _of_site(site: int | None) -> Select[CalibrationRecord]:
    query = select(CalibrationRecord).join(Instrument, Instrument.id == CalibrationRecord.instrument_id)
    query = query.join(Asset, Asset.id == Instrument.asset_id)
    return query if site is None else query.where(Asset.site_id == site)


def get(session: Session, record_id: int, user: Person) -> CalibrationRecord:
    """A visible record; raises NotFound."""
    row: CalibrationRecord | None = session.scalars(_of_site(user.site_id).where(CalibrationRecord.id == record_id)).one_or_none()
    if row is None:
        raise NotFound("calibration", record_id)
    return row


def list_records(session: Session, site: int | None, wanted: Mapping[str, Any]) -> Page[CalibrationRecord]:
    """Records of a site, newest first; `wanted` as in the query of GET /api/calibrations."""
    query = _of_site(site)
    filters = {
        "instrument": Instrument.tag,
        "instrument_id": Instrument.id,
        "standard_id": CalibrationRecord.standard_id,
        "passed": CalibrationRecord.passed,
        "work_order_id": CalibrationRecord.work_order_id,
    }
    for name, column in filters.items():
        if wanted.get(name) is not None:
            query = query.where(column == wanted[name])
    if wanted.get("search"):
        columns = (CalibrationRecord.number, Instrument.tag, CalibrationRecord.performed_by, CalibrationRecord.standard)
        first, *rest = (column.icontains(wanted["search"], autoescape=True) for column in columns)
        for one in rest:
            first = first | one
        query = query.where(first)
    return page_of(session, query, ordering(wanted.get("sort") or "-performed_at", _SORTS, "-number"), wanted["limit"], wanted["offset"])


def find_instrument(session: Session, id_or_tag: int | str, user: Person) -> Instrument:
    """The visible instrument that a body names; raises Invalid."""
    query = select(Instrument).join(Asset, Asset.id == Instrument.asset_id)
    query = query.where(Instrument.deleted_at.is_(None), Asset.site_id == user.site_id)
    row = session.scalars(query.where((Instrument.id if isinstance(id_or_tag, int) else Instrument.tag) == id_or_tag)).one_or_none()
    if row is None:
        raise Invalid("instrument", "unknown", f"there is no instrument {id_or_tag}")
    return row


def find_order(session: Session, id_or_number: int | str, user: Person) -> WorkOrder:
    """The visible order that a body names; raises Invalid."""
    named = WorkOrder.id == id_or_number if isinstance(id_or_number, int) else WorkOrder.number == id_or_number
    row = session.scalars(select(WorkOrder).where(WorkOrder.site_id == user.site_id, named)).one_or_none()
    if row is None:
        raise Invalid("work_order", "unknown", f"there is no work order {id_or_number}")
    return row


def in_force(session: Session, instrument_id: int) -> list[CalibrationRecord]:
    """Records of an instrument that no other supersedes, oldest first."""
    later = aliased(CalibrationRecord)
    query = select(CalibrationRecord).outerjoin(later, later.supersedes_id == CalibrationRecord.id)
    query = query.where(CalibrationRecord.instrument_id == instrument_id, later.id.is_(None))
    return list(session.scalars(query.order_by(CalibrationRecord.performed_at, CalibrationRecord.id)))


def checks(records: Iterable[CalibrationRecord]) -> list[Check]:
    """Records as the interval rule sees them."""
    return [Check(row.performed_at, row.error_pct, row.left_error_pct) for row in records]


def bodies(session: Session, rows: Collection[CalibrationRecord]) -> list[dict[str, Any]]:
    """The REST bodies."""
    places = instruments_of(session, (row.instrument_id for row in rows))
    orders = by_id(session, WorkOrder, (id_ for row in rows for id_ in (row.work_order_id, row.follow_up_id)))
    ids, replaced = [row.id for row in rows], {row.supersedes_id for row in rows} - {None}
    chain = session.scalars(select(CalibrationRecord).where(CalibrationRecord.supersedes_id.in_(ids) | CalibrationRecord.id.in_(replaced)))
    linked = list(chain)
    former, later = {row.id: row for row in linked}, {row.supersedes_id: row for row in linked}
    reviews = {row.calibration_id: row for row in session.scalars(select(ImpactReview).where(ImpactReview.calibration_id.in_(ids)))}

    def body(row: CalibrationRecord) -> dict[str, Any]:
        review = reviews.get(row.id)
        return {
            "id": row.id,
            "number": row.number,
            "instrument": instrument_brief(*places[row.instrument_id]),
            **_measured(row),
            **_paper(row),
            "work_order": _brief(orders.get(row.work_order_id or 0)),
            "follow_up": _brief(orders.get(row.follow_up_id or 0)),
            "impact_review": {"id": review.id, "state": review.state} if review else None,
            "supersedes": _brief(former.get(row.supersedes_id or 0)),
            "superseded_by": _brief(later.get(row.id)),
            "supersede_reason": row.supersede_reason,
            "created_at": rfc3339(row.created_at),
            "rev": 1,
        }

    return [body(row) for row in rows]


def instruments_of(session: Session, ids: Iterable[int]) -> dict[int, tuple[Instrument, Asset]]:
    """Instruments with their assets, by id of the instrument."""
    query = select(Instrument, Asset).join(Asset, Asset.id == Instrument.asset_id).where(Instrument.id.in_(set(ids)))
    return {instrument.id: (instrument, asset) for instrument, asset in session.execute(query)}


def instrument_brief(row: Instrument, asset: Asset) -> dict[str, Any]:
    """An instrument inside another body."""
    return {
        "id": row.id,
        "tag": row.tag,
        "name": row.name,
        "unit": row.unit,
        "range_low": row.range_low,
        "range_high": row.range_high,
        "asset": {"id": asset.id, "code": asset.code, "name": asset.name},
    }


def _brief(row: WorkOrder | CalibrationRecord | None) -> dict[str, Any] | None:
    return {"id": row.id, "number": row.number} if row else None


def _measured(row: CalibrationRecord) -> dict[str, Any]:
    return {
        "as_found": row.as_found,
        "as_left": row.as_left,
        "found_error_pct": row.error_pct,
        "left_error_pct": row.left_error_pct,
        "tolerance_pct": row.tolerance_pct,
        "found_passed": row.found_passed,
        "passed": row.passed,
        "drift_pct_per_year": row.drift_pct_per_year,
        "interval_days": row.interval_days,
        "next_due_at": rfc3339(row.next_due),
    }


def _paper(row: CalibrationRecord) -> dict[str, Any]:
    return {
        "performed_at": rfc3339(row.performed_at),
        "performed_by": row.performed_by,
        "signature": row.signature,
        "standard": {"id": row.standard_id, "text": row.standard, **(row.standard_facts or {})},
        "standard_reason": row.standard_reason,
        "ambient": row.ambient,
        "notes": row.notes,
    }
