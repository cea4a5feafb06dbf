"""Readings in and out: devices post them, people read them raw or as a trend (S2-145)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response, jsonify, request

from realtime import historian, text_history
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
FLAGS = frozenset({"late", "replay"})


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


@dataclass(frozen=True, slots=True)
class Posted:
    """A delivery. flags: late (it waited at an edge), replay (handed out again): stored, but it raises nothing and moves no live value.

    source: which one a collector delivers.
    """

    items: list[Any]
    flags: frozenset[Any]
    source: str | None


def _posted() -> Posted:
    body = request.get_json()
    envelope: dict[str, Any] = body if isinstance(body, dict) else {"readings": body}
    items, flags, source = envelope.get("readings"), envelope.get("flags", []), envelope.get("source")
    if not isinstance(items, list):
        raise bad_request("envelope", 'send {"readings": [...]} or an array of readings')
    if not isinstance(flags, list) or not all(isinstance(flag, str) and flag in FLAGS for flag in flags):
        raise bad_request("envelope", "flags is an array of late and replay")
    if source is not None and not isinstance(source, str):
        raise bad_request("envelope", "source is the name of a source")
    if len(items) > MAX_READINGS:
        raise Invalid("readings", "too_many", f"{MAX_READINGS} readings a request at most")
    return Posted(items, frozenset(flags), source)


@blueprint.route("/readings", methods=["POST"])
@blueprint.response(200, Accepted)
@right("readings.write")
def post_readings() -> Response:
    """Take readings of a device or an edge; each is judged by itself, a bad one never costs a good one its place."""
    posted = _posted()
    caller = current_user()
    known = plant()

    def find(name: str) -> Any:
        tag = known.tags.get(name)
        if tag is None or not known.is_of_site(tag, caller.site_id):
            return None
        # what a collector computes may come from a collector only: it says which source it delivers
        return tag if not tag.virtual or (posted.source is not None and tag.source == posted.source) else None

    def deed(_session: Any) -> tuple[dict[str, Any], int]:
        now = now_ms()
        oldest = reading_rows.REPLAY_OLDEST_MS if posted.flags else reading_rows.OLDEST_MS
        checked = reading_rows.check(posted.items, find, now, oldest_ms=oldest)
        if checked.rows:
            made = reading_rows.batches(checked.rows, f"http:{caller.name}"[:64], now, posted.flags)
            services().bus.add_batches(made, live=not posted.flags)
        return {"accepted": len(checked.rows), "duplicate": checked.duplicate, "rejected": checked.rejected}, 200

    return once("readings", deed)


@blueprint.route("/readings")
@blueprint.arguments(ReadingsQuery, location="query")
@blueprint.response(200, Body)
@right("readings.read")
def get_readings(query: dict[str, Any]) -> Response:
    """Readings of one tag, numbers or texts, as [t, value, quality], ascending; `next` is the cursor of the next page."""
    at = services()
    start, end = span_of(query, at.clock())
    tag = visible_tag(query["tag"])
    kept = text_history if tag.kind == "text" else historian
    with at.database.raw() as connection:
        rows = kept.readings(connection, tag.id, start, end, query.get("cursor"), query["limit"])
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
