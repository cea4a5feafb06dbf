"""Tokens of devices that post readings, and API keys: made once, shown once, listed and revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy import select

from server import audit
from server.api.blueprint import Whole, resource, text
from server.api.schemas import Body
from server.auth import device_tokens
from server.auth.guard import current_user, right
from server.auth.session import cut_sockets
from server.errors import NotFound
from server.models.feed import DeviceToken
from server.services import services
from server.timestamps import rfc3339

blueprint = resource("tokens", "Tokens of devices")


class NewToken(ma.Schema):
    """What kind of token, for what."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["ingest", "api"]))
    name = text(100, required=True)
    days = Whole(low=1, high=3650, load_default=None, allow_none=True, metadata={"description": "null: until revoked"})


def _body(row: DeviceToken) -> dict[str, Any]:
    times = {name: rfc3339(getattr(row, name)) for name in ("created_at", "expires_at", "last_used_at", "revoked_at")}
    return {"id": row.id, "kind": row.kind, "name": row.name, "user": row.user_id, **times}


@blueprint.route("/tokens")
@blueprint.response(200, Body)
@right("sources.write")
def list_tokens() -> Response:
    """Tokens of the site that are not revoked, paired devices included."""
    query = select(DeviceToken).where(DeviceToken.site_id == current_user().site_id, DeviceToken.revoked_at.is_(None))
    with services().database.transaction() as session:
        items = [_body(row) for row in session.scalars(query.order_by(DeviceToken.id.desc()).limit(1000))]
    return jsonify(items=items, total=len(items))


@blueprint.route("/tokens", methods=["POST"])
@blueprint.arguments(NewToken)
@blueprint.response(201, Body)
@right("sources.write")
def make_token(body: dict[str, Any]) -> Response:
    """Make a token; `token` is shown this once. An `api` token acts as the caller."""
    at, caller = services(), current_user()
    secret, now = device_tokens.new_secret(), at.clock()
    row = DeviceToken(
        token_hash=device_tokens.digest(secret),
        kind=body["kind"],
        name=body["name"],
        user_id=caller.id if body["kind"] == "api" else None,
        site_id=caller.site_id,
        created_at=now,
        expires_at=now + timedelta(days=body["days"]) if body["days"] else None,
    )
    with at.database.transaction() as session:
        session.add(row)
        session.flush()
        change = audit.Change("create", "device_token", row.id, row.site_id, None, {"kind": row.kind, "name": row.name})
        audit.record(session, change, caller, now)
    answer = jsonify({**_body(row), "token": secret})
    answer.status_code = 201
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.route("/tokens/<id:token_id>", methods=["DELETE"])
@blueprint.response(204)
@right("sources.write")
def revoke_token(token_id: int) -> Response:
    """Revoke a token; its sockets close."""
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        row = session.get(DeviceToken, token_id, with_for_update=True)
        if row is None or row.site_id != caller.site_id:
            raise NotFound("token", token_id)
        row.revoked_at = row.revoked_at or at.clock()
        change = audit.Change("revoke", "device_token", row.id, row.site_id, {"revoked_at": None}, {"revoked_at": row.revoked_at})
        audit.record(session, change, caller, at.clock())
    if row.user_id is not None:
        cut_sockets(at.bus, row.user_id)
    return Response(status=204)
