"""Planned-production calendars of a site and its areas: a week, and the days that are not like it."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.calibrations import located
from server.api.plans import believable
from server.api.schemas import Body, Collection
from server.api.values import day, line
from server.auth.guard import current_user, right
from server.idempotency import once
from server.services import services
from server.store import calendars

blueprint = resource("calendars", "When a site means to produce")


def clock(**kwargs: Any) -> ma.fields.String:
    """A time of day in the site's own time."""
    return ma.fields.String(validate=ma.validate.Regexp(r"^([01]\d|2[0-3]):[0-5]\d\Z"), **kwargs)


class Search(Page):
    """Which calendars."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


class Hours(ma.Schema):
    """From and to; an end at or before the start is on the next day."""

    start = clock(required=True)
    end = clock(required=True)


class WeekHours(ma.Schema):
    """Weekdays (Monday 0) with hours, or with a shift of the site."""

    days = ma.fields.List(Whole(high=6), required=True, validate=ma.validate.Length(1, 7))
    start = clock()
    end = clock()
    shift = text(64)


class Day(ma.Schema):
    """A day that is not like its weekday; without windows closed."""

    day = day(required=True, validate=believable)
    name = line()
    windows = ma.fields.List(ma.fields.Nested(Hours), validate=ma.validate.Length(0, 10))


class Calendar(ma.Schema):
    """A calendar; without an area it is the site's. In a change every field may be left out."""

    name = text(200, required=True)
    area = text(200, allow_none=True)
    weekly = ma.fields.List(ma.fields.Nested(WeekHours), validate=ma.validate.Length(0, 50))
    days = ma.fields.List(ma.fields.Nested(Day), validate=ma.validate.Length(0, 1000))


@blueprint.route("/calendars")
@blueprint.arguments(Search, location="query")
@blueprint.response(200, Collection)
@right("plans.read")
def list_calendars(query: dict[str, Any]) -> Response:
    """Calendars of the caller's site."""
    with services().database.transaction() as session:
        page = calendars.list_calendars(session, current_user().site_id, query["search"], query)
        return jsonify(collection(calendars.bodies(session, page.items), page.total, query))


@blueprint.route("/calendars", methods=["POST"])
@blueprint.arguments(Calendar)
@blueprint.response(201, Body)
@right("calendar.write")
def create_calendar(body: dict[str, Any]) -> Response:
    """A calendar of the site or of an area that has none yet."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return calendars.bodies(session, [calendars.create(session, body, current_user(), at.clock())])[0], 201

    return located(once("calendars", deed), "calendars")


@blueprint.route("/calendars/<id:calendar_id>")
@blueprint.response(200, Body)
@right("plans.read")
def get_calendar(calendar_id: int) -> Response:
    """One calendar."""
    with services().database.transaction() as session:
        return etags.tagged(calendars.bodies(session, [calendars.get(session, calendar_id, current_user())])[0])


@blueprint.route("/calendars/<id:calendar_id>", methods=["PATCH"])
@blueprint.arguments(Calendar(partial=("name",)))
@blueprint.response(200, Body)
@right("calendar.write")
def change_calendar(body: dict[str, Any], calendar_id: int) -> Response:
    """Change a calendar; week and days are replaced as a whole."""
    at = services()
    with at.database.transaction() as session:
        row = calendars.get(session, calendar_id, current_user())
        etags.check_match(row.rev)
        calendars.change(session, row, body, current_user(), at.clock())
        return etags.tagged(calendars.bodies(session, [row])[0])


@blueprint.route("/calendars/<id:calendar_id>", methods=["DELETE"])
@blueprint.response(204)
@right("calendar.write")
def delete_calendar(calendar_id: int) -> Response:
    """Take a calendar out; an area then has the site's, the site the clock around."""
    at = services()
    with at.database.transaction() as session:
        row = calendars.get(session, calendar_id, current_user())
        etags.check_match(row.rev)
        calendars.delete(session, row, current_user(), at.clock())
    return Response(status=204)
