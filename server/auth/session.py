"""Cookie logins of the pages, by flask-login. The cookie names a login that the database can end; it holds no right."""

from __future__ import annotations

import logging
import secrets
from datetime import UTC, datetime, timedelta

import flask_login
from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface

from realtime.bus import Bus
from realtime.errors import BusUnavailable
from realtime.push import announce_cut
from server.auth import activity
from server.auth.identity import by_login
from server.auth.principal import Login, Principal
from server.auth.revocation import revoke
from server.models.people import User
from server.problems import is_machine_path
from server.rules.roles import Role
from server.services import services

log = logging.getLogger("server.auth")

LIFETIME = timedelta(hours=12)
COOKIE = "sightline_session"

_manager = flask_login.LoginManager()


class SessionUser(flask_login.UserMixin):  # type: ignore[misc]
    """What flask-login carries: the principal and the text that finds it again."""

    def __init__(self, principal: Principal, login: Login) -> None:
        self.principal = principal
        self.login = login

    def get_id(self) -> str:
        """`user.epoch.expires.login`, signed with the cookie."""
        return f"{self.principal.id}.{self.login.epoch}.{self.login.expires_at}.{self.login.id}"


class _SecureWhereHttps(SecureCookieSessionInterface):
    """The Secure flag where the request came by https; on plain loopback browsers would drop such a cookie."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether this answer's cookie is for https only."""
        del app
        return request.is_secure


def _load(text: str) -> SessionUser | None:
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isdigit() for part in parts[:3]):
        return None
    login = Login(parts[3], int(parts[1]), int(parts[2]))
    at = services()
    with at.database.transaction() as transaction:
        principal = by_login(transaction, int(parts[0]), login, at.clock())
        if principal is not None and principal.role == Role.ADMIN and _is_act():
            activity.touch(transaction, login.id, at.clock())
    return SessionUser(principal, login) if principal else None


def _is_act() -> bool:
    """Whether a person did something: opened a page or sent a change; a page that reads by itself does not count."""
    return request.method not in {"GET", "HEAD", "OPTIONS"} or not is_machine_path()


def log_in(user_id: int) -> Principal:
    """Start a cookie login for a user whose password was just found right; the former session's content goes."""
    at = services()
    now = at.clock()
    with at.database.transaction() as transaction:
        user = transaction.get_one(User, user_id)
        user.last_login_at = now
        login = Login(secrets.token_urlsafe(16), user.session_epoch, int((now + LIFETIME).timestamp()))
        activity.begin(transaction, login.id, now + LIFETIME, now)
        transaction.flush()
        principal = by_login(transaction, user_id, login, now)
    if principal is None:
        raise LookupError(f"user {user_id} is not active")
    session.clear()
    flask_login.login_user(SessionUser(principal, login))
    return principal


def log_out() -> None:
    """End this cookie login for good: a copy of the cookie is dead too, and so are its sockets."""
    user = flask_login.current_user._get_current_object()
    if isinstance(user, SessionUser):
        end_login(user.principal)
    flask_login.logout_user()
    session.clear()


def end_login(principal: Principal) -> None:
    """Revoke the login a principal came in with and cut its sockets."""
    at = services()
    if principal.login is None:
        return
    with at.database.transaction() as transaction:
        revoke(transaction, principal.login.id, datetime.fromtimestamp(principal.login.expires_at, UTC), at.clock())
    cut_sockets(at.bus, principal.id)


def cut_sockets(bus: Bus, user_id: int) -> None:
    """Close the user's sockets in every web process; without the bus their own check does within seconds."""
    try:
        announce_cut(bus, user_id)
    except BusUnavailable as error:
        log.warning("sockets of user %s not cut at once: %s", user_id, error)


def cookie_principal() -> Principal | None:
    """Who the cookie of this request stands for."""
    user = flask_login.current_user._get_current_object()
    return user.principal if isinstance(user, SessionUser) else None


def register(app: Flask) -> None:
    """Install flask-login and the cookie's flags."""
    app.session_interface = _SecureWhereHttps()
    _manager.init_app(app)
    _manager.user_loader(_load)
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=LIFETIME,
        REMEMBER_COOKIE_DURATION=timedelta(0),
    )
