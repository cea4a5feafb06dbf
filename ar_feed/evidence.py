"""The picture behind "Proved by signal": the alert's signal before, during and after the repair, with the order's times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ar_feed import tasks
from realtime import historian
from server.errors import NotFound
from server.models.alerts import AlertRecord
from server.models.plant import Tag
from server.models.work import ProofWindow, WorkOrder
from server.services import Services
from server.store.actor import Person
from server.timestamps import to_ms

BEFORE = timedelta(minutes=2)
POINTS = 160


@dataclass(frozen=True, slots=True)
class _Story:
    order: WorkOrder
    alert: AlertRecord
    tag: Tag
    window: ProofWindow | None


def of_task(at: Services, person: Person, task: int) -> dict[str, Any]:
    """`{tag, unit, dec, limit, points: [[t, min, avg, max]], marks: {alert, start, done, proof_from, proof_to}}`, times ms UTC."""
    now = at.clock()
    with at.database.transaction() as session:
        story = _story(session, person, task)
    begin, end = _span(story, now)
    with at.database.raw() as connection:
        trend = historian.trend(connection, story.tag.id, to_ms(begin), to_ms(end), POINTS)
    window = story.window
    marks = {
        "alert": _first_raised(story.alert),
        "start": story.order.started_at,
        "done": story.order.completed_at,
        "proof_from": window.settle_until if window else None,
        "proof_to": (window.closed_at or min(now, window.deadline)) if window else None,
    }
    return {
        "tag": story.tag.label or story.tag.name,
        "unit": story.tag.unit,
        "dec": story.tag.decimals,
        "limit": tasks.level_of(story.alert, story.tag),
        "state": window.state if window else None,
        "from": to_ms(begin),
        "to": to_ms(end),
        "points": [list(point[:4]) for point in trend.points],
        "marks": {name: to_ms(moment) for name, moment in marks.items() if moment is not None},
    }


def _story(session: Session, person: Person, task: int) -> _Story:
    order = tasks.find(session, person, task)
    alert = session.get(AlertRecord, order.alert_id) if order.alert_id else None
    window = session.scalars(select(ProofWindow).where(ProofWindow.order_id == order.id).order_by(ProofWindow.id.desc()).limit(1)).first()
    tag = _judging_tag(session, alert, window) if alert else None
    if alert is None or tag is None:
        raise NotFound("evidence of task", task)
    return _Story(order, alert, tag, window)


def _judging_tag(session: Session, alert: AlertRecord, window: ProofWindow | None) -> Tag | None:
    """The alert's own signal; where a fault code or a lost source raised it, the first one that the proof watches."""
    if alert.tag_id is not None:
        return session.get(Tag, alert.tag_id)
    return session.scalars(select(Tag).where(Tag.name.in_(window.tags)).order_by(Tag.name).limit(1)).first() if window else None


def _span(story: _Story, now: datetime) -> tuple[datetime, datetime]:
    closed = story.window.closed_at if story.window else None
    return _first_raised(story.alert) - BEFORE, closed or now


def _first_raised(alert: AlertRecord) -> datetime:
    """When the trouble was first seen, however often it came back since."""
    first = alert.data.get("first_raised")
    return datetime.fromisoformat(first) if first else alert.raised_at
