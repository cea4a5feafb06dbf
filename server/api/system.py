"""/live, /ready, /health, /metrics and their /api spellings (S2-95, S2-143): for load balancers, monitors and people."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Blueprint, Response, jsonify

from server.api.blueprint import resource
from server.auth.guard import identify, is_held_back, public, right
from server.metrics import CONTENT_TYPE, exposition
from server.problems import Problem
from server.services import services
from server.status import details, look

blueprint = resource("system", "Health of this instance")
root = Blueprint("system_root", __name__)


class Health(ma.Schema):
    """`status` for anyone; the rest for the right system.read."""

    class Meta:
        """Additive: clients ignore keys they do not know."""

        unknown = ma.INCLUDE

    status = ma.fields.String(validate=ma.validate.OneOf(["ok", "degraded", "down"]))


@root.route("/live")
@public
def live() -> dict[str, str]:
    """This process answers."""
    return {"status": "live"}


@root.route("/ready")
@public
def ready() -> tuple[dict[str, Any], int]:
    """200 only when the database answers, groups exist, programs run and brokers are subscribed."""
    reasons = look(services()).not_ready
    return {"status": "not_ready" if reasons else "ready", "reasons": reasons}, 503 if reasons else 200


def _health() -> Response:
    at = services()
    status = look(at)
    body: dict[str, Any] = {"status": status.word}
    principal = None
    if status.database:
        try:
            principal = identify()
        except Problem:
            principal = None  # a monitor with an old token still learns the word
    if principal is not None and principal.may("system.read") and not is_held_back(principal):
        body |= details(at, status)
    answer = jsonify(body)
    answer.status_code = 503 if status.word == "down" else 200
    return answer


@root.route("/health")
@public
def health() -> Response:
    """The status word for anyone; everything for system.read."""
    return _health()


@blueprint.route("/health")
@blueprint.response(200, Health)
@public
def api_health() -> Response:
    """The status word for anyone; dependencies, programs, pending and drops for system.read."""
    return _health()


@root.route("/metrics")
@right("system.read")
def metrics() -> Response:
    """Counters of every program, in Prometheus' text format."""
    status = look(services())
    return Response(exposition(status.beats, {"database": status.database, "bus": status.bus}), content_type=CONTENT_TYPE)
