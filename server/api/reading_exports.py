"""Readings as CSV: streamed while the caller waits, or by a job where they are many."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, stream_with_context
from sqlalchemy.orm import Session

from realtime import historian, text_history
from server.api.blueprint import resource
from server.api.schemas import Body
from server.api.tag_lookup import visible_tag
from server.api.times import Instant, Span, span_of
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.export.files import TYPES
from server.idempotency import once
from server.reports import render
from server.reports.reading_lines import Wanted, lines
from server.services import services
from server.store import background
from server.timestamps import to_ms

blueprint = resource("reading-exports", "Readings as files")
MOST_TAGS = 50
MOST_ROWS = 1_000_000  # in an answer: about a minute
NAMES = ma.fields.List(ma.fields.String(validate=ma.validate.Length(1, 200)), required=True, validate=ma.validate.Length(1, MOST_TAGS))


class ExportQuery(Span):
    """Which readings; `tag` may be said several times."""

    tag = NAMES


class ExportJob(ma.Schema):
    """Which readings."""

    tags = NAMES
    from_ = Instant(data_key="from", load_default=None, allow_none=True)
    to = Instant(load_default=None, allow_none=True)


def _wanted(names: list[str]) -> list[Wanted]:
    tags = [visible_tag(name) for name in dict.fromkeys(names)]
    for tag in tags:
        if tag.kind == "frame":
            raise Invalid("tag", "kind", f"{tag.name} holds pictures: they are at /api/frames")
    return [Wanted(tag.id, tag.name, tag.unit, tag.kind == "text") for tag in tags]


def _count(connection: historian.Connection, tags: list[Wanted], span: tuple[int, int]) -> int:
    numbers = historian.count(connection, [tag.id for tag in tags if not tag.is_text], *span)
    return numbers + text_history.count(connection, [tag.id for tag in tags if tag.is_text], *span)


@blueprint.route("/readings/export")
@blueprint.arguments(ExportQuery, location="query")
@blueprint.response(200, content_type="text/csv", description="tag, time in UTC, time of the site, value, unit, quality, reason")
@right("readings.read")
def export_readings(query: dict[str, Any]) -> Response:
    """All readings of tags in a span as CSV, tag by tag in order of time; more than a million are a job."""
    at = services()
    span = span_of(query, at.clock())
    tags = _wanted(query["tag"])
    with at.database.raw() as connection:
        if _count(connection, tags, span) > MOST_ROWS:
            raise Invalid("to", "too_large", f"more than {MOST_ROWS} readings: ask for them as a job (POST /api/readings/export/jobs)")
    with at.database.transaction() as session:
        zone = render.site_words(session, current_user().site_id)["zone"]
    answer = Response(stream_with_context(lines(at.database, tags, span, zone)), content_type=TYPES["csv"])
    answer.headers["Content-Disposition"] = "attachment; filename=readings.csv"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


@blueprint.route("/readings/export/jobs", methods=["POST"])
@blueprint.arguments(ExportJob)
@blueprint.response(202, Body)
@right("readings.read")
def ask_export(body: dict[str, Any]) -> Response:
    """Have the file made in the background; `GET /api/jobs/{id}` tells how far it is."""
    at, user = services(), current_user()
    given = {name: to_ms(body[name]) for name in ("from_", "to") if body[name] is not None}
    start, end = span_of(given, at.clock())
    args = {"tags": [tag.id for tag in _wanted(body["tags"])], "from": start, "to": end}

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return background.body(background.ask(session, "readings.export", args, user, at.clock())), 202

    answer = once("readings/export/jobs", deed)
    answer.headers["Location"] = f"/api/jobs/{answer.get_json()['id']}"
    return answer
