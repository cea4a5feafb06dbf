"""From a told alert to work: an occurrence on the order that is not verified yet, else a new order where the policy wants one."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import FactName, Severity
from server import audit, bodies
from server.models.alerts import AlertRecord
from server.models.plant import Asset, Tag
from server.models.work import Occurrence, WorkOrder
from server.rules.notices import Topic
from server.rules.policy import Route
from server.rules.priorities import RANK, Priority, priority_for
from server.store import conditions, maintenance, orders, sla_hours
from server.store.actor import SYSTEM
from server.store.conditions import Condition, Folded
from server.store.judgement import policy_for, route_of
from server.store.notifications import Message, notify
from server.store.outbox import Draft, emit
from server.store.preferences import watchers
from server.timestamps import from_ms


def pursue(session: Session, folded: Folded, condition: Condition, now: datetime, proof_s: float) -> None:
    """After folding an open or update edge."""
    alert = folded.alert
    if alert.condition != "active" or not conditions.announced(alert):
        return
    if folded.told:
        _call_attention(session, alert, now)
    order = orders.unverified_of(session, alert)
    if order is not None:
        alert.work_order_id = order.id
        if folded.told:
            _press(session, order, alert, now)
        if folded.fresh:
            _count(session, order, alert, condition, now)
    elif folded.told or folded.fresh or alert.work_order_id is None:
        open_by_policy(session, alert, now, proof_s)


def pursue_held_back(session: Session, alert: AlertRecord, now: datetime, proof_s: float) -> None:
    """An alert that waited while its asset was in work and is told now."""
    _call_attention(session, alert, now)
    order = orders.unverified_of(session, alert)
    if order is not None:
        alert.work_order_id = order.id
    else:
        open_by_policy(session, alert, now, proof_s)


def _call_attention(session: Session, alert: AlertRecord, now: datetime) -> None:
    """Tell those who want to hear of such an alert; a flood of one area is told as one."""
    if alert.asset_id is not None and maintenance.is_muted(session, alert.asset_id, now):
        return
    asset = session.get(Asset, alert.asset_id) if alert.asset_id is not None else None
    severity = Severity(alert.severity)
    message = Message(
        kind="alert_critical" if severity is Severity.CRITICAL else "alert",
        title=f"{asset.code}: {alert.message}" if asset else alert.message,
        alert_id=alert.id,
        site_id=alert.site_id,
        topic=Topic.ALERT,
        severity=severity,
        area_id=asset.area_id if asset else None,
        group=f"alerts:{asset.area_id if asset else 'none'}:{severity}",
    )
    notify(session, watchers(session, alert.site_id), message, now)


def _press(session: Session, order: WorkOrder, alert: AlertRecord, now: datetime) -> None:
    """An alert that grew worse makes its order more urgent, never less; a priority that the policy names stays."""
    asset = session.get_one(Asset, order.asset_id)
    policy = policy_for(session, alert, asset)
    wanted = priority_for(Severity(alert.severity), asset.criticality)
    if (policy is not None and policy.priority) or RANK[wanted] >= RANK[Priority(order.priority)]:
        return
    change = audit.Change("escalate", "work_order", order.id, order.site_id, {"priority": order.priority}, {"priority": str(wanted)})
    order.priority = str(wanted)
    by = sla_hours.promised(session, order.site_id, wanted, now)
    order.due = min(order.due, by) if order.due else by
    order.changed_at = now
    order.rev += 1
    audit.record(session, change, SYSTEM, now)
    body = bodies.order_body(session, order)
    emit(session, Draft(FactName.WORK_ORDER_CHANGED, order.id, order.rev, SYSTEM.name, order.site_id, body), now)


def _count(session: Session, order: WorkOrder, alert: AlertRecord, condition: Condition, now: datetime) -> None:
    known = select(Occurrence.id).where(Occurrence.order_id == order.id, Occurrence.finding_key == condition.key)
    if session.scalar(known) is None:
        at = from_ms(condition.t)
        session.add(
            Occurrence(
                order_id=order.id,
                alert_id=alert.id,
                finding_key=condition.key,
                detector=condition.detector,
                value=condition.subject.value,
                at=at,
            )
        )
    order.occurrences += 1
    order.changed_at = now
    order.rev += 1
    body = bodies.order_body(session, order)
    emit(session, Draft(FactName.WORK_ORDER_CHANGED, order.id, order.rev, SYSTEM.name, order.site_id, body), now)


def open_by_policy(session: Session, alert: AlertRecord, now: datetime, proof_s: float) -> WorkOrder | None:
    """The order that the site's policy wants for this alert; None where the budget or the policy says no."""
    asset = _asset_of(session, alert)
    if asset is None or route_of(session, alert) is not Route.ORDER:
        return None
    policy = policy_for(session, alert, asset)
    if policy is None or not policy.opens_order:
        return None
    return orders.open_for_alert(session, alert, asset, policy, SYSTEM, now, proof_s=proof_s)


def _asset_of(session: Session, alert: AlertRecord) -> Asset | None:
    """The alert's asset; for a lost source the one with most of its tags: somebody must go somewhere."""
    if alert.asset_id is not None:
        return session.get(Asset, alert.asset_id)
    names = list(alert.data.get("tags", []))
    owners = Counter(session.scalars(select(Tag.asset_id).where(Tag.name.in_(names), Tag.deleted_at.is_(None))))
    return session.get(Asset, max(owners, key=lambda id_: (owners[id_], -id_))) if owners else None
