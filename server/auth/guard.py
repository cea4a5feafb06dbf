"""Default deny: every route declares the right it needs, or that it is open; one check before every request judges.

Whether a row of the caller's own site may be seen or changed is the stores' business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import quote

from flask import Flask, Response, current_app, g, redirect, request
from flask_wtf.csrf import CSRFError, CSRFProtect

from server.auth import refusals
from server.auth.identity import by_bearer
from server.auth.principal import Principal
from server.auth.session import cookie_principal
from server.problems import Problem, is_machine_path, unauthorized
from server.services import services

View = TypeVar("View", bound=Callable[..., Any])

OPEN = "*"  # no login needed
SIGNED_IN = "signed_in"  # any person; not a device's token
PASSWORD_PAGE = "/account/password"  # noqa: S105 - a path
OWN_ACCOUNT = frozenset({PASSWORD_PAGE, "/logout", "/api/auth/me", "/api/auth/password", "/api/auth/logout"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
_csrf = CSRFProtect()


def right(name: str) -> Callable[[View], View]:
    """Mark a view: only principals with this right reach it."""

    def mark(view: View) -> View:
        view.__dict__["sightline_right"] = name
        return view

    return mark


def public(view: View) -> View:
    """Mark a view that anyone may call."""
    return right(OPEN)(view)


def own_csrf(view: View) -> View:
    """Mark a public view whose form needs no cookie: what it brings instead, the view checks; no login stands behind it anyway."""
    view.__dict__["sightline_own_csrf"] = True
    return view


def signed_in(view: View) -> View:
    """Mark a view for every person, whatever the role: their own account."""
    return right(SIGNED_IN)(view)


def in_browser(view: View) -> View:
    """Mark a view that only a person's own browser session may call: no JWT, no key, no device. Every refused try is audited."""
    view.__dict__["sightline_in_browser"] = True
    return every_try(view)


def every_try(view: View) -> View:
    """Mark a view whose refusals all stand in the audit trail, not one a minute."""
    view.__dict__["sightline_every_try"] = True
    return view


def open_endpoints(app: Flask, *endpoints: str) -> None:
    """Declare endpoints public whose views are not ours to mark (static files)."""
    _declared(app).update(dict.fromkeys(endpoints, OPEN))


def _declared(app: Flask) -> dict[str, str]:
    return cast("dict[str, str]", app.extensions.setdefault("sightline.rights", {}))


def declared_right(app: Flask, endpoint: str) -> str | None:
    """The right an endpoint declares; None = forgotten, and so refused."""
    listed = _declared(app).get(endpoint)
    return listed or getattr(app.view_functions.get(endpoint), "sightline_right", None)


def current_user() -> Principal:
    """Who calls; raises Problem 401 for nobody."""
    principal = identify()
    if principal is None:
        raise unauthorized()
    return principal


def identify() -> Principal | None:
    """Who calls, judged once a request: a bearer token when there is one, else the cookie. Raises Problem 401 on a bad token."""
    if "principal" not in g:
        g.principal, g.by_cookie = _read_credentials()
    return cast("Principal | None", g.principal)


def _read_credentials() -> tuple[Principal | None, bool]:
    header = request.headers.get("Authorization")
    if header is None:
        principal = cookie_principal()
        return principal, principal is not None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("Authorization must be a bearer token")
    at = services()
    with at.database.transaction() as session:
        return by_bearer(session, token.strip(), current_app.extensions["sightline.jwt_key"], at.clock()), False


def _judge() -> Response | None:
    if request.routing_exception is not None or request.endpoint is None:
        return None  # 404 and 405 are for everyone
    needed = declared_right(current_app._get_current_object(), request.endpoint)  # type: ignore[attr-defined]
    if needed is None:
        raise Problem(403, "no_right_declared", "this route declares no right, so nobody may call it")
    if needed == OPEN:
        _check_csrf(form_only=True)
        return None
    principal = identify()
    if principal is None:
        if is_machine_path():
            raise unauthorized()
        wanted = request.full_path.rstrip("?") if request.method in _SAFE else "/"
        return cast("Response", redirect(f"/login?next={quote(wanted, safe='/')}"))
    _check_csrf(form_only=False)
    _check_right(principal, needed)
    if not is_held_back(principal) or request.path in OWN_ACCOUNT:
        return None
    if is_machine_path():
        raise Problem(403, "password_change_needed", "somebody gave you this password; change it first by POST /api/auth/password")
    return cast("Response", redirect(PASSWORD_PAGE))


def is_held_back(principal: Principal) -> bool:
    """Whether the caller of this request has to change the password before anything else."""
    return principal.is_held_back(by_cookie=g.by_cookie)


def _check_right(principal: Principal, needed: str) -> None:
    allowed = principal.kind in {"user", "api"} if needed == SIGNED_IN else principal.may(needed)
    if not allowed:
        raise Problem(403, "forbidden", f"your account lacks the right {needed}")
    if not g.by_cookie and _is_marked("sightline_in_browser"):
        raise Problem(403, "browser_only", "only a person's own browser session may do this, never a token")


def _check_csrf(*, form_only: bool) -> None:
    """A cookie must bring its CSRF token on unsafe methods; an open route only where a foreign form could post to it."""
    if request.method in _SAFE or "Authorization" in request.headers:
        return
    if form_only and (request.mimetype not in _FORMS or brings_own_csrf()):
        return
    try:
        _csrf.protect()
    except CSRFError as error:
        raise Problem(400, "csrf", error.description or "the CSRF token is missing or wrong") from error


def brings_own_csrf() -> bool:
    """Whether the view of this request is marked with `own_csrf`: it needs no cookie."""
    return _is_marked("sightline_own_csrf")


def _is_marked(mark: str) -> bool:
    return bool(getattr(current_app.view_functions.get(str(request.endpoint)), mark, False))


def register(app: Flask) -> None:
    """Install the check; call it before any other before_request that trusts a user."""
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    _csrf.init_app(app)
    app.before_request(_judge)
    refusals.register(app)
