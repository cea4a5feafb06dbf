"""Opening work orders, by hand and for an alert. The row itself is made in opening, lists are in order_lists, acts in order_acts.

Nothing here commits.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.events import AlertType, Severity
from server.errors import Conflict, Invalid
from server.models.alerts import AlertRecord
from server.models.people import User
from server.models.plant import Asset
from server.models.work import Policy, WorkOrder
from server.rules.order_types import OrderType
from server.rules.priorities import Priority, parse, priority_for
from server.rules.roles import Role
from server.rules.wording import TITLE_MAX
from server.rules.work_order import IN_WORK, UNVERIFIED, OrderState
from server.store import alerts, assets, crews, diagnoses, opening, order_acts, order_lists, order_rows, procedures
from server.store.actor import Person, need

REPEAT_WITHIN = timedelta(days=30)

act = order_acts.act
get_order = order_rows.get_order
list_orders = order_lists.list_orders
NewOrder = opening.NewOrder
insert = opening.insert
opened = opening.opened
open_by_system = opening.open_by_system


def create_order(session: Session, new: NewOrder, user: Person, now: datetime) -> WorkOrder:
    """Open an order by hand; an operator requests, others open. Raises Invalid, NotFound or Forbidden."""
    need(user, "orders.create")
    asset = assets.get_asset(session, new.asset_id, user)
    title = new.title.strip()
    if not title or len(title) > TITLE_MAX:
        raise Invalid("title", "length", f"1 to {TITLE_MAX} characters")
    if new.type not in set(OrderType):
        raise Invalid("type", "unknown", f"one of {', '.join(OrderType)}")
    if new.priority is not None and parse(new.priority) is None:
        raise Invalid("priority", "unknown", f"one of {', '.join(Priority)}")
    order = insert(session, new, asset, user, now)
    if user.role == Role.OPERATOR:
        order.state = str(OrderState.REQUESTED)
    return opened(session, order, user, now)


def create_from_alert(session: Session, alert_id: int, user: Person, now: datetime, *, proof_s: float | None = None) -> WorkOrder:
    """Open the order of an alert by hand; raises Conflict when one is not verified yet."""
    need(user, "orders.create")
    alert = alerts.get_alert(session, alert_id, user)
    if alert.resolved_at is not None:
        raise Conflict("wrong_state", "the alert is resolved", "resolved")
    order = unverified_of(session, alert)
    if order is not None:
        raise Conflict("order_open", f"{order.number} works on it already", order.state)
    if alert.asset_id is None:
        raise Conflict("no_asset", "the alert belongs to no asset; open an order on one", None)
    return open_for_alert(session, alert, session.get_one(Asset, alert.asset_id), None, user, now, proof_s=proof_s)


def unverified_of(session: Session, alert: AlertRecord) -> WorkOrder | None:
    """The order that works on the alert, on an earlier one of the same (asset, tag, type, code), or on the same tag; None without one.

    One worn bearing is a limit, a drift and a pattern at once: one tag in trouble is one job, whatever found it.
    """
    place = (
        AlertRecord.asset_id.is_not_distinct_from(alert.asset_id),
        AlertRecord.tag.is_not_distinct_from(alert.tag),
    )
    kind = (AlertRecord.type == alert.type, AlertRecord.code.is_not_distinct_from(alert.code))
    same = select(AlertRecord.id).where(*place, *(() if alert.tag else kind))
    query = select(WorkOrder).where(WorkOrder.alert_id.in_(same), WorkOrder.state.in_([str(state) for state in UNVERIFIED]))
    return session.scalars(query.order_by(WorkOrder.id.desc()).limit(1)).one_or_none()


def open_for_alert(
    session: Session, alert: AlertRecord, asset: Asset, policy: Policy | None, by: Person, now: datetime, *, proof_s: float | None
) -> WorkOrder:
    """The order of an alert, as the policy row says or by severity and criticality; assigned at once where the policy wants it."""
    crew = crews.crew_of(session, alert, asset, policy) if policy else None
    priority = parse(policy.priority or "") if policy else None
    priority = priority or priority_for(Severity(alert.severity), asset.criticality)
    repeat = _earlier(session, alert, now)
    title = policy.title if policy and policy.title else diagnoses.order_title(alert)
    promised = now + timedelta(hours=policy.due_hours) if policy and policy.due_hours else None
    new = NewOrder(
        title=title[:TITLE_MAX],
        asset_id=asset.id,
        description=alert.message,
        type="calibration" if alert.type == AlertType.CALIBRATION_OVERDUE else "corrective",
        priority=priority,
        alert_id=alert.id,
        procedure_id=procedures.of_code(session, alert, asset) or (crew.procedure_id if crew else None),
        team_id=crew.team_id if crew else None,
        due=promised,
        sla_at=promised,
        proof_s=policy.proof_s if policy and policy.proof_s else proof_s,
        repeat_of_id=repeat.id if repeat else None,
    )
    order = insert(session, new, asset, by, now)
    alert.work_order_id = order.id
    opened(session, order, by, now)
    if crew and crew.auto_assign and crew.team_id is not None:
        person = least_loaded(session, crew.team_id)
        if person is not None:
            order_acts.assign_to(session, order, person, by, now)
    return order


def _earlier(session: Session, alert: AlertRecord, now: datetime) -> WorkOrder | None:
    query = (
        select(WorkOrder)
        .join(AlertRecord, AlertRecord.id == WorkOrder.alert_id)
        .where(
            AlertRecord.asset_id.is_not_distinct_from(alert.asset_id),
            AlertRecord.tag.is_not_distinct_from(alert.tag),
            AlertRecord.type == alert.type,
            WorkOrder.created_at > now - REPEAT_WITHIN,
        )
    )
    return session.scalars(query.order_by(WorkOrder.id.desc()).limit(1)).one_or_none()


def least_loaded(session: Session, team_id: int) -> User | None:
    """The on-duty technician of the team with the fewest orders in hand; the one longest in the house where several are."""
    in_hand = [str(state) for state in (OrderState.ASSIGNED, OrderState.REOPENED, *IN_WORK)]
    load = select(func.count(WorkOrder.id)).where(WorkOrder.assignee_id == User.id, WorkOrder.state.in_(in_hand)).scalar_subquery()
    query = select(User).where(User.team_id == team_id, User.active, User.on_duty, User.role == str(Role.TECHNICIAN))
    return session.scalars(query.order_by(load, User.id).limit(1)).one_or_none()
