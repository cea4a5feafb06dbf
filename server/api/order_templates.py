"""Templates of work orders, and orders made from them."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server import bodies
from server.api.blueprint import Page, collection, resource
from server.api.etags import check_match, tagged
from server.api.order_schemas import NewTemplate, OrderFromTemplate, TemplatePatch
from server.api.schemas import Body, Collection
from server.api.work_orders import located
from server.auth.guard import current_user, right
from server.idempotency import once
from server.services import services
from server.store import assets, orders
from server.store import order_templates as templates

blueprint = resource("order-templates", "What new work orders start as")


class TemplatesQuery(Page):
    """Which templates."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


@blueprint.route("/order-templates")
@blueprint.arguments(TemplatesQuery, location="query")
@blueprint.response(200, Collection)
@right("orders.read")
def list_templates(query: dict[str, Any]) -> Response:
    """Templates of the caller's site by name."""
    with services().database.transaction() as session:
        page = templates.list_templates(session, current_user(), **query)
        return jsonify(collection(templates.bodies(session, list(page.items)), page.total, query))


@blueprint.route("/order-templates", methods=["POST"])
@blueprint.arguments(NewTemplate)
@blueprint.response(201, Body)
@right("orders.assign")
def create_template(body: dict[str, Any]) -> Response:
    """Keep a template."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = templates.create(session, body, current_user(), services().clock())
        return templates.bodies(session, [row])[0], 201

    answer = once("order-templates", deed)
    answer.headers["Location"] = f"/api/order-templates/{answer.get_json()['id']}"
    return answer


@blueprint.route("/order-templates/<id:template_id>")
@blueprint.response(200, Body)
@right("orders.read")
def get_template(template_id: int) -> Response:
    """One template."""
    with services().database.transaction() as session:
        return tagged(templates.bodies(session, [templates.get(session, template_id, current_user())])[0])


@blueprint.route("/order-templates/<id:template_id>", methods=["PATCH"])
@blueprint.arguments(TemplatePatch)
@blueprint.response(200, Body)
@right("orders.assign")
def change_template(body: dict[str, Any], template_id: int) -> Response:
    """Change a template; orders made from it stay as they are."""
    at = services()
    with at.database.transaction() as session:
        row = templates.get(session, template_id, current_user())
        check_match(row.rev)
        templates.change(session, row, body, current_user(), at.clock())
        return tagged(templates.bodies(session, [row])[0])


@blueprint.route("/order-templates/<id:template_id>", methods=["DELETE"])
@blueprint.response(204)
@right("orders.assign")
def delete_template(template_id: int) -> Response:
    """Nobody starts from it any more."""
    at = services()
    with at.database.transaction() as session:
        templates.delete(session, templates.get(session, template_id, current_user()), current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/order-templates/<id:template_id>/orders", methods=["POST"])
@blueprint.arguments(OrderFromTemplate)
@blueprint.response(201, Body)
@right("orders.create")
def order_from_template(body: dict[str, Any], template_id: int) -> Response:
    """Open an order that starts as the template says."""
    at, user = services(), current_user()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row, now = templates.get(session, template_id, user), at.clock()
        asset = assets.get_asset(session, body["asset"], user)
        changes = templates.Changes(body.get("title"), body.get("due_at"))
        new = templates.as_order(row, asset, changes, now, proof_s=at.settings.proof_window_s)
        return bodies.order_body(session, orders.create_order(session, new, user, now)), 201

    return located(once("order-templates", deed))
