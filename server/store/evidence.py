"""The chain of evidence of an order: readings, alert, findings, acts, answers, proof, verdict; and whether a file of one holds.

It is put together when asked for; what ties it to the past are the frozen stories and the seals of the audit trail. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from server.models.alerts import AlertFinding, AlertRecord
from server.models.audit import AuditLog, AuditSeal
from server.models.calibration import CalibrationRecord, MaintenanceRecord
from server.models.evidence import FaultStory
from server.models.people import User
from server.models.plant import Asset
from server.models.work import ProofWindow, StepEvent, WorkOrder
from server.rules import evidence_chain
from server.rules.evidence_chain import Link
from server.store import fault_story
from server.store.completion import CALIBRATION
from server.timestamps import rfc3339

Columns = dict[str, Any]
_ALERT = ("number", "type", "code", "severity", "detector", "origin", "tag", "message", "value", "limit", "score", "unit", "because")
_FINDING = ("key", "type", "detector", "score", "limit", "value", "because", "onset_t", "found_t", "last_t")
_ANSWER = ("id", "step_id", "kind", "value", "unit", "option", "code", "media", "note", "ok", "by")
_PROOF = ("state", "required_s", "good_s", "tags", "reason", "evidence")
_RECORD = ("number", "action", "description", "parts", "duration_min", "performed_by")
_CALIBRATION = ("number", "standard", "as_found", "as_left", "error_pct", "left_error_pct", "tolerance_pct", "found_passed", "passed")


def document(session: Session, order: WorkOrder, key: bytes, now: datetime) -> Columns:
    """The signed chain of one order."""
    links = evidence_chain.chained(links_of(session, order))
    head, made_at = evidence_chain.head_of(links), rfc3339(now)
    subject = f"{order.number}@{made_at}"
    return {
        "order": {"id": order.id, "number": order.number, "title": order.title, "site": order.site_id},
        "made_at": made_at,
        "links": links,
        "head": head,
        "signature": evidence_chain.signature(key, subject, head),
    }


def links_of(session: Session, order: WorkOrder) -> list[Link]:
    """Every piece of evidence, in the order of the loop."""
    about = select(Asset.code, AlertRecord).outerjoin(AlertRecord, AlertRecord.id == order.alert_id).where(Asset.id == order.asset_id)
    asset, alert = session.execute(about).one()
    return [
        *(_readings(session, alert) if alert else []),
        *(_alert(session, alert) if alert else []),
        *_acts(session, order),
        *_answers(session, order),
        *(_calibrations(session, order) if order.type == CALIBRATION else []),
        *_records(session, order),
        *(_proofs(session, order) if alert and order.type != CALIBRATION else []),
        _verdict(order, asset),
    ]


def _taken(row: object, names: Sequence[str]) -> Columns:
    return {name: getattr(row, name) for name in names}


def _readings(session: Session, alert: AlertRecord) -> list[Link]:
    return [
        Link("readings", rfc3339(story.ends_at), {"part": story.part, "digest": story.digest, **story.content})
        for story in fault_story.stories_of(session, alert.id)
    ]


def _alert(session: Session, alert: AlertRecord) -> list[Link]:
    rows = session.scalars(select(AlertFinding).where(AlertFinding.alert_id == alert.id).order_by(AlertFinding.onset_t, AlertFinding.id))
    times = {name: rfc3339(getattr(alert, name)) for name in ("raised_at", "returned_at", "acknowledged_at", "resolved_at")}
    said = Link("alert", rfc3339(alert.raised_at), {**_taken(alert, _ALERT), **times})
    return [said, *(Link("finding", None, _taken(row, _FINDING)) for row in rows)]


def _acts(session: Session, order: WorkOrder) -> list[Link]:
    """Audit rows of the order and its alert with their place in the audit chain; a seal comes within seconds of the act."""
    about = and_(AuditLog.thing == "work_order", AuditLog.thing_id == order.id)
    if order.alert_id is not None:
        about = or_(about, and_(AuditLog.thing == "alert", AuditLog.thing_id == order.alert_id))
    query = select(AuditLog, AuditSeal).outerjoin(AuditSeal, AuditSeal.audit_id == AuditLog.id).where(about).order_by(AuditLog.id)
    return [
        Link("act", rfc3339(row.at), _act(row) | {"seal": {"seq": seal.seq, "hash": seal.hash} if seal else None})
        for row, seal in session.execute(query)
    ]


def _act(row: AuditLog) -> Columns:
    return {"audit_id": row.id, **_taken(row, ("action", "thing", "thing_id", "actor", "actor_id", "reason", "old", "new"))}


def _answers(session: Session, order: WorkOrder) -> list[Link]:
    query = select(StepEvent, User.name).join(User, User.id == StepEvent.user_id).where(StepEvent.order_id == order.id)
    rows = session.execute(query.order_by(StepEvent.id))
    return [Link("answer", rfc3339(row.at), _taken(row, _ANSWER) | {"person": person}) for row, person in rows]


def _records(session: Session, order: WorkOrder) -> list[Link]:
    rows = session.scalars(select(MaintenanceRecord).where(MaintenanceRecord.work_order_id == order.id).order_by(MaintenanceRecord.id))
    return [Link("record", rfc3339(row.performed_at), _taken(row, _RECORD)) for row in rows]


def _calibrations(session: Session, order: WorkOrder) -> list[Link]:
    rows = session.scalars(select(CalibrationRecord).where(CalibrationRecord.work_order_id == order.id).order_by(CalibrationRecord.id))
    return [Link("calibration", rfc3339(row.performed_at), _taken(row, _CALIBRATION)) for row in rows]


def _proofs(session: Session, order: WorkOrder) -> list[Link]:
    rows = session.scalars(select(ProofWindow).where(ProofWindow.order_id == order.id).order_by(ProofWindow.id))
    times = ("opened_at", "settle_until", "deadline", "closed_at")
    return [
        Link("proof", rfc3339(row.opened_at), _taken(row, _PROOF) | {name: rfc3339(getattr(row, name)) for name in times}) for row in rows
    ]


def _verdict(order: WorkOrder, asset: str) -> Link:
    said = _taken(order, ("number", "title", "type", "state", "verdict", "notes", "verified_by", "reopen_reason", "cancel_reason"))
    times = {name: rfc3339(getattr(order, name)) for name in ("created_at", "started_at", "completed_at", "verified_at")}
    return Link("verdict", rfc3339(order.verified_at or order.completed_at), {**said, **times, "asset": asset})


def check(session: Session, key: bytes, given: Mapping[str, Any]) -> list[str]:
    """What does not hold in a document that was exported before; empty = it is ours, unchanged, and the tables still say the same."""
    links, order = given.get("links"), given.get("order")
    if not isinstance(links, list) or not isinstance(order, dict):
        return ["this is not a chain of evidence"]
    problems = evidence_chain.problems_of(links)
    if problems:
        return problems
    head = evidence_chain.head_of(links)
    if given.get("head") != head:
        problems.append("the end of the chain is not the one that is written down")
    if given.get("signature") != evidence_chain.signature(key, f"{order.get('number')}@{given.get('made_at')}", head):
        problems.append("the signature is not this plant's: the file was written anew, or another number or time put on it")
    return [*problems, *_against_tables(session, links)]


def _against_tables(session: Session, links: Sequence[Mapping[str, Any]]) -> list[str]:
    acts = {int(link["content"]["audit_id"]): link for link in links if link["kind"] == "act"}
    query = select(AuditLog, AuditSeal).outerjoin(AuditSeal, AuditSeal.audit_id == AuditLog.id).where(AuditLog.id.in_(acts))
    found = {row.id: (_act(row), seal) for row, seal in session.execute(query)}
    problems = [text for id_, link in acts.items() if (text := _act_problem(id_, link["content"], found.get(id_))) is not None]
    digests = set(session.scalars(select(FaultStory.digest).where(FaultStory.digest.in_(_story_digests(links)))))
    return [*problems, *(f"no frozen readings have the digest {one}" for one in sorted(_story_digests(links) - digests))]


def _story_digests(links: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(link["content"].get("digest")) for link in links if link["kind"] == "readings"}


def _act_problem(audit_id: int, told: Mapping[str, Any], found: tuple[Columns, AuditSeal | None] | None) -> str | None:
    if found is None:
        return f"audit row {audit_id} is gone"
    now, seal = found
    same: Callable[[Mapping[str, Any]], str] = evidence_chain.digest
    if same({name: told.get(name) for name in now}) != same(now):
        return f"audit row {audit_id} says something else now"
    if told.get("seal") is not None and (seal is None or told["seal"].get("hash") != seal.hash):
        return f"audit row {audit_id} has another seal now"
    return None
