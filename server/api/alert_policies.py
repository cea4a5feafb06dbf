"""What an alert becomes by its type and the class of its asset: an order, its priority, procedure, team and due time."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server.api import etags
from server.api.blueprint import Number, Page, Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.rules.priorities import Priority
from server.services import services
from server.store import alert_policies

blueprint = resource("alert-policies", "What an alert becomes: an order, its priority, procedure, team and due time")

TYPES = ma.validate.OneOf([str(one) for one in AlertType])
PRIORITIES = ma.validate.OneOf([str(one) for one in Priority])
HOURS = ma.validate.Range(0, 24 * 366, min_inclusive=False)
PROOF = ma.validate.Range(0, 30 * 86_400, min_inclusive=False)


class AlertPoliciesQuery(Page):
    """Which policies."""

    search = ma.fields.String(load_default="", validate=ma.validate.Length(max=100), metadata={"description": "part of the order's title"})
    alert_type = ma.fields.String(load_default=None, validate=TYPES)
    priority = ma.fields.String(load_default=None, validate=PRIORITIES)
    class_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))
    team_id = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**53))


class AlertPolicyPatch(ma.Schema):
    """What may change of a policy."""

    alert_type = ma.fields.String(validate=TYPES)
    class_id = Whole(low=1, allow_none=True, metadata={"description": "null = any class"})
    opens_order = ma.fields.Boolean(truthy={True}, falsy={False})
    priority = ma.fields.String(allow_none=True, validate=PRIORITIES, metadata={"description": "null = by severity and criticality"})
    procedure_id = Whole(low=1, allow_none=True)
    team_id = Whole(low=1, allow_none=True)
    auto_assign = ma.fields.Boolean(truthy={True}, falsy={False}, metadata={"description": "to who of the team has least to do"})
    due_hours = Number(allow_none=True, validate=HOURS, metadata={"description": "null = the site's SLA hours of the priority"})
    proof_s = Number(allow_none=True, validate=PROOF, metadata={"description": "s that the signal must stay normal after the repair"})
    title = text(200, allow_none=True, metadata={"description": "of its orders; null = what the alert says"})


class NewAlertPolicy(AlertPolicyPatch):
    """A policy of the caller's site; the most specific one counts, own class before any class."""

    alert_type = ma.fields.String(required=True, validate=TYPES)
    class_id = Whole(low=1, allow_none=True, load_default=None)
    opens_order = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})
    priority = ma.fields.String(allow_none=True, load_default=None, validate=PRIORITIES)
    procedure_id = Whole(low=1, allow_none=True, load_default=None)
    team_id = Whole(low=1, allow_none=True, load_default=None)
    auto_assign = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    due_hours = Number(allow_none=True, load_default=None, validate=HOURS)
    proof_s = Number(allow_none=True, load_default=None, validate=PROOF)
    title = text(200, allow_none=True, load_default=None)


@blueprint.route("/alert-policies")
@blueprint.arguments(AlertPoliciesQuery, location="query")
@blueprint.response(200, Collection)
@right("policies.read")
def list_policies(query: dict[str, Any]) -> Response:
    """Policies of the caller's site and those common to all sites, by type."""
    with services().database.transaction() as session:
        page = alert_policies.list_policies(session, current_user(), query)
        return jsonify(collection(alert_policies.bodies(session, list(page.items)), page.total, query))


@blueprint.route("/alert-policies", methods=["POST"])
@blueprint.arguments(NewAlertPolicy)
@blueprint.response(201, Body)
@right("policies.write")
def create_policy(body: dict[str, Any]) -> Response:
    """Put a policy in force; one for a type and class."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = alert_policies.create(session, body, current_user(), services().clock())
        return alert_policies.bodies(session, [row])[0], 201

    answer = once("alert-policies", deed)
    answer.headers["Location"] = f"/api/alert-policies/{answer.get_json()['id']}"
    return answer


@blueprint.route("/alert-policies/<id:policy_id>")
@blueprint.response(200, Body)
@right("policies.read")
def get_policy(policy_id: int) -> Response:
    """One policy."""
    with services().database.transaction() as session:
        row = alert_policies.get_policy(session, policy_id, current_user())
        return etags.tagged(alert_policies.bodies(session, [row])[0])


@blueprint.route("/alert-policies/<id:policy_id>", methods=["PATCH"])
@blueprint.arguments(AlertPolicyPatch)
@blueprint.response(200, Body)
@right("policies.write")
def patch_policy(body: dict[str, Any], policy_id: int) -> Response:
    """Change what is named; orders that are open stay as they are."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        row = alert_policies.get_policy(session, policy_id, user, lock=True)
        etags.check_match(row.rev)
        alert_policies.change(session, row, body, user, at.clock())
        return etags.tagged(alert_policies.bodies(session, [row])[0])


@blueprint.route("/alert-policies/<id:policy_id>", methods=["DELETE"])
@blueprint.response(204)
@right("policies.write")
def delete_policy(policy_id: int) -> Response:
    """Take it out of force."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        row = alert_policies.get_policy(session, policy_id, user, lock=True)
        etags.check_match(row.rev)
        alert_policies.remove(session, row, user, at.clock())
    return Response(status=204)
