"""What hangs on a work order: comments, labour, links, the printed sheet; and many orders assigned at once."""

from __future__ import annotations

import io
from typing import Any

from flask import Response, jsonify
from sqlalchemy.orm import Session

from server import bodies
from server.api.blueprint import Page, collection, resource
from server.api.exports import attachment
from server.api.order_schemas import BulkAssign, NewComment, NewLabour, NewLink
from server.api.schemas import Body, Collection
from server.api.work_orders import find
from server.auth.guard import current_user, right
from server.export import order_sheet
from server.idempotency import once
from server.models.order_records import OrderLabour
from server.models.people import User
from server.problems import Problem, body_of, from_error
from server.services import services
from server.store import comments, labour, ledger, order_edits, order_links, steps
from server.store.page import ordering
from server.store.related import by_id

blueprint = resource("order-records", "Comments, time and links of work orders")
ORDER = "/work-orders/<string(maxlength=64):key>"


@blueprint.route("/work-orders/bulk-assign", methods=["POST"])
@blueprint.arguments(BulkAssign)
@blueprint.response(200, Body)
@right("orders.assign")
def bulk_assign(body: dict[str, Any]) -> Response:
    """Give orders to one person: all of them, or none and 409 with what stands against each."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        rows = order_edits.assign_all(session, body["orders"], body["assignee_id"], user, at.clock())
        results = [_result(row) for row in rows]
        if any(row.error is not None for row in rows):
            raise Problem(409, "not_all", "nothing was assigned; see results", extra={"results": results})
    return jsonify(results=results)


def _result(row: order_edits.Row) -> dict[str, Any]:
    if row.error is None:
        return {"order": row.key, "ok": True}
    problem = body_of(from_error(row.error))
    return {"order": row.key, "ok": False, "status": problem["status"], "code": problem["code"], "detail": problem["detail"]}


@blueprint.route(f"{ORDER}/comments")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("orders.read")
def list_comments(query: dict[str, Any], key: str) -> Response:
    """Remarks, oldest first."""
    with services().database.transaction() as session:
        order = find(session, key)
        page = comments.list_comments(session, order.id, current_user(), **query)
        return jsonify(collection([comments.body(row) for row in page.items], page.total, query))


@blueprint.route(f"{ORDER}/comments", methods=["POST"])
@blueprint.arguments(NewComment)
@blueprint.response(201, Body)
@right("notifications.read")
def add_comment(body: dict[str, Any], key: str) -> Response:
    """Say something; it stays. Whoever has the order is told."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        order = find(session, key)
        return comments.body(comments.add(session, order.id, body["body"], current_user(), at.clock())), 201

    return _under(once("order-comments", deed), key, "comments")


def _under(answer: Response, key: str, what: str) -> Response:
    answer.headers["Location"] = f"/api/work-orders/{key}/{what}"
    return answer


@blueprint.route(f"{ORDER}/labour")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("orders.read")
def list_labour(query: dict[str, Any], key: str) -> Response:
    """Time worked, oldest first, with its cost; `sum` adds all of it up."""
    with services().database.transaction() as session:
        items = _labour(session, labour.entries(session, find(session, key).id, query["sort"]))
    total = {"minutes": sum(row["minutes"] or 0 for row in items), "cost": round(sum(row["cost"] for row in items), 2)}
    return jsonify({**_part(items, query), "sum": total})


def _part(items: list[Any], query: dict[str, Any]) -> dict[str, Any]:
    return collection(items[query["offset"] :][: query["limit"]], len(items), query)


def _labour(session: Session, rows: list[OrderLabour]) -> list[dict[str, Any]]:
    names = {id_: person.name for id_, person in by_id(session, User, (row.user_id for row in rows)).items()}
    return [labour.body(row, names) for row in rows]


@blueprint.route(f"{ORDER}/labour", methods=["POST"])
@blueprint.arguments(NewLabour)
@blueprint.response(201, Body)
@right("orders.work")
def enter_labour(body: dict[str, Any], key: str) -> Response:
    """Enter time that was worked."""
    at = services()
    entry = labour.Entry(person_id=body.pop("person"), **body)

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = labour.enter(session, find(session, key).id, entry, current_user(), at.clock())
        return _labour(session, [row])[0], 201

    return _under(once("order-labour", deed), key, "labour")


@blueprint.route(f"{ORDER}/labour/start", methods=["POST"])
@blueprint.response(201, Body)
@right("orders.work")
def start_timer(key: str) -> Response:
    """Start the caller's timer on the order; one runs at a time."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return _labour(session, [labour.start(session, find(session, key).id, current_user(), at.clock())])[0], 201

    return _under(once("order-labour", deed), key, "labour")


@blueprint.route(f"{ORDER}/labour/stop", methods=["POST"])
@blueprint.response(200, Body)
@right("orders.work")
def stop_timer(key: str) -> Response:
    """Stop it: the minutes stand, priced."""
    at = services()
    with at.database.transaction() as session:
        row = labour.stop(session, find(session, key).id, current_user(), at.clock())
        return jsonify(_labour(session, [row])[0])


@blueprint.route(f"{ORDER}/labour/<id:labour_id>", methods=["DELETE"])
@blueprint.response(204)
@right("orders.work")
def remove_labour(key: str, labour_id: int) -> Response:
    """Take an entry back."""
    at = services()
    with at.database.transaction() as session:
        labour.remove(session, find(session, key).id, labour_id, current_user(), at.clock())
    return Response(status=204)


@blueprint.route(f"{ORDER}/links")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("orders.read")
def list_links(query: dict[str, Any], key: str) -> Response:
    """Links both ways, oldest first: `out` = this order is the first of the two."""
    ordering(query["sort"], order_links.SORTS, "id")
    with services().database.transaction() as session:
        return jsonify(_part(order_links.of_order(session, find(session, key)), query))


@blueprint.route(f"{ORDER}/links", methods=["POST"])
@blueprint.arguments(NewLink)
@blueprint.response(201, Body)
@right("orders.create")
def add_link(body: dict[str, Any], key: str) -> Response:
    """Link the order to another; an order does not start before what blocks it is done."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        order, other = find(session, key), find(session, body["order"])
        row = order_links.add(session, order.id, other.id, body["kind"], current_user(), at.clock())
        return order_links.body(session, row), 201

    return _under(once("order-links", deed), key, "links")


@blueprint.route(f"{ORDER}/links/<id:link_id>", methods=["DELETE"])
@blueprint.response(204)
@right("orders.create")
def remove_link(key: str, link_id: int) -> Response:
    """Take a link away."""
    at = services()
    with at.database.transaction() as session:
        order_links.remove(session, find(session, key).id, link_id, current_user(), at.clock())
    return Response(status=204)


@blueprint.route(f"{ORDER}/print")
@blueprint.response(200, content_type="application/pdf")
@right("orders.read")
def print_order(key: str) -> Response:
    """The order on paper: safety block, steps, parts, three sign-offs (S2-R1)."""
    at = services()
    with at.database.transaction() as session:
        order = find(session, key)
        body = bodies.order_body(session, order, at.clock())
        answers = steps.step_bodies(session, steps.current(session, order))
        time = _labour(session, labour.entries(session, order.id))
        strokes = (order.signature or {}).get("strokes", [])
        parts = _parts(ledger.parts_of_orders(session, [order.id])[order.id], body["parts"])
    content = order_sheet.sheet(order_sheet.Sheet({**body, "parts": parts}, answers, time, strokes))
    return attachment(io.BytesIO(content), "application/pdf", f"{body['number']}.pdf")


def _parts(issued: list[ledger.PartUsed], written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the stores issued, and what was written down at completion besides."""
    rows = [{"sku": used.number, "name": used.name, "qty": f"{used.quantity.normalize():f} {used.unit}"} for used in issued]
    known = {row["sku"] for row in rows}
    return rows + [part for part in written if part["sku"] not in known]
