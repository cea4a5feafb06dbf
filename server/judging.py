"""Judges open proof windows: history says how the tags ran, the findings say whether it came back; the rule decides."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime import historian
from realtime.events import FactName
from server import bodies
from server.models.alerts import AlertRecord
from server.models.work import ProofWindow, WorkOrder
from server.rules import proof
from server.rules.proof import Judgement, ProofState, Span
from server.rules.roles import Role
from server.rules.work_order import OrderAction, OrderState, next_state
from server.store import completion, order_acts, proofs
from server.store.actor import SIGNAL
from server.store.notifications import Message, notify, people_with
from server.store.order_rows import lock
from server.store.outbox import Draft, emit
from server.timestamps import rfc3339

TOLD_STEPS = 10  # progress is told ten times a window


def judge_window(session: Session, window_id: int, now: datetime, *, monitor_lives: bool) -> ProofState | None:
    """Judge one window and do what follows; its state, None when another has it. Reads history on the session's connection."""
    row = session.scalars(select(ProofWindow).where(ProofWindow.id == window_id).with_for_update(skip_locked=True)).one_or_none()
    if row is None or row.state not in proof.OPEN:
        return None
    order = lock(session, row.order_id, SIGNAL)
    alert = session.get_one(AlertRecord, row.alert_id)
    if order.state != OrderState.COMPLETED:
        row.state, row.closed_at, row.reason = str(ProofState.ENDED), now, f"the order is {order.state}"
        return ProofState.ENDED
    spans = [] if now < row.settle_until else measured(session, row, alert, now)
    judged = proof.judge(
        proofs.rule_window(row),
        now,
        still_active=proofs.still_active(session, alert),
        findings=proofs.findings_since_settle(session, row, alert),
        spans=spans,
        monitor_lives=monitor_lives,
    )
    _apply(session, row, order, judged, spans, now)
    return judged.state


def measured(session: Session, row: ProofWindow, alert: AlertRecord, now: datetime) -> list[Span]:
    """What history holds of each tag over the running time since the settle phase."""
    connection = session.connection().connection
    running = proofs.running_spans(session, alert.asset_id, row.settle_until, now)
    spans: list[Span] = []
    for tag_id, name, low, high in proofs.held_tags(session, row.tags):
        parts = [historian.span_stats(connection, tag_id, start, end) for start, end in running if end > start]
        spans.append(
            Span(
                tag=name,
                n_good=sum(part.n_good for part in parts),
                n_bad=sum(part.n_bad for part in parts),
                least=min((part.min for part in parts if part.min is not None), default=None),
                greatest=max((part.max for part in parts if part.max is not None), default=None),
                covered_s=sum(part.seconds_covered for part in parts),
                low=low,
                high=high,
            )
        )
    return spans


def _apply(session: Session, row: ProofWindow, order: WorkOrder, judged: Judgement, spans: list[Span], now: datetime) -> None:
    told_before = (row.state, int(TOLD_STEPS * row.good_s / row.required_s))
    row.state, row.good_s = str(judged.state), judged.good_s
    if judged.state not in proof.OPEN:
        row.reason, row.closed_at = judged.reason, now
        row.evidence = {"from": rfc3339(row.settle_until), "to": rfc3339(now), "tags": [asdict(span) for span in spans]}
        _ENDS[judged.state](session, order, row, now)
    elif told_before != (row.state, int(TOLD_STEPS * row.good_s / row.required_s)):
        _tell_change(session, order, now)


def _tell_change(session: Session, order: WorkOrder, now: datetime) -> None:
    session.flush()
    order.rev += 1
    order.changed_at = now
    body = bodies.order_body(session, order)
    emit(session, Draft(FactName.WORK_ORDER_CHANGED, order.id, order.rev, SIGNAL.name, order.site_id, body), now)


def _proved(session: Session, order: WorkOrder, _row: ProofWindow, now: datetime) -> None:
    before = order_acts.watched(order)
    order.state = str(next_state(OrderState(order.state), OrderAction.VERIFY))
    completion.verified(session, order, SIGNAL, now, "proved by signal")
    order_acts.settle(session, order, OrderAction.VERIFY, before, SIGNAL, now)


def _reopened(session: Session, order: WorkOrder, row: ProofWindow, now: datetime) -> None:
    before = order_acts.watched(order)
    order.state = str(next_state(OrderState(order.state), OrderAction.REOPEN))
    completion.reopened(session, order, row.reason or "", now)
    order_acts.settle(session, order, OrderAction.REOPEN, before, SIGNAL, now)


def _asks(session: Session, order: WorkOrder, row: ProofWindow, now: datetime) -> None:
    people = set(people_with(session, order.site_id, Role.MANAGER, Role.PLANNER)) - {order.completed_by_id}
    message = Message("decision_needed", f"{order.number}: decision needed", row.reason or "", order.id, order.alert_id, order.site_id)
    notify(session, people, message, now)
    _tell_change(session, order, now)


_ENDS = {ProofState.PROVED: _proved, ProofState.REOPENED: _reopened, ProofState.DECISION: _asks}
