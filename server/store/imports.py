"""Brings rows of a file into the register: every bad row is named, and one bad row keeps all of them out. Nothing here commits.

A row whose code (or tag number) is there changes what it names; empty cells leave things as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import Conflict, Invalid, NotFound
from server.models.plant import Asset, Instrument
from server.store import asset_writes, instruments, snapshot_version
from server.store.actor import Person, need


@dataclass(frozen=True, slots=True)
class Loaded:
    """One row as its schema read it."""

    line: int
    values: Mapping[str, Any]


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
    placed: list[tuple[Loaded, Asset, str]] = []
    for row in rows:
        try:
            _once(seen, row, "code")
            with session.begin_nested():
                placed.append((row, *_asset(session, row, user, now)))
        except (Conflict, Invalid, NotFound) as error:
            report.errors.append(_bad(row.line, error))
    for row, asset, did in placed:
        moved = _placed(session, row, asset, report, user, now)
        done = "updated" if moved and did == "unchanged" else did
        setattr(report, done, getattr(report, done) + 1)
    if report.created or report.updated:
        snapshot_version.bump(session, now, user.name)


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
        report.errors.append(_bad(row.line, error))
        return False


def _asset_named(session: Session, code: str | None, user: Person) -> Asset | None:
    query = select(Asset).where(Asset.site_id == user.site_id, Asset.code == code, Asset.deleted_at.is_(None))
    return session.scalars(query).one_or_none() if code else None


def _instruments(session: Session, rows: Sequence[Loaded], report: Report, user: Person, now: datetime) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        try:
            _once(seen, row, "tag")
            with session.begin_nested():
                _instrument(session, row, report, user, now)
        except (Conflict, Invalid, NotFound) as error:
            report.errors.append(_bad(row.line, error))


def _instrument(session: Session, row: Loaded, report: Report, user: Person, now: datetime) -> None:
    query = select(Instrument).join(Asset, Asset.id == Instrument.asset_id)
    query = query.where(Asset.site_id == user.site_id, Instrument.tag == row.values.get("tag"), Instrument.deleted_at.is_(None))
    known = session.scalars(query).one_or_none()
    if known is not None:
        values = {name: value for name, value in row.values.items() if name != "tag"}
        changed = instruments.change_instrument(session, known, values, user, now)
        report.updated += changed
        report.unchanged += not changed
        return
    missing = next((name for name in ("tag", "asset", "name", "type") if not row.values.get(name)), None)
    if missing is not None:
        raise Invalid(missing, "required", "a new instrument needs it")
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
    return Bad(line, error.what if isinstance(error, NotFound) else "", str(error))
