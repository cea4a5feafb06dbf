"""Reports that come by mail when their rule says so (N-10)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.preferences import CLOCK
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.export.files import FORMATS
from server.idempotency import once
from server.reports.table import REPORTS
from server.services import services
from server.store import report_schedules

blueprint = resource("report-schedules", "Reports that come by mail")


class SchedulesQuery(Page):
    """Which schedules."""

    search = ma.fields.String(load_default="", validate=ma.validate.Length(max=100))


class ReportScheduleFilters(ma.Schema):
    """What part of the plant."""

    area = text(200, allow_none=True)
    asset = text(64, allow_none=True)
    search = text(100, allow_none=True)


class ReportSchedulePatch(ma.Schema):
    """What may change of a schedule."""

    name = text(200)
    report = ma.fields.String(validate=ma.validate.OneOf(list(REPORTS)))
    format = ma.fields.String(validate=ma.validate.OneOf(FORMATS))
    rrule = text(200, metadata={"description": "RFC 5545 rule of days, weeks, months or years, as FREQ=WEEKLY;BYDAY=MO"})
    at = ma.fields.String(validate=CLOCK, metadata={"description": "time of day by the site's clock"})
    span_days = Whole(low=1, high=3660, metadata={"description": "days before it that the report covers"})
    filters = ma.fields.Nested(ReportScheduleFilters)
    recipients = ma.fields.List(text(64), validate=ma.validate.Length(1, 100))
    active = ma.fields.Boolean(truthy={True}, falsy={False})


class NewReportSchedule(ReportSchedulePatch):
    """A schedule of the caller's site; recipients are employee numbers of its people who may read reports."""

    name = text(200, required=True)
    report = ma.fields.String(required=True, validate=ma.validate.OneOf(list(REPORTS)))
    format = ma.fields.String(required=True, validate=ma.validate.OneOf(FORMATS))
    rrule = text(200, required=True, metadata={"description": "RFC 5545 rule of days, weeks, months or years, as FREQ=WEEKLY;BYDAY=MO"})
    at = ma.fields.String(load_default="06:00", validate=CLOCK, metadata={"description": "time of day by the site's clock"})
    span_days = Whole(low=1, high=3660, load_default=7, metadata={"description": "days before it that the report covers"})
    filters = ma.fields.Nested(ReportScheduleFilters, load_default=dict)
    recipients = ma.fields.List(text(64), required=True, validate=ma.validate.Length(1, 100))
    active = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})


@blueprint.route("/report-schedules")
@blueprint.arguments(SchedulesQuery, location="query")
@blueprint.response(200, Collection)
@right("reports.schedule")
def list_schedules(query: dict[str, Any]) -> Response:
    """Schedules of the caller's site by name."""
    with services().database.transaction() as session:
        page = report_schedules.list_schedules(session, current_user(), query["search"], query)
        return jsonify(collection(report_schedules.bodies(session, page.items), page.total, query))


@blueprint.route("/report-schedules", methods=["POST"])
@blueprint.arguments(NewReportSchedule)
@blueprint.response(201, Body)
@right("reports.schedule")
def create_schedule(body: dict[str, Any]) -> Response:
    """Have a report sent by a rule."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = report_schedules.create(session, body, current_user(), services().clock())
        return report_schedules.bodies(session, [row])[0], 201

    answer = once("report-schedules", deed)
    answer.headers["Location"] = f"/api/report-schedules/{answer.get_json()['id']}"
    return answer


@blueprint.route("/report-schedules/<id:schedule_id>")
@blueprint.response(200, Body)
@right("reports.schedule")
def get_schedule(schedule_id: int) -> Response:
    """One schedule."""
    with services().database.transaction() as session:
        row = report_schedules.get_schedule(session, schedule_id, current_user())
        return etags.tagged(report_schedules.bodies(session, [row])[0])


@blueprint.route("/report-schedules/<id:schedule_id>", methods=["PATCH"])
@blueprint.arguments(ReportSchedulePatch)
@blueprint.response(200, Body)
@right("reports.schedule")
def patch_schedule(body: dict[str, Any], schedule_id: int) -> Response:
    """Change what is named; the next report is reckoned anew."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        row = report_schedules.get_schedule(session, schedule_id, user)
        etags.check_match(row.rev)
        report_schedules.change(session, row, body, user, at.clock())
        return etags.tagged(report_schedules.bodies(session, [row])[0])


@blueprint.route("/report-schedules/<id:schedule_id>", methods=["DELETE"])
@blueprint.response(204)
@right("reports.schedule")
def delete_schedule(schedule_id: int) -> Response:
    """End it."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        report_schedules.remove(session, report_schedules.get_schedule(session, schedule_id, user), user, at.clock())
    return Response(status=204)
