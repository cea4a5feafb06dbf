"""Spare parts: the list with stock, one part, its ledger, reservations, use and where it is built in (S0-20, S0-41, S1-15, N-11)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import stock_bodies
from server.api import etags
from server.api.blueprint import Number, Whole, collection, resource, text
from server.api.exports import EXPORT, FILES, download
from server.api.schemas import Body, Collection
from server.api.stores import SearchedPage, located, wanted
from server.auth.guard import current_user, right
from server.export.table import Column, Table
from server.idempotency import once
from server.models.parts import Part, StockLevel, StockMovement
from server.models.plant import Site
from server.rules import stock
from server.services import services
from server.store import parts, usage
from server.store.page import Page as Rows
from server.store.page import ordering, page_of

blueprint = resource("parts", "Spare parts and what lies in the stores")

EXPORT_MAX = 20_000
_QUANTITIES = ("minimum", "maximum", "reorder_quantity")


class PartsQuery(SearchedPage):
    """Which parts."""

    store_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))
    below_minimum = ma.fields.Boolean(load_default=False, metadata={"description": "only where available < minimum"})
    critical = ma.fields.Boolean(load_default=None)
    export = EXPORT


class MonthsQuery(ma.Schema):
    """How far back."""

    months = ma.fields.Integer(load_default=12, validate=ma.validate.Range(1, 60))
    export = EXPORT


class PartPatch(ma.Schema):
    """What may change of a part; stock changes by movements alone."""

    number = text(64)
    name = text(200)
    description = text(4000, shortest=0)
    unit = text(64)
    supplier = text(200, shortest=0)
    supplier_part_no = text(200, shortest=0)
    external_ref = text(200, allow_none=True)
    unit_cost = Number(validate=ma.validate.Range(0, 10**9))
    minimum = Number()
    maximum = Number(metadata={"description": "0 = none"})
    reorder_quantity = Number(metadata={"description": "lot it is bought in, 0 = any"})
    lead_days = Whole(high=3650)
    critical = ma.fields.Boolean(truthy={True}, falsy={False})


class NewPart(PartPatch):
    """A part of the caller's site; without a number it gets the next P-0042."""

    name = text(200, required=True)


def part_values(body: dict[str, Any]) -> dict[str, Any]:
    """Body to columns: quantities in thousandths, money in cents. Raises Invalid."""
    values = dict(body)
    for name in _QUANTITIES:
        if name in values:
            values[name] = stock.quantity(values[name], name, zero=True)
    if "unit_cost" in values:
        values["unit_cost"] = stock.money(Decimal(str(values["unit_cost"])))
    return values


@blueprint.route("/parts")
@blueprint.arguments(PartsQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("parts.read")
def list_parts(query: dict[str, Any]) -> Response:
    """Parts of the caller's site by number, with stock, reserved and available over all stores."""
    user, page = current_user(), wanted(query)
    found = parts.parts_query(user, page, store_id=query["store_id"], below_minimum=query["below_minimum"], critical=query["critical"])
    with services().database.transaction() as session:
        if query["export"]:
            rows = session.scalars(found.order_by(Part.number).limit(EXPORT_MAX)).all()
            return download(Table("Spare parts", _COLUMNS, stock_bodies.part_bodies(session, rows)), query["export"], "parts")
        rows_page = parts.list_parts(session, found, page)
        return jsonify(collection(stock_bodies.part_bodies(session, rows_page.items), rows_page.total, query))


_COLUMNS = (
    Column("number", "Number"),
    Column("name", "Name"),
    Column("unit", "Unit"),
    Column("supplier", "Supplier"),
    Column("supplier_part_no", "Supplier's number"),
    Column("external_ref", "External reference"),
    Column("on_hand", "In stock", "number"),
    Column("reserved", "Reserved", "number"),
    Column("available", "Available", "number"),
    Column("on_order", "On order", "number"),
    Column("minimum", "Minimum", "number"),
    Column("maximum", "Maximum", "number"),
    Column("lead_days", "Delivery", "whole", "days"),
    Column("average_cost", "Average cost", "money"),
    Column("value", "Value", "money"),
)


@blueprint.route("/parts", methods=["POST"])
@blueprint.arguments(NewPart)
@blueprint.response(201, Body)
@right("parts.write")
def create_part(body: dict[str, Any]) -> Response:
    """Enter a part."""
    values = part_values(body)

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return stock_bodies.part_body(session, parts.create_part(session, values, current_user(), services().clock())), 201

    return located(once("parts", deed), "parts")


@blueprint.route("/parts/<id:part_id>")
@blueprint.response(200, Body)
@right("parts.read")
def get_part(part_id: int) -> Response:
    """One part, with its stock in each store."""
    with services().database.transaction() as session:
        return etags.tagged(stock_bodies.part_body(session, parts.get_part(session, part_id, current_user())))


@blueprint.route("/parts/<id:part_id>", methods=["PATCH"])
@blueprint.arguments(PartPatch)
@blueprint.response(200, Body)
@right("parts.write")
def patch_part(body: dict[str, Any], part_id: int) -> Response:
    """Correct a part."""
    at, values = services(), part_values(body)
    with at.database.transaction() as session:
        row = parts.lock_parts(session, {part_id}, current_user())[part_id]
        etags.check_match(row.rev)
        parts.change(session, row, values, current_user(), at.clock())
        return etags.tagged(stock_bodies.part_body(session, row))


@blueprint.route("/parts/<id:part_id>", methods=["DELETE"])
@blueprint.response(204)
@right("parts.write")
def delete_part(part_id: int) -> Response:
    """Take a part out of the list when none is left; its ledger stays."""
    at = services()
    with at.database.transaction() as session:
        parts.delete(session, parts.get_part(session, part_id, current_user()), current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/parts/<id:part_id>/usage")
@blueprint.arguments(MonthsQuery, location="query")
@blueprint.response(200, Body)
@blueprint.doc(**FILES)
@right("parts.read")
def get_usage(query: dict[str, Any], part_id: int) -> Response:
    """Use of a part by calendar month of the site, returns subtracted, the running month last (S0-20)."""
    at = services()
    with at.database.transaction() as session:
        part = parts.get_part(session, part_id, current_user())
        site = session.get_one(Site, part.site_id)
        months = usage.trend(session, [part.id], site, at.clock(), query["months"])[part.id]
        items = [{"month": month, "used": stock.plain(used)} for month, used in months]
        if query["export"]:
            columns = (Column("month", "Month"), Column("used", "Used", "number", part.unit))
            return download(Table(f"Use of {part.number} {part.name}", columns, items), query["export"], f"use-{part.number}")
        full = [used for _month, used in months[:-1]]
        return jsonify(part=stock_bodies.part_brief(part), months=items, mean=float(round(stock.mean_use(full), 3)))


@blueprint.route("/parts/valuation")
@blueprint.response(200, Body)
@right("parts.read")
def get_valuation() -> Response:
    """What lies in the stores: stock x moving average cost, in the site's currency."""
    user = current_user()
    with services().database.transaction() as session:
        worth = func.sum(StockLevel.on_hand * Part.average_cost)
        query = select(func.coalesce(worth, 0), func.count(Part.id.distinct())).select_from(StockLevel)
        stocked = query.join(Part, Part.id == StockLevel.part_id).where(Part.site_id == user.site_id, StockLevel.on_hand > 0)
        total, count = session.execute(stocked).one()
        site = session.get_one(Site, user.site_id)
        return jsonify(value=stock_bodies.price(total), parts=count, currency=site.currency)


def movements_page(session: Session, query: dict[str, Any], **where: int | None) -> Rows[StockMovement]:
    """Lines of the ledger of the caller's site, newest first unless told otherwise."""
    own = select(Part.id).where(Part.site_id == current_user().site_id)
    found = select(StockMovement).where(StockMovement.part_id.in_(own))
    for name, value in where.items():
        if value is not None:
            found = found.where(getattr(StockMovement, name) == value)
    if query.get("reason"):
        found = found.where(StockMovement.reason == query["reason"])
    order = ordering(query["sort"], {"id": StockMovement.id, "reason": StockMovement.reason}, "-id")
    return page_of(session, found, order, query["limit"], query["offset"])
