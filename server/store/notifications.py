"""Notifications: rows first, pushed as facts, mailed by preference; read by their person only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.events import FactName, Severity
from server import bodies
from server.errors import NotFound
from server.models.notifications import Notification
from server.models.people import User
from server.rules.notices import FLOOD, Delivery, Notice, Topic, decide
from server.rules.roles import Role
from server.store import mail, preferences
from server.store.actor import Person
from server.store.mail import Letter
from server.store.outbox import Draft, emit
from server.store.page import Page, ordering, page_of
from server.store.preferences import Receiver


@dataclass(frozen=True, slots=True)
class Message:
    """What is told; a click opens the order, else the alert. `group`: those of one group within a minute are told as one."""

    kind: str
    title: str
    body: str = ""
    order_id: int | None = None
    alert_id: int | None = None
    site_id: int | None = None
    topic: Topic = Topic.WORK
    severity: Severity | None = None
    area_id: int | None = None
    group: str | None = None


def notify(session: Session, user_ids: Iterable[int | None], message: Message, now: datetime) -> list[int]:
    """Tell each of the people once, as each prefers; ids of those who are told."""
    wanted = {user_id for user_id in user_ids if user_id is not None}
    notice = Notice(message.topic, message.severity, message.area_id)
    told: list[int] = []
    for receiver in preferences.receivers(session, wanted):
        delivery = decide(notice, receiver.preference, now, receiver.zone)
        if delivery.nobody:
            continue
        told.append(receiver.user_id)
        if message.group is None or not _folded(session, receiver.user_id, message.group, now):
            _tell(session, receiver, message, delivery, now)
    return told


def _folded(session: Session, user_id: int, group: str, now: datetime) -> bool:
    """Whether the group was told this person a moment ago; then this one is only counted."""
    recent = select(Notification).where(Notification.user_id == user_id, Notification.group_key == group)
    row = session.scalar(recent.where(Notification.created_at > now - FLOOD).order_by(Notification.id.desc()).limit(1).with_for_update())
    if row is None:
        return False
    row.count += 1
    row.body = f"and {row.count - 1} more in the same minute"
    return True


def _tell(session: Session, receiver: Receiver, message: Message, delivery: Delivery, now: datetime) -> None:
    row = Notification(
        user_id=receiver.user_id,
        kind=message.kind,
        title=message.title[:200],
        body=message.body,
        work_order_id=message.order_id,
        alert_id=message.alert_id,
        group_key=message.group,
        created_at=now,
        read_at=None if delivery.in_app else now,  # who wants mail only finds it in the list, and is not rung for
    )
    session.add(row)
    session.flush()
    if delivery.in_app:
        draft = Draft(FactName.NOTIFICATION_CREATED, row.id, 1, "system", message.site_id, bodies.notification_body(row))
        emit(session, draft, now)
    if delivery.mail_at is not None and receiver.email:
        letter = Letter(f"notification:{row.id}", receiver.email, row.title, message.body or row.title, row.id, delivery.mail_at)
        mail.post(session, letter, now)


def people_with(session: Session, site_id: int | None, *roles: Role) -> list[int]:
    """Active people of a site with one of the roles."""
    query = select(User.id).where(User.active, User.role.in_([str(role) for role in roles]))
    return list(session.scalars(query if site_id is None else query.where(User.site_id == site_id)))


def list_notifications(
    session: Session, user: Person, *, unread: bool = False, sort: str = "", limit: int = 50, offset: int = 0
) -> Page[Notification]:
    """A person's own, newest first unless told otherwise."""
    query = select(Notification).where(Notification.user_id == user.id)
    if unread:
        query = query.where(Notification.read_at.is_(None))
    return page_of(session, query, ordering(sort, {"id": Notification.id, "created_at": Notification.created_at}, "-id"), limit, offset)


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
