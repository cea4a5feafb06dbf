"""Work orders: the list, opening one, and every act on one (S2-131..134)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import bodies
from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Invalid, NotFound
from server.idempotency import once
from server.models.plant import Asset, Tag
from server.models.work import Procedure, WorkOrder
from server.problems import bad_request
from server.rules.work_order import OrderAction, OrderState
from server.services import services
from server.store import assets, order_acts, order_rows, orders
from server.store.order_lists import Wanted

blueprint = resource("work-orders", "Work, from the alert to its proof")

# What a wished status means as an act; the state machine judges it (PATCH, and words of older systems).
_BY_STATUS = {
    "in_progress": OrderAction.START,
    "on_hold": OrderAction.HOLD,
    "completed": OrderAction.COMPLETE,
    "fixed": OrderAction.COMPLETE,
    "verified": OrderAction.VERIFY,
    "closed": OrderAction.VERIFY,
    "reopened": OrderAction.REOPEN,
    "cancelled": OrderAction.CANCEL,
}


class OrdersQuery(Page):
    """Which orders."""

    status = ma.fields.String(metadata={"description": "a status, `active` or `done`"})
    tag = ma.fields.String(metadata={"description": "a tag or an asset's code"})
    assigned_to = ma.fields.String(metadata={"description": "a user's id, or `me`"})


class NewOrder(ma.Schema):
    """What is to be done, on which asset (or the asset of a tag)."""

    asset = text(64)
    tag = text(200)
    title = text(200, required=True)
    description = text(4000, shortest=0, load_default="")
    type = text(32, load_default="corrective")
    priority = text(16, load_default=None, allow_none=True)
    procedure = text(64, load_default=None, allow_none=True, metadata={"description": "code of a procedure"})
    due_at = ma.fields.AwareDateTime(format="iso", load_default=None, allow_none=True)
    est_min = Whole(low=1, high=10_000, load_default=None, allow_none=True)


class FromAlert(ma.Schema):
    """The alert an order is for."""

    alert_id = Whole(low=1, required=True)


class OrderPatch(ma.Schema):
    """A wished status and assignee, with what the act behind it needs."""

    status = ma.fields.String(validate=ma.validate.OneOf([*_BY_STATUS, "assigned"]))
    assigned_to = Whole(low=1)
    notes = text(4000)
    verdict = text(32)
    reason = text(2000)
    actual_minutes = Whole(low=0, high=100_000)
    parts = ma.fields.List(ma.fields.Dict(), validate=ma.validate.Length(max=200))


def find(session: Session, key: str) -> WorkOrder:
    """A visible order by id or number."""
    if len(key) > 18:
        raise NotFound("work order", key)
    return order_rows.get_order(session, key, current_user())


@blueprint.route("/work-orders")
@blueprint.arguments(OrdersQuery, location="query")
@blueprint.response(200, Collection)
@right("orders.read")
def list_orders(query: dict[str, Any]) -> Response:
    """Orders of the caller's site, newest first."""
    user = current_user()
    who = _person(query.get("assigned_to"))
    page_query = {"limit": query["limit"], "offset": query["offset"]}
    with services().database.transaction() as session:
        wanted = Wanted(site=user.site_id, status=query.get("status"), tag=query.get("tag"), assigned_to=who)
        page = orders.list_orders(session, wanted, now=services().clock(), **page_query)
        return jsonify(collection(bodies.order_bodies(session, page.items), page.total, query))


def _person(wanted: str | None) -> int | None:
    if wanted is None:
        return None
    if wanted == "me":
        return current_user().id
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= 10):
        raise Invalid("assigned_to", "not_an_id", "a user's id, or `me`")
    return int(wanted)


@blueprint.route("/work-orders", methods=["POST"])
@blueprint.arguments(NewOrder)
@blueprint.response(201, Body)
@right("orders.create")
def create_order(body: dict[str, Any]) -> Response:
    """Open an order by hand; an operator's is a request."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        new = orders.NewOrder(
            title=body["title"],
            asset_id=_asset_id(session, body),
            description=body["description"],
            type=body["type"],
            priority=body["priority"],
            procedure_id=_procedure_id(session, body["procedure"]),
            due=body["due_at"],
            estimated_min=body["est_min"],
            proof_s=at.settings.proof_window_s,
        )
        return bodies.order_body(session, orders.create_order(session, new, current_user(), at.clock())), 201

    return _located(once("work-orders", deed))


def _asset_id(session: Session, body: dict[str, Any]) -> int:
    user = current_user()
    if "asset" in body:
        return assets.get_asset(session, body["asset"], user).id
    if "tag" not in body:
        raise Invalid("asset", "required", "name the asset, or a tag of it")
    query = select(Tag.asset_id).join(Asset, Asset.id == Tag.asset_id)
    found = session.scalar(query.where(Tag.name == body["tag"], Tag.deleted_at.is_(None), Asset.site_id == user.site_id))
    if found is None:
        raise NotFound("tag", body["tag"])
    return found


def _procedure_id(session: Session, code: str | None) -> int | None:
    if code is None:
        return None
    own = (Procedure.site_id == current_user().site_id) | Procedure.site_id.is_(None)
    query = select(Procedure.id).where(Procedure.code == code, Procedure.active, own).order_by(Procedure.site_id).limit(1)
    found = session.scalar(query)
    if found is None:
        raise Invalid("procedure", "unknown", f"there is no procedure {code}")
    return found


def _located(answer: Response) -> Response:
    answer.headers["Location"] = f"/api/work-orders/{answer.get_json()['id']}"
    return answer


@blueprint.route("/work-orders/from-alert", methods=["POST"])
@blueprint.arguments(FromAlert)
@blueprint.response(201, Body)
@right("orders.create")
def create_from_alert(body: dict[str, Any]) -> Response:
    """Open the order of an alert; 409 when one is not verified yet."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        proof_s = at.settings.proof_window_s
        order = orders.create_from_alert(session, body["alert_id"], current_user(), at.clock(), proof_s=proof_s)
        return bodies.order_body(session, order), 201

    return _located(once("work-orders", deed))


@blueprint.route("/work-orders/<string(maxlength=64):key>")
@blueprint.response(200, Body)
@right("orders.read")
def get_order(key: str) -> Response:
    """One order, by id or number."""
    with services().database.transaction() as session:
        return jsonify(bodies.order_body(session, find(session, key)))


@blueprint.route("/work-orders/<string(maxlength=64):key>", methods=["PATCH"])
@blueprint.arguments(OrderPatch)
@blueprint.response(200, Body)
@right("orders.read")
def patch_order(body: dict[str, Any], key: str) -> Response:
    """Move an order to a wished status or person; the state machine and the rights of each act judge."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        order = find(session, key)
        for action, fields in _acts(body, order):
            order = order_acts.act(session, order.id, action, user, at.clock(), **fields)
        return jsonify(bodies.order_body(session, order))


def _acts(body: dict[str, Any], order: WorkOrder) -> list[tuple[str, dict[str, Any]]]:
    rest = dict(body)
    status = rest.pop("status", None)
    acts: list[tuple[str, dict[str, Any]]] = []
    if "assigned_to" in rest:
        acts.append((OrderAction.ASSIGN, {"assignee_id": rest.pop("assigned_to")}))
    elif status == "assigned":
        raise Invalid("assigned_to", "required", "say to whom")
    if status is not None and status != "assigned":
        action = OrderAction.RESUME if status == "in_progress" and order.state == OrderState.ON_HOLD else _BY_STATUS[status]
        acts.append((action, rest))
    elif rest:
        raise Invalid(min(rest), "no_act", "goes with a status")
    if not acts:
        raise Invalid("status", "required", "nothing to change")
    return acts


@blueprint.route("/work-orders/<string(maxlength=64):key>/actions/<string(maxlength=32):action>", methods=["POST"])
@blueprint.response(200, Body)
@right("orders.read")
def act(key: str, action: str) -> Response:
    """assign{assignee_id} start hold{reason} resume problem{note} complete{notes,verdict,actual_minutes,parts} verify{notes} reopen{reason}
    cancel{reason} approve; each asks its own right and the state machine (409).
    """
    at = services()
    fields = _fields(action)
    with at.database.transaction() as session:
        order = find(session, key)
        order = order_acts.act(session, order.id, action, current_user(), at.clock(), **fields)
        return jsonify(bodies.order_body(session, order))


def _fields(action: str) -> dict[str, Any]:
    fields = request.get_json() if request.get_data() else {}
    if not isinstance(fields, dict):
        raise bad_request("envelope", "send an object")
    if action not in set(OrderAction):
        raise NotFound("action", action)
    unknown = fields.keys() - order_acts.FIELDS[OrderAction(action)]
    if unknown:
        raise Invalid(min(unknown), "unknown", f"{action} does not take it")
    return fields
