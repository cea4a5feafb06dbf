"""Proof windows: opened by completing an alert-born order, judged by the worker on what history and findings say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server.models.alerts import AlertFinding, AlertRecord
from server.models.plant import Asset, OperatingPeriod, Tag, TagLimit
from server.models.work import ProofWindow, WorkOrder
from server.rules import proof
from server.rules.proof import ProofState
from server.rules.wording import Subject, came_back, stayed
from server.timestamps import to_ms

_OPEN = [str(state) for state in proof.OPEN]


def open_for(session: Session, order: WorkOrder, now: datetime) -> ProofWindow:
    """The window of a completed alert-born order: the alert's tags must hold."""
    alert = session.get_one(AlertRecord, order.alert_id)
    window = proof.open_window(now, order.proof_s, alert.detector)
    row = ProofWindow(
        order_id=order.id,
        alert_id=alert.id,
        state=str(ProofState.SETTLING),
        opened_at=now,
        settle_until=window.settle_until,
        deadline=window.deadline,
        required_s=window.required_s,
        tags=tags_to_hold(session, alert),
    )
    session.add(row)
    session.flush()
    return row


def tags_to_hold(session: Session, alert: AlertRecord) -> list[str]:
    """Numeric tags of the alert's `because` and its own; where it names none, the asset's headline tag."""
    names = [str(share["tag"]) for share in alert.because] + ([alert.tag] if alert.tag else []) + list(alert.data.get("tags", []))
    known = select(Tag.name).where(Tag.name.in_(names), Tag.kind == "f64", Tag.deleted_at.is_(None))
    held = sorted(session.scalars(known))
    if held or alert.asset_id is None:
        return held
    asset = session.get_one(Asset, alert.asset_id)
    return [asset.main_tag] if asset.main_tag else []


def newest(session: Session, order_id: int) -> ProofWindow | None:
    """The order's last window."""
    return session.scalars(
        select(ProofWindow).where(ProofWindow.order_id == order_id).order_by(ProofWindow.id.desc()).limit(1)
    ).one_or_none()


def is_open(session: Session, order: WorkOrder) -> bool:
    """Whether the signal is still judging."""
    window = newest(session, order.id)
    return window is not None and window.state in proof.OPEN


def leave(session: Session, order: WorkOrder, now: datetime, reason: str) -> None:
    """A person decided, or the order went on: the window ends without a judgement of its own."""
    window = newest(session, order.id)
    if window is not None and window.state in {*proof.OPEN, ProofState.DECISION}:
        window.state, window.reason, window.closed_at = str(ProofState.ENDED), reason, now


def open_ids(session: Session) -> list[int]:
    """Windows that wait for a judgement."""
    return list(session.scalars(select(ProofWindow.id).where(ProofWindow.state.in_(_OPEN)).order_by(ProofWindow.id)))


def rule_window(row: ProofWindow) -> proof.Window:
    """The row as the rule sees it."""
    return proof.Window(row.settle_until, row.deadline, row.required_s)


def findings_since_settle(session: Session, row: ProofWindow, alert: AlertRecord) -> list[str]:
    """What was found after the settle phase on the same alert, or on the same asset with the same type; in words, oldest first."""
    after = to_ms(row.settle_until)
    same = AlertFinding.alert_id == alert.id
    if alert.asset_id is not None:
        same = same | ((AlertFinding.asset_id == alert.asset_id) & (AlertFinding.type == alert.type))
    query = select(AlertFinding).where(same, AlertFinding.found_t > after)
    with_alert = query.join(AlertRecord, AlertRecord.id == AlertFinding.alert_id).add_columns(AlertRecord)
    rows = session.execute(with_alert.order_by(AlertFinding.found_t))
    return [came_back(_subject(session, found_as, finding.value), found_as.message) for finding, found_as in rows]


def still_active(session: Session, alert: AlertRecord) -> str | None:
    """The alert's condition in words where it has not returned."""
    if alert.condition != "active" or alert.resolved_at is not None:
        return None
    return stayed(_subject(session, alert, alert.value), alert.message)


def _subject(session: Session, alert: AlertRecord, value: float | None) -> Subject:
    tag = session.scalars(select(Tag).where(Tag.name == alert.tag)).one_or_none() if alert.tag else None
    return Subject(
        type=AlertType(alert.type),
        code=alert.code,
        asset="",
        tag=alert.tag,
        label=tag.label if tag else "",
        unit=alert.unit,
        decimals=tag.decimals if tag else 2,
        value=value,
        limit=alert.limit,
    )


def running_spans(session: Session, asset_id: int | None, start: datetime, end: datetime) -> list[tuple[int, int]]:
    """When the asset ran within [start, end), ms UTC; an asset whose state nothing observes ran all the time."""
    if asset_id is None:
        return [(to_ms(start), to_ms(end))]
    query = select(OperatingPeriod).where(OperatingPeriod.asset_id == asset_id, OperatingPeriod.started_at < end)
    periods = session.scalars(query.where(OperatingPeriod.ended_at.is_(None) | (OperatingPeriod.ended_at > start))).all()
    if not periods and not _is_observed(session, asset_id):
        return [(to_ms(start), to_ms(end))]
    running = [period for period in periods if period.operating == "running"]
    return sorted((to_ms(max(start, period.started_at)), to_ms(min(end, period.ended_at or end))) for period in running)


def _is_observed(session: Session, asset_id: int) -> bool:
    return session.scalar(select(Tag.id).where(Tag.asset_id == asset_id, Tag.role.is_not(None)).limit(1)) is not None


def held_tags(session: Session, names: Sequence[str]) -> list[tuple[int, str, float | None, float | None]]:
    """(id, name, low, high) of the tags that must hold; low and high are the tightest limits that alarm, else the normal range."""
    tags = session.scalars(select(Tag).where(Tag.name.in_(names)).order_by(Tag.name)).all()
    limits: dict[int, list[TagLimit]] = {}
    for limit in session.scalars(select(TagLimit).where(TagLimit.tag_id.in_([tag.id for tag in tags]))):
        limits.setdefault(limit.tag_id, []).append(limit)
    return [(tag.id, tag.name, *_tightest(tag, limits.get(tag.id, []))) for tag in tags]


def _tightest(tag: Tag, limits: Sequence[TagLimit]) -> tuple[float | None, float | None]:
    alarming = [limit for limit in limits if limit.severity != "advisory"]
    lows = [limit.value for limit in alarming if limit.side == "low"]
    highs = [limit.value for limit in alarming if limit.side == "high"]
    return max(lows, default=tag.range_low), min(highs, default=tag.range_high)
