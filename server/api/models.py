"""Models of assets: training as a job, and the versions that came of it (S2-126, S2-127)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify, url_for
from sqlalchemy.orm import Session

from server.api.blueprint import Page, collection, resource
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.services import services
from server.store import assets, model_states, training

blueprint = resource("ml", "Models that detectors learned: training and versions")


class Models(Collection):
    """Versions of one asset's model; `job` is its last training."""

    asset = ma.fields.String()
    job = ma.fields.Nested(Body, allow_none=True)


class AssetsQuery(Page):
    """Which assets."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


@blueprint.route("/ml/assets")
@blueprint.arguments(AssetsQuery, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_assets(query: dict[str, Any]) -> Response:
    """What judges each asset: an activated version, the monitor's own model of confirmed intervals, or a provisional one."""
    with services().database.transaction() as session:
        page = model_states.list_watched(session, current_user(), query)
        return jsonify(collection(model_states.bodies(session, page.items), page.total, query))


@blueprint.route("/ml/assets/<string(maxlength=64):code>")
@blueprint.response(200, Body)
@right("assets.read")
def get_asset(code: str) -> Response:
    """What judges one asset, and its last training with its progress."""
    with services().database.transaction() as session:
        asset = assets.get_asset(session, code, current_user())
        return jsonify(model_states.bodies(session, [asset])[0])


@blueprint.route("/ml/train/<path:tag>", methods=["POST"])
@blueprint.response(202, Body)
@right("assets.write")
def train(tag: str) -> Response:
    """Ask for a new model version of the asset of a live tag, or of an asset by its code; one that is under way is answered again."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        asset = training.asset_of(session, tag, current_user())
        job = training.ask(session, asset, current_user(), services().clock())
        return training.job_body(job, asset), 202

    answer = once("ml.train", deed)
    answer.headers["Location"] = url_for("ml.list_models", tag=tag)
    return answer


@blueprint.route("/ml/models/<id:model_id>/activate", methods=["POST"])
@blueprint.response(200, Body)
@right("assets.write")
def activate(model_id: int) -> Response:
    """Let the monitor judge by this kept version, in force with the next version of the plant; 409 where it is damaged."""
    at = services()
    with at.database.transaction() as session:
        return jsonify(training.model_body(training.activate(session, model_id, current_user(), at.clock())))


@blueprint.route("/ml/models/<id:model_id>/activate", methods=["DELETE"])
@blueprint.response(200, Body)
@right("assets.write")
def deactivate(model_id: int) -> Response:
    """Let the monitor judge by what it learns itself again."""
    at = services()
    with at.database.transaction() as session:
        return jsonify(training.model_body(training.deactivate(session, model_id, current_user(), at.clock())))


@blueprint.route("/ml/models/<path:tag>")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Models)
@right("assets.read")
def list_models(query: dict[str, Any], tag: str) -> Response:
    """Model versions of the asset of a live tag, or of an asset by its code, newest first, and the status of its last training."""
    with services().database.transaction() as session:
        asset = training.asset_of(session, tag, current_user())
        page = training.list_models(session, asset, limit=query["limit"], offset=query["offset"])
        job = training.newest_job(session, asset.id)
        found = collection([training.model_body(row) for row in page.items], page.total, query)
        return jsonify(**found, asset=asset.code, job=None if job is None else training.job_body(job, asset))
