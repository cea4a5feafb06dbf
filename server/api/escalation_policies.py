"""Who is told of an alert that nobody acknowledges, after how long and how often (N-6)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from realtime.events import Severity
from server.api import etags
from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.rules.roles import Role, may
from server.services import services
from server.store import escalation_policies

blueprint = resource("escalation-policies", "Who is told of an alert that nobody acknowledges")

LONGEST_MIN = 7 * 24 * 60
RINGED = [str(role) for role in Role if may(role, "notifications.read")]


class EscalationPoliciesQuery(Page):
    """Which policies."""

    search = ma.fields.String(load_default="", validate=ma.validate.Length(max=100))


class EscalationPolicyPatch(ma.Schema):
    """What may change of a policy."""

    name = text(200)
    severity = ma.fields.String(validate=ma.validate.OneOf([str(one) for one in Severity]))
    shift = text(64, allow_none=True)
    after_min = Whole(low=1, high=LONGEST_MIN)
    to_role = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(RINGED))
    to_team_id = Whole(low=1, allow_none=True)
    on_duty = ma.fields.Boolean(truthy={True}, falsy={False})
    repeat_min = Whole(low=1, high=LONGEST_MIN, allow_none=True)
    rounds = Whole(low=1, high=100)
    active = ma.fields.Boolean(truthy={True}, falsy={False})


class NewEscalationPolicy(EscalationPolicyPatch):
    """A policy of the caller's site; without role and team everybody who may acknowledge alerts is told."""

    name = text(200, required=True)
    severity = ma.fields.String(required=True, validate=ma.validate.OneOf([str(one) for one in Severity]))
    shift = text(64, allow_none=True, load_default=None)
    after_min = Whole(low=1, high=LONGEST_MIN, required=True)
    to_role = ma.fields.String(allow_none=True, load_default=None, validate=ma.validate.OneOf(RINGED))
    to_team_id = Whole(low=1, allow_none=True, load_default=None)
    on_duty = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    repeat_min = Whole(low=1, high=LONGEST_MIN, allow_none=True, load_default=None)
    rounds = Whole(low=1, high=100, load_default=1)
    active = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})


@blueprint.route("/escalation-policies")
@blueprint.arguments(EscalationPoliciesQuery, location="query")
@blueprint.response(200, Collection)
@right("policies.write")
def list_policies(query: dict[str, Any]) -> Response:
    """Policies of the caller's site, the quickest first."""
    with services().database.transaction() as session:
        page = escalation_policies.list_policies(session, current_user(), query["search"], query)
        return jsonify(collection(escalation_policies.bodies(session, list(page.items)), page.total, query))


@blueprint.route("/escalation-policies", methods=["POST"])
@blueprint.arguments(NewEscalationPolicy)
@blueprint.response(201, Body)
@right("policies.write")
def create_policy(body: dict[str, Any]) -> Response:
    """Put a policy in force."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = escalation_policies.create(session, body, current_user(), services().clock())
        return escalation_policies.bodies(session, [row])[0], 201

    answer = once("escalation-policies", deed)
    answer.headers["Location"] = f"/api/escalation-policies/{answer.get_json()['id']}"
    return answer


@blueprint.route("/escalation-policies/<id:policy_id>")
@blueprint.response(200, Body)
@right("policies.write")
def get_policy(policy_id: int) -> Response:
    """One policy."""
    with services().database.transaction() as session:
        row = escalation_policies.get_policy(session, policy_id, current_user())
        return etags.tagged(escalation_policies.bodies(session, [row])[0])


@blueprint.route("/escalation-policies/<id:policy_id>", methods=["PATCH"])
@blueprint.arguments(EscalationPolicyPatch)
@blueprint.response(200, Body)
@right("policies.write")
def patch_policy(body: dict[str, Any], policy_id: int) -> Response:
    """Change what is named."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        row = escalation_policies.get_policy(session, policy_id, user, lock=True)
        etags.check_match(row.rev)
        escalation_policies.change(session, row, body, user, at.clock())
        return etags.tagged(escalation_policies.bodies(session, [row])[0])


@blueprint.route("/escalation-policies/<id:policy_id>", methods=["DELETE"])
@blueprint.response(204)
@right("policies.write")
def delete_policy(policy_id: int) -> Response:
    """Take it out of force."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        row = escalation_policies.get_policy(session, policy_id, user, lock=True)
        etags.check_match(row.rev)
        escalation_policies.remove(session, row, user, at.clock())
    return Response(status=204)
