"""Reads from the history what every signal of a machine did when one of them alarmed; server/rules/companions.py judges it.

Only the leader asks: a measurement reads an hour of each signal, and folding must not wait for that. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime import historian
from server.models.alerts import AlertRecord
from server.models.plant import Tag
from server.rules import companions as rules
from server.rules.companions import Course
from server.timestamps import to_ms

MINUTE_MS, HOUR_MINUTES = 60_000, 60
KEPT_CLEAR_MS = MINUTE_MS  # what goes wrong may have begun a little before its onset
LEAST_READINGS = 3
MOST_READINGS = 1000  # of the newest minute; with fewer points asked for, history answers in whole minutes
MOST_SIGNALS = 12


def signals_of(session: Session, asset_id: int) -> list[Tag]:
    """Analogue signals of the asset that somebody measures, in their order; what is calculated from another is no witness."""
    query = select(Tag).where(Tag.asset_id == asset_id, Tag.deleted_at.is_(None), Tag.kind == "f64", Tag.role.is_(None))
    return list(session.scalars(query.where(Tag.virtual.is_(False), Tag.enabled).order_by(Tag.id)))


def measure(session: Session, alert: AlertRecord, tag: str | None, now: datetime) -> dict[str, Any]:
    """{onset, at, shape, others: [{tag, before, now, moved, follows}]} of an alert about `tag`; signals without history are left out."""
    onset, at = to_ms(alert.raised_at), to_ms(now)
    tags = signals_of(session, alert.asset_id) if alert.asset_id is not None else []
    courses = {one.name: course for one in _chosen(tags, tag) if (course := _course(session, one, onset, at)) is not None}
    own = courses.pop(tag, None) if tag is not None else None
    others = [told for name, course in courses.items() if (told := _told(name, course, own)) is not None]
    shape = rules.shape(own) if own is not None else None
    return {"onset": onset, "at": at, "shape": None if shape is None else str(shape), "others": others}


def _chosen(tags: Sequence[Tag], name: str | None) -> list[Tag]:
    own = [tag for tag in tags if tag.name == name]
    return own + [tag for tag in tags if tag.name != name][: MOST_SIGNALS - len(own)]


def _course(session: Session, tag: Tag, onset: int, at: int) -> Course | None:
    connection = session.connection().connection
    since = max(onset + 1, at - max(MINUTE_MS, round(LEAST_READINGS * tag.period_s * 1000)))
    newest = historian.trend(connection, tag.id, since, at + 1, MOST_READINGS).stats
    if newest.n < LEAST_READINGS or newest.avg is None or newest.min is None or newest.max is None:
        return None
    until = (onset - KEPT_CLEAR_MS) // MINUTE_MS * MINUTE_MS
    hour = historian.trend(connection, tag.id, until - HOUR_MINUTES * MINUTE_MS, until, HOUR_MINUTES)
    before = {t // MINUTE_MS: (mean, high - low) for t, low, mean, high, _ in hour.points}
    return Course(before, newest.avg, newest.max - newest.min)


def _told(name: str, course: Course, own: Course | None) -> dict[str, Any] | None:
    moved = rules.movement(course)
    if moved is None:
        return None
    follows = rules.correlation(own.before, course.before) if own is not None else None
    before = median(mean for mean, _ in course.before.values())
    rounded = {"before": _short(before), "now": _short(course.mean), "moved": round(moved, 1)}
    return {"tag": name, **rounded, "follows": None if follows is None else round(follows, 2)}


def _short(value: float) -> float:
    return float(f"{value:.7g}")
