"""Tags: the list, and upserts that the collectors follow within two seconds."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy import select
from sqlalchemy.orm import Session

from plc.addressing import kinds
from plc.addressing.errors import AddressError
from server.api import etags
from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Conflict, Invalid
from server.idempotency import once
from server.models.plant import Asset, Source, Tag
from server.rules.limit_defaults import HOLDS, SIDES
from server.services import services
from server.store import limits, sources
from server.store.page import ordering, page_of
from server.store.tag_writes import TagWrite, put_tags

blueprint = resource("tags", "Live values: what they mean and where they come from")
MOST_TAGS = 5000
ROLES = ("running", "idle", "fault", "status", "fault_code", "counter", "command")
_SORTS = {"tag": Tag.name, "label": Tag.label, "unit": Tag.unit, "asset": Asset.code, "group": Tag.poll_group}
_TIERS = {"raw": "raw", "one_minute": "1m", "one_hour": "1h"}
_EMPTY: dict[str, Any] = {"unit": "", "label": "", "address": "", "deadband": 0.0, "deadband_pct": 0.0, "max_interval_s": 60.0}
_COLUMNS = {"group": "poll_group"}  # names on the wire that the table spells differently


class LimitRow(ma.Schema):
    """One limit; an unconfirmed one never opens an order by itself. Of a rising or falling one value and deadband are per minute."""

    side = ma.fields.String(required=True, validate=ma.validate.OneOf(SIDES))
    value = Number(required=True)
    severity = ma.fields.String(load_default="warning", validate=ma.validate.OneOf(["advisory", "warning", "critical"]))
    deadband = Number(load_default=None, validate=ma.validate.Range(min=0), metadata={"description": "null: 2 % of the tag's range"})
    on_delay_s = Number(load_default=None, validate=ma.validate.Range(0, 86400), metadata={"description": "null: 30 where it has a range"})
    off_delay_s = Number(load_default=0.0, validate=ma.validate.Range(0, 86400))
    holds = ma.fields.String(load_default="running", validate=ma.validate.OneOf(HOLDS))
    confirmed = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})


class KeepRow(ma.Schema):
    """Days a tag's history is kept, where they differ from the plant's; the days of the daily tier are never counted."""

    raw = Number(validate=ma.validate.Range(1, 36500))
    one_minute = Number(data_key="1m", validate=ma.validate.Range(1, 36500))
    one_hour = Number(data_key="1h", validate=ma.validate.Range(1, 36500))


class _TagFields(ma.Schema):
    """What may be written of a tag."""

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
    cusum_k = Number(allow_none=True, validate=ma.validate.Range(0.01, 10), metadata={"description": "null: CUSUM_K"})
    cusum_h = Number(allow_none=True, validate=ma.validate.Range(0.1, 1000), metadata={"description": "null: CUSUM_H"})
    joint = ma.fields.Boolean(truthy={True}, falsy={False})
    deadband_pct = Number(validate=ma.validate.Range(0, 100))
    max_interval_s = Number(validate=ma.validate.Range(0.05, 86400))
    wire_break = ma.fields.String(allow_none=True, validate=ma.validate.Regexp(r"^[<>]=?-?[0-9]+(\.[0-9]+)?$"))
    average_s = Number(allow_none=True, validate=ma.validate.Range(0.1, 86400))
    keep = ma.fields.Nested(KeepRow, allow_none=True)
    enabled = ma.fields.Boolean(truthy={True}, falsy={False}, metadata={"description": "false: nobody reads or judges it"})
    limits = ma.fields.List(ma.fields.Nested(LimitRow), validate=ma.validate.Length(max=20))

    @ma.validates_schema
    def _in_order(self, row: dict[str, Any], **_kwargs: Any) -> None:
        for low, high in (("low", "high"), ("range_low", "range_high")):
            if row.get(low) is not None and row.get(high) is not None and row[low] >= row[high]:
                raise ma.ValidationError(f"Must be below {high}.", low)
        if row.get("scale_raw") and row["scale_raw"][0] == row["scale_raw"][1]:
            raise ma.ValidationError("The two ends must differ.", "scale_raw")


class TagRow(_TagFields):
    """One tag; what is left out stays as it is, or takes its default on a new tag."""

    tag = text(64, required=True)


class TagPatch(_TagFields):
    """What may change of a tag; its name stays. null empties a text and takes a deadband away."""

    @ma.pre_load
    def _emptied(self, row: Any, **_kwargs: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {name: _EMPTY[name] if value is None and name in _EMPTY else value for name, value in row.items()}


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
    more = ("scale_eng", "deadband", "stuck_s", "stuck_deadband", "drift", "cusum_k", "cusum_h", "joint", "virtual")
    reporting = ("deadband_pct", "max_interval_s", "wire_break", "average_s", "keep", "enabled", "rev")
    columns = {name: getattr(tag, name) for name in (*same, *more, *reporting)}
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


@blueprint.route("/tags", methods=["POST"])
@blueprint.arguments(TagRow)
@blueprint.response(201, Body)
@right("tags.write")
def create_tag(row: dict[str, Any]) -> Response:
    """One new tag; 409 where the name is taken."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        if session.scalar(select(Tag.id).where(Tag.name == row["tag"], Tag.deleted_at.is_(None))) is not None:
            raise Conflict("name_taken", f"there is a tag {row['tag']}; names are unique in the whole plant")
        put_tags(session, [write_of(_addressed(session, row, row.get("source")))], current_user(), services().clock())
        return body_of(session, session.scalars(select(Tag).where(Tag.name == row["tag"])).one()), 201

    return located(once("tags", deed), "/api/tags/{id}")


@blueprint.route("/tags/<id:tag_id>", methods=["PATCH"])
@blueprint.arguments(TagPatch)
@blueprint.response(200, Body)
@right("tags.write")
def change_tag(row: dict[str, Any], tag_id: int) -> Response:
    """Change what is given, or switch it off and on; If-Match guards against another's change."""
    at = services()
    with at.database.transaction() as session:
        tag = limits.get_tag(session, tag_id, current_user(), lock=True)
        etags.check_match(tag.rev)
        source = session.get(Source, tag.source_id) if tag.source_id is not None else None
        row = _addressed(session, row, row.get("source") or (source.name if source else None))
        put_tags(session, [write_of({"tag": tag.name, **row})], current_user(), at.clock())
        return etags.tagged(body_of(session, tag))


@blueprint.route("/tags/<id:tag_id>", methods=["DELETE"])
@blueprint.response(204)
@right("tags.write")
def delete_tag(tag_id: int) -> Response:
    """Delete softly: its history stays, nobody reads or judges it any more."""
    at = services()
    with at.database.transaction() as session:
        tag = limits.get_tag(session, tag_id, current_user(), lock=True)
        etags.check_match(tag.rev)
        sources.delete_tag(session, tag, current_user(), at.clock())
    return Response(status=204)


def _addressed(session: Session, row: dict[str, Any], source: str | None) -> dict[str, Any]:
    """The row with its address in the canonical form of its source's kind; raises Invalid naming the character."""
    found = sources.by_name(session, source, current_user()) if source and row.get("address") else None
    if found is None or found.kind not in kinds.KINDS:
        return row
    try:
        address = kinds.parsed(found.kind, row["address"])
    except AddressError as error:
        raise Invalid("address", "address", str(error)) from error
    return {**row, "address": address.canonical()}


def body_of(session: Session, tag: Tag) -> dict[str, Any]:
    """The body of one tag."""
    source = session.get(Source, tag.source_id) if tag.source_id is not None else None
    return tag_body(tag, session.get_one(Asset, tag.asset_id).code, source.name if source else None)


def write_of(row: dict[str, Any]) -> TagWrite:
    """A checked row as the store takes it."""
    columns = {_COLUMNS.get(name, name): value for name, value in row.items() if name not in {"tag", "asset", "source", "limits"}}
    if columns.get("keep"):
        columns["keep"] = {_TIERS[name]: days for name, days in columns["keep"].items()}
    return TagWrite(row["tag"], columns, row.get("asset"), row.get("source"), row.get("limits"))
