"""The instrument register (S2-119..123)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from realtime import historian
from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.models.alerts import AlertRecord
from server.models.plant import Asset
from server.services import services
from server.store import instruments
from server.timestamps import rfc3339

blueprint = resource("instruments", "The devices behind tags, which are calibrated")


class InstrumentsQuery(Page):
    """Which instruments."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


class NewInstrument(ma.Schema):
    """An instrument of an asset; a live tag of the same name is tied to it."""

    tag = text(64, required=True)
    asset = text(64, required=True)
    name = text(200, required=True)
    type = text(32, required=True)
    variable = text(200, shortest=0, load_default="")
    unit = text(32, shortest=0, load_default="")
    range_low = Number(load_default=None, allow_none=True)
    range_high = Number(load_default=None, allow_none=True)
    nominal = Number(load_default=None, allow_none=True)
    location = text(200, shortest=0, load_default="")
    accuracy_class = text(32, shortest=0, load_default="")
    criticality = ma.fields.String(load_default="medium", validate=ma.validate.OneOf(["low", "medium", "high", "critical"]))
    calibration_interval_days = Whole(low=1, high=36_500, load_default=None, allow_none=True)


@blueprint.route("/instruments")
@blueprint.arguments(InstrumentsQuery, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_instruments(query: dict[str, Any]) -> Response:
    """Instruments of the caller's site by tag number."""
    site = current_user().site_id
    with services().database.transaction() as session:
        page = instruments.list_instruments(session, site=site, search=query["search"], limit=query["limit"], offset=query["offset"])
        return jsonify(collection([instruments.instrument_body(session, row) for row in page.items], page.total, query))


@blueprint.route("/instruments", methods=["POST"])
@blueprint.arguments(NewInstrument)
@blueprint.response(201, Body)
@right("assets.write")
def create_instrument(body: dict[str, Any]) -> Response:
    """Enter an instrument into the register."""
    columns = {name: body[name] for name in instruments.COLUMNS}

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = instruments.create_instrument(session, body["tag"], body["asset"], columns, current_user(), services().clock())
        return instruments.instrument_body(session, row), 201

    return once("instruments", deed)


@blueprint.route("/instruments/<id:instrument_id>")
@blueprint.response(200, Body)
@right("assets.read")
def get_instrument(instrument_id: int) -> Response:
    """One instrument."""
    with services().database.transaction() as session:
        return jsonify(instruments.instrument_body(session, instruments.get_instrument(session, instrument_id, current_user())))


@blueprint.route("/instruments/<id:instrument_id>", methods=["DELETE"])
@blueprint.response(204)
@right("assets.write")
def delete_instrument(instrument_id: int) -> Response:
    """Take an instrument out of the register; its records stay."""
    at = services()
    with at.database.transaction() as session:
        instruments.delete_instrument(session, instrument_id, current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/instruments/<id:instrument_id>/status")
@blueprint.response(200, Body)
@right("assets.read")
def get_status(instrument_id: int) -> Response:
    """What the rules, the drift detector and the models say of it now, its asset's health and its newest value."""
    at = services()
    with at.database.transaction() as session:
        row = instruments.get_instrument(session, instrument_id, current_user())
        found = instruments.status_of(session, row)
        asset = session.get_one(Asset, row.asset_id)
        body = {
            "tag": row.tag,
            "rule": _verdict(found.rule),
            "cusum": _verdict(found.drift),
            "ml": _verdict(found.anomaly),
            "health": {"score": asset.health, "reasons": asset.health_reasons},
        }
        tag_id = row.tag_id
    latest: tuple[int, float | None, int] | None = None
    if tag_id is not None:
        with at.database.raw() as connection:
            latest = historian.latest(connection, [tag_id]).get(tag_id)
    return jsonify(**body, latest=None if latest is None else {"t": latest[0], "value": latest[1], "quality": latest[2]})


def _verdict(alert: AlertRecord | None) -> dict[str, Any]:
    if alert is None:
        return {"state": "ok", "alert": None}
    times = {"alert": alert.id, "severity": alert.severity, "message": alert.message, "since": rfc3339(alert.raised_at)}
    return {"state": alert.condition, **times, "value": alert.value, "score": alert.score, "limit": alert.limit}
