"""When a page login was last used by its person: an admin's ends when nobody has acted for a while, everybody's at its time.

Opening a page and sending something count; what an open page asks by itself does not, so that a forgotten screen is not kept alive.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import DateTime, ScalarSelect, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.models.base import Base
from server.rules.roles import Role

ADMIN_IDLE = timedelta(minutes=30)
SEEN_EVERY = timedelta(minutes=1)  # `seen_at` is written no more often


class CookieLogin(Base):
    """A page login and when its person last did something with it."""

    __tablename__ = "cookie_logins"

    login_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


def begin(session: Session, login_id: str, expires_at: datetime, now: datetime) -> None:
    """A page login begins; forgets those whose time is over."""
    session.execute(delete(CookieLogin).where(CookieLogin.expires_at < now))
    session.add(CookieLogin(login_id=login_id, seen_at=now, expires_at=expires_at))


def last_act(login_id: str) -> ScalarSelect[datetime]:
    """When it was last used, asked in the query that reads its user; null for what is no page login (a JWT)."""
    return select(CookieLogin.seen_at).where(CookieLogin.login_id == login_id).scalar_subquery()


def is_idle(seen_at: datetime | None, role: str, now: datetime) -> bool:
    """Whether a login has ended for want of use; only an admin's page login does."""
    return role == Role.ADMIN and seen_at is not None and now - seen_at > ADMIN_IDLE


def touch(session: Session, login_id: str, now: datetime) -> None:
    """Its person did something."""
    row = session.get(CookieLogin, login_id)
    if row is not None and now - row.seen_at >= SEEN_EVERY:
        row.seen_at = now
