"""Maintenance records: what was done to an asset or instrument (S2-19, S2-125)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.calibrations import located, thing
from server.api.schemas import Body, Collection
from server.api.times import Instant
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.idempotency import once
from server.models.plant import Asset
from server.services import services
from server.store import assets, calibration_rows, maintenance_records
from server.store.completion import MINUTES_MAX, PARTS_MAX

blueprint = resource("maintenance", "Records of corrective and preventive work")


class UsedPart(ma.Schema):
    """A part that was used."""

    sku = text(64, required=True)
    qty = Number(load_default=1.0, validate=ma.validate.Range(0, 1_000_000))


class NewMaintenanceRecord(ma.Schema):
    """What was done; name the asset, or the instrument."""

    asset = thing(load_default=None, allow_none=True)
    instrument = thing(load_default=None, allow_none=True)
    work_order = thing(load_default=None, allow_none=True)
    action = ma.fields.String(required=True, validate=ma.validate.OneOf(maintenance_records.ACTIONS))
    description = text(4000, required=True)
    technician = text(200, load_default=None, allow_none=True, metadata={"description": "who did it; default the caller"})
    parts = ma.fields.List(ma.fields.Nested(UsedPart), load_default=list, validate=ma.validate.Length(max=PARTS_MAX))
    duration_min = Whole(low=0, high=MINUTES_MAX, load_default=None, allow_none=True)
    performed_at = Instant(load_default=None, allow_none=True)


class RecordsQuery(Page):
    """Which records."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    asset = ma.fields.String(load_default=None, validate=ma.validate.Length(max=64))
    instrument = ma.fields.String(load_default=None, validate=ma.validate.Length(max=64))
    action = ma.fields.String(load_default=None, validate=ma.validate.OneOf(maintenance_records.ACTIONS))


@blueprint.route("/maintenance")
@blueprint.arguments(RecordsQuery, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_records(query: dict[str, Any]) -> Response:
    """Records of the caller's site, newest first."""
    with services().database.transaction() as session:
        page = maintenance_records.list_records(session, current_user().site_id, query)
        return jsonify(collection(maintenance_records.bodies(session, page.items), page.total, query))


@blueprint.route("/maintenance", methods=["POST"])
@blueprint.arguments(NewMaintenanceRecord)
@blueprint.response(201, Body)
@right("orders.work")
def create_record(body: dict[str, Any]) -> Response:
    """Write down what was done."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        user = current_user()
        instrument = calibration_rows.find_instrument(session, body["instrument"], user) if body["instrument"] is not None else None
        if body["asset"] is None and instrument is None:
            raise Invalid("asset", "required", "name the asset, or the instrument")
        asset = assets.get_asset(session, body["asset"], user) if body["asset"] is not None else None
        new = maintenance_records.NewRecord(
            asset=asset or session.get_one(Asset, instrument.asset_id if instrument else 0),
            instrument=instrument,
            order=calibration_rows.find_order(session, body["work_order"], user) if body["work_order"] is not None else None,
            performed_by=body["technician"],
            **{name: body[name] for name in ("action", "description", "parts", "duration_min", "performed_at")},
        )
        row = maintenance_records.create(session, new, user, at.clock())
        return maintenance_records.bodies(session, [row])[0], 201

    return located(once("maintenance", deed), "maintenance")


@blueprint.route("/maintenance/<id:record_id>")
@blueprint.response(200, Body)
@right("assets.read")
def get_record(record_id: int) -> Response:
    """One record."""
    with services().database.transaction() as session:
        row = maintenance_records.get(session, record_id, current_user())
        return etags.tagged(maintenance_records.bodies(session, [row])[0])
