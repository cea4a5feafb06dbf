"""Key figures: availability, time between failures, compliance, backlog, cost; and the issues that are active now (S0-17..23, N-26)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from server.api.blueprint import resource
from server.api.exports import EXPORT, FILES, download
from server.api.schemas import Body
from server.api.times import Span, span_of
from server.auth.guard import current_user, right
from server.export.table import Column, Table
from server.services import services
from server.store import issues, kpis
from server.store.kpi_facts import Scope
from server.timestamps import from_ms, to_ms

blueprint = resource("kpis", "Key figures of maintenance")

USUAL = timedelta(days=30)
COLUMNS = (Column("label", "Key figure"), Column("value", "Value", "number"), Column("unit", "Unit"), Column("n", "Made of", "whole"))
WEEKS = (Column("from", "From", "text"), Column("to", "To", "text"), Column("value", "Value", "number"), Column("n", "Made of", "whole"))


class KpiQuery(Span):
    """Which span (30 days up to now without one) and which part of the site."""

    area = ma.fields.String(load_default=None, validate=ma.validate.Length(max=200))
    asset = ma.fields.String(load_default=None, validate=ma.validate.Length(max=64), metadata={"description": "an asset's code"})
    export = EXPORT


def scope_of(query: dict[str, Any]) -> Scope:
    """The span and part that a query asks for; raises Invalid."""
    now = services().clock()
    end = query.get("to", to_ms(now))
    first, last = span_of({"from_": query.get("from_", max(0, end - round(USUAL.total_seconds() * 1000))), "to": end}, now)
    return Scope(current_user().site_id, from_ms(first), from_ms(last), query["area"], query["asset"])


@blueprint.route("/kpis")
@blueprint.arguments(KpiQuery, location="query")
@blueprint.response(200, Body)
@blueprint.doc(**FILES)
@right("reports.read")
def get_kpis(query: dict[str, Any]) -> Response:
    """Every key figure of a span with what it is made of; `export` answers the figures as a file."""
    at = services()
    with at.database.transaction() as session:
        body = kpis.overview(session, scope_of(query), at.clock())
        if query["export"]:
            return download(Table("Key figures", COLUMNS, body["kpis"], f"{body['from']} to {body['to']}"), query["export"], "key-figures")
    return jsonify(body)


@blueprint.route("/kpis/<string(maxlength=40):name>")
@blueprint.arguments(KpiQuery, location="query")
@blueprint.response(200, Body)
@blueprint.doc(**FILES)
@right("reports.read")
def get_series(query: dict[str, Any], name: str) -> Response:
    """One key figure week by week."""
    at = services()
    with at.database.transaction() as session:
        body = kpis.series(session, name, scope_of(query), at.clock())
        if query["export"]:
            return download(Table(body["label"], WEEKS, body["points"], body["unit"]), query["export"], name)
    return jsonify(body)


@blueprint.route("/issues")
@blueprint.response(200, Body)
@right("overview.read")
def get_issues() -> Response:
    """Active issues by how they are handled, dangers first."""
    at = services()
    with at.database.transaction() as session:
        return jsonify(issues.active_issues(session, current_user().site_id, at.clock()))
