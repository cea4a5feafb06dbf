"""Purchase requests: proposals of the reorder rule, requests by hand, approval by somebody else, receipt into the ledger (N-11)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import marshmallow as ma
from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from server import stock_bodies
from server.api import etags
from server.api.blueprint import Number, Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.api.stores import SearchedPage, located, wanted
from server.api.values import day
from server.auth.guard import current_user, right
from server.errors import Invalid, NotFound
from server.idempotency import once
from server.models.plant import Site
from server.models.purchases import Purchase
from server.rules import stock
from server.rules.purchase_states import PurchaseAction, PurchaseState
from server.services import services
from server.store import purchases, usage
from server.store.purchases import Arrival, Line

blueprint = resource("purchases", "What is to be bought, and how far it has come")

_STATES = ["open", *(str(state) for state in PurchaseState)]
_BY_DOOR = {PurchaseAction.RECEIVE_PART, PurchaseAction.RECEIVE_REST}  # they have lines: POST .../receipts


class PurchasesQuery(SearchedPage):
    """Which purchases; `open` = not at an end."""

    status = ma.fields.String(load_default=None, validate=ma.validate.OneOf(_STATES))


class PurchaseLineBody(ma.Schema):
    """So many of a part; without a cost the part's own counts."""

    part_id = Whole(low=1, required=True)
    quantity = Number(required=True)
    unit_cost = Number(load_default=None, allow_none=True, validate=ma.validate.Range(0, 10**9))


class PurchasePatch(ma.Schema):
    """What may change before approval; `lines` replaces all of them."""

    supplier = text(200, shortest=0)
    note = text(2000, shortest=0)
    expected_on = day(allow_none=True)
    lines = ma.fields.List(ma.fields.Nested(PurchaseLineBody), validate=ma.validate.Length(1, 200))


class NewPurchase(PurchasePatch):
    """A request in the caller's name."""

    lines = ma.fields.List(ma.fields.Nested(PurchaseLineBody), required=True, validate=ma.validate.Length(1, 200))


class ActFields(ma.Schema):
    """reason: of reject, cancel and close. reference and expected_on: of order."""

    reason = text(2000, shortest=0)
    reference = text(200, shortest=0)
    expected_on = day(allow_none=True)


class ArrivalBody(ma.Schema):
    """Goods of one line."""

    line_id = Whole(low=1, required=True)
    quantity = Number(required=True)
    unit_cost = Number(load_default=None, allow_none=True, validate=ma.validate.Range(0, 10**9))


class Receipt(ma.Schema):
    """A delivery into one store."""

    store_id = Whole(low=1, required=True)
    lines = ma.fields.List(ma.fields.Nested(ArrivalBody), required=True, validate=ma.validate.Length(1, 200))


def _cost(value: float | None) -> Decimal | None:
    return None if value is None else stock.money(Decimal(str(value)))


def _lines(body: dict[str, Any]) -> list[Line]:
    return [Line(line["part_id"], stock.quantity(line["quantity"]), _cost(line["unit_cost"])) for line in body["lines"]]


def _body(session: Session, row: Purchase) -> dict[str, Any]:
    return stock_bodies.purchase_bodies(session, [row])[0]


@blueprint.route("/purchases")
@blueprint.arguments(PurchasesQuery, location="query")
@blueprint.response(200, Collection)
@right("parts.read")
def list_purchases(query: dict[str, Any]) -> Response:
    """Purchases of the caller's site, newest first."""
    with services().database.transaction() as session:
        page = purchases.list_purchases(session, current_user(), wanted(query), query["status"])
        return jsonify(collection(stock_bodies.purchase_bodies(session, page.items), page.total, query))


@blueprint.route("/purchases", methods=["POST"])
@blueprint.arguments(NewPurchase)
@blueprint.response(201, Body)
@right("purchases.write")
def create_purchase(body: dict[str, Any]) -> Response:
    """Ask for parts; somebody else approves."""
    lines = _lines(body)
    values = {name: value for name, value in body.items() if name != "lines"}

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return _body(session, purchases.create(session, values, lines, current_user(), services().clock())), 201

    return located(once("purchases", deed), "purchases")


@blueprint.route("/purchases/proposals")
@blueprint.response(200, Collection)
@right("parts.read")
def list_proposals() -> Response:
    """What the reorder rule would buy now, with the calculation; nothing is written."""
    at = services()
    with at.database.transaction() as session:
        found = usage.proposals(session, session.get_one(Site, current_user().site_id), at.clock())
        items = [
            {
                "part": stock_bodies.part_brief(part),
                "supplier": part.supplier,
                "quantity": stock.plain(proposal.quantity),
                "cost": stock_bodies.price(proposal.quantity * part.unit_cost),
                "lead_days": part.lead_days,
                "why": proposal.why,
            }
            for part, proposal in found
        ]
        return jsonify(collection(items, len(items), {"limit": len(items), "offset": 0}))


@blueprint.route("/purchases/propose", methods=["POST"])
@blueprint.response(200, Collection)
@right("purchases.write")
def propose() -> Response:
    """Write the proposals down, one purchase a supplier; what is proposed already is not proposed again."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        rows = usage.propose(session, session.get_one(Site, user.site_id), user, at.clock())
        items = stock_bodies.purchase_bodies(session, rows)
        return jsonify(collection(items, len(items), {"limit": len(items), "offset": 0}))


@blueprint.route("/purchases/<id:purchase_id>")
@blueprint.response(200, Body)
@right("parts.read")
def get_purchase(purchase_id: int) -> Response:
    """One purchase."""
    with services().database.transaction() as session:
        return etags.tagged(_body(session, purchases.get_purchase(session, purchase_id, current_user())))


@blueprint.route("/purchases/<id:purchase_id>", methods=["PATCH"])
@blueprint.arguments(PurchasePatch)
@blueprint.response(200, Body)
@right("purchases.write")
def patch_purchase(body: dict[str, Any], purchase_id: int) -> Response:
    """Correct one that nobody has approved yet."""
    at = services()
    lines = _lines(body) if "lines" in body else None
    values = {name: value for name, value in body.items() if name != "lines"}
    with at.database.transaction() as session:
        row = purchases.lock(session, purchase_id, current_user())
        etags.check_match(row.rev)
        purchases.change(session, row, values, lines, current_user(), at.clock())
        return etags.tagged(_body(session, row))


@blueprint.route("/purchases/<id:purchase_id>/actions/<string(maxlength=32):action>", methods=["POST"])
@blueprint.response(200, Body)
@right("parts.read")
def act(purchase_id: int, action: str) -> Response:
    """request approve reject{reason} order{reference, expected_on} close{reason} cancel{reason}.

    Each asks its own right and the table (409); nobody approves the own request (403).
    """
    at = services()
    if action not in set(PurchaseAction) or action in _BY_DOOR:
        raise NotFound("action", action)
    fields = _fields()
    with at.database.transaction() as session:
        row = purchases.lock(session, purchase_id, current_user())
        purchases.act(session, row, PurchaseAction(action), fields, current_user(), at.clock())
        return etags.tagged(_body(session, row))


def _fields() -> dict[str, Any]:
    sent = request.get_json() if request.get_data() else {}
    try:
        return dict(ActFields().load(sent))
    except ma.ValidationError as error:
        raise Invalid(str(min(error.messages_dict)), "wrong", "not a field of this act, or not of its kind") from error


@blueprint.route("/purchases/<id:purchase_id>/receipts", methods=["POST"])
@blueprint.arguments(Receipt)
@blueprint.response(201, Body)
@right("parts.write")
def receive(body: dict[str, Any], purchase_id: int) -> Response:
    """Take goods into a store: the ledger, the average cost and the purchase's state follow."""
    arrivals = [Arrival(line["line_id"], stock.quantity(line["quantity"]), _cost(line["unit_cost"])) for line in body["lines"]]

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = purchases.lock(session, purchase_id, current_user())
        purchases.receive(session, row, body["store_id"], arrivals, current_user(), services().clock())
        return _body(session, row), 201

    return once("receipts", deed)
