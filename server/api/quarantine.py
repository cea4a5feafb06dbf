"""Quarantine: samples of what the collectors refused, by reason; a person looks, tries again, exports or deletes."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime import refused
from realtime.bus import now_ms
from realtime.refused import Refused
from realtime.snapshot import Tag
from server import audit
from server.api import reading_rows
from server.api.blueprint import Page, collection, resource
from server.api.exports import EXPORT, FILES, download
from server.api.refused_payloads import readings_in
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Conflict, Invalid, NotFound
from server.export.table import Column, Table
from server.idempotency import once
from server.models.plant import Source
from server.plant import plant
from server.services import services
from server.timestamps import from_ms, rfc3339

blueprint = resource("quarantine", "Samples of what was refused")
SORTS = ("t", "source", "reason", "topic")
COLUMNS = (
    Column("t", "Time", "time"),
    Column("source", "Source"),
    Column("reason", "Reason"),
    Column("topic", "Topic or tag"),
    Column("sample", "Sample"),
)


class QuarantineQuery(Page):
    """Which samples."""

    reason = ma.fields.String(validate=ma.validate.Length(max=64))
    source = ma.fields.String(validate=ma.validate.Length(max=64))
    export = EXPORT


@blueprint.route("/quarantine")
@blueprint.doc(**FILES)
@blueprint.arguments(QuarantineQuery, location="query")
@blueprint.response(200, Collection)
@right("sources.write")
def list_refused(query: dict[str, Any]) -> Response:
    """What was refused, newest first, with how many of each reason are kept; the last 1,000 of the plant."""
    with services().database.transaction() as session:
        mine = _of_site(session)
    reasons: dict[str, int] = {}
    for one in mine:
        reasons[one.reason] = reasons.get(one.reason, 0) + 1
    found = [one for one in mine if query.get("reason", one.reason) == one.reason and query.get("source", one.source) == one.source]
    found = sort_by(found, query["sort"], SORTS)
    if query["export"]:
        rows = [{"t": from_ms(one.t), **{name: getattr(one, name) for name in ("source", "reason", "topic", "sample")}} for one in found]
        return download(Table("Quarantine", COLUMNS, rows), query["export"], "quarantine")
    shown = [_body(one) for one in found[query["offset"] : query["offset"] + query["limit"]]]
    return jsonify(collection(shown, len(found), query) | {"reasons": reasons})


def sort_by(rows: list[Any], sort: str, names: tuple[str, ...]) -> list[Any]:
    """Rows by `sort`, as the collections of tables; raises Invalid for a name that is none."""
    for word in reversed([word for word in sort.split(",") if word]):
        name = word.removeprefix("-")
        if name not in names:
            raise Invalid("sort", "unknown", f"one of {', '.join(names)}")
        rows = sorted(rows, key=lambda row, name=name: getattr(row, name), reverse=word.startswith("-"))  # type: ignore[misc]
    return rows


def _of_site(session: Session) -> list[Refused]:
    mine = set(session.scalars(select(Source.name).where(Source.site_id == current_user().site_id)))
    return [one for one in refused.quarantined(services().bus) if one.source in mine]


def _body(one: Refused) -> dict[str, Any]:
    same = {name: getattr(one, name) for name in ("id", "source", "reason", "topic", "sample")}
    return {**same, "t": rfc3339(from_ms(one.t)), "retryable": readings_in(one) is not None}


def _get(session: Session, sample_id: str) -> Refused:
    for one in _of_site(session):
        if one.id == sample_id:
            return one
    raise NotFound("sample", sample_id)


@blueprint.route("/quarantine/<string(maxlength=32):sample_id>")
@blueprint.response(200, Body)
@right("sources.write")
def get_refused(sample_id: str) -> Response:
    """One sample."""
    with services().database.transaction() as session:
        return jsonify(_body(_get(session, sample_id)))


@blueprint.route("/quarantine/<string(maxlength=32):sample_id>/retry", methods=["POST"])
@blueprint.response(200, Body)
@right("sources.write")
def retry(sample_id: str) -> Response:
    """Take it as readings again, now that its tag is known or its unit right; what is taken leaves the quarantine."""
    known, user, now = plant(), current_user(), now_ms()

    def find(name: str) -> Tag | None:
        tag = known.tags.get(name)
        return tag if tag is not None and not tag.virtual and known.is_of_site(tag, user.site_id) else None

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        one = _get(session, sample_id)
        items = readings_in(one)
        if items is None:
            raise Conflict(
                "not_retryable", "it is no whole reading: only the collector that refused it can read it, when the device sends it again"
            )
        checked = reading_rows.check(items, find, now, oldest_ms=reading_rows.REPLAY_OLDEST_MS)
        if checked.rows:
            flags = frozenset({"replay"})  # old: it raises nothing and moves no live value
            services().bus.add_batches(reading_rows.batches(checked.rows, one.source, now, flags), live=False)
        is_taken = not checked.rejected
        if is_taken:
            refused.drop_refused(services().bus, one)
        _note(session, "retry", one, {"accepted": len(checked.rows), "rejected": checked.rejected})
        return {"accepted": len(checked.rows), "rejected": checked.rejected, "removed": is_taken}, 200

    return once("quarantine-retry", deed)


@blueprint.route("/quarantine/<string(maxlength=32):sample_id>", methods=["DELETE"])
@blueprint.response(204)
@right("sources.write")
def remove(sample_id: str) -> Response:
    """Take it out; the audit trail keeps it."""
    with services().database.transaction() as session:
        one = _get(session, sample_id)
        _note(session, "delete", one, None)
    refused.drop_refused(services().bus, one)
    return Response(status=204)


def _note(session: Session, action: str, one: Refused, new: dict[str, Any] | None) -> None:
    old = {name: getattr(one, name) for name in ("t", "source", "reason", "topic", "sample")}
    audit.record(session, audit.Change(action, "quarantine", None, current_user().site_id, old, new), current_user(), services().clock())
