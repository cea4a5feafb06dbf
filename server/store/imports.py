"""Brings rows of a file into the register: every fault of every bad row is named, and one keeps all rows out. Nothing here commits.

A row whose code (or tag number) is there changes what it names; empty cells leave things as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import Conflict, Invalid, NotFound
from server.models.plant import Asset, Instrument
from server.store import asset_writes, assets, instruments, snapshot_version
from server.store.actor import Person, need

Refused = (Conflict, Invalid, NotFound)
NEEDED = ("tag", "asset", "name", "type")  # of a new instrument


@dataclass(frozen=True, slots=True)
class Loaded:
    """One row as its schema read it; `refused`: columns whose cell the schema did not take, their faults are told already."""

    line: int
    values: Mapping[str, Any]
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Bad:
    """Why a row cannot be taken."""

    line: int
    column: str
    reason: str


@dataclass(slots=True)
class Report:
    """What an import did, or would do."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[Bad] = field(default_factory=list)


def run(session: Session, kind: str, rows: Sequence[Loaded], user: Person, now: datetime) -> Report:
    """Write the rows; where the report has errors nothing may be committed."""
    need(user, "assets.write")
    report = Report()
    if kind == "assets":
        _assets(session, rows, report, user, now)
    else:
        _instruments(session, rows, report, user, now)
    return report


def _assets(session: Session, rows: Sequence[Loaded], report: Report, user: Person, now: datetime) -> None:
    """Assets first, then what they are part of: a parent may stand further down."""
    seen: dict[str, int] = {}
    listed = frozenset(row.values["code"] for row in rows if row.values.get("code"))
    placed: list[tuple[Loaded, Asset, str]] = []
    for row in rows:
        faults = _faults(row.line, _asset_checks(session, row, seen, listed, user))
        report.errors += faults
        if faults or row.refused:
            continue
        try:
            with session.begin_nested():
                placed.append((row, *_asset(session, row, user, now)))
        except Refused as error:
            report.errors.append(_bad(row.line, error))
    for row, asset, did in placed:
        moved = _placed(session, row, asset, report, user, now)
        done = "updated" if moved and did == "unchanged" else did
        setattr(report, done, getattr(report, done) + 1)
    if report.created or report.updated:
        snapshot_version.bump(session, now, user.name)


Check = Callable[[], object]


def _faults(line: int, checks: Iterator[Check]) -> list[Bad]:
    """What these checks refuse, all of it."""
    found: list[Bad] = []
    for check in checks:
        try:
            check()
        except Refused as error:
            found.append(_bad(line, error))
    return found


def _asset_checks(session: Session, row: Loaded, seen: dict[str, int], listed: frozenset[str], user: Person) -> Iterator[Check]:
    values, site = row.values, user.site_id
    if site is None:
        return
    yield lambda: _once(seen, row, "code")
    if values.get("code"):
        yield lambda: asset_writes.check_code(values["code"])
    if "area" in values:
        yield lambda: asset_writes.area_id(session, site, values["area"])
    if "class" in values:
        yield lambda: asset_writes.class_id(session, values["class"])
    if values.get("parent") and values["parent"] not in listed:
        yield lambda: asset_writes.parent_id(session, site, values["parent"])


def _asset(session: Session, row: Loaded, user: Person, now: datetime) -> tuple[Asset, str]:
    own = {name: value for name, value in row.values.items() if name != "parent"}
    known = _asset_named(session, own.get("code"), user)
    if known is None:
        return asset_writes.added(session, own, user, now), "created"
    return known, "updated" if asset_writes.changed_columns(session, known, own, user, now) else "unchanged"


def _placed(session: Session, row: Loaded, asset: Asset, report: Report, user: Person, now: datetime) -> bool:
    if "parent" not in row.values:
        return False
    try:
        with session.begin_nested():
            return bool(asset_writes.changed_columns(session, asset, {"parent": row.values["parent"]}, user, now))
    except Invalid as error:
        if error.code != "unknown":  # it stands in the list, in a bad row: that one is named
            report.errors.append(_bad(row.line, error))
        return False


def _asset_named(session: Session, code: str | None, user: Person) -> Asset | None:
    query = select(Asset).where(Asset.site_id == user.site_id, Asset.code == code, Asset.deleted_at.is_(None))
    return session.scalars(query).one_or_none() if code else None


def _instruments(session: Session, rows: Sequence[Loaded], report: Report, user: Person, now: datetime) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        known = _instrument_named(session, row.values.get("tag"), user)
        faults = _faults(row.line, _instrument_checks(session, row, seen, known, user))
        report.errors += faults
        if faults or row.refused:
            continue
        try:
            with session.begin_nested():
                _instrument(session, row, known, report, user, now)
        except Refused as error:
            report.errors.append(_bad(row.line, error))


def _instrument_named(session: Session, tag: str | None, user: Person) -> Instrument | None:
    query = select(Instrument).join(Asset, Asset.id == Instrument.asset_id)
    query = query.where(Asset.site_id == user.site_id, Instrument.tag == tag, Instrument.deleted_at.is_(None))
    return session.scalars(query).one_or_none() if tag else None


def _instrument_checks(session: Session, row: Loaded, seen: dict[str, int], known: Instrument | None, user: Person) -> Iterator[Check]:
    values, site = row.values, user.site_id
    yield lambda: _once(seen, row, "tag")
    missing = [name for name in NEEDED if known is None and not values.get(name) and name not in row.refused]
    yield from (partial(_needed, name) for name in missing)
    if values.get("asset"):
        yield lambda: assets.get_asset(session, values["asset"], user)
    if values.get("area") and site is not None:
        yield lambda: asset_writes.area_id(session, site, values["area"])
    if known is None and values.get("tag"):
        yield lambda: instruments.check_free(session, values["tag"])
    low, high = (values.get(name, getattr(known, name, None)) for name in ("range_low", "range_high"))
    yield lambda: instruments.check_range(low, high)


def _needed(name: str) -> None:
    raise Invalid(name, "required", "a new instrument needs it")


def _instrument(session: Session, row: Loaded, known: Instrument | None, report: Report, user: Person, now: datetime) -> None:
    if known is not None:
        values = {name: value for name, value in row.values.items() if name != "tag"}
        changed = instruments.change_instrument(session, known, values, user, now)
        report.updated += changed
        report.unchanged += not changed
        return
    instruments.create_instrument(session, row.values, user, now)
    report.created += 1


def _once(seen: dict[str, int], row: Loaded, column: str) -> None:
    key = row.values.get(column)
    if not key:
        return
    if key in seen:
        raise Invalid(column, "twice", f"{key} stands in line {seen[key]} already")
    seen[key] = row.line


def _bad(line: int, error: Conflict | Invalid | NotFound) -> Bad:
    if isinstance(error, Invalid):
        return Bad(line, error.field, error.detail)
    if isinstance(error, NotFound):
        return Bad(line, error.what, str(error))
    return Bad(line, "tag" if error.code == "tag_taken" else "code", str(error))
