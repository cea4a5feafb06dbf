"""Sources: devices and brokers, one by one or as a tag map (YAML or JSON, docs/plant-configuration.md)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
import msgspec
from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from plc.addressing import kinds, tagmap
from plc.addressing.tagmap import TagMap, TagMapError
from server.api import etags
from server.api.blueprint import Number, Page, collection, resource, text
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.api.tag_maps import source_of, writes_of
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.idempotency import once
from server.models.plant import Source
from server.off_hub import off_the_hub
from server.problems import Problem, bad_request
from server.services import services
from server.source_standing import with_standing
from server.store import sources
from server.store.tag_writes import put_source

blueprint = resource("sources", "Devices and brokers that values come from")
YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})
LONGEST_YAML = 256 * 1024  # the YAML reader takes seconds for a megabyte; JSON does not


class TagMapBody(ma.Schema):
    """A tag map: source, groups and tags (docs/plant-configuration.md has examples)."""

    class Meta:
        """The map's own reader judges its keys."""

        unknown = ma.INCLUDE

    machine = ma.fields.String()
    source = ma.fields.Dict()
    groups = ma.fields.Dict()
    tags = ma.fields.List(ma.fields.Dict())


_TAG_MAP = {
    "required": True,
    "content": {"application/json": {"schema": TagMapBody}, "application/yaml": {"schema": {"type": "string"}}},
}


class SourcesQuery(Page):
    """Which sources."""

    search = ma.fields.String(validate=ma.validate.Length(max=100), metadata={"description": "part of the name"})
    kind = ma.fields.String(validate=ma.validate.Length(max=64))


class _SourceFields(ma.Schema):
    config = ma.fields.Dict(
        keys=text(64),
        metadata={"description": "the connector's own keys (docs/connectors.md); as a whole; *** keeps a secret as it is"},
    )
    groups = ma.fields.Dict(keys=text(64), values=Number(), metadata={"description": "group name -> period in seconds"})
    enabled = ma.fields.Boolean(truthy={True}, falsy={False})


class NewSource(_SourceFields):
    """A source to be."""

    name = text(64, required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(kinds.KINDS))
    config = ma.fields.Dict(keys=text(64), load_default=dict)
    groups = ma.fields.Dict(keys=text(64), values=Number(), load_default=lambda: dict(tagmap.DEFAULT_GROUPS))
    enabled = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})


class SourcePatch(_SourceFields):
    """What may change of a source; the name and the kind stay."""


class DeleteQuery(ma.Schema):
    """What becomes of its tags."""

    tags = ma.fields.String(validate=ma.validate.OneOf(["delete"]), metadata={"description": "delete: its tags go with it"})


@blueprint.route("/sources")
@blueprint.arguments(SourcesQuery, location="query")
@blueprint.response(200, Collection)
@right("sources.write")
def list_sources(query: dict[str, Any]) -> Response:
    """Sources of the caller's site with their state of now, rate, lag and how many tags are not good; secrets are masked."""
    wanted = [Source.name.icontains(query["search"], autoescape=True)] if query.get("search") else []
    wanted += [Source.kind == query["kind"]] if query.get("kind") else []
    with services().database.transaction() as session:
        page = sources.list_sources(session, current_user(), wanted, query)
        bodies, total = sources.bodies(session, page.items), page.total
    return jsonify(collection(with_standing(services().bus, bodies), total, query))


@blueprint.route("/sources", methods=["POST"])
@blueprint.arguments(NewSource)
@blueprint.response(201, Body)
@right("sources.write")
def create_source(body: dict[str, Any]) -> Response:
    """A new source without tags."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = sources.create_source(session, body, current_user(), services().clock())
        return with_standing(services().bus, sources.bodies(session, [row]))[0], 201

    return located(once("sources", deed), "/api/sources/{id}")


@blueprint.route("/sources/<id:source_id>")
@blueprint.response(200, Body)
@right("sources.write")
def get_source(source_id: int) -> Response:
    """One source."""
    with services().database.transaction() as session:
        bodies = sources.bodies(session, [sources.get_source(session, source_id, current_user())])
    return etags.tagged(with_standing(services().bus, bodies)[0])


@blueprint.route("/sources/<id:source_id>", methods=["PATCH"])
@blueprint.arguments(SourcePatch)
@blueprint.response(200, Body)
@right("sources.write")
def change_source(body: dict[str, Any], source_id: int) -> Response:
    """Change what is given, or switch it off and on; If-Match guards against another's change."""
    at = services()
    with at.database.transaction() as session:
        row = sources.get_source(session, source_id, current_user(), lock=True)
        etags.check_match(row.rev)
        sources.change_source(session, row, body, current_user(), at.clock())
        bodies = sources.bodies(session, [row])
    return etags.tagged(with_standing(services().bus, bodies)[0])


@blueprint.route("/sources/<id:source_id>", methods=["DELETE"])
@blueprint.arguments(DeleteQuery, location="query")
@blueprint.response(204)
@right("sources.write")
def delete_source(query: dict[str, Any], source_id: int) -> Response:
    """Delete softly; 409 while tags come from it, unless `tags=delete`. Their history stays."""
    at = services()
    with at.database.transaction() as session:
        row = sources.get_source(session, source_id, current_user(), lock=True)
        etags.check_match(row.rev)
        sources.delete_source(session, row, with_tags=query.get("tags") == "delete", user=current_user(), now=at.clock())
    return Response(status=204)


@blueprint.route("/sources", methods=["PUT"])
@blueprint.doc(requestBody=_TAG_MAP)
@blueprint.response(200, Body)
@right("sources.write")
def put() -> Response:
    """Make or change a source and its tags from a tag map; all or none."""
    found = _tag_map()
    at = services()
    with at.database.transaction() as session:
        written = put_source(session, source_of(found), writes_of(found), current_user(), at.clock())
    body: dict[str, Any] = msgspec.to_builtins(written)
    return jsonify({**body, "source": found.source, "warnings": found.warnings})


def _tag_map() -> TagMap:
    try:
        if request.mimetype in YAML_TYPES:
            return off_the_hub(tagmap.parse, _yaml_text())
        document = request.get_json()
        if not isinstance(document, dict):
            raise bad_request("envelope", "send a tag map: an object with source and tags")
        return tagmap.read(document)
    except TagMapError as error:
        raise Invalid(error.field, "tag_map", error.detail) from error


def _yaml_text() -> str:
    raw = request.get_data()
    if len(raw) > LONGEST_YAML:
        raise Problem(413, "content_too_large", f"a YAML tag map is at most {LONGEST_YAML // 1024} kB; send JSON")
    try:
        text_ = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request("not_utf8", "send the tag map as UTF-8") from error
    if "\0" in text_:
        raise bad_request("nul", "a tag map must not hold the character U+0000")
    return text_
