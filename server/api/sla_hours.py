"""Within how many hours the site promises an order of each priority."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Number, Page, collection, resource
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.rules.priorities import Priority
from server.services import services
from server.store import sla_hours

blueprint = resource("sla-hours", "Within how many hours an order of each priority is promised")

PRIORITIES = ma.validate.OneOf([str(one) for one in Priority])
HOURS = ma.validate.Range(0, 24 * 366, min_inclusive=False)


class SlaHoursQuery(Page):
    """Which hours."""

    priority = ma.fields.String(load_default=None, validate=PRIORITIES)


class SlaHoursPatch(ma.Schema):
    """Other hours for the same priority."""

    hours = Number(required=True, validate=HOURS, metadata={"description": "by the clock, nights and holidays too"})


class NewSlaHours(SlaHoursPatch):
    """The hours of a priority at the caller's site; without them urgent 2, high 8, normal 72, low 336 count."""

    priority = ma.fields.String(required=True, validate=PRIORITIES)


@blueprint.route("/sla-hours")
@blueprint.arguments(SlaHoursQuery, location="query")
@blueprint.response(200, Collection)
@right("policies.read")
def list_hours(query: dict[str, Any]) -> Response:
    """What the caller's site has set itself, the shortest first."""
    with services().database.transaction() as session:
        page = sla_hours.list_hours(session, current_user(), query["priority"], query)
        return jsonify(collection([sla_hours.hours_body(row) for row in page.items], page.total, query))


@blueprint.route("/sla-hours", methods=["POST"])
@blueprint.arguments(NewSlaHours)
@blueprint.response(201, Body)
@right("policies.write")
def create_hours(body: dict[str, Any]) -> Response:
    """Set the hours of a priority; they count for orders opened from now on."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = sla_hours.create(session, body["priority"], body["hours"], current_user(), services().clock())
        return sla_hours.hours_body(row), 201

    answer = once("sla-hours", deed)
    answer.headers["Location"] = f"/api/sla-hours/{answer.get_json()['id']}"
    return answer


@blueprint.route("/sla-hours/<id:hours_id>")
@blueprint.response(200, Body)
@right("policies.read")
def get_hours(hours_id: int) -> Response:
    """The hours of one priority."""
    with services().database.transaction() as session:
        return etags.tagged(sla_hours.hours_body(sla_hours.get_hours(session, hours_id, current_user())))


@blueprint.route("/sla-hours/<id:hours_id>", methods=["PATCH"])
@blueprint.arguments(SlaHoursPatch)
@blueprint.response(200, Body)
@right("policies.write")
def patch_hours(body: dict[str, Any], hours_id: int) -> Response:
    """Change the hours; orders that are open keep what they were promised."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        row = sla_hours.get_hours(session, hours_id, user, lock=True)
        etags.check_match(row.rev)
        sla_hours.change(session, row, body["hours"], user, at.clock())
        return etags.tagged(sla_hours.hours_body(row))


@blueprint.route("/sla-hours/<id:hours_id>", methods=["DELETE"])
@blueprint.response(204)
@right("policies.write")
def delete_hours(hours_id: int) -> Response:
    """The usual time counts again."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        row = sla_hours.get_hours(session, hours_id, user, lock=True)
        etags.check_match(row.rev)
        sla_hours.remove(session, row, user, at.clock())
    return Response(status=204)
