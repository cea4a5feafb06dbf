"""Overdue calibrations: one alert an instrument, an order by policy or without one, returned when it is calibrated (S2-12..14).

Nothing here commits. `see_overdue` is the leader's task, `settle` follows a calibration at once.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType, Edge, Severity
from server.models.alerts import AlertFinding, AlertRecord
from server.models.plant import Asset, Instrument
from server.models.work import WorkOrder
from server.rules.calibration import is_overdue
from server.rules.wording import Subject
from server.rules.work_order import IN_WORK
from server.store import assets, conditions, judgement, orders, pursuit
from server.store.actor import SYSTEM
from server.store.conditions import Condition
from server.timestamps import to_ms

DETECTOR = "system"
AT_ONCE = 500  # instruments a run; the next run takes the rest


def see_overdue(session: Session, now: datetime) -> int:
    """Raise what became overdue and return what no longer is; the number of changes. Repeating it changes nothing."""
    standing = _standing(session)
    query = select(Instrument, Asset).join(Asset, Asset.id == Instrument.asset_id)
    overdue = query.where(Instrument.deleted_at.is_(None), Asset.deleted_at.is_(None), Instrument.calibration_due <= now)
    due = {instrument.id: (instrument, asset) for instrument, asset in session.execute(overdue.order_by(Instrument.calibration_due))}
    changes = 0
    for instrument, asset in [pair for id_, pair in due.items() if id_ not in standing][:AT_ONCE]:
        _fold(session, "open", instrument, asset, now)
        changes += 1
    for instrument_id in sorted(standing - due.keys()):
        instrument = session.get_one(Instrument, instrument_id)
        _fold(session, "close", instrument, session.get_one(Asset, instrument.asset_id), now)
        changes += 1
    _open_orders(session, now)
    return changes


def settle(session: Session, instrument: Instrument, asset: Asset, now: datetime) -> None:
    """After a calibration: its alert returns at once where it is no longer overdue."""
    if not is_overdue(instrument.calibration_due, now):
        _fold(session, "close", instrument, asset, now)


def order_in_work(session: Session, instrument: Instrument) -> WorkOrder | None:
    """The calibration order of the instrument that somebody works on now: a calibration recorded meanwhile belongs to it."""
    raised = select(AlertRecord.id).where(AlertRecord.type == str(AlertType.CALIBRATION_OVERDUE), AlertRecord.tag == instrument.tag)
    query = select(WorkOrder).where(WorkOrder.alert_id.in_(raised), WorkOrder.asset_id == instrument.asset_id)
    query = query.where(WorkOrder.state.in_([str(state) for state in IN_WORK]))
    return session.scalars(query.order_by(WorkOrder.id.desc()).limit(1)).one_or_none()


def _key(instrument_id: int) -> str:
    return f"calibration:{instrument_id}"


def _standing(session: Session) -> set[int]:
    query = select(AlertFinding.key).where(AlertFinding.type == str(AlertType.CALIBRATION_OVERDUE), AlertFinding.active)
    return {int(key.rpartition(":")[2]) for key in session.scalars(query)}


def _open_orders(session: Session, now: datetime) -> None:
    """Orders of told alerts that have none because the site has no policy for this: by severity and criticality."""
    kind = (AlertRecord.type == str(AlertType.CALIBRATION_OVERDUE), AlertRecord.condition == "active", AlertRecord.resolved_at.is_(None))
    waiting = select(AlertRecord).where(*kind, AlertRecord.work_order_id.is_(None)).order_by(AlertRecord.id).limit(AT_ONCE)
    for alert in session.scalars(waiting.with_for_update(skip_locked=True)).all():
        asset = session.get(Asset, alert.asset_id) if alert.asset_id is not None else None
        if asset is not None and conditions.announced(alert) and judgement.policy_for(session, alert, asset) is None:
            orders.open_for_alert(session, alert, asset, None, SYSTEM, now, proof_s=None)


def _fold(session: Session, edge: Edge, instrument: Instrument, asset: Asset, now: datetime) -> None:
    condition = _condition(edge, instrument, asset, now)
    folded = conditions.fold(session, condition, now)
    if folded is None:
        return
    if edge != "close":
        pursuit.pursue(session, folded, condition, now, 0.0)
    assets.follow(session, asset.id, SYSTEM.name, now)


def _condition(edge: Edge, instrument: Instrument, asset: Asset, now: datetime) -> Condition:
    due = instrument.calibration_due or now
    critical = instrument.criticality in {"high", "critical"}
    return Condition(
        key=_key(instrument.id),
        edge=edge,
        site_id=asset.site_id,
        asset_id=asset.id,
        tag_id=instrument.tag_id,
        subject=Subject(type=AlertType.CALIBRATION_OVERDUE, code=None, asset=asset.code, tag=instrument.tag, label=instrument.name),
        detector=DETECTOR,
        severity=Severity.WARNING if critical else Severity.ADVISORY,
        t=to_ms(now),
        t_onset=min(to_ms(due), to_ms(now)),
        data={"instrument": instrument.id, "instrument_tag": instrument.tag},
    )
