"""What the plant does with alerts: a finding or an observation raises, keeps, returns them; a second delivery changes nothing.

Suppression, watch list and order policy are decided here by server/rules; a finding's key makes it idempotent. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType, Edge, FactName, Severity
from server.models.alerts import AlertFinding, AlertRecord
from server.models.plant import Asset
from server.rules.alert import is_announced
from server.rules.wording import Subject, message, order_title
from server.store import alerts, crews, diagnoses, maintenance, numbers, storm
from server.store.actor import SYSTEM
from server.store.judgement import origin_of, reason_for, route_of
from server.store.storm import CAME_AND_WENT, FLOOD, MAINTENANCE
from server.timestamps import from_ms, rfc3339

SPELLS_KEPT = 50
RANK = {Severity.ADVISORY: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One edge of one condition, from a finding, a machine's fault code, a lost source or the system itself."""

    key: str
    edge: Edge
    site_id: int | None
    asset_id: int | None
    subject: Subject
    detector: str
    severity: Severity
    t: int
    t_onset: int
    score: float = 1.0
    limit: float = 1.0
    because: Sequence[dict[str, Any]] = ()
    provisional: bool = False
    tag_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Folded:
    """What a condition came to. `fresh`: a new key, or one that had returned; `told`: people learned of the alert by this."""

    alert: AlertRecord
    fresh: bool = False
    told: bool = False


def fold(session: Session, condition: Condition, now: datetime) -> Folded | None:
    """Fold one edge into its alert; None when it was folded before or has nothing to end."""
    known = session.scalars(select(AlertFinding).where(AlertFinding.key == condition.key).with_for_update()).one_or_none()
    if known is not None and not _is_news(known, condition):
        return None
    if condition.edge == "close":
        return _close(session, known, condition, now) if known is not None else None
    return _open(session, known, condition, now)


def _is_news(known: AlertFinding, condition: Condition) -> bool:
    """Entries come at least once and in order: older ones were folded; a close may share its time with the last update."""
    if condition.t == known.last_t:
        return condition.edge == "close" and known.active
    return condition.t > known.last_t


def _open(session: Session, known: AlertFinding | None, condition: Condition, now: datetime) -> Folded:
    alert = _open_alert(session, condition)
    was_open = alert is not None
    if alert is None:
        alert = _new_alert(session, condition)
    returned = alert.condition == "returned"
    was_told = was_open and not returned and announced(alert)
    fresh = known is None or not known.active or known.alert_id != alert.id
    _keep_finding(session, known, alert, condition)
    worse = _take_values(alert, condition)
    if returned:
        _come_back(alert, condition)
    if fresh and was_open:
        alert.occurrences += 1
    held_before = alert.suppressed
    if not was_open or returned:
        alert.suppressed = MAINTENANCE if _is_muted(session, condition, now) else None
    session.flush()
    alert.watch = alert.watch and not alert.data.get("promoted_by") and str(route_of(session, alert)) == "watch"
    if alert.suppressed != MAINTENANCE and (not was_open or returned or alert.suppressed == FLOOD):
        alert.suppressed = storm.held_back(session, alert, now)
    alert.data = {**alert.data, "reason": reason_for(session, alert)}
    _diagnose(session, alert, now, anew=fresh or worse)
    told = announced(alert) and (not was_told or worse)
    if alert.suppressed != held_before:
        alerts.tell_suppression(session, alert, SYSTEM, now, held_before)
    if told:
        _raise(session, alert, now, again=was_open)
    return Folded(alert, fresh, told)


def _diagnose(session: Session, alert: AlertRecord, now: datetime, *, anew: bool) -> None:
    """Judge what it means; later looks, with what the other signals did, are the leader's (server/store/diagnosing.py)."""
    if anew or "diagnosis" not in alert.data:
        called = diagnoses.order_title(alert)
        alert.data = {**alert.data, "diagnosis": diagnoses.judged(session, alert, now), "told_value": alert.value}
        crews.follow(session, alert, called, now)


def _come_back(alert: AlertRecord, condition: Condition) -> None:
    """The condition is there again: the alert counts from now, its earlier spells stay in `data.spells`, oldest first."""
    returned_at = alert.returned_at or alert.last_at
    spells = [*alert.data.get("spells", []), {"raised_at": rfc3339(alert.raised_at), "returned_at": rfc3339(returned_at)}]
    first = alert.data.get("first_raised") or rfc3339(alert.raised_at)
    alert.data = {**alert.data, **condition.data, "first_raised": first, "spells": spells[-SPELLS_KEPT:]}
    alert.raised_at = max(from_ms(condition.t_onset), returned_at)
    alert.condition, alert.returned_at = "active", None
    alert.acknowledged_at = alert.acknowledged_by = None


def announced(alert: AlertRecord) -> bool:
    """Whether people are told about it."""
    return is_announced(watch=alert.watch, suppressed=alert.suppressed, shelved=alert.shelved_until is not None)


def _open_alert(session: Session, condition: Condition) -> AlertRecord | None:
    subject = condition.subject
    query = select(AlertRecord).where(
        AlertRecord.resolved_at.is_(None),
        AlertRecord.asset_id.is_not_distinct_from(condition.asset_id),
        AlertRecord.tag.is_not_distinct_from(subject.tag),
        AlertRecord.type == str(subject.type),
        AlertRecord.code.is_not_distinct_from(subject.code),
        AlertRecord.site_id.is_not_distinct_from(condition.site_id),
    )
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()


def _new_alert(session: Session, condition: Condition) -> AlertRecord:
    subject = condition.subject
    alert = AlertRecord(
        number=numbers.alert_number(session),
        site_id=condition.site_id,
        asset_id=condition.asset_id,
        tag_id=condition.tag_id,
        tag=subject.tag,
        type=str(subject.type),
        code=subject.code,
        severity=str(condition.severity),
        detector=condition.detector,
        origin=origin_of(subject.type, condition.detector),
        message=message(subject),
        condition="active",
        watch=True,  # until the route says otherwise
        provisional=condition.provisional,
        unit=subject.unit,
        raised_at=from_ms(condition.t_onset),
        last_at=from_ms(condition.t),
        occurrences=1,
        rev=0,
        data={**condition.data, "order_title": order_title(subject)},
        because=[],
    )
    session.add(alert)
    session.flush()
    return alert


def _keep_finding(session: Session, known: AlertFinding | None, alert: AlertRecord, condition: Condition) -> None:
    row = known or AlertFinding(
        key=condition.key, asset_id=condition.asset_id, type=str(condition.subject.type), detector=condition.detector
    )
    row.alert_id, row.active = alert.id, True
    row.onset_t, row.found_t, row.last_t = condition.t_onset, condition.t, condition.t
    row.score, row.limit, row.value = condition.score, condition.limit, condition.subject.value
    row.because, row.provisional = list(condition.because), condition.provisional
    session.add(row)


def _take_values(alert: AlertRecord, condition: Condition) -> bool:
    """The newest numbers; True when it became more severe."""
    alert.last_at = from_ms(condition.t)
    alert.score, alert.limit, alert.value = condition.score, condition.subject.limit, condition.subject.value
    alert.because = list(condition.because) or alert.because
    alert.provisional = alert.provisional and condition.provisional
    worse = RANK[condition.severity] > RANK[Severity(alert.severity)]
    if worse:
        alert.severity = str(condition.severity)
        alert.message = message(condition.subject)
        alert.acknowledged_at = alert.acknowledged_by = None
    return worse


def _is_muted(session: Session, condition: Condition, now: datetime) -> bool:
    return condition.asset_id is not None and maintenance.is_muted(session, condition.asset_id, now)


def _raise(session: Session, alert: AlertRecord, now: datetime, *, again: bool) -> None:
    old = {"state": "known"} if again else {}
    new = {"number": alert.number, "type": alert.type, "tag": alert.tag, "severity": alert.severity, "message": alert.message}
    alerts.note(session, alert, "raise", SYSTEM, now, old=old, new=new)
    alerts.tell(session, alert, FactName.ALERT_RAISED, SYSTEM.name, now)


def _close(session: Session, known: AlertFinding, condition: Condition, now: datetime) -> Folded | None:
    known.active, known.last_t, known.score = False, condition.t, condition.score
    session.flush()
    query = select(AlertRecord).where(AlertRecord.id == known.alert_id).with_for_update().execution_options(populate_existing=True)
    alert = session.scalars(query).one()
    still = select(AlertFinding.id).where(AlertFinding.alert_id == alert.id, AlertFinding.active).limit(1)
    if alert.resolved_at is not None or alert.condition == "returned" or session.scalar(still) is not None:
        return None
    alert.condition, alert.returned_at, alert.last_at = "returned", from_ms(condition.t), from_ms(condition.t)
    if alert.suppressed is not None:
        alerts.close(session, alert, SYSTEM, now, CAME_AND_WENT[alert.suppressed])
        return Folded(alert)
    if alert.watch and alert.data.get("verdict"):
        alerts.close(session, alert, SYSTEM, now, alert.notes or "")  # judged while it stood
        return Folded(alert)
    if not alert.watch:
        alerts.note(session, alert, "return", SYSTEM, now, old={"condition": "active"}, new={"condition": "returned"})
        alerts.tell(session, alert, FactName.ALERT_RETURNED, SYSTEM.name, now)
    return Folded(alert)


def active_of_type(session: Session, asset_id: int | None, type_: AlertType, *, detector: str) -> list[AlertFinding]:
    """Active findings of one detector on an asset: what an observation must end when it no longer holds."""
    query = select(AlertFinding).where(AlertFinding.asset_id.is_not_distinct_from(asset_id), AlertFinding.type == str(type_))
    return list(session.scalars(query.where(AlertFinding.detector == detector, AlertFinding.active).order_by(AlertFinding.id)))


def unsuppress(session: Session, now: datetime) -> list[AlertRecord]:
    """Alerts whose asset is no longer in work, or whose site has no flood any more: those still active are told now; returns them."""
    waiting = select(AlertRecord).where(AlertRecord.suppressed.is_not(None), AlertRecord.resolved_at.is_(None))
    told: list[AlertRecord] = []
    flooded: dict[int | None, bool] = {}
    for alert in session.scalars(waiting.order_by(AlertRecord.id).with_for_update(skip_locked=True)).all():
        if alert.suppressed == FLOOD:
            if alert.site_id not in flooded:
                flooded[alert.site_id] = storm.is_on(session, alert.site_id, now)
            if flooded[alert.site_id]:
                continue
        if alert.asset_id is not None and maintenance.is_muted(session, alert.asset_id, now):
            continue
        held_by, alert.suppressed = alert.suppressed, None
        alerts.tell_suppression(session, alert, SYSTEM, now, held_by)
        if announced(alert):
            _raise(session, alert, now, again=False)
            told.append(alert)
    return told


def site_of(session: Session, asset_id: int | None) -> int | None:
    """The site of an asset; None where it is unknown."""
    asset = session.get(Asset, asset_id) if asset_id is not None else None
    return asset.site_id if asset else None
