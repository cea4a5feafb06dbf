"""Sources: devices and brokers, written as a tag map (YAML or JSON, docs/siemens.md); and the edge's configuration."""

from __future__ import annotations

import hashlib
from typing import Any

import marshmallow as ma
import msgspec
from flask import Response, jsonify, request
from sqlalchemy import func, select

from plc.addressing import tagmap
from plc.addressing.tagmap import MappedTag, TagMap, TagMapError
from server.api.blueprint import resource
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.models.plant import Source, Tag
from server.off_hub import off_the_hub
from server.plant import plant
from server.problems import Problem, bad_request
from server.services import services
from server.store.tag_writes import SourceWrite, TagWrite, put_source
from server.timestamps import rfc3339

blueprint = resource("sources", "Devices and brokers that values come from")
YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})
LONGEST_YAML = 256 * 1024  # the YAML reader takes seconds for a megabyte; JSON does not
_SECRET = frozenset({"password", "secret", "token", "key"})


class TagMapBody(ma.Schema):
    """A tag map: source, groups and tags (docs/siemens.md has examples)."""

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


@blueprint.route("/sources")
@blueprint.response(200, Body)
@right("sources.write")
def list_sources() -> Response:
    """Sources of the caller's site with their state; secrets in their configuration are masked."""
    counts = select(Tag.source_id, func.count().label("n")).where(Tag.deleted_at.is_(None)).group_by(Tag.source_id).subquery()
    query = select(Source, counts.c.n).outerjoin(counts, counts.c.source_id == Source.id)
    with services().database.transaction() as session:
        rows = session.execute(query.where(Source.site_id == current_user().site_id).order_by(Source.name)).all()
    items = [_body(row[0], row[1] or 0) for row in rows]
    return jsonify(items=items, total=len(items))


def _body(row: Source, tags: int) -> dict[str, Any]:
    config = {name: "***" if name in _SECRET and value else value for name, value in row.config.items()}
    same = {name: getattr(row, name) for name in ("id", "name", "kind", "enabled", "groups", "state", "detail")}
    return {**same, "config": config, "state_since": rfc3339(row.state_since), "tags": tags}


@blueprint.route("/sources", methods=["PUT"])
@blueprint.doc(requestBody=_TAG_MAP)
@blueprint.response(200, Body)
@right("sources.write")
def put() -> Response:
    """Make or change a source and its tags from a tag map; all or none."""
    found = _tag_map()
    at = services()
    writes = [_write(found, tag) for tag in found.tags]
    source = SourceWrite(found.source, found.kind, found.config, found.groups)
    with at.database.transaction() as session:
        written = put_source(session, source, writes, current_user(), at.clock())
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
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request("not_utf8", "send the tag map as UTF-8") from error
    if "\0" in text:
        raise bad_request("nul", "a tag map must not hold the character U+0000")
    return text


def _write(found: TagMap, tag: MappedTag) -> TagWrite:
    same = ("address", "unit", "label", "kind", "role", "decimals", "deadband", "range_low", "range_high", "low", "high")
    scales = {name: list(getattr(tag, name)) if getattr(tag, name) else None for name in ("scale_raw", "scale_eng")}
    columns = {name: getattr(tag, name) for name in same} | scales
    columns |= {"poll_group": tag.group, "period_s": found.groups[tag.group]}
    return TagWrite(tag.name, columns, tag.asset or found.asset, found.source)


@blueprint.route("/edge/config")
@blueprint.response(200, Body)
@right("readings.write")
def edge_config() -> Response:
    """Sources, tags and assets of the token's site for a collector without the bus; ETag by version."""
    known, site = plant(), current_user().site_id
    assets = [asset for asset in known.assets.values() if asset.site == site]
    mine = {asset.id for asset in assets}
    tags = [tag for tag in known.tags.values() if tag.asset in mine]
    names = {tag.source for tag in tags}
    sources = [source for source in known.sources if source.name in names]
    body = {"version": known.version, "sources": sources, "tags": tags, "assets": assets}
    answer = Response(msgspec.json.encode(body), mimetype="application/json")
    answer.set_etag(hashlib.sha256(f"{site}.{known.version}".encode()).hexdigest()[:16])
    answer.make_conditional(request)
    return answer
