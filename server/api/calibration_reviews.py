"""What a person decides on the ground of calibrations: accepted intervals (S2-16) and signed impact reviews (N-27)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from server.api import etags
from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.services import services
from server.store import impact, instruments, intervals

blueprint = resource("calibration-reviews", "Calibration intervals and impact reviews, decided by people")


class ReviewsQuery(Page):
    """Which reviews."""

    state = ma.fields.String(load_default=None, validate=ma.validate.OneOf(["open", "signed"]))
    instrument = ma.fields.String(load_default=None, validate=ma.validate.Length(max=64))


class ReviewConclusion(ma.Schema):
    """What the reviewer found."""

    conclusion = text(4000, required=True)


class AcceptedInterval(ma.Schema):
    """The interval a person accepts."""

    days = Whole(low=1, high=36_500, required=True)
    reason = text(2000, shortest=0, load_default="")


@blueprint.route("/instruments/<id:instrument_id>/interval")
@blueprint.response(200, Body)
@right("calibrations.read")
def get_interval(instrument_id: int) -> Response:
    """The interval that its drift rate proposes, with every step of the calculation; nothing changes by itself."""
    with services().database.transaction() as session:
        return etags.tagged(intervals.body(session, instruments.get_instrument(session, instrument_id, current_user())))


@blueprint.route("/instruments/<id:instrument_id>/interval", methods=["POST"])
@blueprint.arguments(AcceptedInterval)
@blueprint.response(200, Body)
@right("calibrations.accept")
def accept_interval(body: dict[str, Any], instrument_id: int) -> Response:
    """Accept the proposed interval, or set another; who, when and the calculation are kept."""
    at = services()
    with at.database.transaction() as session:
        row = instruments.get_instrument(session, instrument_id, current_user(), lock=True)
        etags.check_match(row.rev)
        intervals.accept(session, row, body["days"], body["reason"], current_user(), at.clock())
        return etags.tagged(intervals.body(session, row))


@blueprint.route("/impact-reviews")
@blueprint.arguments(ReviewsQuery, location="query")
@blueprint.response(200, Collection)
@right("calibrations.read")
def list_reviews(query: dict[str, Any]) -> Response:
    """Impact reviews of the caller's site, newest first."""
    with services().database.transaction() as session:
        page = impact.list_reviews(session, current_user().site_id, query)
        return jsonify(collection(impact.bodies(session, page.items), page.total, query))


@blueprint.route("/impact-reviews/<id:review_id>")
@blueprint.response(200, Body)
@right("calibrations.read")
def get_review(review_id: int) -> Response:
    """One review with everything that was decided on the instrument since it was last known good."""
    with services().database.transaction() as session:
        return etags.tagged(impact.bodies(session, [impact.get(session, review_id, current_user())])[0])


@blueprint.route("/impact-reviews/<id:review_id>/sign", methods=["POST"])
@blueprint.arguments(ReviewConclusion)
@blueprint.response(200, Body)
@right("calibrations.accept")
def sign_review(body: dict[str, Any], review_id: int) -> Response:
    """Answer for the review; not by whoever calibrated."""
    at = services()
    with at.database.transaction() as session:
        row = impact.sign(session, review_id, body["conclusion"], current_user(), at.clock())
        return etags.tagged(impact.bodies(session, [row])[0])
