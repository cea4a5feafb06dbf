"""Reading the audit trail: rows of a site, newest first. Writing is server/audit.py, and nothing changes a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from server.models.audit import AuditLog
from server.store.actor import Person
from server.store.page import Page, ordering, page_of
from server.store.people import contains
from server.timestamps import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which rows; None = any. Times: [start, end)."""

    thing: str | None = None
    thing_id: int | None = None
    actor: str | None = None
    actor_id: int | None = None
    action: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def query_of(user: Person, which: Which) -> Select[AuditLog]:
    """Rows of the caller's site and of no site at all."""
    query = select(AuditLog)
    if user.site_id is not None:
        query = query.where((AuditLog.site_id == user.site_id) | AuditLog.site_id.is_(None))
    for name in ("thing", "thing_id", "actor_id", "action"):
        if getattr(which, name) is not None:
            query = query.where(getattr(AuditLog, name) == getattr(which, name))
    if which.actor is not None:
        query = query.where(AuditLog.actor.ilike(contains(which.actor)))
    if which.start is not None:
        query = query.where(AuditLog.at >= which.start)
    if which.end is not None:
        query = query.where(AuditLog.at < which.end)
    return query


def list_rows(session: Session, user: Person, which: Which, *, sort: str, limit: int, offset: int) -> Page[AuditLog]:
    """Newest first unless told otherwise."""
    order = ordering(sort, {"id": AuditLog.id, "at": AuditLog.at}, "-id")
    return page_of(session, query_of(user, which), order, limit, offset)


def every_row(session: Session, user: Person, which: Which, most: int) -> Iterator[AuditLog]:
    """The newest `most` rows, read as they are used: an export may be long."""
    query = query_of(user, which).order_by(AuditLog.id.desc()).limit(most)
    yield from session.scalars(query.execution_options(yield_per=1000))


def body(row: AuditLog) -> dict[str, Any]:
    """The REST body."""
    names = ("id", "actor", "actor_id", "actor_kind", "action", "thing", "thing_id", "reason", "old", "new")
    return {"at": rfc3339(row.at), **{name: getattr(row, name) for name in names}}
