"""Instruments: the devices behind tags. Nothing here commits; deleting marks, history stays (S2-62)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server import audit
from server.errors import Conflict, NotFound
from server.models.alerts import AlertRecord
from server.models.plant import Asset, Instrument, Tag
from server.store import assets
from server.store.actor import Person, need
from server.store.page import Page, page_of
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
)
RULES = frozenset({AlertType.RULE_VIOLATION, AlertType.INSTRUMENT_FAULT, AlertType.DATA_GAP})


@dataclass(frozen=True, slots=True)
class Status:
    """Open alerts of an instrument by what found them; None = that judge has no complaint."""

    rule: AlertRecord | None
    drift: AlertRecord | None
    anomaly: AlertRecord | None


def list_instruments(session: Session, *, site: int, search: str | None, limit: int, offset: int) -> Page[Instrument]:
    """Instruments of a site by tag number; `search` looks into tag, name and location."""
    query = select(Instrument).join(Asset, Asset.id == Instrument.asset_id).where(Asset.site_id == site, Instrument.deleted_at.is_(None))
    if search:
        found = (column.icontains(search, autoescape=True) for column in (Instrument.tag, Instrument.name, Instrument.location))
        first, second, third = found
        query = query.where(first | second | third)
    return page_of(session, query, [Instrument.tag], limit, offset)


def get_instrument(session: Session, instrument_id: int, user: Person) -> Instrument:
    """A visible instrument; raises NotFound."""
    row = session.get(Instrument, instrument_id)
    if row is None or row.deleted_at is not None or session.get_one(Asset, row.asset_id).site_id != user.site_id:
        raise NotFound("instrument", instrument_id)
    return row


def create_instrument(session: Session, tag: str, asset: str, columns: Mapping[str, Any], user: Person, now: datetime) -> Instrument:
    """A new instrument on an asset, tied to the live tag of the same name where there is one; raises NotFound or Conflict."""
    need(user, "assets.write")
    owner = assets.get_asset(session, asset, user)
    if session.scalar(select(Instrument.id).where(Instrument.tag == tag)) is not None:
        raise Conflict("tag_taken", f"there is an instrument {tag} already")
    live = session.scalar(select(Tag.id).where(Tag.name == tag, Tag.asset_id == owner.id, Tag.deleted_at.is_(None)))
    row = Instrument(tag=tag, asset_id=owner.id, tag_id=live, **columns)
    session.add(row)
    session.flush()
    _note(session, "create", row, owner.site_id, None, {"tag": tag, "asset": asset, **columns}, user, now)
    return row


def delete_instrument(session: Session, instrument_id: int, user: Person, now: datetime) -> None:
    """Take it out of the register; its records stay."""
    need(user, "assets.write")
    row = get_instrument(session, instrument_id, user)
    row.deleted_at = now
    row.rev += 1
    site = session.get_one(Asset, row.asset_id).site_id
    _note(session, "delete", row, site, {"deleted_at": None}, {"deleted_at": now}, user, now)


def status_of(session: Session, row: Instrument) -> Status:
    """What rules, drift and anomaly detectors say of its tag now."""
    query = select(AlertRecord).where(AlertRecord.tag == row.tag, AlertRecord.resolved_at.is_(None)).order_by(AlertRecord.id)
    newest: dict[str, AlertRecord] = {alert.type: alert for alert in session.scalars(query)}
    rule = next((alert for type_, alert in newest.items() if type_ in RULES), None)
    return Status(rule, newest.get(AlertType.DRIFT), newest.get(AlertType.ANOMALY))


def instrument_body(session: Session, row: Instrument) -> dict[str, Any]:
    """The REST body."""
    asset = session.get_one(Asset, row.asset_id)
    due = {"calibrated_at": rfc3339(row.calibrated_at), "calibration_due": rfc3339(row.calibration_due)}
    columns = {name: getattr(row, name) for name in COLUMNS}
    return {
        "id": row.id,
        "tag": row.tag,
        "asset": {"id": asset.id, "code": asset.code, "name": asset.name},
        **columns,
        **due,
        "rev": row.rev,
    }


def _note(
    session: Session,
    action: str,
    row: Instrument,
    site: int,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    by: Person,
    now: datetime,
) -> None:
    audit.record(session, audit.Change(action, "instrument", row.id, site, old, new), by, now)
