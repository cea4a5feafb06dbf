"""Steps of the one story that stores and worker tests tell again and again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import Finding
from server.folding import fold_finding
from server.models.alerts import AlertRecord
from server.models.outbox import Outbox
from server.models.work import WorkOrder
from server.rules.steps import StepAnswer
from server.store import orders, steps
from tests.server.small_plant import NOW, SmallPlant, finding

PROOF_S = 60.0


def fold(session: Session, found: Finding, now: datetime = NOW) -> None:
    fold_finding(session, found, now, PROOF_S)
    session.flush()


def raised_order(session: Session, plant: SmallPlant) -> WorkOrder:
    """The order that the pump's vibration opened."""
    fold(session, finding(plant))
    return session.scalars(select(WorkOrder)).one()


def worked(session: Session, plant: SmallPlant, order: WorkOrder, now: datetime = NOW) -> None:
    """Started and every wanted step done by its assignee."""
    who = plant["benali"] if order.assignee_id == plant["benali"].id else plant["moreau"]
    orders.act(session, order.id, "start", who, now)
    steps.record(session, order.id, "s1", StepAnswer(), who, "touch", now, now)
    steps.record(session, order.id, "s3", StepAnswer(value=2.1, unit="mm/s"), who, "keys", now, now)


def completed(session: Session, plant: SmallPlant, order: WorkOrder, now: datetime = NOW, **fields: Any) -> None:
    """Worked and closed."""
    worked(session, plant, order, now)
    who = plant["benali"] if order.assignee_id == plant["benali"].id else plant["moreau"]
    given = {"notes": "Bearing replaced", "verdict": "confirmed", **fields}
    orders.act(session, order.id, "complete", who, now + timedelta(minutes=30), **given)


def alert_of(session: Session) -> AlertRecord:
    return session.scalars(select(AlertRecord).order_by(AlertRecord.id)).one()


def fact_names(session: Session) -> list[str]:
    return list(session.scalars(select(Outbox.name).order_by(Outbox.id)))
