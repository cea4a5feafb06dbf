"""Work orders: the list, opening one, and every act on one (S2-131..134). What hangs on one is in order_records."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import bodies
from server.api import order_table
from server.api.blueprint import collection, resource
from server.api.etags import check_match, tagged
from server.api.exports import FILES, download
from server.api.order_schemas import BY_STATUS, FromAlert, NewOrder, OrderPatch, OrdersQuery
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Invalid, NotFound
from server.idempotency import once
from server.models.plant import Asset, Tag
from server.models.work import WorkOrder
from server.problems import bad_request
from server.rules.work_order import OrderAction, OrderState
from server.services import services
from server.store import assets, order_acts, order_edits, order_links, order_rows, orders
from server.store.order_lists import Wanted

blueprint = resource("work-orders", "Work, from the alert to its proof")


def find(session: Session, key: str) -> WorkOrder:
    """A visible order by id or number."""
    if len(key) > 18:
        raise NotFound("work order", key)
    return order_rows.get_order(session, key, current_user())


def detail(session: Session, order: WorkOrder) -> dict[str, Any]:
    """The body with what only one order is asked for: its links, both ways."""
    return {**bodies.order_body(session, order, services().clock()), "links": order_links.of_order(session, order)}


@blueprint.route("/work-orders")
@blueprint.arguments(OrdersQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("orders.read")
def list_orders(query: dict[str, Any]) -> Response:
    """Orders of the caller's site, newest first; `export` answers all that match as a file."""
    user, now = current_user(), services().clock()
    page_query = {name: query.pop(name) for name in ("limit", "offset", "sort")}
    export = query.pop("export")
    who = _person(query.pop("assigned_to", None))
    wanted = Wanted(site=user.site_id, assigned_to=who, **query)
    with services().database.transaction() as session:
        if export is not None:
            return download(order_table.table(session, wanted, page_query["sort"], now), export, "work-orders")
        page = orders.list_orders(session, wanted, now=now, **page_query)
        return jsonify(collection(bodies.order_bodies(session, page.items, now), page.total, page_query))


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
    at, user = services(), current_user()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        asset = _asset(session, body)
        new = orders.NewOrder(
            title=body["title"],
            asset_id=asset.id,
            description=body["description"],
            type=body["type"],
            priority=body["priority"],
            procedure_id=body["procedure"] and order_edits.procedure_id(session, body["procedure"], user.site_id),
            team_id=body["team"] and order_edits.team_id(session, body["team"], user.site_id),
            parent_id=body["parent"] and order_edits.parent_id(session, body["parent"], asset.site_id, user),
            external_ref=body["external_ref"],
            due=body["due_at"],
            estimated_min=body["est_min"],
            proof_s=at.settings.proof_window_s,
        )
        return bodies.order_body(session, orders.create_order(session, new, user, at.clock())), 201

    return located(once("work-orders", deed))


def _asset(session: Session, body: dict[str, Any]) -> Asset:
    user = current_user()
    if "asset" in body:
        return assets.get_asset(session, body["asset"], user)
    if "tag" not in body:
        raise Invalid("asset", "required", "name the asset, or a tag of it")
    query = select(Tag.asset_id).join(Asset, Asset.id == Tag.asset_id)
    found = session.scalar(query.where(Tag.name == body["tag"], Tag.deleted_at.is_(None), Asset.site_id == user.site_id))
    if found is None:
        raise NotFound("tag", body["tag"])
    return assets.get_asset(session, found, user)


def located(answer: Response) -> Response:
    """The answer to a created order, with its address."""
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

    return located(once("work-orders", deed))


@blueprint.route("/work-orders/<string(maxlength=64):key>")
@blueprint.response(200, Body)
@right("orders.read")
def get_order(key: str) -> Response:
    """One order, by id or number, with its links."""
    with services().database.transaction() as session:
        return tagged(detail(session, find(session, key)))


@blueprint.route("/work-orders/<string(maxlength=64):key>", methods=["PATCH"])
@blueprint.arguments(OrderPatch)
@blueprint.response(200, Body)
@right("orders.read")
def patch_order(body: dict[str, Any], key: str) -> Response:
    """Change plain fields (`orders.assign`), move an order to a wished status or person; the state machine and each act's right judge."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        order = order_rows.lock(session, find(session, key).id, user)
        check_match(order.rev)
        plain = _plain(body)
        acts = _acts({name: value for name, value in body.items() if name not in plain}, order, needed=not plain)
        if plain:
            order = order_edits.change(session, order.id, plain, user, at.clock())
        for action, fields in acts:
            order = order_acts.act(session, order.id, action, user, at.clock(), **fields)
        return tagged(detail(session, order))


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """The fields that are no act's; what an order cost besides goes with its completion too."""
    plain = {name: value for name, value in body.items() if name in order_edits.COLUMNS}
    if BY_STATUS.get(body.get("status", "")) is OrderAction.COMPLETE:
        plain.pop("other_cost", None)
    return plain


def _acts(body: dict[str, Any], order: WorkOrder, *, needed: bool) -> list[tuple[str, dict[str, Any]]]:
    rest = dict(body)
    status = rest.pop("status", None)
    acts: list[tuple[str, dict[str, Any]]] = []
    if "assigned_to" in rest:
        acts.append((OrderAction.ASSIGN, {"assignee_id": rest.pop("assigned_to")}))
    elif status == "assigned":
        raise Invalid("assigned_to", "required", "say to whom")
    if status is not None and status != "assigned":
        action = OrderAction.RESUME if status == "in_progress" and order.state == OrderState.ON_HOLD else BY_STATUS[status]
        acts.append((action, rest))
    elif rest:
        raise Invalid(min(rest), "no_act", "goes with a status")
    if needed and not acts:
        raise Invalid("status", "required", "nothing to change")
    return acts


@blueprint.route("/work-orders/<string(maxlength=64):key>/actions/<string(maxlength=32):action>", methods=["POST"])
@blueprint.response(200, Body)
@right("orders.read")
def act(key: str, action: str) -> Response:
    """assign{assignee_id} start hold{reason} resume problem{note} complete{notes,verdict,actual_minutes,parts,other_cost,signature}
    verify{notes} reopen{reason} cancel{reason} approve; each asks its own right and the state machine (409).
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
