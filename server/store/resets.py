"""Forgotten passwords: a mailed token, stored hashed, for 30 minutes and one use. Nothing here commits or tells who exists."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from server import audit
from server.auth.device_tokens import digest
from server.models.people import PasswordReset, User
from server.store.mail import Letter, post

LIVES = timedelta(minutes=30)
TEXT = """Hello {name},

somebody, most likely you, asked for a new password for your Sightline account.

{how}

This works for 30 minutes and once. If you did not ask, do nothing: your password stays as it is.
"""
BY_LINK = "Set it here:\n{url}/account/reset?token={token}"
BY_CODE = 'Open Sightline as you always do, choose "Forgotten password", then "I have a code", and type this code:\n{token}'


def find(session: Session, who: str) -> User | None:
    """The active person with this employee number or, where just one has it, this address; None without an address to write to."""
    own = select(User).where(User.active, User.contractor.is_(False), User.email.is_not(None))
    rows = session.scalars(own.where(User.employee_number == who)).all()
    if not rows:
        rows = session.scalars(own.where(func.lower(User.email) == who.lower()).limit(2)).all()
    return rows[0] if len(rows) == 1 else None


def open_reset(session: Session, user: User, token: str, public_url: str | None, now: datetime) -> None:
    """Keep the token's hash and post the mail; an earlier open one of the person ends."""
    ended = update(PasswordReset).where(PasswordReset.user_id == user.id, PasswordReset.used_at.is_(None)).values(used_at=now)
    session.execute(ended)
    row = PasswordReset(user_id=user.id, token_hash=digest(token), created_at=now, expires_at=now + LIVES)
    session.add(row)
    session.flush()
    how = BY_LINK.format(url=public_url.rstrip("/"), token=token) if public_url else BY_CODE.format(token=token)
    letter = Letter(key=f"reset:{row.id}", to=user.email or "", subject="Your new password", text=TEXT.format(name=user.name, how=how))
    post(session, letter, now)
    audit.record(session, audit.Change("ask_reset", "user", user.id, user.site_id), user, now)


def holder(session: Session, token: str, now: datetime, *, lock: bool = False) -> tuple[PasswordReset, User] | None:
    """The open reset of a token and its active person; None when it is unknown, used or over."""
    query = select(PasswordReset).where(PasswordReset.token_hash == digest(token))
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None or row.used_at is not None or row.expires_at <= now:
        return None
    user = session.get(User, row.user_id, with_for_update=lock)
    return (row, user) if user is not None and user.active else None
