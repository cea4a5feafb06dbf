"""The instrument register (S2-119..123)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from realtime import historian
from server.api import etags
from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.exports import EXPORT, FILES, download
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.api.times import Instant
from server.api.values import criticality, line
from server.auth.guard import current_user, right
from server.idempotency import once
from server.models.alerts import AlertRecord
from server.models.plant import Asset
from server.services import services
from server.store import health, instruments, register_tables
from server.timestamps import rfc3339

blueprint = resource("instruments", "The devices behind tags, which are calibrated")
MOST_EXPORTED = 20_000


class InstrumentsQuery(Page):
    """Which instruments."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100), metadata={"description": "words, each anywhere"})
    asset = ma.fields.String(load_default=None, metadata={"description": "an asset's code"})
    area = ma.fields.String(load_default=None, metadata={"description": "an area's name"})
    type = ma.fields.String(load_default=None)
    criticality = criticality(load_default=None)
    due = ma.fields.String(load_default=None, validate=ma.validate.OneOf(["overdue", "soon", "never", "none"]))
    export = EXPORT


class InstrumentColumns(ma.Schema):
    """What people write about an instrument (S2-1..7)."""

    asset = text(64, metadata={"description": "the asset's code"})
    name = text(200)
    type = text(32, metadata={"description": "pressure, temperature, flow, level, ..."})
    area = text(200, allow_none=True, metadata={"description": "where it differs from the asset's"})
    variable = line()
    unit = line(32)
    range_low = Number(allow_none=True)
    range_high = Number(allow_none=True)
    nominal = Number(allow_none=True)
    location = line()
    accuracy_class = line(32)
    criticality = criticality()
    calibration_interval_days = Whole(low=1, high=36_500, allow_none=True)
    calibrated_at = Instant(allow_none=True, metadata={"description": "last one of an earlier system"})
    external_ref = line()


class NewInstrument(InstrumentColumns):
    """An instrument of an asset; a live tag of the same name is tied to it."""

    tag = text(64, required=True)
    asset = text(64, required=True)
    name = text(200, required=True)
    type = text(32, required=True)


@blueprint.route("/instruments")
@blueprint.arguments(InstrumentsQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("assets.read")
def list_instruments(query: dict[str, Any]) -> Response:
    """Instruments of the caller's site by tag number."""
    names = ("search", "asset", "area", "type", "criticality", "due")
    wanted = instruments.Wanted(site=current_user().site_id, **{name: query[name] for name in names})
    span = (MOST_EXPORTED, 0) if query["export"] else (query["limit"], query["offset"])
    at = services()
    with at.database.transaction() as session:
        page = instruments.list_instruments(session, wanted, at.clock(), sort=query["sort"], limit=span[0], offset=span[1])
        bodies = instruments.instrument_bodies(session, page.items)
        if query["export"]:
            return download(register_tables.instruments_table(bodies), query["export"], "instruments")
        return jsonify(collection(bodies, page.total, query))


@blueprint.route("/instruments", methods=["POST"])
@blueprint.arguments(NewInstrument)
@blueprint.response(201, Body)
@right("assets.write")
def create_instrument(body: dict[str, Any]) -> Response:
    """Enter an instrument into the register."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = instruments.create_instrument(session, body, current_user(), services().clock())
        return instruments.instrument_body(session, row), 201

    return located(once("instruments", deed), "/api/instruments/{id}")


@blueprint.route("/instruments/<id:instrument_id>")
@blueprint.response(200, Body)
@right("assets.read")
def get_instrument(instrument_id: int) -> Response:
    """One instrument."""
    with services().database.transaction() as session:
        row = instruments.get_instrument(session, instrument_id, current_user())
        return etags.tagged(instruments.instrument_body(session, row))


@blueprint.route("/instruments/<id:instrument_id>", methods=["PATCH"])
@blueprint.arguments(InstrumentColumns)
@blueprint.response(200, Body)
@right("assets.write")
def change_instrument(body: dict[str, Any], instrument_id: int) -> Response:
    """Change what is given; the tag number stays."""
    at = services()
    with at.database.transaction() as session:
        row = instruments.get_instrument(session, instrument_id, current_user(), lock=True)
        etags.check_match(row.rev)
        instruments.change_instrument(session, row, body, current_user(), at.clock())
        return etags.tagged(instruments.instrument_body(session, row))


@blueprint.route("/instruments/<id:instrument_id>", methods=["DELETE"])
@blueprint.response(204)
@right("assets.write")
def delete_instrument(instrument_id: int) -> Response:
    """Take an instrument out of the register; its records stay."""
    at = services()
    with at.database.transaction() as session:
        row = instruments.get_instrument(session, instrument_id, current_user(), lock=True)
        etags.check_match(row.rev)
        instruments.delete_instrument(session, row, current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/instruments/<id:instrument_id>/status")
@blueprint.response(200, Body)
@right("assets.read")
def get_status(instrument_id: int) -> Response:
    """What the rules, the drift detector and the models say of it now, its health and its asset's, and its newest value."""
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
            "health": health.body(health.of_instruments(session, [row], at.clock())[row.id]),
            "asset_health": {"score": asset.health, "reasons": asset.health_reasons},
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
