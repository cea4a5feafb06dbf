"""Downtime: when machines stood and why; reasons that people choose from (N-2, N-4, N-26)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.calibrations import located
from server.api.exports import EXPORT, FILES, download
from server.api.schemas import Body, Collection
from server.api.times import Instant, Moment
from server.auth.guard import current_user, right
from server.export.table import Column, Table
from server.idempotency import once
from server.rules.downtime import Category
from server.services import services
from server.store import downtime_acts, downtimes
from server.store.downtimes import Wanted
from server.timestamps import from_ms

blueprint = resource("downtimes", "When machines stood, and why")

CATEGORIES = [str(word) for word in Category]
MOST_EXPORTED = 50_000
COLUMNS = (
    Column("asset", "Asset"),
    Column("area", "Area"),
    Column("started_at", "From", "time"),
    Column("ended_at", "To", "time"),
    Column("minutes", "Minutes", "number", "min"),
    Column("state", "State", "word"),
    Column("fault_code", "Fault code"),
    Column("category", "Category", "word"),
    Column("reason", "Reason"),
    Column("order", "Order"),
    Column("cause", "Because of"),
    Column("cost", "Cost", "money"),
    Column("note", "Note"),
)


class DowntimesQuery(Page):
    """Which stretches."""

    from_ = Moment(data_key="from", metadata={"type": "string", "description": "RFC 3339 or epoch"})
    to = Moment(metadata={"type": "string", "description": "RFC 3339 or epoch"})
    area = ma.fields.String(load_default=None, validate=ma.validate.Length(max=200))
    asset = ma.fields.String(load_default=None, validate=ma.validate.Length(max=64))
    category = ma.fields.String(load_default=None, validate=ma.validate.OneOf(CATEGORIES))
    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    own = ma.fields.Boolean(load_default=None, metadata={"description": "without what stood because another machine did"})
    open = ma.fields.Boolean(load_default=None, metadata={"description": "still standing"})
    export = EXPORT


class Classified(ma.Schema):
    """Why: a reason of the list (id or code), or a category alone."""

    reason = ma.fields.Raw(allow_none=True, metadata={"type": ["integer", "string"], "description": "id or code"})
    category = ma.fields.String(validate=ma.validate.OneOf(["planned", "unplanned"]))
    note = text(2000, shortest=0)

    @ma.validates("reason")
    def check_reason(self, value: Any, data_key: str) -> None:
        """An id or a code."""
        del data_key
        if isinstance(value, bool) or not isinstance(value, int | str | None):
            raise ma.ValidationError("An id or a code.")


class NewDowntime(Classified):
    """A stretch entered by hand."""

    asset = text(64, required=True)
    started_at = Instant(required=True)
    ended_at = Instant(allow_none=True)


class DowntimePatch(ma.Schema):
    """What is corrected."""

    started_at = Instant()
    ended_at = Instant()
    note = text(2000, shortest=0)
    order = text(18, allow_none=True, metadata={"description": "number of the work order"})


class Split(ma.Schema):
    """Where a stretch is divided."""

    at = Instant(required=True)


class Merge(ma.Schema):
    """With which row."""

    with_ = Whole(low=1, high=2**31 - 1, required=True, data_key="with")


class Search(Page):
    """Which reasons."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


class Reason(ma.Schema):
    """A reason and what it makes of a stretch."""

    code = text(64, required=True)
    label = text(200, required=True)
    category = ma.fields.String(required=True, validate=ma.validate.OneOf(["planned", "unplanned"]))


@blueprint.route("/downtimes")
@blueprint.arguments(DowntimesQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("downtime.read")
def list_downtimes(query: dict[str, Any]) -> Response:
    """Stretches of the caller's site that touch the span, newest first; `export` answers a file."""
    at = services()
    bounds: dict[str, Any] = {
        "start": from_ms(query["from_"]) if "from_" in query else None,
        "end": from_ms(query["to"]) if "to" in query else None,
    }
    names = ("area", "asset", "category", "search", "own", "open", "sort")
    page_of = {"limit": MOST_EXPORTED, "offset": 0} if query["export"] else {name: query[name] for name in ("limit", "offset")}
    with at.database.transaction() as session:
        wanted = Wanted(**bounds, **{name: query[name] for name in names}, **page_of)
        page = downtimes.list_downtimes(session, current_user().site_id, wanted)
        bodies = downtimes.bodies(session, page.items, at.clock())
        if query["export"]:
            return download(Table("Downtime", COLUMNS, (_flat(body) for body in bodies)), query["export"], "downtime")
        return jsonify(collection(bodies, page.total, query))


def _flat(body: dict[str, Any]) -> dict[str, Any]:
    named = {"asset": body["asset"]["code"], "area": body["asset"]["area"]}
    inner = {"reason": (body["reason"] or {}).get("label"), "order": (body["order"] or {}).get("number")}
    return {**body, **named, **inner, "cause": (body["cause"] or {}).get("asset")}


@blueprint.route("/downtimes", methods=["POST"])
@blueprint.arguments(NewDowntime)
@blueprint.response(201, Body)
@right("downtime.classify")
def create_downtime(body: dict[str, Any]) -> Response:
    """Enter a stretch by hand, where no bit of the machine says it."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return downtimes.bodies(session, [downtime_acts.create(session, body, current_user(), at.clock())], at.clock())[0], 201

    return located(once("downtimes", deed), "downtimes")


@blueprint.route("/downtimes/<id:downtime_id>")
@blueprint.response(200, Body)
@right("downtime.read")
def get_downtime(downtime_id: int) -> Response:
    """One stretch."""
    at = services()
    with at.database.transaction() as session:
        return etags.tagged(downtimes.bodies(session, [downtimes.get(session, downtime_id, current_user())], at.clock())[0])


@blueprint.route("/downtimes/<id:downtime_id>", methods=["PATCH"])
@blueprint.arguments(DowntimePatch)
@blueprint.response(200, Body)
@right("downtime.classify")
def change_downtime(body: dict[str, Any], downtime_id: int) -> Response:
    """Correct times, note or work order."""
    at = services()
    with at.database.transaction() as session:
        row = downtime_acts.locked(session, downtime_id, current_user())
        etags.check_match(row.rev)
        downtime_acts.change(session, row, body, current_user(), at.clock())
        return etags.tagged(downtimes.bodies(session, [row], at.clock())[0])


@blueprint.route("/downtimes/<id:downtime_id>", methods=["DELETE"])
@blueprint.response(204)
@right("downtime.classify")
def delete_downtime(downtime_id: int) -> Response:
    """Take out a stretch that was none."""
    at = services()
    with at.database.transaction() as session:
        row = downtime_acts.locked(session, downtime_id, current_user())
        etags.check_match(row.rev)
        downtime_acts.delete(session, row, current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/downtimes/<id:downtime_id>/classify", methods=["POST"])
@blueprint.arguments(Classified)
@blueprint.response(200, Body)
@right("downtime.classify")
def classify(body: dict[str, Any], downtime_id: int) -> Response:
    """Say why the machine stood."""
    at = services()
    with at.database.transaction() as session:
        row = downtime_acts.locked(session, downtime_id, current_user())
        downtime_acts.classify(session, row, body, current_user(), at.clock())
        session.flush()
        return jsonify(downtimes.bodies(session, [row], at.clock())[0])


@blueprint.route("/downtimes/<id:downtime_id>/split", methods=["POST"])
@blueprint.arguments(Split)
@blueprint.response(201, Body)
@right("downtime.classify")
def split(body: dict[str, Any], downtime_id: int) -> Response:
    """Divide a stretch in two; answers the second part."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = downtime_acts.locked(session, downtime_id, current_user())
        second = downtime_acts.split(session, row, body["at"], current_user(), at.clock())
        return downtimes.bodies(session, [second], at.clock())[0], 201

    return located(once("downtimes", deed), "downtimes")


@blueprint.route("/downtimes/<id:downtime_id>/merge", methods=["POST"])
@blueprint.arguments(Merge)
@blueprint.response(200, Body)
@right("downtime.classify")
def merge(body: dict[str, Any], downtime_id: int) -> Response:
    """Make it one with the next or former stretch of the machine."""
    at = services()
    with at.database.transaction() as session:
        row = downtime_acts.locked(session, downtime_id, current_user())
        downtime_acts.merge(session, row, body["with_"], current_user(), at.clock())
        return jsonify(downtimes.bodies(session, [row], at.clock())[0])


@blueprint.route("/downtime-reasons")
@blueprint.arguments(Search, location="query")
@blueprint.response(200, Collection)
@right("downtime.read")
def list_reasons(query: dict[str, Any]) -> Response:
    """Reasons of the caller's site."""
    with services().database.transaction() as session:
        page = downtimes.list_reasons(session, current_user().site_id, query["search"], query)
        return jsonify(collection([downtimes.reason_body(row) for row in page.items], page.total, query))


@blueprint.route("/downtime-reasons", methods=["POST"])
@blueprint.arguments(Reason)
@blueprint.response(201, Body)
@right("taxonomy.write")
def create_reason(body: dict[str, Any]) -> Response:
    """Offer a reason."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return downtimes.reason_body(downtimes.save_reason(session, None, body, current_user(), at.clock())), 201

    return located(once("downtime-reasons", deed), "downtime-reasons")


@blueprint.route("/downtime-reasons/<id:reason_id>")
@blueprint.response(200, Body)
@right("downtime.read")
def get_reason(reason_id: int) -> Response:
    """One reason."""
    with services().database.transaction() as session:
        return etags.tagged(downtimes.reason_body(downtimes.get_reason(session, reason_id, current_user())))


@blueprint.route("/downtime-reasons/<id:reason_id>", methods=["PATCH"])
@blueprint.arguments(Reason(partial=True))
@blueprint.response(200, Body)
@right("taxonomy.write")
def change_reason(body: dict[str, Any], reason_id: int) -> Response:
    """Change a reason; stretches keep the category they got by it."""
    at = services()
    with at.database.transaction() as session:
        row = downtimes.get_reason(session, reason_id, current_user())
        etags.check_match(row.rev)
        return etags.tagged(downtimes.reason_body(downtimes.save_reason(session, row, body, current_user(), at.clock())))


@blueprint.route("/downtime-reasons/<id:reason_id>", methods=["DELETE"])
@blueprint.response(204)
@right("taxonomy.write")
def delete_reason(reason_id: int) -> Response:
    """Offer a reason no more."""
    at = services()
    with at.database.transaction() as session:
        row = downtimes.get_reason(session, reason_id, current_user())
        etags.check_match(row.rev)
        downtimes.delete_reason(session, row, current_user(), at.clock())
    return Response(status=204)
