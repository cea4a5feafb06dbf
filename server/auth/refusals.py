"""What was refused stands in the audit trail: who tried what without the right, once a minute each.

Failed logins are written by server/auth/login.py.
"""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request
from sqlalchemy.exc import SQLAlchemyError

from server import audit
from server.auth.principal import Principal
from server.services import services

log = logging.getLogger("server.auth")

EVERY_S = 60.0
REMEMBERED = 10_000


class Refusals:
    """One row per caller and route in EVERY_S, so that a page that asks again and again does not fill the trail."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int, str, str], float] = {}

    def note(self, principal: Principal, endpoint: str, method: str, now_s: float) -> bool:
        """True when this refusal is to be written."""
        key = (principal.kind, principal.token_id or principal.id, endpoint, method)
        if now_s - self._told.get(key, -EVERY_S) < EVERY_S:
            return False
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told[key] = now_s
        return True


def register(app: Flask) -> None:
    """Write refused requests of known callers after their answer is made."""
    refusals = Refusals()

    def write(response: Response) -> Response:
        principal = g.get("principal")
        known = response.status_code == 403 and isinstance(principal, Principal)
        if known and refusals.note(principal, request.endpoint or "", request.method, time.monotonic()):
            _write(principal)
        return response

    app.after_request(write)


def _write(principal: Principal) -> None:
    at = services()
    change = audit.Change("refuse", "route", None, principal.site_id, None, {"method": request.method, "path": request.path[:200]})
    try:
        with at.database.transaction() as session:
            audit.record(session, change, principal, at.clock())
    except SQLAlchemyError as error:
        log.warning("a refusal of %s %s is not in the audit trail: %s", request.method, request.path, error)
