"""Who gets an order: the crew that the policy names for what the triage suspects, not only for what alarmed (N-28).

Nothing here commits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from realtime.events import AlertType, FactName
from server import audit, bodies
from server.models.alerts import AlertRecord
from server.models.plant import Asset
from server.models.work import Policy, WorkOrder
from server.rules.triage import Suspect
from server.rules.wording import TITLE_MAX
from server.rules.work_order import OrderState
from server.store import diagnoses
from server.store.actor import SYSTEM
from server.store.judgement import policy_for
from server.store.outbox import Draft, emit

# Suspect -> the alert type whose policy row names the crew for it.
ROW_OF = {
    Suspect.SENSOR: AlertType.INSTRUMENT_FAULT,
    Suspect.PROCESS: AlertType.RULE_VIOLATION,
    Suspect.CONNECTION: AlertType.SOURCE_LOST,
}


def crew_of(session: Session, alert: AlertRecord, asset: Asset, policy: Policy) -> Policy:
    """The row that names team and procedure: that of the suspect where the site has one with a team, else the alert's own."""
    suspect = Suspect((alert.data.get("diagnosis") or {}).get("suspect", Suspect.UNKNOWN))
    wanted = ROW_OF.get(suspect)
    if wanted is None or alert.type in {wanted, AlertType.MACHINE_FAULT, AlertType.CALIBRATION_OVERDUE}:
        return policy
    row = policy_for(session, alert, asset, wanted)
    return row if row is not None and row.team_id is not None else policy


def follow(session: Session, alert: AlertRecord, called: str, now: datetime) -> bool:
    """Let an order that nobody has begun follow the triage, its crew too while nobody has taken it; True when it changed.

    called: its title as the alert's diagnosis had it before; another one is a person's or the policy's, and stays.
    """
    order = session.get(WorkOrder, alert.work_order_id, with_for_update={"key_share": True}) if alert.work_order_id else None
    if order is None or order.alert_id != alert.id or order.state not in {OrderState.OPEN, OrderState.ASSIGNED}:
        return False
    old = _routed(order)
    crew = _other_crew(session, alert, order)
    if crew is not None:
        order.team_id, order.procedure_id = crew.team_id, crew.procedure_id or order.procedure_id
    if order.title == called[:TITLE_MAX]:
        order.title = diagnoses.order_title(alert)[:TITLE_MAX]
    new = _routed(order)
    if new == old:
        return False
    order.changed_at = now
    order.rev += 1
    audit.record(session, audit.Change("route", "work_order", order.id, order.site_id, old, new), SYSTEM, now)
    body = bodies.order_body(session, order)
    emit(session, Draft(FactName.WORK_ORDER_CHANGED, order.id, order.rev, SYSTEM.name, order.site_id, body), now)
    return True


def _routed(order: WorkOrder) -> dict[str, Any]:
    return {"team": order.team_id, "procedure": order.procedure_id, "title": order.title}


def _other_crew(session: Session, alert: AlertRecord, order: WorkOrder) -> Policy | None:
    """The row of the crew that an untaken order moves to; None where it stays."""
    asset = session.get_one(Asset, order.asset_id)
    policy = policy_for(session, alert, asset) if order.state == OrderState.OPEN and order.assignee_id is None else None
    if policy is None or order.team_id != policy.team_id:
        return None
    crew = crew_of(session, alert, asset, policy)
    return None if crew is policy or crew.team_id == order.team_id else crew
