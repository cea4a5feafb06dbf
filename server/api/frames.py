"""Pictures of array tags: their statistics over a span, and one picture as bytes."""

from __future__ import annotations

import json
from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from realtime import historian
from server.api.blueprint import resource
from server.api.schemas import Body
from server.api.tag_lookup import visible_tag
from server.api.times import Moment, Span, span_of
from server.auth.guard import right
from server.errors import NotFound
from server.services import services

blueprint = resource("frames", "Pictures of array tags")


class FramesQuery(Span):
    """Which pictures."""

    tag = ma.fields.String(required=True)
    limit = ma.fields.Integer(load_default=500, validate=ma.validate.Range(1, 5000))


class FrameQuery(ma.Schema):
    """Which picture."""

    tag = ma.fields.String(required=True)
    t = Moment(metadata={"type": "string", "description": "the picture current then; default now"})


@blueprint.route("/frames")
@blueprint.arguments(FramesQuery, location="query")
@blueprint.response(200, Body)
@right("readings.read")
def get_frames(query: dict[str, Any]) -> Response:
    """Rows [t, min, max, mean, std] of the newest pictures of a span, ascending."""
    at = services()
    start, end = span_of(query, at.clock())
    tag = visible_tag(query["tag"])
    with at.database.raw() as connection:
        rows = historian.frames(connection, tag.id, start, end, query["limit"])
    return jsonify(tag=tag.name, unit=tag.unit, rows=rows)


@blueprint.route("/frames/at")
@blueprint.arguments(FrameQuery, location="query")
@blueprint.response(200, content_type="application/octet-stream", description="the cells, little-endian, row by row; see header X-Frame")
@right("readings.read")
def get_frame(query: dict[str, Any]) -> Response:
    """The picture that was current at `t`: value = raw * scale + offset; header X-Frame holds {id,t,shape,dtype,scale,offset,unit}."""
    at = services()
    tag = visible_tag(query["tag"])
    with at.database.raw() as connection:
        found = historian.frame_at(connection, tag.id, query.get("t", int(at.clock().timestamp() * 1000)))
    if found is None:
        raise NotFound("frame", tag.name)
    t, frame = found
    about = {"id": tag.id, "t": t, **{name: getattr(frame, name) for name in ("shape", "dtype", "scale", "offset", "unit")}}
    ascii_about = json.dumps(about, separators=(",", ":"))  # a header is ASCII: the degree sign leaves as an escape
    return Response(frame.data, mimetype="application/octet-stream", headers={"X-Frame": ascii_about})
