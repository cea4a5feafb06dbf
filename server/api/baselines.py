"""Intervals of an asset that a person calls healthy: what its models learn from (S2-34)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api.blueprint import Page, collection, resource
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.api.times import Instant
from server.auth.guard import current_user, right
from server.idempotency import once
from server.services import services
from server.store import assets, baselines

blueprint = resource("baselines", "Healthy intervals that models learn from")


class NewBaseline(ma.Schema):
    """From when to when the asset was healthy, 10 minutes to 92 days, over by now."""

    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    note = ma.fields.String(load_default="", validate=ma.validate.Length(max=1000))


@blueprint.route("/assets/<string(maxlength=64):code>/baselines")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_baselines(query: dict[str, Any], code: str) -> Response:
    """Intervals of the asset, newest first: checking, confirmed, refused with the reasons, withdrawn."""
    with services().database.transaction() as session:
        asset = assets.get_asset(session, code, current_user())
        page = baselines.list_baselines(session, asset, limit=query["limit"], offset=query["offset"])
        return jsonify(collection(baselines.bodies(session, list(page.items)), page.total, query))


@blueprint.route("/assets/<string(maxlength=64):code>/baselines", methods=["POST"])
@blueprint.arguments(NewBaseline)
@blueprint.response(201, Body)
@right("assets.write")
def mark_baseline(body: dict[str, Any], code: str) -> Response:
    """Mark an interval as healthy. A job compares its halves; then it is confirmed, or refused with the reasons in words."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        user, now = current_user(), services().clock()
        asset = assets.get_asset(session, code, user)
        row = baselines.mark(session, asset, body, user, now)
        return {**baselines.bodies(session, [row])[0], "asset": asset.code}, 201

    return located(once("baselines", deed), "/api/assets/{asset}/baselines")


@blueprint.route("/assets/<string(maxlength=64):code>/baselines/<id:baseline_id>", methods=["DELETE"])
@blueprint.response(200, Body)
@right("assets.write")
def withdraw_baseline(code: str, baseline_id: int) -> Response:
    """Nothing is learned from it any more; it stays in the list."""
    at = services()
    with at.database.transaction() as session:
        asset = assets.get_asset(session, code, current_user())
        row = baselines.withdraw(session, asset, baseline_id, current_user(), at.clock())
        return jsonify({**baselines.bodies(session, [row])[0], "asset": asset.code})
