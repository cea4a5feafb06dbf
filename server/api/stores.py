"""Stores: the rooms that parts lie in, and taking stock in one (S1-15, N-11)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server import stock_bodies
from server.api import etags
from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.idempotency import once
from server.rules import stock
from server.services import services
from server.store import ledger, parts
from server.store.parts import Wanted

blueprint = resource("stores", "Rooms that spare parts lie in")


class SearchedPage(Page):
    """A page of what holds the words."""

    search = ma.fields.String(load_default="", validate=ma.validate.Length(max=100))


class StorePatch(ma.Schema):
    """What may change of a store."""

    code = text(64)
    name = text(200)
    location = text(200, shortest=0)


class NewStore(StorePatch):
    """A store of the caller's site."""

    code = text(64, required=True)
    name = text(200, required=True)


class CountedLine(ma.Schema):
    """What was found of a part."""

    part_id = Whole(low=1, required=True)
    counted = Number(required=True)


class NewCount(ma.Schema):
    """A stock take of one store."""

    lines = ma.fields.List(ma.fields.Nested(CountedLine), required=True, validate=ma.validate.Length(1, 500))
    note = text(500, shortest=0, load_default="")


def wanted(query: dict[str, Any]) -> Wanted:
    """The common part of a list's query."""
    return Wanted(query["search"], query["sort"], query["limit"], query["offset"])


@blueprint.route("/stores")
@blueprint.arguments(SearchedPage, location="query")
@blueprint.response(200, Collection)
@right("parts.read")
def list_stores(query: dict[str, Any]) -> Response:
    """Stores of the caller's site by code."""
    with services().database.transaction() as session:
        page = parts.list_stores(session, current_user(), wanted(query))
        return jsonify(collection([stock_bodies.store_body(row) for row in page.items], page.total, query))


@blueprint.route("/stores", methods=["POST"])
@blueprint.arguments(NewStore)
@blueprint.response(201, Body)
@right("parts.write")
def create_store(body: dict[str, Any]) -> Response:
    """Open a store."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return stock_bodies.store_body(parts.create_store(session, body, current_user(), services().clock())), 201

    return located(once("stores", deed), "stores")


def located(answer: Response, path: str) -> Response:
    """A 201 with the address of what was made."""
    answer.headers["Location"] = f"/api/{path}/{answer.get_json()['id']}"
    return answer


@blueprint.route("/stores/<id:store_id>")
@blueprint.response(200, Body)
@right("parts.read")
def get_store(store_id: int) -> Response:
    """One store."""
    with services().database.transaction() as session:
        return etags.tagged(stock_bodies.store_body(parts.get_store(session, store_id, current_user())))


@blueprint.route("/stores/<id:store_id>", methods=["PATCH"])
@blueprint.arguments(StorePatch)
@blueprint.response(200, Body)
@right("parts.write")
def patch_store(body: dict[str, Any], store_id: int) -> Response:
    """Rename or move a store."""
    at = services()
    with at.database.transaction() as session:
        row = parts.get_store(session, store_id, current_user())
        etags.check_match(row.rev)
        parts.change(session, row, body, current_user(), at.clock())
        return etags.tagged(stock_bodies.store_body(row))


@blueprint.route("/stores/<id:store_id>", methods=["DELETE"])
@blueprint.response(204)
@right("parts.write")
def delete_store(store_id: int) -> Response:
    """Close an empty store; its ledger stays."""
    at = services()
    with at.database.transaction() as session:
        parts.delete(session, parts.get_store(session, store_id, current_user()), current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/stores/<id:store_id>/counts", methods=["POST"])
@blueprint.arguments(NewCount)
@blueprint.response(201, Collection)
@right("parts.write")
def take_stock(body: dict[str, Any], store_id: int) -> Response:
    """What was found in a store: the ledger gets the difference of each part, of 0 where it was right."""
    counted = {line["part_id"]: _found(line["counted"]) for line in body["lines"]}
    if len(counted) != len(body["lines"]):
        raise Invalid("lines", "twice", "a part stands on two lines")

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        rows = ledger.take_stock(session, store_id, counted, body["note"], current_user(), services().clock())
        items = stock_bodies.movement_bodies(session, rows)
        return collection(items, len(items), {"limit": len(items), "offset": 0}), 201

    return once("counts", deed)


def _found(value: float) -> Decimal:
    return stock.quantity(value, "counted", zero=True)
