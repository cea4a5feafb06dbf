"""What moves in the stores: the ledger, reservations for planned work and parts lists (BOM) of assets and classes (S2-28, N-11)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server import stock_bodies
from server.api import etags
from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.parts import movements_page
from server.api.schemas import Body, Collection
from server.api.stores import SearchedPage, located, wanted
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.idempotency import once
from server.rules import stock
from server.rules.stock import Reason
from server.services import services
from server.store import assets, ledger, order_rows, parts, reservations

blueprint = resource("stock", "The ledger of the stores, reservations and parts lists")


class MovementsQuery(Page):
    """Which lines of the ledger, newest first."""

    store_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))
    order = text(64, load_default=None, metadata={"description": "id or number of a work order"})
    reason = ma.fields.String(load_default=None, validate=ma.validate.OneOf([str(reason) for reason in Reason]))


class NewMovement(ma.Schema):
    """A movement of one part. quantity: positive; signed for an adjustment, what was found for a count."""

    store_id = Whole(low=1, required=True)
    reason = ma.fields.String(required=True, validate=ma.validate.OneOf([str(reason) for reason in Reason]))
    quantity = Number(required=True)
    order = text(64, load_default=None, allow_none=True, metadata={"description": "id or number of a work order"})
    to_store_id = Whole(low=1, load_default=None, allow_none=True)
    unit_cost = Number(load_default=None, allow_none=True, validate=ma.validate.Range(0, 10**9))
    note = text(500, shortest=0, load_default="")


class NewReservation(ma.Schema):
    """Stock to keep for an order."""

    store_id = Whole(low=1, required=True)
    order = text(64, required=True)
    quantity = Number(required=True)


class ReservationsQuery(Page):
    """Open reservations for an order."""

    order = text(64, required=True)


class BomQuery(SearchedPage):
    """Parts lists: of an asset with its class's lines, or of everything that a part is built into."""

    asset = text(64, load_default=None)
    part_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))
    class_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))


class BomPatch(ma.Schema):
    """What may change of a line."""

    quantity = Number()
    position = text(200, shortest=0)


class NewBomLine(BomPatch):
    """A part on the list of an asset (its code) or of a class (its name)."""

    part_id = Whole(low=1, required=True)
    asset = text(64, load_default=None, allow_none=True)
    asset_class = text(64, load_default=None, allow_none=True)
    quantity = Number(load_default=1)


def _order_id(session: Session, key: str | None) -> int | None:
    if key is None:
        return None
    if len(key) > 18:
        raise Invalid("order", "unknown", "a work order's number")
    return order_rows.get_order(session, key, current_user()).id


def _quantity(reason: Reason, value: float) -> Decimal:
    if reason is Reason.ADJUSTMENT:
        return stock.quantity(abs(value)) * (-1 if value < 0 else 1)
    return stock.quantity(value, zero=reason is Reason.COUNT)


@blueprint.route("/movements")
@blueprint.arguments(MovementsQuery, location="query")
@blueprint.response(200, Collection)
@right("parts.read")
def list_movements(query: dict[str, Any]) -> Response:
    """The ledger of the site."""
    with services().database.transaction() as session:
        order = _order_id(session, query["order"])
        page = movements_page(session, query, store_id=query["store_id"], order_id=order)
        return jsonify(collection(stock_bodies.movement_bodies(session, page.items), page.total, query))


@blueprint.route("/parts/<id:part_id>/movements")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("parts.read")
def list_of_part(query: dict[str, Any], part_id: int) -> Response:
    """The ledger of one part."""
    with services().database.transaction() as session:
        page = movements_page(session, query, part_id=parts.get_part(session, part_id, current_user()).id)
        return jsonify(collection(stock_bodies.movement_bodies(session, page.items), page.total, query))


@blueprint.route("/parts/<id:part_id>/movements", methods=["POST"])
@blueprint.arguments(NewMovement)
@blueprint.response(201, Body)
@right("parts.issue")
def move(body: dict[str, Any], part_id: int) -> Response:
    """Issue to an order or return from one (parts.issue); receipt, adjustment, transfer and count ask for parts.write."""
    reason = Reason(body["reason"])
    cost = None if body["unit_cost"] is None else stock.money(Decimal(str(body["unit_cost"])))
    quantity = _quantity(reason, body["quantity"])

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        wish = ledger.Move(
            part_id=part_id,
            store_id=body["store_id"],
            reason=reason,
            quantity=quantity,
            order_id=_order_id(session, body["order"]),
            to_store_id=body["to_store_id"],
            unit_cost=cost,
            note=body["note"],
        )
        rows = ledger.move(session, wish, current_user(), services().clock())
        part = stock_bodies.part_body(session, parts.get_part(session, part_id, current_user()))
        return {"part": part, "movements": stock_bodies.movement_bodies(session, rows)}, 201

    return once("movements", deed)


@blueprint.route("/parts/<id:part_id>/reservations")
@blueprint.response(200, Collection)
@right("parts.read")
def list_reservations(part_id: int) -> Response:
    """What is kept of a part, and for which orders."""
    with services().database.transaction() as session:
        rows = stock_bodies.open_reservations(session, parts.get_part(session, part_id, current_user()).id, None)
        items = stock_bodies.reservation_bodies(session, rows)
        return jsonify(collection(items, len(items), {"limit": 500, "offset": 0}))


@blueprint.route("/parts/<id:part_id>/reservations", methods=["POST"])
@blueprint.arguments(NewReservation)
@blueprint.response(201, Body)
@right("parts.issue")
def reserve(body: dict[str, Any], part_id: int) -> Response:
    """Keep stock for an order; 409 where not so much is available."""
    quantity = stock.quantity(body["quantity"])

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        wish = reservations.Wish(part_id, body["store_id"], _order_id(session, body["order"]) or 0, quantity)
        row = reservations.reserve(session, wish, current_user(), services().clock())
        return stock_bodies.reservation_bodies(session, [row])[0], 201

    return located(once("reservations", deed), "reservations")


@blueprint.route("/reservations")
@blueprint.arguments(ReservationsQuery, location="query")
@blueprint.response(200, Collection)
@right("parts.read")
def list_of_order(query: dict[str, Any]) -> Response:
    """What is kept for an order."""
    with services().database.transaction() as session:
        rows = stock_bodies.open_reservations(session, None, _order_id(session, query["order"]))
        shown = rows[query["offset"] : query["offset"] + query["limit"]]
        return jsonify(collection(stock_bodies.reservation_bodies(session, shown), len(rows), query))


@blueprint.route("/reservations/<id:reservation_id>", methods=["DELETE"])
@blueprint.response(204)
@right("parts.issue")
def release(reservation_id: int) -> Response:
    """Give back what a reservation still keeps; twice changes nothing."""
    at = services()
    with at.database.transaction() as session:
        reservations.release(session, reservation_id, current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/bom")
@blueprint.arguments(BomQuery, location="query")
@blueprint.response(200, Collection)
@right("parts.read")
def list_bom(query: dict[str, Any]) -> Response:
    """Parts lists; `asset` gives the whole list of a machine, the lines of its class with it."""
    user = current_user()
    with services().database.transaction() as session:
        if query["asset"] is not None:
            rows = parts.bom_of_asset(session, assets.get_asset(session, query["asset"], user))
            shown = rows[query["offset"] : query["offset"] + query["limit"]]
            return jsonify(collection(stock_bodies.bom_bodies(session, shown), len(rows), query))
        page = parts.list_bom(session, user, wanted(query), part_id=query["part_id"], class_id=query["class_id"])
        return jsonify(collection(stock_bodies.bom_bodies(session, page.items), page.total, query))


@blueprint.route("/bom", methods=["POST"])
@blueprint.arguments(NewBomLine)
@blueprint.response(201, Body)
@right("parts.write")
def create_bom_line(body: dict[str, Any]) -> Response:
    """Put a part on a list."""
    values = {**body, "quantity": stock.quantity(body["quantity"])}

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = parts.create_bom_line(session, values, current_user(), services().clock())
        return stock_bodies.bom_bodies(session, [row])[0], 201

    return located(once("bom", deed), "bom")


@blueprint.route("/bom/<id:line_id>")
@blueprint.response(200, Body)
@right("parts.read")
def get_bom_line(line_id: int) -> Response:
    """One line of a parts list."""
    with services().database.transaction() as session:
        return etags.tagged(stock_bodies.bom_bodies(session, [parts.get_bom_line(session, line_id, current_user())])[0])


@blueprint.route("/bom/<id:line_id>", methods=["PATCH"])
@blueprint.arguments(BomPatch)
@blueprint.response(200, Body)
@right("parts.write")
def patch_bom_line(body: dict[str, Any], line_id: int) -> Response:
    """Correct a line."""
    at = services()
    values = {**body, "quantity": stock.quantity(body["quantity"])} if "quantity" in body else body
    with at.database.transaction() as session:
        row = parts.get_bom_line(session, line_id, current_user())
        etags.check_match(row.rev)
        parts.change(session, row, values, current_user(), at.clock())
        return etags.tagged(stock_bodies.bom_bodies(session, [row])[0])


@blueprint.route("/bom/<id:line_id>", methods=["DELETE"])
@blueprint.response(204)
@right("parts.write")
def delete_bom_line(line_id: int) -> Response:
    """Take a part off a list."""
    at = services()
    with at.database.transaction() as session:
        parts.delete(session, parts.get_bom_line(session, line_id, current_user()), current_user(), at.clock())
    return Response(status=204)
