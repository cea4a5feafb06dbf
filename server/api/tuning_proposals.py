"""Thresholds that verdicts speak for (N-22): listed with their evidence, accepted or dismissed by a person."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from server.api.blueprint import Page, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.services import services
from server.store import tuning

blueprint = resource("tuning-proposals", "Limits and stuck times that the verdicts of closed orders speak for")

STATES = ("open", "accepted", "dismissed", "withdrawn")


class ProposalsQuery(Page):
    """Which proposals."""

    state = ma.fields.String(load_default=None, validate=ma.validate.OneOf(STATES))


class Decision(ma.Schema):
    """Why."""

    reason = text(500, required=True)


@blueprint.route("/tuning-proposals")
@blueprint.arguments(ProposalsQuery, location="query")
@blueprint.response(200, Collection)
@right("reports.read")
def list_proposals(query: dict[str, Any]) -> Response:
    """Proposals of the caller's site, newest first."""
    with services().database.transaction() as session:
        page = tuning.list_proposals(session, current_user(), query)
        return jsonify(collection(tuning.bodies(session, list(page.items)), page.total, query))


@blueprint.route("/tuning-proposals/<id:proposal_id>")
@blueprint.response(200, Body)
@right("reports.read")
def get_proposal(proposal_id: int) -> Response:
    """One proposal: the change, and how many judged alerts it was proved on."""
    with services().database.transaction() as session:
        return jsonify(tuning.bodies(session, [tuning.get_proposal(session, proposal_id, current_user())])[0])


@blueprint.route("/tuning-proposals/<id:proposal_id>/accept", methods=["POST"])
@blueprint.arguments(Decision)
@blueprint.response(200, Body)
@right("tags.write")
def accept(body: dict[str, Any], proposal_id: int) -> Response:
    """Make the change as by hand, audited; 409 where what it would change is no longer as it was."""
    at = services()
    with at.database.transaction() as session:
        row = tuning.get_proposal(session, proposal_id, current_user(), lock=True)
        tuning.accept(session, row, body["reason"], current_user(), at.clock())
        return jsonify(tuning.bodies(session, [row])[0])


@blueprint.route("/tuning-proposals/<id:proposal_id>/dismiss", methods=["POST"])
@blueprint.arguments(Decision)
@blueprint.response(200, Body)
@right("tags.write")
def dismiss(body: dict[str, Any], proposal_id: int) -> Response:
    """Leave things as they are; it is proposed again only after another false verdict."""
    at = services()
    with at.database.transaction() as session:
        row = tuning.get_proposal(session, proposal_id, current_user(), lock=True)
        tuning.dismiss(session, row, body["reason"], current_user(), at.clock())
        return jsonify(tuning.bodies(session, [row])[0])
