"""Tags: the list, and upserts that the collectors follow within two seconds."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy import select

from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.schemas import Collection
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.models.plant import Asset, Source, Tag
from server.services import services
from server.store.page import ordering, page_of
from server.store.tag_writes import TagWrite, put_tags

blueprint = resource("tags", "Live values: what they mean and where they come from")
MOST_TAGS = 5000
ROLES = ("running", "idle", "fault", "status", "fault_code", "counter", "command")
_SORTS = {"tag": Tag.name, "label": Tag.label, "unit": Tag.unit, "asset": Asset.code, "group": Tag.poll_group}
_COLUMNS = {"group": "poll_group"}  # names on the wire that the table spells differently


class LimitRow(ma.Schema):
    """One limit; an unconfirmed one never opens an order by itself."""

    side = ma.fields.String(required=True, validate=ma.validate.OneOf(["high", "low"]))
    value = Number(required=True)
    severity = ma.fields.String(load_default="warning", validate=ma.validate.OneOf(["advisory", "warning", "critical"]))
    deadband = Number(load_default=0.0, validate=ma.validate.Range(min=0))
    on_delay_s = Number(load_default=0.0, validate=ma.validate.Range(0, 86400))
    off_delay_s = Number(load_default=0.0, validate=ma.validate.Range(0, 86400))
    holds = ma.fields.String(load_default="running", validate=ma.validate.OneOf(["running", "stopped", "always"]))
    confirmed = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})


class TagRow(ma.Schema):
    """One tag; what is left out stays as it is, or takes its default on a new tag."""

    tag = text(64, required=True)
    asset = text(64, metadata={"description": "an asset's code; made under area Unassigned where it is new"})
    source = text(64)
    unit = text(32, shortest=0)
    label = text(200, shortest=0)
    kind = ma.fields.String(validate=ma.validate.OneOf(["f64", "text", "frame"]))
    decimals = Whole(low=0, high=9)
    address = text(500, shortest=0)
    group = text(64)
    period_s = Number(validate=ma.validate.Range(0.05, 86400))
    role = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(ROLES))
    low = Number(allow_none=True)
    high = Number(allow_none=True)
    range_low = Number(allow_none=True)
    range_high = Number(allow_none=True)
    scale_raw = ma.fields.List(Number(), allow_none=True, validate=ma.validate.Length(equal=2))
    scale_eng = ma.fields.List(Number(), allow_none=True, validate=ma.validate.Length(equal=2))
    deadband = Number(validate=ma.validate.Range(min=0))
    stuck_s = Number(allow_none=True, validate=ma.validate.Range(1, 604800))
    stuck_deadband = Number(validate=ma.validate.Range(min=0))
    drift = ma.fields.Boolean(truthy={True}, falsy={False})
    joint = ma.fields.Boolean(truthy={True}, falsy={False})
    limits = ma.fields.List(ma.fields.Nested(LimitRow), validate=ma.validate.Length(max=20))

    @ma.validates_schema
    def _in_order(self, row: dict[str, Any], **_kwargs: Any) -> None:
        for low, high in (("low", "high"), ("range_low", "range_high")):
            if row.get(low) is not None and row.get(high) is not None and row[low] >= row[high]:
                raise ma.ValidationError(f"Must be below {high}.", low)
        if row.get("scale_raw") and row["scale_raw"][0] == row["scale_raw"][1]:
            raise ma.ValidationError("The two ends must differ.", "scale_raw")


class Upserted(ma.Schema):
    """What was made and changed, and the version of the plant that has it."""

    config_version = ma.fields.Integer()
    created = ma.fields.List(ma.fields.String())
    updated = ma.fields.List(ma.fields.String())
    unchanged = ma.fields.List(ma.fields.String())


class TagsQuery(Page):
    """Which tags."""

    search = ma.fields.String(validate=ma.validate.Length(max=100), metadata={"description": "part of the name or label"})
    asset = ma.fields.String(metadata={"description": "an asset's code"})
    source = ma.fields.String()


def tag_body(tag: Tag, asset: str, source: str | None) -> dict[str, Any]:
    """A tag as PUT takes it."""
    same = ("unit", "label", "kind", "decimals", "address", "period_s", "role", "low", "high", "range_low", "range_high", "scale_raw")
    more = ("scale_eng", "deadband", "stuck_s", "stuck_deadband", "drift", "joint", "virtual")
    columns = {name: getattr(tag, name) for name in (*same, *more)}
    return {"id": tag.id, "tag": tag.name, "asset": asset, "source": source, "group": tag.poll_group, **columns}


@blueprint.route("/tags")
@blueprint.arguments(TagsQuery, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_tags(query: dict[str, Any]) -> Response:
    """Tags of the caller's site by name."""
    statement = select(Tag).join(Asset, Asset.id == Tag.asset_id).where(Asset.site_id == current_user().site_id, Tag.deleted_at.is_(None))
    if "asset" in query:
        statement = statement.where(Asset.code == query["asset"])
    if query.get("search"):
        wanted = query["search"]
        statement = statement.where(Tag.name.icontains(wanted, autoescape=True) | Tag.label.icontains(wanted, autoescape=True))
    if "source" in query:
        statement = statement.where(Tag.source_id == select(Source.id).where(Source.name == query["source"]).scalar_subquery())
    with services().database.transaction() as session:
        page = page_of(session, statement, ordering(query["sort"], _SORTS, "tag"), query["limit"], query["offset"])
        assets = _names(session, Asset, Asset.code, {tag.asset_id for tag in page.items})
        sources = _names(session, Source, Source.name, {tag.source_id for tag in page.items})
        items = [tag_body(tag, assets[tag.asset_id], sources.get(tag.source_id or 0)) for tag in page.items]
    return jsonify(collection(items, page.total, query))


def _names(session: Any, model: Any, name: Any, ids: set[Any]) -> dict[int, str]:
    rows = session.execute(select(model.id, name).where(model.id.in_([id_ for id_ in ids if id_ is not None])))
    return {int(row[0]): str(row[1]) for row in rows}


@blueprint.route("/tags", methods=["PUT"])
@blueprint.arguments(TagRow(many=True))
@blueprint.response(200, Upserted)
@right("tags.write")
def put(rows: list[dict[str, Any]]) -> Response:
    """Make or change tags by name, all or none; `config_version` is in force at the collectors within two seconds."""
    names = [row["tag"] for row in rows]
    if not 1 <= len(rows) <= MOST_TAGS:
        raise Invalid("tags", "length", f"1 to {MOST_TAGS} tags")
    if len(set(names)) < len(names):
        raise Invalid("tag", "twice", f"{next(name for name in names if names.count(name) > 1)} stands twice")
    at = services()
    with at.database.transaction() as session:
        written = put_tags(session, [write_of(row) for row in rows], current_user(), at.clock())
        return jsonify(written)


def write_of(row: dict[str, Any]) -> TagWrite:
    """A checked row as the store takes it."""
    columns = {_COLUMNS.get(name, name): value for name, value in row.items() if name not in {"tag", "asset", "source", "limits"}}
    return TagWrite(row["tag"], columns, row.get("asset"), row.get("source"), row.get("limits"))
