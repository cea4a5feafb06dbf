"""Contractor links (N-13): a planner makes a link to one order; its holder reads and works that order and nothing else."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from server import bodies
from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.api.steps import Answer
from server.api.work_orders import find
from server.auth.guard import current_user, right
from server.errors import Invalid, NotFound
from server.idempotency import once
from server.models.people import ContractorLink
from server.models.work import WorkOrder
from server.problems import bad_request
from server.rules.steps import StepAnswer
from server.rules.work_order import OrderAction
from server.services import services
from server.store import contractors, order_acts, steps
from server.store.related import by_id
from server.timestamps import rfc3339

blueprint = resource("contractors", "Links for people from outside, to one order each")

SHOWN = (
    "number",
    "title",
    "description",
    "type",
    "priority",
    "status",
    "assigned_to",
    "steps",
    "procedure",
    "safety",
    "hazards",
    "lock_out",
    "est_min",
    "actual_min",
    "notes",
    "verdict",
    "hold_reason",
    "problem",
    "reopen_reason",
    "due_at",
    "started_at",
    "completed_at",
    "rev",
)
TIMES = ("created_at", "expires_at", "last_used_at", "revoked_at")


class NewLink(ma.Schema):
    """Who from outside, for how many days, to work or only to look."""

    name = text(100, required=True)
    company = text(90, shortest=0, load_default="")
    days = Whole(low=1, high=90, load_default=7)
    may_work = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})


class Remark(ma.Schema):
    """A remark on the order."""

    body = text(4000, required=True)


def _body(row: ContractorLink, order: WorkOrder | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "order": {"id": order.id, "number": order.number} if order else None,
        "name": row.name,
        "company": row.company,
        "may_work": row.may_work,
        "live": row.revoked_at is None and row.expires_at > services().clock(),
        **{name: rfc3339(getattr(row, name)) for name in TIMES},
    }


@blueprint.route("/work-orders/<string(maxlength=64):key>/contractor-links", methods=["POST"])
@blueprint.arguments(NewLink)
@blueprint.response(201, Body)
@right("contractors.write")
def make_link(body: dict[str, Any], key: str) -> Response:
    """Make a link; `url` and `token` are shown this once. An order not begun yet is assigned to the contractor."""
    at, caller = services(), current_user()
    wanted = contractors.Wanted(body["name"], body["company"], body["days"], body["may_work"])
    with at.database.transaction() as session:
        order = find(session, key)
        row, secret = contractors.make(session, order.number, wanted, caller, at.clock())
        answer = jsonify({**_body(row, order), "token": secret, "url": f"{_base()}/contract/{secret}"})
    answer.status_code = 201
    answer.headers["Location"] = f"/api/contractor-links/{row.id}"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _base() -> str:
    return (services().settings.public_url or request.url_root).rstrip("/")


@blueprint.route("/work-orders/<string(maxlength=64):key>/contractor-links")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("contractors.write")
def list_of_order(query: dict[str, Any], key: str) -> Response:
    """Links to one order, newest first."""
    with services().database.transaction() as session:
        return _listed(session, find(session, key).id, query)


@blueprint.route("/contractor-links")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("contractors.write")
def list_links(query: dict[str, Any]) -> Response:
    """Links of the site, newest first."""
    with services().database.transaction() as session:
        return _listed(session, None, query)


def _listed(session: Session, order_id: int | None, query: dict[str, Any]) -> Response:
    page = contractors.list_links(session, current_user(), order_id, query)
    orders = by_id(session, WorkOrder, (row.order_id for row in page.items))
    return jsonify(collection([_body(row, orders.get(row.order_id)) for row in page.items], page.total, query))


@blueprint.route("/contractor-links/<id:link_id>")
@blueprint.response(200, Body)
@right("contractors.write")
def get_link(link_id: int) -> Response:
    """One link, without its secret."""
    with services().database.transaction() as session:
        row = contractors.get_link(session, link_id, current_user())
        return jsonify(_body(row, session.get(WorkOrder, row.order_id)))


@blueprint.route("/contractor-links/<id:link_id>", methods=["DELETE"])
@blueprint.response(204)
@right("contractors.write")
def revoke_link(link_id: int) -> Response:
    """Revoke a link: its holder is out at the next request."""
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        contractors.revoke(session, contractors.get_link(session, link_id, caller), caller, at.clock())
    return Response(status=204)


def own_order(session: Session) -> WorkOrder:
    """The one order of the caller's link."""
    return contractors.order_of(session, current_user().order_id, current_user())


def _contract(session: Session, order: WorkOrder) -> dict[str, Any]:
    whole = bodies.order_body(session, order)
    asset = {name: whole["asset"][name] for name in ("code", "name", "area", "place")}
    holder = current_user()
    return {
        "holder": holder.name,
        "may_work": holder.may("contract.work"),
        "asset": asset,
        "needs_verdict": order.alert_id is not None,
        **{name: whole[name] for name in SHOWN},
    }


@blueprint.route("/contract")
@blueprint.response(200, Body)
@right("contract.read")
def get_contract() -> Response:
    """The one order of the link."""
    with services().database.transaction() as session:
        return jsonify(_contract(session, own_order(session)))


@blueprint.route("/contract/steps")
@blueprint.response(200, Body)
@right("contract.read")
def list_steps() -> Response:
    """Its steps with the answers that count."""
    with services().database.transaction() as session:
        order = own_order(session)
        return jsonify(rev=order.rev, steps=[steps.step_body(session, now) for now in steps.current(session, order)])


@blueprint.route("/contract/steps/<string(maxlength=64):step_id>", methods=["POST"])
@blueprint.arguments(Answer)
@blueprint.response(200, Body)
@right("contract.work")
def answer_step(body: dict[str, Any], step_id: str) -> Response:
    """Answer a step, or take its answer back."""
    at, user = services(), current_user()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        order, now = own_order(session), at.clock()
        if body["undo"]:
            outcome = steps.undo(session, order.id, step_id, user, body["by"], now, now)
        else:
            answer = StepAnswer(**{name: body[name] for name in ("value", "unit", "option", "code", "note")}, media=tuple(body["media"]))
            outcome = steps.record(session, order.id, step_id, answer, user, body["by"], now, now)
        return {"next": outcome.next, "ok": outcome.ok, "rev": outcome.rev}, 200

    return once("contract", deed)


@blueprint.route("/contract/actions/<string(maxlength=32):action>", methods=["POST"])
@blueprint.response(200, Body)
@right("contract.work")
def act(action: str) -> Response:
    """start hold{reason} resume problem{note} complete{notes,verdict,actual_minutes}; the state machine judges (409)."""
    at = services()
    if action not in contractors.ACTS:
        raise NotFound("action", action)
    fields = request.get_json() if request.get_data() else {}
    if not isinstance(fields, dict):
        raise bad_request("envelope", "send an object")
    unknown = fields.keys() - (order_acts.FIELDS[OrderAction(action)] - {"parts"})
    if unknown:
        raise Invalid(min(unknown), "unknown", f"{action} does not take it")
    with at.database.transaction() as session:
        order = order_acts.act(session, own_order(session).id, action, current_user(), at.clock(), **fields)
        return jsonify(_contract(session, order))
