"""Interventions of technicians (S0-11..16, S0-25, S0-26, S0-51..55)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.etags import check_match, tagged
from server.api.exports import EXPORT, FILES, download
from server.api.intervention_table import table
from server.api.schemas import Body, Collection
from server.api.taxonomy import language
from server.api.times import Instant
from server.auth.guard import current_user, right
from server.idempotency import once
from server.rules.work_order import OrderVerdict
from server.services import services
from server.store import interventions
from server.store.intervention_bodies import bodies

blueprint = resource("interventions", "Visits of technicians to machines")


class Filter(ma.Schema):
    """Which interventions."""

    asset = text(64, load_default=None, metadata={"description": "an asset's code"})
    order = text(18, load_default=None, metadata={"description": "an order's id or number"})
    technician = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))
    since = Instant(load_default=None, data_key="from", metadata={"description": "received at or after"})
    until = Instant(load_default=None, data_key="to", metadata={"description": "received before"})


class InterventionsQuery(Filter, Page):
    """Which of them, and how many."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    export = EXPORT


class _Found(ma.Schema):
    ended_at = Instant(load_default=None, allow_none=True)
    what = Whole(low=1, load_default=None, allow_none=True)
    why = Whole(low=1, load_default=None, allow_none=True)
    where = Whole(low=1, load_default=None, allow_none=True)
    parts = ma.fields.List(ma.fields.Dict(), load_default=list, validate=ma.validate.Length(max=50))
    comments = text(4000, shortest=0, load_default="")
    verdict = ma.fields.String(load_default=None, allow_none=True, validate=ma.validate.OneOf([str(verdict) for verdict in OrderVerdict]))
    actual_minutes = Whole(low=0, high=44_640, load_default=None, allow_none=True)
    signature = ma.fields.Dict(load_default=None, allow_none=True)


class NewIntervention(_Found):
    """The order (id or number), when it was received, what was found and done; with an end the order is completed."""

    order = text(18, required=True)
    asset = text(64, load_default=None, allow_none=True, metadata={"description": "code of the order's asset or of a part of it"})
    received_at = Instant(load_default=None, allow_none=True, metadata={"description": "the order's opening where nothing is said"})
    category = Whole(low=1, required=True)


class InterventionPatch(ma.Schema):
    """Corrections, and the end."""

    received_at = Instant()
    ended_at = Instant(allow_none=True)
    category = Whole(low=1)
    what = Whole(low=1, allow_none=True)
    why = Whole(low=1, allow_none=True)
    where = Whole(low=1, allow_none=True)
    parts = ma.fields.List(ma.fields.Dict(), validate=ma.validate.Length(max=50))
    comments = text(4000, shortest=0)
    verdict = ma.fields.String(allow_none=True, validate=ma.validate.OneOf([str(verdict) for verdict in OrderVerdict]))
    actual_minutes = Whole(low=0, high=44_640, allow_none=True)
    signature = ma.fields.Dict(allow_none=True)


@blueprint.route("/interventions")
@blueprint.arguments(InterventionsQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("orders.read")
def list_interventions(query: dict[str, Any]) -> Response:
    """Interventions of the caller's site, newest first; `export` answers all that match as a file."""
    page_query = {name: query.pop(name) for name in ("limit", "offset", "sort")}
    export, user = query.pop("export"), current_user()
    wanted = interventions.Wanted(**query)
    with services().database.transaction() as session:
        if export is not None:
            return download(table(session, wanted, user, page_query["sort"], language()), export, "interventions")
        page = interventions.list_interventions(session, wanted, user, **page_query)
        return jsonify(collection(bodies(session, page.items, language()), page.total, page_query))


@blueprint.route("/interventions/figures")
@blueprint.arguments(Filter, location="query")
@blueprint.response(200, Body)
@right("orders.read")
def figures(query: dict[str, Any]) -> Response:
    """How many by day, machine and fault category, for charts."""
    with services().database.transaction() as session:
        return jsonify(interventions.figures(session, interventions.Wanted(**query), current_user()))


@blueprint.route("/interventions", methods=["POST"])
@blueprint.arguments(NewIntervention)
@blueprint.response(201, Body)
@right("orders.work")
def create_intervention(body: dict[str, Any]) -> Response:
    """Save a visit of the caller: order and machine go to work, with an end both are fixed; all of it or nothing."""
    key = body.pop("order")

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = interventions.create(session, key, body, current_user(), services().clock())
        return bodies(session, [row], language())[0], 201

    answer = once("interventions", deed)
    answer.headers["Location"] = f"/api/interventions/{answer.get_json()['id']}"
    return answer


@blueprint.route("/interventions/<id:intervention_id>")
@blueprint.response(200, Body)
@right("orders.read")
def get_intervention(intervention_id: int) -> Response:
    """One intervention."""
    with services().database.transaction() as session:
        row = interventions.get(session, intervention_id, current_user())
        return tagged(bodies(session, [row], language())[0])


@blueprint.route("/interventions/<id:intervention_id>", methods=["PATCH"])
@blueprint.arguments(InterventionPatch)
@blueprint.response(200, Body)
@right("orders.work")
def change_intervention(body: dict[str, Any], intervention_id: int) -> Response:
    """Correct it, or end it."""
    at = services()
    with at.database.transaction() as session:
        row = interventions.get(session, intervention_id, current_user())
        check_match(row.rev)
        interventions.change(session, row, body, current_user(), at.clock())
        return tagged(bodies(session, [row], language())[0])
