"""Meters of assets: who sees which, entering and reading them by hand. Counting is in meter_counts. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.meters import Meter, MeterReading
from server.models.plant import Area, Asset, OperatingPeriod, Tag
from server.store import meter_counts
from server.store.actor import Person, need, sees_site
from server.store.assets import get_asset
from server.store.meter_counts import COUNTER, MANUAL, STARTS, STATE
from server.store.page import Page, ordering, page_of
from server.store.related import by_id
from server.timestamps import rfc3339, to_ms

SOURCES = {"run_hours": (STATE, MANUAL), "cycles": (COUNTER, STARTS, MANUAL)}
UNITS = {"run_hours": "h", "cycles": "cycles"}


def list_meters(session: Session, site: int | None, query: Mapping[str, Any]) -> Page[Meter]:
    """Meters of a site by asset."""
    found = select(Meter).join(Asset, Asset.id == Meter.asset_id).where(Meter.deleted_at.is_(None))
    if site is not None:
        found = found.where(Meter.site_id == site)
    if query.get("asset"):
        found = found.where(Asset.code == query["asset"])
    if query.get("kind"):
        found = found.where(Meter.kind == query["kind"])
    if query.get("search"):
        word = query["search"]
        found = found.where(Meter.name.icontains(word, autoescape=True) | Asset.code.icontains(word, autoescape=True))
    columns = {"asset": Asset.code, "name": Meter.name, "kind": Meter.kind, "id": Meter.id}
    return page_of(session, found, ordering(query["sort"] or "asset,name", columns, "id"), query["limit"], query["offset"])


def get(session: Session, meter_id: int, user: Person) -> Meter:
    """A visible meter; raises NotFound."""
    row = session.get(Meter, meter_id)
    if row is None or row.deleted_at is not None or not sees_site(user, row.site_id):
        raise NotFound("meter", meter_id)
    return row


def lock(session: Session, meter_id: int, user: Person) -> Meter:
    """The meter as it is now, locked until commit; raises NotFound."""
    get(session, meter_id, user)
    query = select(Meter).where(Meter.id == meter_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.scalars(query).one()


def create(session: Session, fields: Mapping[str, Any], user: Person, now: datetime) -> Meter:
    """A meter of an asset that counts from now on; raises NotFound, Invalid or Conflict."""
    need(user, "plans.write")
    asset = get_asset(session, fields["asset"], user)
    kind, source = fields["kind"], fields["source"]
    if source not in SOURCES[kind]:
        raise Invalid("source", "unfit", f"{kind} are counted from one of {', '.join(SOURCES[kind])}")
    name = fields.get("name") or ("Run hours" if kind == "run_hours" else "Cycles")
    _check_name(session, asset.id, kind, name, None)
    start = float(fields.get("value") or 0.0)
    row = Meter(site_id=asset.site_id, asset_id=asset.id, kind=kind, name=name, unit=fields.get("unit") or UNITS[kind], source=source)
    row.total, row.counted_to, row.rollover = start, now, fields.get("rollover")
    if source == COUNTER:
        row.tag_id, row.counted_mark = _tag(session, asset, fields.get("tag")), to_ms(now)
    elif source == STARTS:
        row.counted_mark = session.scalar(select(func.max(OperatingPeriod.id)).where(OperatingPeriod.asset_id == asset.id))
    session.add(row)
    session.flush()
    session.add(MeterReading(meter_id=row.id, at=now, value=start, total=start, kind="manual", by=user.name))
    session.flush()
    new = {"asset": asset.code, "kind": kind, "name": name, "source": source, "tag": fields.get("tag"), "value": start}
    audit.record(session, audit.Change("create", "meter", row.id, row.site_id, None, new), user, now)
    return row


def _check_name(session: Session, asset_id: int, kind: str, name: str, own_id: int | None) -> None:
    query = select(Meter.id).where(Meter.asset_id == asset_id, Meter.kind == kind, Meter.name == name, Meter.deleted_at.is_(None))
    if session.scalar(query) not in {None, own_id}:
        raise Conflict("meter_taken", f"the asset has a meter {name} already")


def _tag(session: Session, asset: Asset, name: str | None) -> int:
    query = select(Tag.id).where(Tag.name == name, Tag.asset_id == asset.id, Tag.kind == "f64", Tag.deleted_at.is_(None))
    found = session.scalar(query)
    if found is None:
        raise Invalid("tag", "unknown", f"{asset.code} has no such numeric tag; a counter meter needs one")
    return found


def change(session: Session, row: Meter, fields: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change name, unit or rollover; what it counts from stays."""
    need(user, "plans.write")
    if "name" in fields:
        _check_name(session, row.asset_id, row.kind, fields["name"], row.id)
    old = {name: getattr(row, name) for name in fields}
    for name, value in fields.items():
        setattr(row, name, value)
    row.rev += 1
    session.flush()
    audit.record(session, audit.Change("change", "meter", row.id, row.site_id, old, fields), user, now)


def delete(session: Session, row: Meter, user: Person, now: datetime) -> None:
    """Take it out; its readings stay."""
    need(user, "plans.write")
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "meter", row.id, row.site_id, {"deleted_at": None}, {"deleted_at": now}), user, now)


def read(session: Session, row: Meter, fields: Mapping[str, Any], user: Person, now: datetime) -> MeterReading:
    """What a person read. A meter never runs backwards: a smaller value needs `replaced`, and then its total goes on. Raises Invalid.

    The row is locked.
    """
    need(user, "orders.create")
    at, value = fields.get("at") or now, float(fields["value"])
    last = session.scalar(select(func.max(MeterReading.at)).where(MeterReading.meter_id == row.id, MeterReading.kind != "counted"))
    if at > now:
        raise Invalid("at", "in_future", "a reading is not in the future")
    if at < row.counted_to or (last is not None and at < last):
        raise Invalid("at", "too_old", f"it was read or counted up to {rfc3339(max(row.counted_to, last or at))} already")
    total = meter_counts.totals(session, [row], at)[row.id]
    old = {"value": total - row.shown_from}
    kind = "replaced" if fields.get("replaced") else "manual"
    if kind == "replaced":
        row.shown_from = total - value
    elif row.shown_from + value < (row.total if row.source != STATE else total) - 1e-6:
        raise Invalid("value", "backwards", f"it stood at {old['value']:g} already; say `replaced` when the meter is new")
    else:
        total = row.shown_from + value
    row.total = total
    row.counted_to = at if row.source in {STATE, MANUAL} else row.counted_to
    row.rev += 1
    reading = MeterReading(meter_id=row.id, at=at, value=value, total=total, kind=kind, by=user.name, note=fields.get("note", ""))
    session.add(reading)
    session.flush()
    audit.record(session, audit.Change("read", "meter", row.id, row.site_id, old, {"value": value, "at": at, "kind": kind}), user, now)
    return reading


def list_readings(session: Session, row: Meter, page: Mapping[str, Any]) -> Page[MeterReading]:
    """Newest first."""
    query = select(MeterReading).where(MeterReading.meter_id == row.id)
    return page_of(
        session,
        query,
        ordering(page["sort"] or "-at", {"at": MeterReading.at, "id": MeterReading.id}, "-id"),
        page["limit"],
        page["offset"],
    )


def reading_body(row: MeterReading) -> dict[str, Any]:
    """The REST body."""
    columns = {name: getattr(row, name) for name in ("id", "kind", "by", "note")}
    return {**columns, "at": rfc3339(row.at), "value": round(row.value, 3), "total": round(row.total, 3)}


def bodies(session: Session, rows: Sequence[Meter], now: datetime) -> list[dict[str, Any]]:
    """REST bodies, in their order."""
    assets = by_id(session, Asset, (row.asset_id for row in rows))
    areas = by_id(session, Area, (asset.area_id for asset in assets.values()))
    tags = by_id(session, Tag, (row.tag_id for row in rows))
    said, rates = meter_counts.totals(session, rows, now), meter_counts.uses(session, rows, now)
    found = []
    for row in rows:
        asset, rate, tag = assets[row.asset_id], rates[row.id], tags.get(row.tag_id or 0)
        found.append(
            {
                **{name: getattr(row, name) for name in ("id", "kind", "name", "unit", "source", "rollover", "rev")},
                "asset": {"id": asset.id, "code": asset.code, "name": asset.name, "area": areas[asset.area_id].name},
                "tag": tag.name if tag else None,
                "value": round(said[row.id] - row.shown_from, 3),
                "total": round(said[row.id], 3),
                "per_day": round(rate.per_day, 3) if rate else None,
                "confidence": rate.confidence if rate else None,
                "counted_to": rfc3339(row.counted_to),
            }
        )
    return found
