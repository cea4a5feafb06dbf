"""The story of a fault: all signals and states of the asset around the raise of its alert, last works and parts, frozen.

`tell_stories` is the leader's task, beside the folding of findings and never in it. Nothing here commits; what is frozen is not changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from realtime import historian
from realtime.events import PACES
from server.errors import NotFound
from server.models.alerts import AlertRecord
from server.models.calibration import MaintenanceRecord
from server.models.evidence import FaultStory
from server.models.plant import Asset, OperatingPeriod, Tag
from server.models.work import WorkOrder
from server.rules.evidence_chain import digest
from server.store.ledger import parts_of_orders
from server.store.related import tags_of
from server.timestamps import from_ms, rfc3339, to_ms

BEFORE, AFTER = timedelta(minutes=15), timedelta(minutes=5)
RECORDED_WITHIN = timedelta(seconds=10)  # the recorder has written by then what the bus had
LOOKS_BACK = timedelta(days=1)  # a worker that was away longer does not tell old stories
AT_ONCE = 5  # stories a run, so that one burst does not hold the leader's clock
POINTS, MOST_TAGS, MOST_FRAMES, LAST_WORKS = 60, 100, 20, 5


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end) of one part."""

    start: datetime
    end: datetime


def tell_stories(session: Session, now: datetime) -> int:
    """Freeze what is due: first raises, then what followed them; the number of parts. Repeating it changes nothing."""
    raised = list(session.scalars(_untold(now)))
    for alert in raised:
        _freeze(session, alert, alert.raised_at, "before", now)
    followed = session.execute(_unended(now)).all()
    for alert, raised_at in followed:
        _freeze(session, alert, raised_at, "after", now)
    return len(raised) + len(followed)


def _untold(now: datetime) -> Any:
    """Announced alerts of assets without a story of this raise; one that chatters gets one story in fifteen minutes."""
    told = exists().where(FaultStory.alert_id == AlertRecord.id, FaultStory.raised_at > AlertRecord.raised_at - BEFORE)
    query = select(AlertRecord).where(AlertRecord.asset_id.is_not(None), AlertRecord.watch.is_(False), ~told)
    query = query.where(AlertRecord.raised_at > now - LOOKS_BACK, AlertRecord.raised_at <= now - RECORDED_WITHIN)
    return query.order_by(AlertRecord.raised_at).limit(AT_ONCE)


def _unended(now: datetime) -> Any:
    after = aliased(FaultStory)
    ended = exists().where(after.alert_id == FaultStory.alert_id, after.raised_at == FaultStory.raised_at, after.part == "after")
    query = select(AlertRecord, FaultStory.raised_at).join(AlertRecord, AlertRecord.id == FaultStory.alert_id)
    query = query.where(FaultStory.part == "before", FaultStory.frozen_at > now - LOOKS_BACK, ~ended)
    query = query.where(FaultStory.raised_at <= now - AFTER - RECORDED_WITHIN)
    return query.order_by(FaultStory.raised_at).limit(AT_ONCE)


def _freeze(session: Session, alert: AlertRecord, raised_at: datetime, part: str, now: datetime) -> None:
    asset = session.get_one(Asset, alert.asset_id)
    window = Window(raised_at - BEFORE, raised_at) if part == "before" else Window(raised_at, raised_at + AFTER)
    content = _signals(session, asset, window) | {"alerts": _others(session, alert, window)}
    if part == "before":
        content |= _says(alert, asset) | _past(session, asset, window.end)
    row = FaultStory(
        alert_id=alert.id, raised_at=raised_at, part=part, starts_at=window.start, ends_at=window.end, content=content, frozen_at=now
    )
    row.digest = digest(content)
    session.add(row)
    session.flush()


def _says(alert: AlertRecord, asset: Asset) -> dict[str, Any]:
    names = ("number", "type", "code", "severity", "detector", "tag", "message", "value", "limit", "unit", "because")
    said = {name: getattr(alert, name) for name in names}
    state = {"operating": asset.operating, "fault_code": asset.fault_code, "health": asset.health}
    return {"alert": said, "asset": {"code": asset.code, "name": asset.name, **state}}


def _signals(session: Session, asset: Asset, window: Window) -> dict[str, Any]:
    """Every tag's course, gaps and the machine's states of the window."""
    rows = tags_of(session, [asset.id])
    tags = rows.tags.get(asset.id, [])
    shown = tags[:MOST_TAGS]
    connection, start, end = session.connection().connection, to_ms(window.start), to_ms(window.end)
    gaps = historian.gaps(connection, [tag.id for tag in shown], start, end)
    names = {tag.id: tag.name for tag in shown}
    return {
        "tags": [_course(connection, tag, rows.limits.get(tag.id, []), start, end) for tag in shown],
        "tags_left_out": len(tags) - len(shown),
        "gaps": [{"tag": names[tag], "from": first, "to": last, "reason": reason} for tag, first, last, reason in gaps],
        "states": _states(session, asset.id, window),
    }


def _course(connection: Any, tag: Tag, limits: Sequence[Any], start: int, end: int) -> dict[str, Any]:
    """Points [t, min, avg, max, n]; a picture's are its statistics, a text has none."""
    points: list[list[float | None]] = []
    if tag.kind == "f64":
        drawn = historian.trend(connection, tag.id, start, end, POINTS)
        points = [[t, _short(low), _short(mean), _short(high), n] for t, low, mean, high, n in drawn.points]
    elif tag.kind == "frame":
        taken = historian.frames(connection, tag.id, start, end, MOST_FRAMES)
        points = [[t, _short(low), _short(mean), _short(high), 1] for t, low, high, mean, _std in taken]
    known = {"tag": tag.name, "label": tag.label, "unit": tag.unit, "kind": tag.kind, "role": tag.role, "low": tag.low, "high": tag.high}
    return {
        **known,
        "limits": [{"side": one.side, "value": one.value, "severity": one.severity} for one in limits if one.side not in PACES],
        "points": points,
    }


def _short(value: float | None) -> float | None:
    """Seven digits: more than any sensor has, a third of the room."""
    return None if value is None else float(f"{value:.7g}")


def _states(session: Session, asset_id: int, window: Window) -> list[dict[str, Any]]:
    query = select(OperatingPeriod).where(OperatingPeriod.asset_id == asset_id, OperatingPeriod.started_at < window.end)
    query = query.where(OperatingPeriod.ended_at.is_(None) | (OperatingPeriod.ended_at > window.start)).order_by(OperatingPeriod.started_at)
    return [
        {"operating": one.operating, "fault_code": one.fault_code, "from": rfc3339(one.started_at), "to": rfc3339(one.ended_at)}
        for one in session.scalars(query)
    ]


def _others(session: Session, alert: AlertRecord, window: Window) -> list[dict[str, Any]]:
    query = select(AlertRecord).where(AlertRecord.asset_id == alert.asset_id, AlertRecord.id != alert.id)
    query = (
        query.where(AlertRecord.raised_at >= window.start, AlertRecord.raised_at < window.end).order_by(AlertRecord.raised_at).limit(100)
    )
    return [
        {"number": one.number, "type": one.type, "tag": one.tag, "message": one.message, "raised_at": rfc3339(one.raised_at)}
        for one in session.scalars(query)
    ]


def _past(session: Session, asset: Asset, until: datetime) -> dict[str, Any]:
    """Last works and the parts they took."""
    done = select(MaintenanceRecord).where(MaintenanceRecord.asset_id == asset.id, MaintenanceRecord.performed_at <= until)
    records = session.scalars(done.order_by(MaintenanceRecord.performed_at.desc()).limit(LAST_WORKS)).all()
    worked = select(WorkOrder).where(WorkOrder.asset_id == asset.id, WorkOrder.created_at <= until)
    orders = session.scalars(worked.order_by(WorkOrder.id.desc()).limit(LAST_WORKS)).all()
    numbers = {order.id: order.number for order in orders}
    taken = [
        {"order": numbers[order_id], "part": used.number, "name": used.name, "quantity": float(used.quantity), "unit": used.unit}
        for order_id, parts in parts_of_orders(session, numbers).items()
        for used in parts
    ]
    noted = [{"record": record.number, **part} for record in records for part in record.parts if isinstance(part, dict)]
    return {"works": [_work(record) for record in records], "orders": [_order(order) for order in orders], "parts": [*taken, *noted]}


def _work(record: MaintenanceRecord) -> dict[str, Any]:
    return {
        "number": record.number,
        "action": record.action,
        "description": record.description,
        "performed_at": rfc3339(record.performed_at),
        "performed_by": record.performed_by,
    }


def _order(order: WorkOrder) -> dict[str, Any]:
    return {
        "number": order.number,
        "title": order.title,
        "status": order.state,
        "created_at": rfc3339(order.created_at),
        "notes": order.notes,
    }


def stories_of(session: Session, alert_id: int) -> list[FaultStory]:
    """All parts of an alert's stories, oldest first."""
    return list(session.scalars(select(FaultStory).where(FaultStory.alert_id == alert_id).order_by(FaultStory.raised_at, FaultStory.id)))


def of_order(session: Session, order: WorkOrder) -> dict[str, Any]:
    """The story that travels with an order; raises NotFound where no alert of an asset stands behind it."""
    alert = session.get(AlertRecord, order.alert_id) if order.alert_id is not None else None
    if alert is None or alert.asset_id is None:
        raise NotFound("story of work order", order.number)
    return body(alert, stories_of(session, alert.id), None)


def body(alert: AlertRecord, stories: Sequence[FaultStory], at: int | None) -> dict[str, Any]:
    """The newest story, or the last one raised until `at` (ms UTC); `waiting` until its first part is frozen."""
    times = sorted({story.raised_at for story in stories})
    chosen = [time for time in times if at is None or time <= from_ms(at)]
    raised_at = chosen[-1] if chosen else None
    parts = {story.part: _part(story) for story in stories if story.raised_at == raised_at}
    state = "complete" if "after" in parts else "frozen" if "before" in parts else "waiting"
    return {
        "alert": {"id": alert.id, "number": alert.number},
        "state": state,
        "raised_at": rfc3339(raised_at),
        "before": parts.get("before"),
        "after": parts.get("after"),
        "all": [rfc3339(time) for time in times],
    }


def _part(story: FaultStory) -> dict[str, Any]:
    span = {"from": rfc3339(story.starts_at), "to": rfc3339(story.ends_at), "frozen_at": rfc3339(story.frozen_at)}
    return {**span, "digest": story.digest, "intact": digest(story.content) == story.digest, **story.content}
