"""Meters of assets: run hours and cycles, counted from the PLC's bits or read by hand (N-25)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Number, Page, collection, resource, text
from server.api.calibrations import located
from server.api.schemas import Body, Collection
from server.api.times import Instant
from server.auth.guard import current_user, right
from server.idempotency import once
from server.services import services
from server.store import meters

blueprint = resource("meters", "Run-hour and cycle meters")

KINDS = ["run_hours", "cycles"]
VALUE = ma.validate.Range(0, 1e12)


class MetersQuery(Page):
    """Which meters."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    asset = ma.fields.String(load_default=None, validate=ma.validate.Length(max=64), metadata={"description": "an asset's code"})
    kind = ma.fields.String(load_default=None, validate=ma.validate.OneOf(KINDS))


class NewMeter(ma.Schema):
    """run_hours count from the state, cycles from a counter tag or from starts; either may be read by hand instead (manual)."""

    asset = text(64, required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(KINDS))
    source = ma.fields.String(required=True, validate=ma.validate.OneOf(["state", "starts", "counter", "manual"]))
    name = text(200)
    unit = text(32)
    tag = text(200, allow_none=True)
    rollover = Number(
        allow_none=True, validate=ma.validate.Range(2, 1e15), metadata={"description": "where the counter starts again from 0"}
    )
    value = Number(validate=VALUE, metadata={"description": "what it says now"})


class MeterPatch(ma.Schema):
    """What may be changed."""

    name = text(200)
    unit = text(32)
    rollover = Number(allow_none=True, validate=ma.validate.Range(2, 1e15))


class NewReading(ma.Schema):
    """What was read; smaller than before only with `replaced`: a new meter."""

    value = Number(required=True, validate=VALUE)
    at = Instant()
    replaced = ma.fields.Boolean(truthy={True}, falsy={False})
    note = text(2000, shortest=0)


@blueprint.route("/meters")
@blueprint.arguments(MetersQuery, location="query")
@blueprint.response(200, Collection)
@right("plans.read")
def list_meters(query: dict[str, Any]) -> Response:
    """Meters of the caller's site by asset, with what they say now."""
    at = services()
    with at.database.transaction() as session:
        page = meters.list_meters(session, current_user().site_id, query)
        return jsonify(collection(meters.bodies(session, page.items, at.clock()), page.total, query))


@blueprint.route("/meters", methods=["POST"])
@blueprint.arguments(NewMeter)
@blueprint.response(201, Body)
@right("plans.write")
def create_meter(body: dict[str, Any]) -> Response:
    """A meter that counts from now on."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return meters.bodies(session, [meters.create(session, body, current_user(), at.clock())], at.clock())[0], 201

    return located(once("meters", deed), "meters")


@blueprint.route("/meters/<id:meter_id>")
@blueprint.response(200, Body)
@right("plans.read")
def get_meter(meter_id: int) -> Response:
    """One meter."""
    at = services()
    with at.database.transaction() as session:
        return etags.tagged(meters.bodies(session, [meters.get(session, meter_id, current_user())], at.clock())[0])


@blueprint.route("/meters/<id:meter_id>", methods=["PATCH"])
@blueprint.arguments(MeterPatch)
@blueprint.response(200, Body)
@right("plans.write")
def change_meter(body: dict[str, Any], meter_id: int) -> Response:
    """Change its name, unit or rollover."""
    at = services()
    with at.database.transaction() as session:
        row = meters.lock(session, meter_id, current_user())
        etags.check_match(row.rev)
        meters.change(session, row, body, current_user(), at.clock())
        return etags.tagged(meters.bodies(session, [row], at.clock())[0])


@blueprint.route("/meters/<id:meter_id>", methods=["DELETE"])
@blueprint.response(204)
@right("plans.write")
def delete_meter(meter_id: int) -> Response:
    """Take a meter out; its readings stay."""
    at = services()
    with at.database.transaction() as session:
        row = meters.lock(session, meter_id, current_user())
        etags.check_match(row.rev)
        meters.delete(session, row, current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/meters/<id:meter_id>/readings")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("plans.read")
def list_readings(query: dict[str, Any], meter_id: int) -> Response:
    """What was read or kept, newest first."""
    with services().database.transaction() as session:
        page = meters.list_readings(session, meters.get(session, meter_id, current_user()), query)
        return jsonify(collection([meters.reading_body(row) for row in page.items], page.total, query))


@blueprint.route("/meters/<id:meter_id>/readings", methods=["POST"])
@blueprint.arguments(NewReading)
@blueprint.response(201, Body)
@right("orders.create")
def create_reading(body: dict[str, Any], meter_id: int) -> Response:
    """Enter what a meter says."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = meters.lock(session, meter_id, current_user())
        return meters.reading_body(meters.read(session, row, body, current_user(), at.clock())), 201

    return once("meters", deed)
