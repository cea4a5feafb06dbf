"""Tags that sources sent and nobody configured: a person accepts each with its asset and unit, or ignores it."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api.blueprint import Page, collection, resource, text
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.api.tags import TagPatch, body_of, write_of
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.idempotency import once
from server.services import services
from server.store import discovered

blueprint = resource("discovered_tags", "Tags that sources sent and nobody configured")


class DiscoveredQuery(Page):
    """Which of them."""

    state = ma.fields.String(load_default="new", validate=ma.validate.OneOf(["new", "accepted", "ignored", "all"]))
    source = ma.fields.String(validate=ma.validate.Length(max=64))
    search = ma.fields.String(validate=ma.validate.Length(max=100), metadata={"description": "part of the name"})


class Accepted(TagPatch):
    """What the tag is; its source is the one that sent it."""

    tag = text(64, metadata={"description": "the name, where it is to be another"})
    asset = text(64, required=True, metadata={"description": "an asset's code"})


class Decision(ma.Schema):
    """What to do with it."""

    state = ma.fields.String(required=True, validate=ma.validate.OneOf(["ignored", "new"]))


@blueprint.route("/discovered-tags")
@blueprint.arguments(DiscoveredQuery, location="query")
@blueprint.response(200, Collection)
@right("tags.write")
def list_discovered(query: dict[str, Any]) -> Response:
    """Those nobody has decided about, newest first, each with its last value."""
    with services().database.transaction() as session:
        page = discovered.list_discovered(session, current_user(), query)
        return jsonify(collection([discovered.body(row) for row in page.items], page.total, query))


@blueprint.route("/discovered-tags/<id:discovered_id>")
@blueprint.response(200, Body)
@right("tags.write")
def get_discovered(discovered_id: int) -> Response:
    """One of them."""
    with services().database.transaction() as session:
        row, _source = discovered.get_discovered(session, discovered_id, current_user())
        return jsonify(discovered.body(row))


@blueprint.route("/discovered-tags/<id:discovered_id>/accept", methods=["POST"])
@blueprint.arguments(Accepted)
@blueprint.response(201, Body)
@right("tags.write")
def accept(given: dict[str, Any], discovered_id: int) -> Response:
    """Make it a tag of an asset."""
    if "source" in given:
        raise Invalid("source", "fixed", "its source is the one that sent it")

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row, source = discovered.get_discovered(session, discovered_id, current_user(), lock=True)
        name = given.get("tag", row.tag)
        if len(name) > 64:
            raise Invalid("tag", "length", "the name that was sent is longer than 64 characters; give another, and the address")
        tag = discovered.accept(session, row, source, write_of({**given, "tag": name}), current_user(), services().clock())
        return body_of(session, tag), 201

    return located(once("discovered-tags", deed), "/api/tags/{id}")


@blueprint.route("/discovered-tags/<id:discovered_id>", methods=["PATCH"])
@blueprint.arguments(Decision)
@blueprint.response(200, Body)
@right("tags.write")
def decide(given: dict[str, Any], discovered_id: int) -> Response:
    """Ignore it from now on, or take it up again."""
    at = services()
    with at.database.transaction() as session:
        row, _source = discovered.get_discovered(session, discovered_id, current_user(), lock=True)
        discovered.decide(session, row, given["state"], current_user(), at.clock())
        return jsonify(discovered.body(row))
