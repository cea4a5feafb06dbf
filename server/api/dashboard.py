"""The figures of the overview (S2-83, S2-144)."""

from __future__ import annotations

from flask import Response, jsonify

from server.api.blueprint import resource
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.backup import runs
from server.services import services
from server.store.summary import summary

blueprint = resource("dashboard", "Key figures")


@blueprint.route("/dashboard/summary")
@blueprint.response(200, Body)
@right("overview.read")
def get_summary() -> Response:
    """Open work, downtime, repair time, gaps and what happened last, of the caller's site."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        body = summary(session, user.site_id, at.clock())
        if user.may("system.read"):
            body["backup"] = runs.newest(session, at.clock())
        return jsonify(body)
