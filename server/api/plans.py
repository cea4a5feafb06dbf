"""Plans of preventive maintenance: what is to be done again and again, when it is due, and what became of it (S1-16, S2-20, N-12)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server.api import etags
from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.calibrations import located
from server.api.schemas import Body, Collection
from server.api.times import Span, span_of
from server.api.values import day
from server.auth.guard import current_user, right
from server.idempotency import once
from server.rules.order_types import OrderType
from server.rules.priorities import Priority
from server.services import services
from server.store import plan_views, plans
from server.timestamps import from_ms, to_ms

blueprint = resource("plans", "Preventive maintenance: plans, due dates, forecasts")

NUMBER = r"^[A-Za-z0-9][A-Za-z0-9 ./_-]{0,63}$"


def believable(value: date) -> None:
    """A day that a plant can mean; raises ValidationError."""
    if not 2000 <= value.year <= 2100:
        raise ma.ValidationError("A day from 2000 to 2100.")


class PlansQuery(Page):
    """Which plans."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    asset = ma.fields.String(load_default=None, validate=ma.validate.Length(max=64), metadata={"description": "an asset's code"})
    active = ma.fields.Boolean(load_default=None)


class Trigger(ma.Schema):
    """calendar takes rrule (RFC 5545, of days, weeks, months or years); run_hours and cycles take every; condition alert_type, tag."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["calendar", "run_hours", "cycles", "condition"]))
    rrule = text(300)
    every = Number(validate=ma.validate.Range(0.001, 1e12))
    alert_type = ma.fields.String(validate=ma.validate.OneOf([str(word) for word in AlertType]))
    tag = text(200, metadata={"description": "end of the tag's name"})


class PlannedPart(ma.Schema):
    """A part by its number."""

    part = ma.fields.String(required=True, validate=ma.validate.Regexp(NUMBER))
    quantity = Number(required=True, validate=ma.validate.Range(0.001, 1e9))


class Plan(ma.Schema):
    """A plan; in a change every field may be left out."""

    title = text(120, required=True)
    description = text(4000, shortest=0)
    type = ma.fields.String(validate=ma.validate.OneOf([str(word) for word in OrderType if word != OrderType.CORRECTIVE]))
    priority = ma.fields.String(validate=ma.validate.OneOf([str(word) for word in Priority]))
    assets = ma.fields.List(text(64), required=True, validate=ma.validate.Length(1, 500), metadata={"description": "codes"})
    triggers = ma.fields.List(ma.fields.Nested(Trigger), required=True, validate=ma.validate.Length(1, 6))
    schedule = ma.fields.String(validate=ma.validate.OneOf(["fixed", "floating"]))
    starts_on = day(required=True, validate=believable)
    at = ma.fields.String(validate=ma.validate.Regexp(r"^([01]\d|2[0-3]):[0-5]\d\Z"), metadata={"description": "local time of day"})
    lead_days = Whole(high=365)
    early_days = Whole(high=365)
    late_days = Whole(high=365)
    months = ma.fields.List(Whole(low=1, high=12), validate=ma.validate.Length(0, 12), metadata={"description": "season; empty = always"})
    shift = ma.fields.String(validate=ma.validate.OneOf(["before", "after", "none"]))
    series = text(64, shortest=0)
    level = Whole(low=1, high=20)
    procedure = text(64, allow_none=True)
    team = text(200, allow_none=True)
    assignee_id = Whole(low=1, high=2**31 - 1, allow_none=True)
    estimated_min = Whole(low=1, high=10_000, allow_none=True)
    parts = ma.fields.List(ma.fields.Nested(PlannedPart), validate=ma.validate.Length(0, 100))
    active = ma.fields.Boolean(truthy={True}, falsy={False})


class Skip(ma.Schema):
    """Which occurrence is left out, and why."""

    asset = text(64, required=True)
    reason = text(2000, required=True)


@blueprint.route("/plans")
@blueprint.arguments(PlansQuery, location="query")
@blueprint.response(200, Collection)
@right("plans.read")
def list_plans(query: dict[str, Any]) -> Response:
    """Plans of the caller's site."""
    at = services()
    with at.database.transaction() as session:
        page = plans.list_plans(session, current_user().site_id, query)
        return jsonify(collection(plan_views.bodies(session, page.items, at.clock()), page.total, query))


@blueprint.route("/plans", methods=["POST"])
@blueprint.arguments(Plan)
@blueprint.response(201, Body)
@right("plans.write")
def create_plan(body: dict[str, Any]) -> Response:
    """Make a plan; its orders come ahead of each due date by the lead time."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = plans.create(session, body, current_user(), at.clock())
        return plan_views.bodies(session, [row], at.clock())[0], 201

    return located(once("plans", deed), "plans")


@blueprint.route("/plans/calendar")
@blueprint.arguments(Span, location="query")
@blueprint.response(200, Collection)
@right("plans.read")
def get_calendar(query: dict[str, Any]) -> Response:
    """Everything due in a span (31 days from now without one): what was made, and what is ahead if all is done on its day."""
    at = services()
    start = query.get("from_", to_ms(at.clock()))
    end = query.get("to", start + round(timedelta(days=31).total_seconds() * 1000))
    first, last = span_of({"from_": start, "to": end}, at.clock())
    with at.database.transaction() as session:
        items = plan_views.calendar(session, current_user().site_id, from_ms(first), from_ms(last))
    return jsonify(collection(items, len(items), {"limit": plan_views.MOST_AHEAD, "offset": 0}))


@blueprint.route("/plans/<id:plan_id>")
@blueprint.response(200, Body)
@right("plans.read")
def get_plan(plan_id: int) -> Response:
    """One plan with where it stands on each asset."""
    at = services()
    with at.database.transaction() as session:
        row = plans.get(session, plan_id, current_user())
        return etags.tagged(plan_views.bodies(session, [row], at.clock())[0])


@blueprint.route("/plans/<id:plan_id>", methods=["PATCH"])
@blueprint.arguments(Plan(partial=("title", "assets", "triggers", "starts_on")))
@blueprint.response(200, Body)
@right("plans.write")
def change_plan(body: dict[str, Any], plan_id: int) -> Response:
    """Change a plan; orders that are open stay as they are."""
    at = services()
    with at.database.transaction() as session:
        row = plans.get(session, plan_id, current_user())
        etags.check_match(row.rev)
        plans.change(session, row, body, current_user(), at.clock())
        return etags.tagged(plan_views.bodies(session, [row], at.clock())[0])


@blueprint.route("/plans/<id:plan_id>", methods=["DELETE"])
@blueprint.response(204)
@right("plans.write")
def delete_plan(plan_id: int) -> Response:
    """End a plan; its orders and occurrences stay."""
    at = services()
    with at.database.transaction() as session:
        row = plans.get(session, plan_id, current_user())
        etags.check_match(row.rev)
        plans.delete(session, row, current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/plans/<id:plan_id>/forecast")
@blueprint.response(200, Body)
@right("plans.read")
def get_forecast(plan_id: int) -> Response:
    """By asset: when it falls due next, from calendar, meters and how fast they grew over 28 days, with bounds and confidence."""
    at = services()
    with at.database.transaction() as session:
        row = plans.get(session, plan_id, current_user())
        return jsonify(plan=row.number, items=plan_views.forecast(session, row, at.clock()))


@blueprint.route("/plans/<id:plan_id>/occurrences")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("plans.read")
def list_occurrences(query: dict[str, Any], plan_id: int) -> Response:
    """Every time it fell due, and what became of it."""
    with services().database.transaction() as session:
        page = plan_views.list_occurrences(session, plans.get(session, plan_id, current_user()), query)
        return jsonify(collection(plan_views.occurrence_bodies(session, page.items), page.total, query))


@blueprint.route("/plans/<id:plan_id>/skip", methods=["POST"])
@blueprint.arguments(Skip)
@blueprint.response(201, Body)
@right("plans.write")
def skip(body: dict[str, Any], plan_id: int) -> Response:
    """Leave the next occurrence on an asset out; 409 while an order of it is open."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = plans.skip(session, plans.get(session, plan_id, current_user()), body["asset"], body["reason"], current_user(), at.clock())
        return plan_views.occurrence_bodies(session, [row])[0], 201

    return once("plans", deed)
