"""The audit trail, to be read: who did what to which thing, when and why (S2-61..63)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
import orjson
from flask import Response, jsonify

from server.api.blueprint import Page, collection, resource, text
from server.api.exports import EXPORT, FILES, download
from server.api.schemas import Body, Collection
from server.api.times import Moment
from server.auth.guard import current_user, right
from server.errors import NotFound
from server.export.table import Column, Table
from server.models.audit import AuditLog
from server.services import services
from server.store import audit_rows
from server.timestamps import from_ms

blueprint = resource("audit", "The audit trail")

WHOLE = 100_000  # rows of an export
COLUMNS = (
    Column("id", "Row", "whole"),
    Column("at", "Time", "time"),
    Column("actor", "Who"),
    Column("actor_kind", "By"),
    Column("action", "Action"),
    Column("thing", "Thing"),
    Column("thing_id", "Id", "whole"),
    Column("reason", "Why"),
    Column("old", "Old"),
    Column("new", "New"),
)


class AuditQuery(Page):
    """Which rows."""

    from_ = Moment(data_key="from", metadata={"type": "string", "description": "RFC 3339 or epoch"})
    to = Moment(metadata={"type": "string", "description": "RFC 3339 or epoch; not included"})
    thing = text(64, load_default=None, metadata={"description": "work_order, asset, user, ..."})
    thing_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))
    actor = text(200, load_default=None, metadata={"description": "part of the name"})
    actor_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))
    action = text(64, load_default=None)
    search = text(200, load_default=None, metadata={"description": "the same as actor"})
    export = EXPORT


def _which(query: dict[str, Any]) -> audit_rows.Which:
    names = ("thing", "thing_id", "actor_id", "action")
    start, end = (from_ms(query[name]) if name in query else None for name in ("from_", "to"))
    return audit_rows.Which(**{name: query[name] for name in names}, actor=query["actor"] or query["search"], start=start, end=end)


def _sheet_row(row: AuditLog) -> dict[str, Any]:
    words = {name: "" if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() for name, value in _values(row)}
    return {**{column.key: getattr(row, column.key) for column in COLUMNS}, **words}


def _values(row: AuditLog) -> tuple[tuple[str, Any], ...]:
    return ("old", row.old), ("new", row.new)


@blueprint.route("/audit")
@blueprint.doc(**FILES)
@blueprint.arguments(AuditQuery, location="query")
@blueprint.response(200, Collection)
@right("audit.read")
def list_rows(query: dict[str, Any]) -> Response:
    """Rows of the site and of no site, newest first; whether the chain holds is told by `python -m server.audit verify`."""
    which, caller = _which(query), current_user()
    with services().database.transaction() as session:
        if query["export"]:
            rows = (_sheet_row(row) for row in audit_rows.every_row(session, caller, which, WHOLE))
            return download(Table("Audit trail", COLUMNS, rows), query["export"], "audit")
        page = audit_rows.list_rows(session, caller, which, sort=query["sort"], limit=query["limit"], offset=query["offset"])
        return jsonify(collection([audit_rows.body(row) for row in page.items], page.total, query))


@blueprint.route("/audit/<id:row_id>")
@blueprint.response(200, Body)
@right("audit.read")
def get_row(row_id: int) -> Response:
    """One row."""
    with services().database.transaction() as session:
        row = session.get(AuditLog, row_id)
        if row is None or row.site_id not in {None, current_user().site_id}:
            raise NotFound("audit row", row_id)
        return jsonify(audit_rows.body(row))
