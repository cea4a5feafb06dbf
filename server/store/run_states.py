"""When machines ran, and when something above them stood: read from operating periods, for run hours and availability."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from server.models.plant import Asset, OperatingPeriod
from server.rules.asset import Operating
from server.rules.calendar import Span
from server.rules.downtime import DOWN


@dataclass(slots=True)
class RunState:
    """Stretches of one machine since a time. settled: everything before it is closed and can never change any more."""

    settled: datetime
    running: list[Span] = field(default_factory=list)
    parents_down: list[Span] = field(default_factory=list)


def run_states(session: Session, asset_ids: Collection[int], since: datetime, until: datetime) -> dict[int, RunState]:
    """By asset. One that has no state of its own runs when the nearest machine above it that has one runs.

    Open periods count until `until`. News of a machine is never older than its last change, so what lies before that is settled.
    """
    above = _lines(session, asset_ids)
    spans = _periods(session, {id_ for line in above.values() for id_, _ in line}, since, until)
    found: dict[int, RunState] = {}
    for asset_id, line in above.items():
        speaking = [(id_, changed) for id_, changed in line if changed is not None]
        state = RunState(min((changed for _, changed in speaking), default=until))
        if speaking:
            own, *parents = speaking
            state.running = [span for does, span in spans.get(own[0], ()) if does == Operating.RUNNING]
            state.parents_down = [span for id_, _ in parents for does, span in spans.get(id_, ()) if does in DOWN]
        found[asset_id] = state
    return found


def _lines(session: Session, asset_ids: Collection[int]) -> dict[int, list[tuple[int, datetime | None]]]:
    """(id, last change) of each asset and of what is above it, upwards."""
    start = select(Asset.id.label("of"), Asset.id, Asset.parent_id, Asset.operating_since, literal(0).label("depth"))
    line = start.where(Asset.id.in_(asset_ids)).cte(recursive=True)
    up = select(line.c.of, Asset.id, Asset.parent_id, Asset.operating_since, line.c.depth + 1).join(line, Asset.id == line.c.parent_id)
    line = line.union_all(up.where(line.c.depth < 20))
    found: dict[int, list[tuple[int, datetime | None]]] = {}
    for row in session.execute(select(line).order_by(line.c.of, line.c.depth)):
        found.setdefault(row.of, []).append((row.id, row.operating_since))
    return found


def _periods(session: Session, asset_ids: Collection[int], since: datetime, until: datetime) -> dict[int, list[tuple[str, Span]]]:
    query = select(OperatingPeriod.asset_id, OperatingPeriod.operating, OperatingPeriod.started_at, OperatingPeriod.ended_at)
    query = query.where(OperatingPeriod.asset_id.in_(asset_ids), OperatingPeriod.started_at < until)
    found: dict[int, list[tuple[str, Span]]] = {}
    for row in session.execute(query.where(OperatingPeriod.ended_at.is_(None) | (OperatingPeriod.ended_at > since))):
        found.setdefault(row.asset_id, []).append((row.operating, Span(max(row.started_at, since), min(row.ended_at or until, until))))
    return found
