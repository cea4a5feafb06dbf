"""A signed-in person lets a headset or phone act for them (AR_FEED.md 3)."""

from __future__ import annotations

import marshmallow as ma
from flask import Response, jsonify

from server import pairing
from server.api.blueprint import resource, text
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.services import services
from server.timestamps import rfc3339

blueprint = resource("pair", "Pairing of headsets and phones")


class Decision(ma.Schema):
    """The code the device shows, and what the person says to it."""

    user_code = text(32, required=True)
    decision = ma.fields.String(load_default="approve", validate=ma.validate.OneOf([str(word) for word in pairing.Decision]))


@blueprint.route("/pair/approve", methods=["POST"])
@blueprint.arguments(Decision)
@blueprint.response(200, Body)
@right("pair.approve")
def approve(body: dict[str, str]) -> Response:
    """Look at a waiting device (`look`), approve or deny it; five wrong codes lock for ten minutes (429)."""
    row = pairing.decide(services(), body["user_code"], current_user(), pairing.Decision(body["decision"]))
    return jsonify(
        kind=row.kind, name=row.name, place=row.place, state=row.state, user_code=row.user_code, expires_at=rfc3339(row.expires_at)
    )
