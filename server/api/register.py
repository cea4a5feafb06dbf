"""The asset register: light lists and whole records, the tree, replacement planning; assets made, changed and taken out (S1-14, S1-26..28).

Live values, alerts and events of assets are in server/api/assets.py; both speak of the same assets by code.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Number, collection, resource, text
from server.api.exports import EXPORT, FILES, download
from server.api.locations import located
from server.api.register_filter import RegisterFilter, wanted_of
from server.api.schemas import Body, Collection
from server.api.values import Money, criticality, day, line
from server.auth.guard import current_user, right
from server.idempotency import once
from server.models.plant import Asset
from server.services import services
from server.store import areas, asset_writes, assets, register, register_tables, tree

blueprint = resource("register", "The asset register")
MOST_EXPORTED = 20_000
CODE = "<string(maxlength=64):code>"


class RegisterQuery(RegisterFilter):
    """Which assets, and whether as a file."""

    export = EXPORT


class AssetColumns(ma.Schema):
    """What people write about an asset; empty dates, costs and lives are null."""

    name = text(200)
    area = text(200, metadata={"description": "an area's name"})
    class_ = text(64, data_key="class", attribute="class", allow_none=True, metadata={"description": "a class's name"})
    parent = text(64, allow_none=True, metadata={"description": "code of the asset it is part of"})
    location = line()
    criticality = criticality()
    make = line()
    model = line()
    serial = line()
    external_ref = line()
    notes = line(4000)
    main_tag = text(200, allow_none=True, metadata={"description": "the tag that stands for it on the overview"})
    purchase_cost = Money(allow_none=True)
    machine_rate = Money(allow_none=True, metadata={"description": "what an hour of standstill costs"})
    replacement_cost = Money(allow_none=True)
    purchased_on = day(allow_none=True)
    installed_on = day(allow_none=True)
    warranty_until = day(allow_none=True)
    replacement_on = day(allow_none=True)
    replacement_reason = line(1000)
    expected_life_years = Number(allow_none=True, validate=ma.validate.Range(0, 200, min_inclusive=False))
    expected_life_hours = Number(allow_none=True, validate=ma.validate.Range(0, 2_000_000, min_inclusive=False))
    hours_at_install = Number(validate=ma.validate.Range(0, 2_000_000))


class NewAsset(AssetColumns):
    """A new asset; without a code it gets the next number."""

    code = text(64)
    name = text(200, required=True)


class Extension(ma.Schema):
    """What an overhaul added to the expected life."""

    years = Number(load_default=0.0, validate=ma.validate.Range(0, 100))
    hours = Number(load_default=0.0, validate=ma.validate.Range(0, 1_000_000))
    reason = text(1000, required=True)

    @ma.validates_schema
    def _adds_something(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if not data.get("years") and not data.get("hours"):
            raise ma.ValidationError("Say how many years or hours it adds.", "years")


class ReplacementsQuery(ma.Schema):
    """How far ahead."""

    years = ma.fields.Float(load_default=5.0, validate=ma.validate.Range(0, 100))
    export = EXPORT


def _today(session: Session) -> date:
    return areas.site_day(session, current_user().site_id, services().clock())


def _record(session: Session, row: Asset) -> dict[str, Any]:
    return register.record_of(session, row, _today(session), services().clock())


@blueprint.route("/register/assets")
@blueprint.arguments(RegisterQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("assets.read")
def list_register(query: dict[str, Any]) -> Response:
    """Assets by area and code without live values: for the register and for pickers."""
    wanted = wanted_of(query, current_user().site_id)
    with services().database.transaction() as session:
        today = _today(session)
        span = {"limit": MOST_EXPORTED, "offset": 0} if query["export"] else {"limit": query["limit"], "offset": query["offset"]}
        page = register.search_assets(session, wanted, today, sort=query["sort"], **span)
        rows = register.rows_of(session, page.items, today)
        if query["export"]:
            return download(register_tables.assets_table(rows), query["export"], "assets")
        return jsonify(collection(rows, page.total, query))


@blueprint.route(f"/register/assets/{CODE}")
@blueprint.response(200, Body)
@right("assets.read")
def get_record(code: str) -> Response:
    """The whole record of an asset: what people wrote, warranty, remaining life."""
    with services().database.transaction() as session:
        return etags.tagged(_record(session, assets.get_asset(session, code, current_user())))


@blueprint.route("/assets", methods=["POST"])
@blueprint.route("/register/assets", methods=["POST"])
@blueprint.arguments(NewAsset)
@blueprint.response(201, Body)
@right("assets.write")
def create_asset(body: dict[str, Any]) -> Response:
    """Enter an asset into the register."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = asset_writes.create_asset(session, body, current_user(), services().clock())
        return _record(session, row), 201

    return located(once("assets", deed), "/api/register/assets/{code}")


@blueprint.route(f"/assets/{CODE}", methods=["PATCH"])
@blueprint.route(f"/register/assets/{CODE}", methods=["PATCH"])
@blueprint.arguments(AssetColumns)
@blueprint.response(200, Body)
@right("assets.write")
def change_asset(body: dict[str, Any], code: str) -> Response:
    """Change what is given."""
    at = services()
    with at.database.transaction() as session:
        row = _to_change(session, code)
        asset_writes.change_asset(session, row, body, current_user(), at.clock())
        return etags.tagged(_record(session, row))


@blueprint.route(f"/assets/{CODE}", methods=["DELETE"])
@blueprint.route(f"/register/assets/{CODE}", methods=["DELETE"])
@blueprint.response(204)
@right("assets.write")
def delete_asset(code: str) -> Response:
    """Take an asset out, with its tags and instruments; records of it stay."""
    at = services()
    with at.database.transaction() as session:
        asset_writes.delete_asset(session, _to_change(session, code), current_user(), at.clock())
    return Response(status=204)


@blueprint.route(f"/assets/{CODE}/life-extensions", methods=["POST"])
@blueprint.arguments(Extension)
@blueprint.response(201, Body)
@right("assets.write")
def extend_life(body: dict[str, Any], code: str) -> Response:
    """Note what an overhaul added to the expected life, and why."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = _to_change(session, code)
        asset_writes.extend_life(session, row, body, current_user(), services().clock())
        return _record(session, row), 201

    return once("life-extensions", deed)


def _to_change(session: Session, code: str) -> Asset:
    row = assets.get_asset(session, code, current_user())
    session.refresh(row, with_for_update=True)
    etags.check_match(row.record_rev)
    return row


@blueprint.route(f"/assets/{CODE}/tree")
@blueprint.response(200, Body)
@right("assets.read")
def get_tree(code: str) -> Response:
    """What the asset is part of, and everything that is part of it."""
    with services().database.transaction() as session:
        return jsonify(tree.tree_below(session, assets.get_asset(session, code, current_user())))


@blueprint.route("/register/tree")
@blueprint.response(200, Body)
@right("assets.read")
def get_site_tree() -> Response:
    """The site, its areas and their top assets."""
    with services().database.transaction() as session:
        return jsonify(tree.site_tree(session, areas.get_site(session, current_user().site_id or 0, current_user())))


@blueprint.route("/register/replacements")
@blueprint.arguments(ReplacementsQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("assets.read")
def list_replacements(query: dict[str, Any]) -> Response:
    """Assets that are to be replaced within some years, the first to go first, with what that costs."""
    at = services()
    with at.database.transaction() as session:
        rows = register.replacements(session, current_user().site_id, _today(session), at.clock(), years=query["years"])
        if query["export"]:
            return download(register_tables.replacements_table(rows), query["export"], "replacements")
        cost = round(sum(row["replacement_cost"] or 0.0 for row in rows), 2)
        return jsonify({**collection(rows, len(rows), {"limit": max(1, len(rows)), "offset": 0}), "cost": cost})
