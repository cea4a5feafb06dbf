"""Polling groups of a source: a name and a period; tags are read in one of them."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Number, Page, collection, resource, text
from server.api.locations import located
from server.api.quarantine import sort_by
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Conflict, NotFound
from server.idempotency import once
from server.models.plant import Source, Tag
from server.services import services
from server.store import sources

blueprint = resource("source_groups", "Polling groups of sources")
_PERIOD = ma.validate.Range(sources.SHORTEST_S, sources.LONGEST_S)
_NAME = "<string(maxlength=64):name>"


class NewGroup(ma.Schema):
    """A group to be."""

    name = text(64, required=True)
    period_s = Number(required=True, validate=_PERIOD)


class GroupPatch(ma.Schema):
    """Another period; the tags of the group are expected as often."""

    period_s = Number(required=True, validate=_PERIOD)


class _Group:
    def __init__(self, name: str, period_s: float, tags: int) -> None:
        self.name, self.period_s, self.tags = name, period_s, tags


def _groups(session: Session, row: Source) -> list[_Group]:
    query = select(Tag.poll_group, func.count()).where(Tag.source_id == row.id, Tag.deleted_at.is_(None)).group_by(Tag.poll_group)
    counts = {str(name): int(n) for name, n in session.execute(query)}
    return [_Group(name, float(period), counts.get(name, 0)) for name, period in sorted(row.groups.items())]


def _body(row: Source, group: _Group) -> dict[str, Any]:
    return {"name": group.name, "period_s": group.period_s, "tags": group.tags, "source": row.id, "rev": row.rev}


def _one(session: Session, row: Source, name: str) -> dict[str, Any]:
    for group in _groups(session, row):
        if group.name == name:
            return _body(row, group)
    raise NotFound("group", name)


@blueprint.route("/sources/<id:source_id>/groups")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("sources.write")
def list_groups(query: dict[str, Any], source_id: int) -> Response:
    """Groups of a source by name, with the number of tags in each."""
    with services().database.transaction() as session:
        row = sources.get_source(session, source_id, current_user())
        found = sort_by(_groups(session, row), query["sort"], ("name", "period_s", "tags"))
        shown = [_body(row, one) for one in found[query["offset"] : query["offset"] + query["limit"]]]
    return jsonify(collection(shown, len(found), query))


@blueprint.route("/sources/<id:source_id>/groups", methods=["POST"])
@blueprint.arguments(NewGroup)
@blueprint.response(201, Body)
@right("sources.write")
def add_group(body: dict[str, Any], source_id: int) -> Response:
    """One more group."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = sources.get_source(session, source_id, current_user(), lock=True)
        if body["name"] in row.groups:
            raise Conflict("name_taken", f"{row.name} has a group {body['name']}")
        _put(session, row, {**row.groups, body["name"]: body["period_s"]})
        return _one(session, row, body["name"]), 201

    return located(once("source-groups", deed), f"/api/sources/{source_id}/groups/{{name}}")


@blueprint.route(f"/sources/<id:source_id>/groups/{_NAME}")
@blueprint.response(200, Body)
@right("sources.write")
def get_group(source_id: int, name: str) -> Response:
    """One group."""
    with services().database.transaction() as session:
        return etags.tagged(_one(session, sources.get_source(session, source_id, current_user()), name))


@blueprint.route(f"/sources/<id:source_id>/groups/{_NAME}", methods=["PATCH"])
@blueprint.arguments(GroupPatch)
@blueprint.response(200, Body)
@right("sources.write")
def change_group(body: dict[str, Any], source_id: int, name: str) -> Response:
    """Read it more or less often."""
    with services().database.transaction() as session:
        row = sources.get_source(session, source_id, current_user(), lock=True)
        _one(session, row, name)
        etags.check_match(row.rev)
        _put(session, row, {**row.groups, name: body["period_s"]})
        return etags.tagged(_one(session, row, name))


@blueprint.route(f"/sources/<id:source_id>/groups/{_NAME}", methods=["DELETE"])
@blueprint.response(204)
@right("sources.write")
def remove_group(source_id: int, name: str) -> Response:
    """Take a group away; 409 while tags are read in it."""
    with services().database.transaction() as session:
        row = sources.get_source(session, source_id, current_user(), lock=True)
        _one(session, row, name)
        etags.check_match(row.rev)
        _put(session, row, {key: period for key, period in row.groups.items() if key != name})
    return Response(status=204)


def _put(session: Session, row: Source, groups: dict[str, float]) -> None:
    sources.change_source(session, row, {"groups": groups}, current_user(), services().clock())
