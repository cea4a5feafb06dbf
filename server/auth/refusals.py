"""What was refused stands in the audit trail: who tried what without the right, once a minute each; of some routes every try.

Failed logins are written by server/auth/login.py.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from server import audit
from server.auth.principal import Principal
from server.services import services
from server.store.actor import Actor, Person

log = logging.getLogger("server.auth")

EVERY_S = 60.0
REMEMBERED = 10_000
NOBODY = Actor(None, "nobody", None, None)  # who did not sign in
Key = tuple[str, int, str, str]


class Refusals:
    """One row per caller and route in EVERY_S, so that a page that asks again and again does not fill the trail."""

    def __init__(self) -> None:
        self._told: dict[Key, float] = {}

    def note(self, key: Key, now_s: float) -> bool:
        """True when this refusal is to be written."""
        if now_s - self._told.get(key, -EVERY_S) < EVERY_S:
            return False
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told[key] = now_s
        return True


def _key(principal: Principal | None) -> Key:
    route = (request.endpoint or "", request.method)
    return ("nobody", 0, *route) if principal is None else (principal.kind, principal.token_id or principal.id, *route)


def register(app: Flask) -> None:
    """Write refused requests after their answer is made."""
    refusals = Refusals()

    def write(response: Response) -> Response:
        found = g.get("principal")
        principal = found if isinstance(found, Principal) else None
        if response.status_code >= 400 and _keeps_every_try():
            # one that its view wrote down itself, with more in it, is not written twice
            if not g.get("try_audited") and (principal is not None or refusals.note(_key(None), time.monotonic())):
                _write(principal or NOBODY, {"status": response.status_code})
        elif response.status_code == 403 and principal is not None and refusals.note(_key(principal), time.monotonic()):
            _write(principal)
        return response

    app.after_request(write)


def _keeps_every_try() -> bool:
    return bool(getattr(current_app.view_functions.get(str(request.endpoint)), "sightline_every_try", False))


def _write(by: Person, more: Mapping[str, Any] | None = None) -> None:
    at = services()
    new = {"method": request.method, "path": request.path[:200], **(more or {})}
    try:
        with at.database.transaction() as session:
            audit.record(session, audit.Change("refuse", "route", None, by.site_id, None, new), by, at.clock())
    except SQLAlchemyError as error:
        log.warning("a refusal of %s %s is not in the audit trail: %s", request.method, request.path, error)
