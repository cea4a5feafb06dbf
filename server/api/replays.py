"""What-if replays (N-29): a change run over stored history before anybody puts it in force."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.api.times import Instant
from server.auth.guard import current_user, right
from server.idempotency import once
from server.rules.limit_defaults import HOLDS, SIDES
from server.services import services
from server.store import replays

blueprint = resource("replays", "A proposed limit, setting or model over stored history: alerts added and removed")


def _flag() -> ma.fields.Boolean:
    return ma.fields.Boolean(truthy={True}, falsy={False}, allow_none=True)


class NewReplay(ma.Schema):
    """One change and the span. A limit: `limit_id` of one that stands and what would be other, or `remove`; a new one: `tag_id`, side
    and value; a tag's settings (its own cusum_k and cusum_h too): `tag_id` and what would be other; a detector's settings: `asset`; a
    kept model: `model_id`. null = not given."""

    from_ = Instant(required=True, data_key="from")
    to = Instant(required=True)
    asset = text(64, allow_none=True, metadata={"description": "code"})
    tag_id = Whole(low=1, allow_none=True)
    limit_id = Whole(low=1, allow_none=True)
    remove = _flag()
    side = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(SIDES))
    value = Number(allow_none=True)
    severity = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(["advisory", "warning", "critical"]))
    deadband = Number(allow_none=True, validate=ma.validate.Range(min=0))
    on_delay_s = Number(allow_none=True, validate=ma.validate.Range(0, 86400))
    off_delay_s = Number(allow_none=True, validate=ma.validate.Range(0, 86400))
    holds = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(HOLDS))
    range_low = Number(allow_none=True)
    range_high = Number(allow_none=True)
    stuck_s = Number(allow_none=True, validate=ma.validate.Range(1, 604800))
    stuck_deadband = Number(allow_none=True, validate=ma.validate.Range(min=0))
    drift = _flag()
    joint = _flag()
    cusum_k = Number(allow_none=True, validate=ma.validate.Range(0.01, 10))
    cusum_h = Number(allow_none=True, validate=ma.validate.Range(0.1, 1000))
    stuck_sensor_minutes = Number(allow_none=True, validate=ma.validate.Range(0.01, 10080))
    model_id = Whole(low=1, allow_none=True)


class Reason(ma.Schema):
    """Why."""

    reason = text(500, required=True)


@blueprint.route("/replays")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("reports.read")
def list_replays(query: dict[str, Any]) -> Response:
    """Replays of the caller's site, newest first, without their alerts."""
    with services().database.transaction() as session:
        page = replays.list_replays(session, current_user(), query)
        return jsonify(collection(replays.bodies(session, list(page.items)), page.total, query))


@blueprint.route("/replays", methods=["POST"])
@blueprint.arguments(NewReplay)
@blueprint.response(202, Body)
@right("tags.write")
def ask_for_replay(body: dict[str, Any]) -> Response:
    """Run the engine over stored readings, as it is and with the change; nothing is changed by it."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        job = replays.ask(session, body, current_user(), services().clock())
        return replays.bodies(session, [job])[0], 202

    return located(once("replays", deed), "/api/replays/{id}")


@blueprint.route("/replays/<id:replay_id>")
@blueprint.response(200, Body)
@right("reports.read")
def get_replay(replay_id: int) -> Response:
    """One replay: progress; when done, alerts added, removed and kept, each with its route, the known alert and its verdict."""
    with services().database.transaction() as session:
        return jsonify(replays.detail(session, replays.get_replay(session, replay_id, current_user())))


@blueprint.route("/replays/<id:replay_id>/put-in-force", methods=["POST"])
@blueprint.arguments(Reason)
@blueprint.response(200, Body)
@right("tags.write")
def put_in_force(body: dict[str, Any], replay_id: int) -> Response:
    """Make the change as by hand, audited; 409 where what it would change is no longer as it was replayed."""
    at = services()
    with at.database.transaction() as session:
        job = replays.get_replay(session, replay_id, current_user(), lock=True)
        replays.put_in_force(session, job, body["reason"], current_user(), at.clock())
        return jsonify(replays.detail(session, job))
