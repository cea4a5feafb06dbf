"""Facts after a sequence number, for clients without a socket; holds the request until there is one."""

from __future__ import annotations

import time
from typing import Any, cast

import marshmallow as ma
import redis
from flask import Response, current_app, jsonify

from realtime.bus import FACTS
from realtime.errors import BusUnavailable
from server.api.blueprint import resource
from server.api.schemas import Body
from server.auth.guard import current_user, signed_in
from server.doors import SocketDoors
from server.problems import Problem
from server.services import Services, services

blueprint = resource("facts", "What happened since")
LIMIT = 500
BLOCK_MS = 2000  # below redis-py's socket timeout


class FactsQuery(ma.Schema):
    """From where, and how long to wait for the first."""

    since = ma.fields.Integer(load_default=None, allow_none=True, validate=ma.validate.Range(0, 2**53))
    wait = ma.fields.Float(load_default=0.0, validate=ma.validate.Range(0, 25), metadata={"description": "seconds to hold the request"})


@blueprint.route("/facts")
@blueprint.arguments(FactsQuery, location="query")
@blueprint.response(200, Body)
@signed_in
def get_facts(query: dict[str, Any]) -> Response:
    """Facts after `since` in order, and the newest number; without `since` the number alone. 410 when `since` is too old: fetch anew."""
    at = services()
    doors = cast("SocketDoors", current_app.extensions["sightline.doors"])
    caller = current_user()
    deadline = time.monotonic() + query["wait"]
    while True:
        left_ms = int((deadline - time.monotonic()) * 1000)
        heard = _last_id(at) if left_ms > 0 else None
        page = doors.facts_since(query["since"], LIMIT)
        if page is None:
            raise Problem(410, "reset", "too much happened since; fetch the lists anew, then ask without `since`")
        facts = [fact for fact in page.facts if doors.sees_fact(caller, fact)]
        if facts or query["since"] is None or heard is None:
            return jsonify(seq=page.seq, facts=facts)
        _await_fact(at, heard, min(left_ms, BLOCK_MS))


def _last_id(at: Services) -> str:
    """Id of the newest entry of the stream, taken before the database is asked: nothing falls between the two."""
    try:
        newest: Any = at.bus.client.xrevrange(at.bus.key(FACTS), count=1)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    return newest[0][0].decode() if newest else "0-0"


def _await_fact(at: Services, after: str, block_ms: int) -> None:
    try:
        at.bus.client.xread({at.bus.key(FACTS): after}, count=1, block=max(1, block_ms))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
