"""Limits of a tag as people edit them (N-9): each is in force at the monitors with the next version of the plant, within two seconds."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Number, Page, collection, resource
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.api.tags import LimitRow, tag_body
from server.auth.guard import current_user, right
from server.idempotency import once
from server.models.plant import Asset, Source
from server.rules.limit_defaults import HOLDS, SIDES
from server.services import services
from server.store import limits

blueprint = resource("limits", "Limits of live values")


class LimitPatch(ma.Schema):
    """What may change of a limit."""

    side = ma.fields.String(validate=ma.validate.OneOf(SIDES))
    value = Number()
    severity = ma.fields.String(validate=ma.validate.OneOf(["advisory", "warning", "critical"]))
    deadband = Number(validate=ma.validate.Range(min=0))
    on_delay_s = Number(validate=ma.validate.Range(0, 86400))
    off_delay_s = Number(validate=ma.validate.Range(0, 86400))
    holds = ma.fields.String(validate=ma.validate.OneOf(HOLDS))
    confirmed = ma.fields.Boolean(truthy={True}, falsy={False})


@blueprint.route("/tags/<id:tag_id>")
@blueprint.response(200, Body)
@right("assets.read")
def get_tag(tag_id: int) -> Response:
    """One tag."""
    with services().database.transaction() as session:
        tag = limits.get_tag(session, tag_id, current_user())
        source = session.get(Source, tag.source_id) if tag.source_id is not None else None
        body = tag_body(tag, session.get_one(Asset, tag.asset_id).code, source.name if source else None)
        return etags.tagged(body)


@blueprint.route("/tags/<id:tag_id>/limits")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_limits(query: dict[str, Any], tag_id: int) -> Response:
    """Limits of a tag."""
    with services().database.transaction() as session:
        tag = limits.get_tag(session, tag_id, current_user())
        page = limits.list_limits(session, tag, query["sort"], query["limit"], query["offset"])
        return jsonify(collection(limits.bodies(page.items), page.total, query))


@blueprint.route("/tags/<id:tag_id>/limits", methods=["POST"])
@blueprint.arguments(LimitRow)
@blueprint.response(201, Body)
@right("tags.write")
def add_limit(body: dict[str, Any], tag_id: int) -> Response:
    """Set one more limit."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        tag = limits.get_tag(session, tag_id, current_user(), lock=True)
        return limits.bodies([limits.add_limit(session, tag, body, current_user(), services().clock())])[0], 201

    return located(once("limits", deed), "/api/tags/{tag}/limits/{id}")


@blueprint.route("/tags/<id:tag_id>/limits/<id:limit_id>")
@blueprint.response(200, Body)
@right("assets.read")
def get_limit(tag_id: int, limit_id: int) -> Response:
    """One limit."""
    with services().database.transaction() as session:
        tag = limits.get_tag(session, tag_id, current_user())
        return etags.tagged(limits.bodies([limits.get_limit(session, tag, limit_id)])[0])


@blueprint.route("/tags/<id:tag_id>/limits/<id:limit_id>", methods=["PATCH"])
@blueprint.arguments(LimitPatch)
@blueprint.response(200, Body)
@right("tags.write")
def change_limit(body: dict[str, Any], tag_id: int, limit_id: int) -> Response:
    """Change what is given."""
    at = services()
    with at.database.transaction() as session:
        tag = limits.get_tag(session, tag_id, current_user(), lock=True)
        row = limits.get_limit(session, tag, limit_id)
        etags.check_match(limits.revision(limits.values(row)))
        limits.change_limit(session, tag, row, body, current_user(), at.clock())
        return etags.tagged(limits.bodies([row])[0])


@blueprint.route("/tags/<id:tag_id>/limits/<id:limit_id>", methods=["DELETE"])
@blueprint.response(204)
@right("tags.write")
def remove_limit(tag_id: int, limit_id: int) -> Response:
    """Take a limit away; the audit trail keeps what it was."""
    at = services()
    with at.database.transaction() as session:
        tag = limits.get_tag(session, tag_id, current_user(), lock=True)
        row = limits.get_limit(session, tag, limit_id)
        etags.check_match(limits.revision(limits.values(row)))
        limits.remove_limit(session, tag, row, current_user(), at.clock())
    return Response(status=204)
