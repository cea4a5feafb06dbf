"""Verdicts by detector, alert type, asset class and instrument, and repeats. Reads only.

A verdict is what an alert-born order was closed with, or a dismissal from the watch list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.alerts import AlertRecord
from server.models.plant import Asset, AssetClass
from server.models.work import WorkOrder
from server.rules import verdicts as rules
from server.rules.verdicts import Job, Repeat
from server.store.judged import DISMISSED, IS_DISMISSED
from server.timestamps import rfc3339

SCOPES = ("detector", "type", "class", "instrument")
MOST = 200_000
OWN_KIND = "calibration_overdue"  # its order ends with a record, not a verdict


@dataclass(frozen=True, slots=True)
class _Row:
    """An alert-born order with what found its trouble; names by scope."""

    number: str
    verdict: str | None
    opened: datetime
    ended: datetime | None
    subject: tuple[str | None, ...]
    names: dict[str, str]


def figures(session: Session, site: int | None, start: datetime, end: datetime) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(rows of precision by scope and name, repeats) of orders opened, and of entries judged without one raised, in [start, end)."""
    rows = _rows(session, site, start, end)
    again = rules.repeats([Job(row.number, row.subject, row.opened, row.ended) for row in rows])
    return _precision(rows + _dismissed(session, site, start, end), again), [_repeat(one) for one in again]


def _rows(session: Session, site: int | None, start: datetime, end: datetime) -> list[_Row]:
    query = (
        select(
            WorkOrder.number,
            WorkOrder.verdict,
            WorkOrder.created_at,
            WorkOrder.verified_at,
            AlertRecord.detector,
            AlertRecord.type,
            AlertRecord.tag,
            AlertRecord.code,
            Asset.code,
            AssetClass.name,
        )
        .join(AlertRecord, AlertRecord.id == WorkOrder.alert_id)
        .join(Asset, Asset.id == WorkOrder.asset_id)
        .outerjoin(AssetClass, AssetClass.id == Asset.class_id)
        .where(WorkOrder.created_at >= start, WorkOrder.created_at < end, AlertRecord.type != OWN_KIND)
    )
    if site is not None:
        query = query.where(WorkOrder.site_id == site)
    return [_row(row) for row in session.execute(query.order_by(WorkOrder.id).limit(MOST))]


def _row(found: Sequence[Any]) -> _Row:
    number, verdict, opened, ended, detector, type_, tag, code, asset, class_ = found
    names = {"detector": detector, "type": type_, "class": class_ or "", "instrument": tag or asset}
    return _Row(number, verdict, opened, ended, (asset, tag, type_, code), names)


def _dismissed(session: Session, site: int | None, start: datetime, end: datetime) -> list[_Row]:
    """Entries of the watch list that a person judged without an order."""
    a = AlertRecord
    query = (
        select(a.number, DISMISSED, a.raised_at, a.resolved_at, a.detector, a.type, a.tag, a.code, Asset.code, AssetClass.name)
        .join(Asset, Asset.id == a.asset_id)
        .outerjoin(AssetClass, AssetClass.id == Asset.class_id)
        .where(IS_DISMISSED, a.raised_at >= start, a.raised_at < end)
    )
    if site is not None:
        query = query.where(a.site_id == site)
    return [_row(row) for row in session.execute(query.order_by(a.id).limit(MOST))]


def _precision(rows: list[_Row], again: list[Repeat]) -> list[dict[str, Any]]:
    repeated = {one.second for one in again}
    made: list[dict[str, Any]] = []
    for scope in SCOPES:
        said: dict[str, list[str]] = {}
        for row in rows:
            if row.verdict is not None and row.names[scope]:
                said.setdefault(row.names[scope], []).append(row.verdict)
        came_back = Counter(row.names[scope] for row in rows if row.number in repeated)
        for name, verdicts in sorted(said.items()):
            found = rules.precision_of(name, verdicts)
            made.append({"scope": scope, **asdict(found), "verdicts": found.verdicts, "repeats": came_back[name]})
    return made


def _repeat(one: Repeat) -> dict[str, Any]:
    asset, tag, type_, code = one.subject
    days = round(one.after.total_seconds() / 86_400, 2)
    return {"first": one.first, "second": one.second, "asset": asset, "tag": tag, "type": type_, "code": code, "after_days": days}


def span_body(start: datetime, end: datetime) -> dict[str, Any]:
    """What a span of figures is called in bodies."""
    return {"from": rfc3339(start), "to": rfc3339(end)}
