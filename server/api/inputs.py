"""PLC inputs over HTTP (S0-34, S0-35): what a device posts is merged into the last-known state, which anyone with the right reads.

Every input is a reading: the same checks, the same history. Nobody posts or reads without a token; nothing of a work order is taken.
"""

from __future__ import annotations

import json
from typing import Any, cast

import marshmallow as ma
import redis
from flask import Response, jsonify

from realtime import historian
from realtime.bus import now_ms
from realtime.errors import BusUnavailable
from realtime.events import split_quality
from realtime.snapshot import Tag
from server.api import reading_rows
from server.api.blueprint import resource, text
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.idempotency import once
from server.plant import plant
from server.problems import bad_request
from server.services import services

blueprint = resource("inputs", "Inputs of PLCs: the last-known state")
MOST = 2000


class Inputs(ma.Schema):
    """Values by tag; what is left out stays as it was."""

    inputs = ma.fields.Dict(keys=text(64), required=True, validate=ma.validate.Length(1, MOST))
    timestamp = ma.fields.Raw(load_default=None, metadata={"description": "of all of them: RFC 3339 or epoch; now where it is left out"})


class InputsQuery(ma.Schema):
    """Whose inputs."""

    source = ma.fields.String(validate=ma.validate.Length(1, 64))
    asset = ma.fields.String(validate=ma.validate.Length(1, 64), metadata={"description": "an asset's code"})


def _kept_at() -> str:
    return services().bus.key(f"inputs.{current_user().site_id}")


@blueprint.route("/update-inputs", methods=["POST"])
@blueprint.arguments(Inputs)
@blueprint.response(200, Body)
@right("readings.write")
def update_inputs(body: dict[str, Any]) -> Response:
    """Merge inputs into the last-known state, and store each as a reading; a wrong one never costs a good one its place."""
    caller, known = current_user(), plant()

    def find(name: str) -> Tag | None:
        tag = known.tags.get(name)
        return tag if tag is not None and not tag.virtual and tag.kind != "frame" and known.is_of_site(tag, caller.site_id) else None

    def deed(_session: Any) -> tuple[dict[str, Any], int]:
        now = now_ms()
        names = list(body["inputs"])
        items = [{"tag": name, "timestamp": body["timestamp"] or now, "value": _number(value)} for name, value in body["inputs"].items()]
        checked = reading_rows.check(items, find, now)
        if checked.rows:
            services().bus.add_batches(reading_rows.batches(checked.rows, f"http:{caller.name}"[:64], now))
            _merge(checked.rows)
        rejected = [{"tag": names[row["i"]], "code": row["code"]} for row in checked.rejected]
        return {"accepted": len(checked.rows), "rejected": rejected, "inputs": _state([row.tag for row in checked.rows])}, 200

    return once("inputs", deed)


@blueprint.route("/update-inputs", methods=["GET", "PUT", "PATCH", "DELETE"])
@blueprint.response(400)
@right("readings.write")
def not_posted() -> Response:
    """Inputs are posted; every other method is 400 (S0-34)."""
    raise bad_request("method", "post the inputs: POST /api/update-inputs; read them by GET /api/get-inputs")


@blueprint.route("/get-inputs")
@blueprint.arguments(InputsQuery, location="query")
@blueprint.response(200, Body)
@right("readings.read")
def get_inputs(query: dict[str, Any]) -> Response:
    """The last-known inputs by tag: value, unit, quality with reason, time and age; at most 2,000."""
    known, site = plant(), current_user().site_id
    found = (tag for tag in known.tags.values() if known.is_of_site(tag, site) and tag.kind != "frame")
    if "source" in query:
        found = (tag for tag in found if tag.source == query["source"])
    if "asset" in query:
        found = (tag for tag in found if known.assets[tag.asset].code == query["asset"])
    tags = sorted(found, key=lambda tag: tag.name)
    return jsonify(inputs=_state(tags[:MOST]), more=max(len(tags) - MOST, 0))


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, bool) else value


def _merge(rows: list[reading_rows.Row]) -> None:
    """Keep what was posted beside the history, which has it a moment later; an older value never replaces a newer one."""
    at = services().bus.client
    try:
        standing = _posted([row.tag for row in rows])
        newer: dict[Any, Any] = {
            row.tag.name: json.dumps([row.t, row.value, row.quality]) for row in rows if row.t >= standing.get(row.tag.id, (0,))[0]
        }
        if newer:
            at.hset(_kept_at(), mapping=newer)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error


def _posted(tags: list[Tag]) -> dict[int, tuple[int, Any, int]]:
    if not tags:
        return {}
    try:
        raw = cast("list[bytes | None]", services().bus.client.hmget(_kept_at(), [tag.name for tag in tags]))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    return {tag.id: cast("tuple[int, Any, int]", tuple(json.loads(one))) for tag, one in zip(tags, raw, strict=True) if one}


def _state(tags: list[Tag]) -> dict[str, dict[str, Any]]:
    """The newest of history and what was posted, by name; tags that never had a value are left out."""
    now = now_ms()
    with services().database.raw() as connection:
        newest: dict[int, tuple[int, Any, int]] = dict(historian.latest(connection, [tag.id for tag in tags if tag.kind == "f64"]))
    for tag, found in _posted(tags).items():
        if tag not in newest or found[0] >= newest[tag][0]:
            newest[tag] = found
    return {tag.name: _shown(tag, *newest[tag.id], now) for tag in tags if tag.id in newest}


def _shown(tag: Tag, t: int, value: Any, byte: int, now: int) -> dict[str, Any]:
    quality, reason = split_quality(byte)
    words = {"quality": quality.name.lower(), "reason": reason.name.lower()}
    return {"value": value, "unit": tag.unit, **words, "t": t, "age_ms": max(now - t, 0)}
