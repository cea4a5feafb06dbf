"""Within how many hours a site promises an order of each priority, and until when that is. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, NotFound
from server.models.plant import Site
from server.models.work import SlaHours
from server.rules import priorities
from server.rules.priorities import Priority
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of

SORTS = {"priority": SlaHours.priority, "hours": SlaHours.hours}


def promised(session: Session, site_id: int, priority: Priority, opened_at: datetime) -> datetime:
    """Until when the site promises an order of this priority that was opened then."""
    own = select(SlaHours.hours).where(SlaHours.site_id == site_id, SlaHours.priority == str(priority), SlaHours.deleted_at.is_(None))
    return priorities.promised(opened_at, priority, session.scalar(own))


def list_hours(session: Session, user: Person, priority: str | None, page: Mapping[str, Any]) -> Page[SlaHours]:
    """What the caller's site has set itself."""
    query = select(SlaHours).where(SlaHours.site_id == user.site_id, SlaHours.deleted_at.is_(None))
    if priority is not None:
        query = query.where(SlaHours.priority == priority)
    return page_of(session, query, [*ordering(page["sort"], SORTS, "hours"), SlaHours.id], page["limit"], page["offset"])


def get_hours(session: Session, hours_id: int, user: Person, *, lock: bool = False) -> SlaHours:
    """One of the caller's site, locked until commit where it is to be changed; raises NotFound."""
    row = session.get(SlaHours, hours_id, with_for_update={"key_share": True} if lock else None)
    if row is None or row.site_id != user.site_id or row.deleted_at is not None:
        raise NotFound("SLA hours", hours_id)
    return row


def create(session: Session, priority: str, hours: float, user: Person, now: datetime) -> SlaHours:
    """The hours of a priority; raises Conflict where the site has some for it."""
    need(user, "policies.write")
    assert user.site_id is not None
    session.get_one(Site, user.site_id, with_for_update={"key_share": True})  # of two who make the same one the second is told
    double = select(SlaHours.id).where(SlaHours.site_id == user.site_id, SlaHours.priority == priority, SlaHours.deleted_at.is_(None))
    if session.scalar(double) is not None:
        raise Conflict("priority_taken", f"the site has hours for {priority} already; change those")
    row = SlaHours(site_id=user.site_id, priority=priority, hours=hours)
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "sla_hours", row.id, row.site_id, None, _values(row)), user, now)
    return row


def change(session: Session, row: SlaHours, hours: float, user: Person, now: datetime) -> None:
    """Other hours; orders that are open keep what they were promised."""
    need(user, "policies.write")
    old = _values(row)
    row.hours = hours
    row.rev += 1
    audit.record(session, audit.Change("change", "sla_hours", row.id, row.site_id, old, _values(row)), user, now)


def remove(session: Session, row: SlaHours, user: Person, now: datetime) -> None:
    """The usual time counts again."""
    need(user, "policies.write")
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "sla_hours", row.id, row.site_id, _values(row), None), user, now)


def hours_body(row: SlaHours) -> dict[str, Any]:
    """REST body."""
    return {"id": row.id, **_values(row), "rev": row.rev}


def _values(row: SlaHours) -> dict[str, Any]:
    return {"priority": row.priority, "hours": row.hours}
