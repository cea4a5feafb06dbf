"""Readings in and out: devices post them, people read them raw or as a trend (S2-145)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify, request

from realtime import historian
from realtime.bus import now_ms
from realtime.trends import trend
from server.api import reading_rows
from server.api.blueprint import resource
from server.api.schemas import Body
from server.api.tag_lookup import visible_tag
from server.api.times import Span, span_of
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.idempotency import once
from server.plant import plant
from server.problems import bad_request
from server.services import services

blueprint = resource("readings", "Values of tags, live and past")
MAX_READINGS = 10_000
MAX_ROWS = 10_000


class ReadingsQuery(Span):
    """Which readings."""

    tag = ma.fields.String(required=True, metadata={"description": "name of the tag"})
    cursor = ma.fields.Integer(validate=ma.validate.Range(0, 2**53), metadata={"description": "`next` of the page before"})
    limit = ma.fields.Integer(load_default=1000, validate=ma.validate.Range(1, MAX_ROWS))


class TrendQuery(Span):
    """Which trend."""

    tag = ma.fields.String(required=True, metadata={"description": "name of the tag"})
    points = ma.fields.Integer(load_default=500, validate=ma.validate.Range(10, 5000))


class Accepted(ma.Schema):
    """What became of each posted reading; `i` counts from 0."""

    accepted = ma.fields.Integer()
    duplicate = ma.fields.Integer()
    rejected = ma.fields.List(ma.fields.Dict())


def _items() -> list[Any]:
    body = request.get_json()
    items = body.get("readings") if isinstance(body, dict) else body
    if not isinstance(items, list):
        raise bad_request("envelope", 'send {"readings": [...]} or an array of readings')
    if len(items) > MAX_READINGS:
        raise Invalid("readings", "too_many", f"{MAX_READINGS} readings a request at most")
    return items


@blueprint.route("/readings", methods=["POST"])
@blueprint.response(200, Accepted)
@right("readings.write")
def post_readings() -> Response:
    """Take readings of a device; each is judged by itself, a bad one never costs a good one its place."""
    items = _items()
    caller = current_user()
    known = plant()

    def find(name: str) -> Any:
        tag = known.tags.get(name)
        return tag if tag is not None and known.is_of_site(tag, caller.site_id) else None

    def deed(_session: Any) -> tuple[dict[str, Any], int]:
        now = now_ms()
        checked = reading_rows.check(items, find, now)
        if checked.rows:
            services().bus.add_batches(reading_rows.batches(checked.rows, f"http:{caller.name}"[:64], now))
        return {"accepted": len(checked.rows), "duplicate": checked.duplicate, "rejected": checked.rejected}, 200

    return once("readings", deed)


@blueprint.route("/readings")
@blueprint.arguments(ReadingsQuery, location="query")
@blueprint.response(200, Body)
@right("readings.read")
def get_readings(query: dict[str, Any]) -> Response:
    """Readings of one tag as [t, value, quality], ascending; `next` is the cursor of the next page."""
    at = services()
    start, end = span_of(query, at.clock())
    tag = visible_tag(query["tag"])
    with at.database.raw() as connection:
        rows = historian.readings(connection, tag.id, start, end, query.get("cursor"), query["limit"])
    more = len(rows) >= query["limit"]
    return jsonify(tag=tag.name, unit=tag.unit, rows=rows, next=rows[-1][0] if more else None)


@blueprint.route("/readings/trends")
@blueprint.arguments(TrendQuery, location="query")
@blueprint.response(200, Body)
@right("readings.read")
def get_trend(query: dict[str, Any]) -> Response:
    """A span as at most `points` rows [t, min, avg, max, n] from the tier that fits, with statistics."""
    at = services()
    start, end = span_of(query, at.clock())
    tag = visible_tag(query["tag"])
    with at.database.raw() as connection:
        found = trend(connection, tag.id, start, end, query["points"])
    return jsonify(tag=tag.name, unit=tag.unit, tier=found.tier, points=found.points, stats=found.stats)
