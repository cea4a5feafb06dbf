"""Facts that were numbered, for clients that were away; older than the stream keeps, they come from here."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.events import Fact, FactName
from server.models.outbox import Outbox
from server.timestamps import rfc3339


def newest_seq(session: Session) -> int:
    """Number of the newest fact; 0 when there is none."""
    return session.scalar(select(func.max(Outbox.seq))) or 0


def since(session: Session, seq: int, limit: int = 1000) -> list[Fact]:
    """Facts after `seq`, ascending, at most `limit`."""
    rows = session.scalars(select(Outbox).where(Outbox.seq > seq).order_by(Outbox.seq).limit(limit))
    return [fact_of(row) for row in rows]


def latest(session: Session, site: int | None, names: list[FactName], limit: int) -> list[Fact]:
    """The newest facts of a site with one of the names, newest first."""
    query = select(Outbox).where(Outbox.seq.is_not(None), Outbox.name.in_(names))
    if site is not None:
        query = query.where((Outbox.site_id == site) | Outbox.site_id.is_(None))
    return [fact_of(row) for row in session.scalars(query.order_by(Outbox.seq.desc()).limit(limit))]


def fact_of(row: Outbox) -> Fact:
    """A numbered row as the fact that the bus carries."""
    assert row.seq is not None
    return Fact(row.seq, rfc3339(row.at), FactName(row.name), row.thing_id, row.rev, row.by, row.data)
