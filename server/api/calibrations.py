"""Calibrations, their certificates and what follows from a bad one (S2-124, S2-R2, S2-R3, N-27)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.exports import EXPORT, FILES, attachment, download
from server.api.schemas import Body, Collection
from server.api.times import Instant
from server.auth.guard import current_user, right
from server.export import certificate
from server.export.table import Column, Table
from server.idempotency import once
from server.models.plant import Instrument
from server.rules import calibration as rules
from server.rules.calibration import Point
from server.services import services
from server.store import calibration_rows, calibrations, instruments, standards
from server.store.calibrations import NewCalibration

blueprint = resource("calibrations", "Calibrations of instruments: as found, as left, certificates, intervals, reviews")

EXPORTED_AT_ONCE = 100_000
_COLUMNS = (
    Column("number", "Number"),
    Column("tag", "Instrument"),
    Column("performed_at", "Performed at", "time"),
    Column("performed_by", "Performed by"),
    Column("found_error_pct", "Found", "number", "% of span"),
    Column("left_error_pct", "Left", "number", "% of span"),
    Column("tolerance_pct", "Tolerance", "number", "% of span"),
    Column("passed", "Passed"),
    Column("standard", "Standard"),
    Column("next_due_at", "Next due", "time"),
)


class CalibrationPoint(ma.Schema):
    """One point."""

    applied = Number(required=True, metadata={"description": "what the standard applied, in the instrument's unit"})
    reading = Number(required=True, metadata={"description": "what the instrument read"})


class Thing(ma.fields.Field[int | str]):
    """A thing by its id or its readable name."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | str:
        del attr, data, kwargs
        if isinstance(value, str) and 1 <= len(value) <= 64 and "\x00" not in value:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**53:
            return value
        raise ma.ValidationError("An id, or a name of 1 to 64 characters.")


def thing(**kwargs: Any) -> Thing:
    """A `Thing` with its place in the document."""
    return Thing(metadata={"type": ["integer", "string"], "minimum": 1, "minLength": 1, "maxLength": 64}, **kwargs)


def points(**kwargs: Any) -> ma.fields.List[Any]:
    """One point, or five and more."""
    return ma.fields.List(ma.fields.Nested(CalibrationPoint), validate=ma.validate.Length(1, rules.POINTS_MOST), **kwargs)


class CalibrationPreview(ma.Schema):
    """Points to be judged; nothing is stored."""

    instrument = thing(required=True)
    as_found = points(required=True)
    as_left = points(load_default=None, allow_none=True)
    tolerance_pct = Number(load_default=None, allow_none=True, validate=ma.validate.Range(0, 100, min_inclusive=False))


class NewCalibrationRecord(CalibrationPreview):
    """A calibration; without `as_left` nothing was adjusted."""

    standard = thing(required=True)
    standard_reason = text(2000, load_default=None, allow_none=True)
    performed_at = Instant(load_default=None, allow_none=True)
    performed_by = text(200, load_default=None, allow_none=True)
    signature = text(200, load_default=None, allow_none=True)
    work_order = thing(load_default=None, allow_none=True)
    ambient = text(200, shortest=0, load_default="")
    notes = text(4000, shortest=0, load_default="")
    supersedes = Whole(low=1, load_default=None, allow_none=True)
    supersede_reason = text(2000, load_default=None, allow_none=True)


class RecordsQuery(Page):
    """Which calibrations."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    instrument = ma.fields.String(load_default=None, validate=ma.validate.Length(max=64))
    standard_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))
    work_order_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))
    passed = ma.fields.Boolean(load_default=None)
    export = EXPORT


def _measured_points(raw: Sequence[dict[str, float]] | None) -> list[Point] | None:
    return None if raw is None else [Point(one["applied"], one["reading"]) for one in raw]


@blueprint.route("/calibrations")
@blueprint.arguments(RecordsQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("calibrations.read")
def list_calibrations(query: dict[str, Any]) -> Response:
    """Calibrations of the caller's site, newest first."""
    return _listed(query)


def _listed(query: dict[str, Any]) -> Response:
    with services().database.transaction() as session:
        if query.get("export"):
            page = calibration_rows.list_records(session, current_user().site_id, {**query, "limit": EXPORTED_AT_ONCE, "offset": 0})
            rows = (
                {**body, "tag": body["instrument"]["tag"], "standard": body["standard"]["text"]}
                for body in calibration_rows.bodies(session, page.items)
            )
            return download(Table("Calibrations", _COLUMNS, rows), query["export"], "calibrations")
        page = calibration_rows.list_records(session, current_user().site_id, query)
        return jsonify(collection(calibration_rows.bodies(session, page.items), page.total, query))


@blueprint.route("/calibrations", methods=["POST"])
@blueprint.arguments(NewCalibrationRecord)
@blueprint.response(201, Body)
@right("calibrations.write")
def create_calibration(body: dict[str, Any]) -> Response:
    """Record a calibration; it is never changed, a correction names the former in `supersedes` and says why."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        user = current_user()
        former, order = body["supersedes"], body["work_order"]
        plain = ("standard_reason", "tolerance_pct", "performed_at", "performed_by", "signature", "ambient", "notes", "supersede_reason")
        new = NewCalibration(
            instrument=calibration_rows.find_instrument(session, body["instrument"], current_user()),
            as_found=_measured_points(body["as_found"]) or [],
            as_left=_measured_points(body["as_left"]),
            standard=standards.find(session, body["standard"], user),
            order=calibration_rows.find_order(session, order, user) if order is not None else None,
            supersedes=calibration_rows.get(session, former, user) if former is not None else None,
            **{name: body[name] for name in plain},
        )
        row = calibrations.record(session, new, user, at.clock())
        return calibration_rows.bodies(session, [row])[0], 201

    return located(once("calibrations", deed), "calibrations")


def located(answer: Response, path: str) -> Response:
    """The answer with the place of what was made."""
    answer.headers["Location"] = f"/api/{path}/{answer.get_json()['id']}"
    return answer


@blueprint.route("/calibrations/preview", methods=["POST"])
@blueprint.arguments(CalibrationPreview)
@blueprint.response(200, Body)
@right("calibrations.read")
def preview(body: dict[str, Any]) -> Response:
    """Errors, worst error and verdict of points while they are measured; stores nothing."""
    with services().database.transaction() as session:
        instrument = calibration_rows.find_instrument(session, body["instrument"], current_user())
        found, left = _measured_points(body["as_found"]) or [], _measured_points(body["as_left"])
        measured = calibrations.measure(instrument, found, left, body["tolerance_pct"])
    return jsonify(
        tolerance_pct=measured.tolerance_pct,
        as_found=calibrations.points_body(found, measured.found),
        as_left=calibrations.points_body(left or found, measured.left),
        found_error_pct=measured.found.worst_pct,
        left_error_pct=measured.left.worst_pct,
        found_passed=measured.found.passed,
        passed=measured.left.passed,
    )


@blueprint.route("/calibrations/<id:calibration_id>")
@blueprint.response(200, Body)
@right("calibrations.read")
def get_calibration(calibration_id: int) -> Response:
    """One calibration."""
    with services().database.transaction() as session:
        row = calibration_rows.get(session, calibration_id, current_user())
        return etags.tagged(calibration_rows.bodies(session, [row])[0])


@blueprint.route("/calibrations/<id:calibration_id>/certificate")
@blueprint.response(200, content_type="application/pdf")
@right("calibrations.read")
def get_certificate(calibration_id: int) -> Response:
    """Its certificate as PDF."""
    with services().database.transaction() as session:
        row = calibration_rows.get(session, calibration_id, current_user())
        body = calibration_rows.bodies(session, [row])[0]
        instrument = instruments.instrument_body(session, session.get_one(Instrument, row.instrument_id))
    return attachment(io.BytesIO(certificate.filled(body, instrument)), "application/pdf", f"{body['number']}.pdf")


@blueprint.route("/instruments/<id:instrument_id>/certificate-blank")
@blueprint.response(200, content_type="application/pdf")
@right("calibrations.read")
def get_blank_certificate(instrument_id: int) -> Response:
    """An empty certificate with the five nominal points, to be filled by hand."""
    with services().database.transaction() as session:
        row = instruments.get_instrument(session, instrument_id, current_user())
        body = instruments.instrument_body(session, row)
        low, high = row.range_low, row.range_high
        applied = rules.nominal_points(low, high) if low is not None and high is not None else []
        tolerance = rules.tolerance_of(row.accuracy_class)
    return attachment(io.BytesIO(certificate.blank(body, applied, tolerance)), "application/pdf", f"{body['tag']}-certificate.pdf")


@blueprint.route("/instruments/<id:instrument_id>/calibrations")
@blueprint.arguments(RecordsQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("calibrations.read")
def list_of_instrument(query: dict[str, Any], instrument_id: int) -> Response:
    """The full history of one instrument, superseded records too."""
    with services().database.transaction() as session:
        instruments.get_instrument(session, instrument_id, current_user())
    return _listed({**query, "instrument_id": instrument_id})
