"""The register of reference standards, and what was calibrated with each (S2-9)."""

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
from server.store import calibration_rows, standards

blueprint = resource("standards", "Reference standards that instruments are calibrated against")


class StandardsQuery(Page):
    """Which standards."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    overdue = ma.fields.Boolean(load_default=None)


class Standard(ma.Schema):
    """A standard with its own certificate."""

    serial = text(64, required=True)
    name = text(200, required=True)
    type = text(64, shortest=0)
    unit = text(64, shortest=0)
    range_low = Number(allow_none=True)
    range_high = Number(allow_none=True)
    uncertainty = Number(allow_none=True, validate=ma.validate.Range(0))
    certificate = text(200, required=True, metadata={"description": "number of its own certificate"})
    calibrated_at = Instant(allow_none=True)
    due_at = Instant(required=True, attribute="due")
    notes = text(4000, shortest=0)


class StandardChange(Standard):
    """What changes; every field may be left out."""


@blueprint.route("/standards")
@blueprint.arguments(StandardsQuery, location="query")
@blueprint.response(200, Collection)
@right("calibrations.read")
def list_standards(query: dict[str, Any]) -> Response:
    """Standards of the caller's site by serial number."""
    at = services()
    with at.database.transaction() as session:
        page = standards.list_standards(session, current_user().site_id, query, at.clock())
        return jsonify(collection(standards.bodies(session, list(page.items), at.clock()), page.total, query))


@blueprint.route("/standards", methods=["POST"])
@blueprint.arguments(Standard)
@blueprint.response(201, Body)
@right("standards.write")
def create_standard(body: dict[str, Any]) -> Response:
    """Enter a standard into the register."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = standards.create(session, body, current_user(), at.clock())
        return standards.bodies(session, [row], at.clock())[0], 201

    return located(once("standards", deed), "standards")


@blueprint.route("/standards/<id:standard_id>")
@blueprint.response(200, Body)
@right("calibrations.read")
def get_standard(standard_id: int) -> Response:
    """One standard."""
    at = services()
    with at.database.transaction() as session:
        row = standards.get(session, standard_id, current_user())
        return etags.tagged(standards.bodies(session, [row], at.clock())[0])


@blueprint.route("/standards/<id:standard_id>", methods=["PATCH"])
@blueprint.arguments(StandardChange(partial=True))
@blueprint.response(200, Body)
@right("standards.write")
def change_standard(body: dict[str, Any], standard_id: int) -> Response:
    """Change a standard, as after its own calibration; records made before keep what stood here then."""
    at = services()
    with at.database.transaction() as session:
        row = standards.get(session, standard_id, current_user(), lock=True)
        etags.check_match(row.rev)
        standards.change(session, row, body, current_user(), at.clock())
        return etags.tagged(standards.bodies(session, [row], at.clock())[0])


@blueprint.route("/standards/<id:standard_id>", methods=["DELETE"])
@blueprint.response(204)
@right("standards.write")
def delete_standard(standard_id: int) -> Response:
    """Take a standard out of the register; what was calibrated with it keeps naming it."""
    at = services()
    with at.database.transaction() as session:
        row = standards.get(session, standard_id, current_user(), lock=True)
        etags.check_match(row.rev)
        standards.delete(session, row, current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/standards/<id:standard_id>/calibrations")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("calibrations.read")
def list_uses(query: dict[str, Any], standard_id: int) -> Response:
    """Reverse trace: every calibration that used this standard."""
    with services().database.transaction() as session:
        standards.get(session, standard_id, current_user())
        page = calibration_rows.list_records(session, current_user().site_id, {**query, "standard_id": standard_id})
        return jsonify(collection(calibration_rows.bodies(session, page.items), page.total, query))
