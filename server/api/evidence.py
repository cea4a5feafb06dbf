"""What backs an alert and an order: the fault story (N-24) and the chain of evidence (N-33)."""

from __future__ import annotations

import io
from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from server.api.blueprint import resource
from server.api.exports import FILES, attachment
from server.api.schemas import Body
from server.api.times import Moment
from server.api.work_orders import find
from server.audit_files import audit_key
from server.auth.guard import current_user, right
from server.export.evidence_pdf import evidence_document
from server.services import services
from server.store import alerts, evidence, fault_story

blueprint = resource("evidence", "What an alert looked like, and the chain from reading to closed order")


class StoryQuery(ma.Schema):
    """Which story of an alert that came more than once."""

    at = Moment(load_default=None, metadata={"type": "string", "description": "the last one raised until then; default the newest"})


class EvidenceQuery(ma.Schema):
    """JSON, or one PDF."""

    export = ma.fields.String(load_default=None, validate=ma.validate.OneOf(["pdf"]))


@blueprint.route("/alerts/<id:alert_id>/story")
@blueprint.arguments(StoryQuery, location="query")
@blueprint.response(200, Body)
@right("alerts.read")
def get_story(query: dict[str, Any], alert_id: int) -> Response:
    """All tags of the asset around the raise, states, last works and parts, as they were frozen; `waiting` in the first seconds."""
    with services().database.transaction() as session:
        alert = alerts.get_alert(session, alert_id, current_user())
        return jsonify(fault_story.body(alert, fault_story.stories_of(session, alert.id), query["at"]))


@blueprint.route("/work-orders/<string(maxlength=64):key>/evidence")
@blueprint.arguments(EvidenceQuery, location="query")
@blueprint.response(200, Body)
@blueprint.doc(**FILES)
@right("orders.read")
def get_evidence(query: dict[str, Any], key: str) -> Response:
    """Readings, alert, findings, acts, answers, proof and verdict, each hash linked to the one before; JSON to verify, PDF to read."""
    at = services()
    with at.database.transaction() as session:
        order = find(session, key)
        chain = evidence.document(session, order, audit_key(at.settings), at.clock())
    if query["export"] == "pdf":
        return attachment(io.BytesIO(evidence_document(chain)), "application/pdf", f"evidence-{chain['order']['number']}.pdf")
    return jsonify(chain)
