"""Logins that ended before their time: one row per token or cookie id until it would have expired anyway.

In the database and not on the bus: every request reads its user there already, so nothing fails open.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, Exists, String, delete, exists
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.models.base import Base


class RevokedSession(Base):
    """A login id (JWT jti or cookie sid) that no longer counts."""

    __tablename__ = "revoked_sessions"

    login_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


def revoke(session: Session, login_id: str, expires_at: datetime, now: datetime) -> None:
    """End a login; forgets those whose time is over."""
    session.execute(delete(RevokedSession).where(RevokedSession.expires_at < now))
    session.execute(insert(RevokedSession).values(login_id=login_id, expires_at=expires_at).on_conflict_do_nothing())


def revoked(login_id: str) -> Exists:
    """True when this login was ended; asked in the query that reads its user."""
    return exists().where(RevokedSession.login_id == login_id)
