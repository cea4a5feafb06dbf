"""Fault codes of classes and assets: what a code or bit means, and the codes that nobody has named yet."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Page, collection, resource
from server.api.class_schemas import CodeColumns, NewCode
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.services import services
from server.store import fault_codes

blueprint = resource("fault-codes", "What the fault codes of machines mean")


class CodesQuery(Page):
    """Which codes."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    class_ = ma.fields.String(load_default=None, data_key="class", metadata={"description": "a class's name"})
    asset = ma.fields.String(load_default=None, metadata={"description": "an asset's code"})


@blueprint.route("/fault-codes")
@blueprint.arguments(CodesQuery, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_codes(query: dict[str, Any]) -> Response:
    """Codes with their meaning in every language."""
    span = {name: query[name] for name in ("search", "class_", "asset", "sort", "limit", "offset")}
    with services().database.transaction() as session:
        page = fault_codes.list_codes(session, current_user(), **span)
        return jsonify(collection(fault_codes.code_bodies(session, page.items), page.total, query))


@blueprint.route("/fault-codes/unknown")
@blueprint.response(200, Collection)
@right("assets.read")
def list_unknown() -> Response:
    """Codes that machines showed and nobody has named, the most frequent first."""
    with services().database.transaction() as session:
        rows = fault_codes.unknown(session, current_user().site_id)
    return jsonify(collection(rows, len(rows), {"limit": fault_codes.MOST_UNKNOWN, "offset": 0}))


@blueprint.route("/fault-codes", methods=["POST"])
@blueprint.arguments(NewCode)
@blueprint.response(201, Body)
@right("classes.write")
def name_code(body: dict[str, Any]) -> Response:
    """Say what a code means, for a class or for one asset; open alerts of it say so from now on."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = fault_codes.name_code(session, body, current_user(), services().clock())
        return fault_codes.code_bodies(session, [row])[0], 201

    return located(once("fault-codes", deed), "/api/fault-codes/{id}")


@blueprint.route("/fault-codes/<id:code_id>")
@blueprint.response(200, Body)
@right("assets.read")
def get_code(code_id: int) -> Response:
    """One code."""
    with services().database.transaction() as session:
        return etags.tagged(fault_codes.code_bodies(session, [fault_codes.get_code(session, code_id, current_user())])[0])


@blueprint.route("/fault-codes/<id:code_id>", methods=["PATCH"])
@blueprint.arguments(CodeColumns)
@blueprint.response(200, Body)
@right("classes.write")
def change_code(body: dict[str, Any], code_id: int) -> Response:
    """Change what is given."""
    at = services()
    with at.database.transaction() as session:
        row = fault_codes.get_code(session, code_id, current_user(), lock=True)
        etags.check_match(row.rev)
        fault_codes.change_code(session, row, body, current_user(), at.clock())
        return etags.tagged(fault_codes.code_bodies(session, [row])[0])


@blueprint.route("/fault-codes/<id:code_id>", methods=["DELETE"])
@blueprint.response(204)
@right("classes.write")
def delete_code(code_id: int) -> Response:
    """Take the meaning away; the code then counts as unknown."""
    at = services()
    with at.database.transaction() as session:
        row = fault_codes.get_code(session, code_id, current_user(), lock=True)
        etags.check_match(row.rev)
        fault_codes.delete_code(session, row, current_user(), at.clock())
    return Response(status=204)
