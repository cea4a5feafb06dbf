"""The asset register as people read it: search, filters, the tree, bodies with warranty and remaining life. Reads only.

Every list costs the same few queries however many rows it has; live values and alerts are in server/bodies.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.attributes import InstrumentedAttribute

from server.models.plant import Area, Asset, AssetClass, OperatingPeriod
from server.rules import health
from server.rules.replacement import Extension, Life, Remaining, remaining
from server.store.markers import marker_of
from server.store.page import Page, ordering, page_of
from server.store.related import by_id
from server.timestamps import rfc3339

WARRANTY_SOON_DAYS = 30
MOST_WORDS = 8
RANK = {"low": 0, "medium": 1, "high": 2, "critical": 3}
TEXTS = ("name", "location", "criticality", "make", "model", "serial", "external_ref", "notes", "replacement_reason", "main_tag")
MONIES = ("purchase_cost", "machine_rate", "replacement_cost")
DAYS = ("purchased_on", "installed_on", "warranty_until", "replacement_on")
LIVES = ("expected_life_years", "expected_life_hours", "hours_at_install")
COLUMNS = (*TEXTS, *MONIES, *DAYS, *LIVES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which assets of a site; None = any. parent: a code, "" = those without one. warranty: active, soon, ended, none."""

    site: int | None
    search: str | None = None
    area: str | None = None
    class_: str | None = None
    criticality: str | None = None
    parent: str | None = None
    warranty: str | None = None
    codes: Collection[str] | None = None


def matching(column: InstrumentedAttribute[str], search: str) -> list[ColumnElement[bool]]:
    """One condition a word: the lower-case text column holds every word of the search, anywhere."""
    words = search.split()[:MOST_WORDS]
    escaped = (word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for word in words)
    return [column.like(func.lower(f"%{word}%"), escape="\\") for word in escaped]


def wanted_assets(wanted: Wanted, today: date) -> Select[Asset]:
    """The query; joined with the area, and nothing is asked per row."""
    query = select(Asset).join(Area, Area.id == Asset.area_id).where(Asset.deleted_at.is_(None))
    for condition in _conditions(wanted, today):
        query = query.where(condition)
    return query


def _conditions(wanted: Wanted, today: date) -> list[ColumnElement[bool]]:
    class_ids = select(AssetClass.id).where(AssetClass.name == wanted.class_)
    pairs: list[tuple[object, ColumnElement[bool]]] = [
        (wanted.site, Asset.site_id == wanted.site),
        (wanted.area, Area.name == wanted.area),
        (wanted.class_, Asset.class_id.in_(class_ids)),
        (wanted.criticality, Asset.criticality == wanted.criticality),
        (wanted.codes, Asset.code.in_(wanted.codes or ())),
    ]
    found = [condition for value, condition in pairs if value is not None]
    if wanted.parent is not None:
        found.append(_below(wanted.parent, wanted.site))
    if wanted.warranty is not None:
        found.append(_in_warranty(wanted.warranty, today))
    return found + matching(Asset.searched, wanted.search or "")


def _below(parent: str, site: int | None) -> ColumnElement[bool]:
    if not parent:
        return Asset.parent_id.is_(None)
    above = aliased(Asset)
    return Asset.parent_id.in_(select(above.id).where(above.code == parent, above.site_id == site, above.deleted_at.is_(None)))


def _in_warranty(state: str, today: date) -> ColumnElement[bool]:
    days = Asset.warranty_until - today
    return {
        "none": Asset.warranty_until.is_(None),
        "ended": days < 0,
        "soon": days.between(0, WARRANTY_SOON_DAYS),
        "active": days >= 0,
    }[state]


SORTS: Mapping[str, Any] = {
    "code": Asset.code,
    "name": Asset.name,
    "area": Area.name,
    "criticality": case(RANK, value=Asset.criticality),
    "make": Asset.make,
    "installed_on": Asset.installed_on,
    "warranty_until": Asset.warranty_until,
    "health": Asset.health,
}


def search_assets(session: Session, wanted: Wanted, today: date, *, sort: str, limit: int, offset: int) -> Page[Asset]:
    """One page, by area and code unless told otherwise."""
    order = ordering(sort or "area", SORTS, "code")
    return page_of(session, wanted_assets(wanted, today), order, limit, offset)


def rows_of(session: Session, assets: Sequence[Asset], today: date) -> list[dict[str, Any]]:
    """Short bodies for lists and pickers."""
    areas = by_id(session, Area, (asset.area_id for asset in assets))
    classes = by_id(session, AssetClass, (asset.class_id for asset in assets))
    parents = by_id(session, Asset, (asset.parent_id for asset in assets))
    return [_row(asset, areas, classes, parents, today) for asset in assets]


def _row(
    asset: Asset, areas: Mapping[int, Area], classes: Mapping[int, AssetClass], parents: Mapping[int, Asset], today: date
) -> dict[str, Any]:
    area, class_, parent = areas[asset.area_id], classes.get(asset.class_id or 0), parents.get(asset.parent_id or 0)
    return {
        "id": asset.id,
        "code": asset.code,
        "name": asset.name,
        "area": {"id": area.id, "name": area.name},
        "class": {"id": class_.id, "name": class_.name, "label": class_.label or class_.name} if class_ else None,
        "parent": {"id": parent.id, "code": parent.code, "name": parent.name} if parent else None,
        "operating": asset.operating,
        "maintenance": asset.maintenance,
        "health": {"score": asset.health, "word": health.word_for(asset.health)},
        "warranty": _warranty(asset.warranty_until, today),
        **plain_columns(asset),
        "rev": asset.record_rev,
    }


def plain_columns(asset: Asset) -> dict[str, Any]:
    """What people write, as JSON has it."""
    return {name: _plain(getattr(asset, name)) for name in COLUMNS}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def _warranty(until: date | None, today: date) -> dict[str, Any] | None:
    if until is None:
        return None
    left = (until - today).days
    state = "ended" if left < 0 else "soon" if left <= WARRANTY_SOON_DAYS else "active"
    return {"until": until.isoformat(), "days_left": left, "state": state}


def record_of(session: Session, asset: Asset, today: date, now: datetime) -> dict[str, Any]:
    """The whole record of one asset, with its remaining life."""
    hours = run_hours(session, [asset.id], now).get(asset.id, 0.0)
    found = remaining(life_of(asset, hours), today)
    extensions = list(asset.life_extensions)
    life = {**_life_body(found), "run_hours": round(asset.hours_at_install + hours, 1)}
    whole = {"life": life, "life_extensions": extensions, "marker": marker_of(session, asset), "created_at": rfc3339(asset.created_at)}
    return {**rows_of(session, [asset], today)[0], **whole}


def life_of(asset: Asset, hours: float) -> Life:
    """The asset's life as the rule takes it; `hours` ran here, beside those before its installation."""
    return Life(
        installed_on=asset.installed_on,
        years=asset.expected_life_years,
        hours=asset.expected_life_hours,
        run_hours=asset.hours_at_install + hours,
        extensions=[Extension(row.get("years", 0.0), row.get("hours", 0.0)) for row in asset.life_extensions],
        cost=asset.purchase_cost,
    )


def _life_body(found: Remaining | None) -> dict[str, Any]:
    if found is None:
        return {"share": None, "years_left": None, "hours_left": None, "ends_on": None, "basis": None, "value": None}
    return {
        "share": round(found.share, 4),
        "years_left": None if found.years is None else round(found.years, 2),
        "hours_left": None if found.hours is None else round(found.hours, 1),
        "ends_on": None if found.ends_on is None else found.ends_on.isoformat(),
        "basis": found.basis,
        "value": None if found.value is None else float(found.value),
    }


def run_hours(session: Session, asset_ids: Collection[int], now: datetime) -> dict[int, float]:
    """Hours that each asset ran, from its operating periods."""
    ended = func.coalesce(OperatingPeriod.ended_at, now)
    hours = func.sum(func.extract("epoch", ended - OperatingPeriod.started_at)) / 3600.0
    query = select(OperatingPeriod.asset_id, hours).where(OperatingPeriod.asset_id.in_(asset_ids), OperatingPeriod.operating == "running")
    return {asset: max(0.0, float(total)) for asset, total in session.execute(query.group_by(OperatingPeriod.asset_id))}


def replacements(session: Session, site: int | None, today: date, now: datetime, *, years: float) -> list[dict[str, Any]]:
    """Assets whose life or planned day of replacement ends within `years`, the first to go first (S1-28)."""
    said = Asset.expected_life_years.is_not(None) | Asset.expected_life_hours.is_not(None) | Asset.replacement_on.is_not(None)
    assets = list(session.scalars(wanted_assets(Wanted(site=site), today).where(said).order_by(Asset.code)))
    hours = run_hours(session, [asset.id for asset in assets], now)
    lives = {asset.id: _life_body(remaining(life_of(asset, hours.get(asset.id, 0.0)), today)) for asset in assets}
    rows = [{**row, "life": lives[row["id"]]} for row in rows_of(session, assets, today)]
    due = [{**row, "due_on": row["replacement_on"] or row["life"]["ends_on"]} for row in rows]
    last = today.isoformat() if years <= 0 else date(min(9999, today.year + int(years)), today.month, min(today.day, 28)).isoformat()
    return sorted((row for row in due if row["due_on"] is not None and row["due_on"] <= last), key=lambda row: (row["due_on"], row["code"]))
