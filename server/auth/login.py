"""Employee number and password to a user; changing a password. Slow hashing happens outside any transaction."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import select

from server import audit
from server.auth import jwt_tokens, passwords, throttle
from server.auth.session import cut_sockets
from server.errors import Invalid, NotFound
from server.models.people import User
from server.services import Services, services
from server.store.actor import Actor

log = logging.getLogger("server.auth")

NOBODY = Actor(None, "nobody", None, None)  # who did not get in


def authenticate(employee_number: str, password: str, address: str) -> User | None:
    """The active user with this number and password, else None after the same time; raises Problem 429 after too many tries."""
    at = services()
    throttle.check(at.bus, employee_number, address)
    user = _find(at, employee_number)
    right = passwords.is_right(user.password_hash if user else None, password)
    if user is None or not right or not user.active:
        throttle.failed(at.bus, employee_number, address)
        log.info("login refused for %.64r from %s", employee_number, address)
        _note_refusal(at, user, employee_number, address)
        return None
    throttle.succeeded(at.bus, employee_number, address)
    if passwords.needs_new_hash(user.password_hash):
        _store(at, user.id, passwords.hash_password(password))
    return user


def _note_refusal(at: Services, user: User | None, employee_number: str, address: str) -> None:
    """Refused tries stand in the audit trail too; the back-off bounds their number."""
    number = employee_number.strip()[:64]
    known, site = (user.id, user.site_id) if user else (None, None)
    change = audit.Change("refuse_login", "user", known, site, None, {"employee_number": number, "address": address})
    with at.database.transaction() as session:
        audit.record(session, change, NOBODY, at.clock())


def access_token(user: User, key: bytes) -> tuple[str, int]:
    """A JWT for one shift and its lifetime in seconds."""
    at = services()
    lifetime = timedelta(hours=at.settings.jwt_expiry_hours)
    now = at.clock()
    with at.database.transaction() as session:
        session.get_one(User, user.id).last_login_at = now
    return jwt_tokens.encode(user.id, user.session_epoch, key, now, lifetime), int(lifetime.total_seconds())


def change_password(user_id: int, old: str, new: str, address: str) -> None:
    """Set a new password; every login of the user ends. Raises Invalid when the old one is wrong or the new one weak."""
    at = services()
    with at.database.transaction() as session:
        user = session.get(User, user_id)
    if user is None:
        raise NotFound("user", user_id)
    throttle.check(at.bus, user.employee_number, address)
    if not passwords.is_right(user.password_hash, old):
        throttle.failed(at.bus, user.employee_number, address)
        raise Invalid("old_password", "wrong", "is not your password")
    if new == old:
        raise Invalid("password", "unchanged", "must differ from the old one")
    passwords.check_strength(new, user.employee_number, user.name)
    hashed = passwords.hash_password(new)
    with at.database.transaction() as session:
        row = session.get_one(User, user_id, with_for_update=True)
        row.password_hash = hashed
        row.must_change_password = False
        row.session_epoch += 1
        audit.record(session, audit.Change("change_password", "user", user_id, row.site_id), row, at.clock())
    cut_sockets(at.bus, user_id)


def _find(at: Services, employee_number: str) -> User | None:
    with at.database.transaction() as session:
        return session.scalars(
            select(User).where(User.employee_number == employee_number.strip(), User.contractor.is_(False))
        ).one_or_none()


def _store(at: Services, user_id: int, hashed: str) -> None:
    with at.database.transaction() as session:
        session.get_one(User, user_id).password_hash = hashed
