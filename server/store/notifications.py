"""Notifications: rows first, pushed as facts; read by their person only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.events import FactName
from server import bodies
from server.errors import NotFound
from server.models.notifications import Notification
from server.models.people import User
from server.rules.roles import Role
from server.store.actor import Person
from server.store.outbox import Draft, emit
from server.store.page import Page, page_of


@dataclass(frozen=True, slots=True)
class Message:
    """What is told; a click opens the order, else the alert."""

    kind: str
    title: str
    body: str = ""
    order_id: int | None = None
    alert_id: int | None = None
    site_id: int | None = None


def notify(session: Session, user_ids: Iterable[int | None], message: Message, now: datetime) -> None:
    """Tell each of the people once."""
    for user_id in sorted({user_id for user_id in user_ids if user_id is not None}):
        row = Notification(
            user_id=user_id,
            kind=message.kind,
            title=message.title[:200],
            body=message.body,
            work_order_id=message.order_id,
            alert_id=message.alert_id,
            created_at=now,
        )
        session.add(row)
        session.flush()
        draft = Draft(FactName.NOTIFICATION_CREATED, row.id, 1, "system", message.site_id, bodies.notification_body(row))
        emit(session, draft, now)


def people_with(session: Session, site_id: int | None, *roles: Role) -> list[int]:
    """Active people of a site with one of the roles."""
    query = select(User.id).where(User.active, User.role.in_([str(role) for role in roles]))
    return list(session.scalars(query if site_id is None else query.where(User.site_id == site_id)))


def list_notifications(session: Session, user: Person, *, unread: bool = False, limit: int = 50, offset: int = 0) -> Page[Notification]:
    """A person's own, newest first."""
    query = select(Notification).where(Notification.user_id == user.id)
    if unread:
        query = query.where(Notification.read_at.is_(None))
    return page_of(session, query, [Notification.id.desc()], limit, offset)


def unread_count(session: Session, user: Person) -> int:
    """How many wait."""
    query = select(func.count()).select_from(Notification).where(Notification.user_id == user.id, Notification.read_at.is_(None))
    return session.scalar(query) or 0


def mark_read(session: Session, notification_id: int, user: Person, now: datetime) -> Notification:
    """Mark an own one as read; doing it twice keeps the first time."""
    row = session.get(Notification, notification_id)
    if row is None or row.user_id != user.id:
        raise NotFound("notification", notification_id)
    row.read_at = row.read_at or now
    return row
