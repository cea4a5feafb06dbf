"""Instruments: the devices behind tags. Nothing here commits; deleting marks, history stays (S2-62)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.alerts import AlertRecord
from server.models.plant import Area, Asset, Instrument, Tag
from server.rules.calibration import next_due
from server.store import assets, calibration_due
from server.store.actor import Person, need
from server.store.asset_writes import area_id
from server.store.page import Page, ordering, page_of
from server.store.register import RANK, matching
from server.store.related import by_id
from server.timestamps import rfc3339

COLUMNS = (
    "name",
    "type",
    "variable",
    "unit",
    "range_low",
    "range_high",
    "nominal",
    "location",
    "accuracy_class",
    "criticality",
    "calibration_interval_days",
    "external_ref",
)
SOON_DAYS = 30
RULES = frozenset({AlertType.RULE_VIOLATION, AlertType.INSTRUMENT_FAULT, AlertType.DATA_GAP})


@dataclass(frozen=True, slots=True)
class Status:
    """Open alerts of an instrument by what found them; None = that judge has no complaint."""

    rule: AlertRecord | None
    drift: AlertRecord | None
    anomaly: AlertRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which instruments of a site; None = any. due: overdue, soon (30 days), never (calibrated), none (no interval)."""

    site: int | None
    search: str | None = None
    asset: str | None = None
    area: str | None = None
    type: str | None = None
    criticality: str | None = None
    due: str | None = None


SORTS: Mapping[str, Any] = {
    "tag": Instrument.tag,
    "name": Instrument.name,
    "type": Instrument.type,
    "asset": Asset.code,
    "criticality": case(RANK, value=Instrument.criticality),
    "calibrated_at": Instrument.calibrated_at,
    "calibration_due": Instrument.calibration_due,
}


def list_instruments(session: Session, wanted: Wanted, now: datetime, *, sort: str, limit: int, offset: int) -> Page[Instrument]:
    """Instruments of a site by tag number; the search looks into tag, name, type, variable, location and external reference."""
    area = func.coalesce(Instrument.area_id, Asset.area_id)
    query = select(Instrument).join(Asset, Asset.id == Instrument.asset_id).join(Area, Area.id == area)
    pairs: list[tuple[object, ColumnElement[bool]]] = [
        (wanted.site, Asset.site_id == wanted.site),
        (wanted.asset, Asset.code == wanted.asset),
        (wanted.area, Area.name == wanted.area),
        (wanted.type, Instrument.type == wanted.type),
        (wanted.criticality, Instrument.criticality == wanted.criticality),
    ]
    conditions = [condition for value, condition in pairs if value is not None] + matching(Instrument.searched, wanted.search or "")
    if wanted.due is not None:
        conditions.append(_due(wanted.due, now))
    return page_of(session, query.where(Instrument.deleted_at.is_(None), *conditions), ordering(sort, SORTS, "tag"), limit, offset)


def _due(word: str, now: datetime) -> ColumnElement[bool]:
    due = Instrument.calibration_due
    return {
        "overdue": due <= now,
        "soon": due.between(now, now + timedelta(days=SOON_DAYS)),
        "never": Instrument.calibrated_at.is_(None),
        "none": Instrument.calibration_interval_days.is_(None),
    }[word]


def get_instrument(session: Session, instrument_id: int, user: Person, *, lock: bool = False) -> Instrument:
    """A visible instrument, locked until commit where it is to be changed; raises NotFound."""
    row = session.get(Instrument, instrument_id, with_for_update={"key_share": True} if lock else None)
    if row is None or row.deleted_at is not None or session.get_one(Asset, row.asset_id).site_id != user.site_id:
        raise NotFound("instrument", instrument_id)
    return row


def create_instrument(session: Session, given: Mapping[str, Any], user: Person, now: datetime) -> Instrument:
    """A new instrument on an asset, tied to the live tag of the same name where there is one; raises NotFound, Invalid or Conflict."""
    need(user, "assets.write")
    owner = assets.get_asset(session, given["asset"], user)
    tag = given["tag"]
    check_free(session, tag)
    row = Instrument(tag=tag, asset_id=owner.id, tag_id=_live_tag(session, tag, owner))
    _write(session, row, owner, given)
    session.add(row)
    session.flush()
    told = {name: value for name in ("name", *given) if (value := given.get(name)) not in (None, "")}
    audit.record(session, audit.Change("create", "instrument", row.id, owner.site_id, None, {"tag": tag, **told}), user, now)
    return row


def check_free(session: Session, tag: str) -> None:
    """Raise Conflict where a live instrument has the tag number."""
    if session.scalar(select(Instrument.id).where(Instrument.tag == tag, Instrument.deleted_at.is_(None))) is not None:
        raise Conflict("tag_taken", f"there is an instrument {tag} already")


def check_range(low: float | None, high: float | None) -> None:
    """Raise Invalid where the range is empty or upside down."""
    if low is not None and high is not None and low >= high:
        raise Invalid("range_high", "order", "must be above range_low")


def change_instrument(session: Session, row: Instrument, given: Mapping[str, Any], user: Person, now: datetime) -> bool:
    """Change what is given; the next calibration follows its interval. True when anything changed; raises NotFound or Invalid."""
    need(user, "assets.write")
    owner = assets.get_asset(session, given["asset"], user) if "asset" in given else session.get_one(Asset, row.asset_id)
    names = (*COLUMNS, "asset_id", "area_id", "tag_id", "calibrated_at", "calibration_due")
    before = {name: getattr(row, name) for name in names}
    if owner.id != row.asset_id:
        row.asset_id, row.tag_id = owner.id, _live_tag(session, row.tag, owner)
    _write(session, row, owner, given)
    changed = {name: getattr(row, name) for name in names if getattr(row, name) != before[name]}
    if not changed:
        return False
    row.rev += 1
    session.flush()
    old = {name: before[name] for name in changed}
    audit.record(session, audit.Change("change", "instrument", row.id, owner.site_id, old, changed), user, now)
    if "calibration_due" in changed:
        calibration_due.settle(session, row, owner, now)
    return True


def _write(session: Session, row: Instrument, owner: Asset, given: Mapping[str, Any]) -> None:
    for name in COLUMNS:
        if name in given:
            setattr(row, name, given[name])
    if "area" in given:
        row.area_id = area_id(session, owner.site_id, given["area"]) if given["area"] else None
    if row.area_id == owner.area_id:
        row.area_id = None
    if "calibrated_at" in given:
        row.calibrated_at = given["calibrated_at"]
    if {"calibrated_at", "calibration_interval_days"} & given.keys():
        days = row.calibration_interval_days
        row.calibration_due = None if row.calibrated_at is None else next_due(row.calibrated_at, days, passed=True)
    check_range(row.range_low, row.range_high)


def _live_tag(session: Session, tag: str, owner: Asset) -> int | None:
    return session.scalar(select(Tag.id).where(Tag.name == tag, Tag.asset_id == owner.id, Tag.deleted_at.is_(None)))


def delete_instrument(session: Session, row: Instrument, user: Person, now: datetime) -> None:
    """Take it out of the register; its records stay."""
    need(user, "assets.write")
    row.deleted_at = now
    row.rev += 1
    asset = session.get_one(Asset, row.asset_id)
    audit.record(session, audit.Change("delete", "instrument", row.id, asset.site_id, {"deleted_at": None}, {"deleted_at": now}), user, now)


def status_of(session: Session, row: Instrument) -> Status:
    """What rules, drift and anomaly detectors say of its tag now."""
    query = select(AlertRecord).where(AlertRecord.tag == row.tag, AlertRecord.resolved_at.is_(None)).order_by(AlertRecord.id)
    newest: dict[str, AlertRecord] = {alert.type: alert for alert in session.scalars(query)}
    rule = next((alert for type_, alert in newest.items() if type_ in RULES), None)
    return Status(rule, newest.get(AlertType.DRIFT), newest.get(AlertType.ANOMALY))


def instrument_body(session: Session, row: Instrument) -> dict[str, Any]:
    """The REST body of one."""
    return instrument_bodies(session, [row])[0]


def instrument_bodies(session: Session, rows: Sequence[Instrument]) -> list[dict[str, Any]]:
    """The REST bodies, in the order of the rows."""
    owners = by_id(session, Asset, (row.asset_id for row in rows))
    areas = by_id(session, Area, (row.area_id or owners[row.asset_id].area_id for row in rows))
    return [_body(row, owners[row.asset_id], areas) for row in rows]


def _body(row: Instrument, asset: Asset, areas: Mapping[int, Area]) -> dict[str, Any]:
    area = areas[row.area_id or asset.area_id]
    return {
        "id": row.id,
        "tag": row.tag,
        "asset": {"id": asset.id, "code": asset.code, "name": asset.name},
        "area": {"id": area.id, "name": area.name},
        "live": row.tag_id is not None,
        **{name: getattr(row, name) for name in COLUMNS},
        "calibrated_at": rfc3339(row.calibrated_at),
        "calibration_due": rfc3339(row.calibration_due),
        "rev": row.rev,
    }
