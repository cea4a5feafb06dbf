"""What people said of alerts: the verdict that the order was closed with, or a dismissal from the watch list. Reads only."""

from __future__ import annotations

from sqlalchemy import Subquery, func, select
from sqlalchemy.orm import Session

from server.models.alerts import AlertRecord
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules.work_order import OrderVerdict

DISMISSED = AlertRecord.data["verdict"].as_string()  # counts while it is an entry: of an alert its order speaks
IS_DISMISSED = AlertRecord.watch & DISMISSED.is_not(None)


def verdicts() -> Subquery:
    """(class_id, site_id, type, detector, at, verdict), a row a verdict; at: when the order was opened or the entry was raised."""
    columns = (Asset.class_id, Asset.site_id, AlertRecord.type, AlertRecord.detector)
    closed = select(*columns, WorkOrder.created_at.label("at"), WorkOrder.verdict.label("verdict")).select_from(WorkOrder)
    closed = closed.join(AlertRecord, AlertRecord.id == WorkOrder.alert_id).join(Asset, Asset.id == WorkOrder.asset_id)
    dismissed = select(*columns, AlertRecord.raised_at, DISMISSED).join(Asset, Asset.id == AlertRecord.asset_id)
    return closed.where(WorkOrder.verdict.is_not(None)).union_all(dismissed.where(IS_DISMISSED)).subquery()


def of_class(session: Session, class_id: int | None) -> dict[str, tuple[int, int]]:
    """Alert type -> (confirmed, all) verdicts of one asset class; empty without a class."""
    if class_id is None:
        return {}
    said = verdicts()
    confirmed = func.count().filter(said.c.verdict == str(OrderVerdict.CONFIRMED))
    query = select(said.c.type, confirmed, func.count()).where(said.c.class_id == class_id).group_by(said.c.type)
    return {type_: (good, n) for type_, good, n in session.execute(query)}
