"""The loop's figures: how right detectors and instruments are (N-22), and how good the alarms are (N-31)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from server.api.blueprint import Page, collection, resource
from server.api.exports import EXPORT, FILES, download
from server.api.schemas import Collection
from server.api.times import Moment, span_of
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.export.table import Column, Table
from server.services import services
from server.store import alarm_figures, verdicts
from server.timestamps import from_ms

blueprint = resource("figures", "Precision of detectors and instruments, repeats, quality of the alarms")

USUAL = timedelta(days=90)
LONGEST_ALARMS = timedelta(days=92)
_VERDICTS = (
    Column("scope", "By"),
    Column("name", "Name"),
    Column("verdicts", "Verdicts", "whole"),
    Column("confirmed", "Confirmed", "whole"),
    Column("false", "False", "whole"),
    Column("something_else", "Something else", "whole"),
    Column("precision", "Precision", "number"),
    Column("low", "95 % from", "number"),
    Column("high", "95 % to", "number"),
    Column("trusted", "Trusted"),
    Column("repeats", "Repeats", "whole"),
)
_REPEATS = (
    Column("first", "Order"),
    Column("second", "Repeated by"),
    Column("asset", "Asset"),
    Column("tag", "Tag"),
    Column("type", "Type", "word"),
    Column("after_days", "After", "number", "days"),
)
_ACTORS = (
    Column("message", "Alarm"),
    Column("asset_code", "Asset"),
    Column("tag", "Tag"),
    Column("raised", "Raised", "whole"),
    Column("share", "Share", "number"),
    Column("remedy", "Order that would remove it"),
    Column("why", "Why"),
)
_RATE = (Column("name", "Figure"), Column("value", "Value", "number"))


class FiguresQuery(Page):
    """A span of time; a page of the rows."""

    from_ = Moment(data_key="from", metadata={"type": "string", "description": "RFC 3339 or epoch"})
    to = Moment(metadata={"type": "string", "description": "RFC 3339 or epoch; default now"})
    export = EXPORT


class VerdictsQuery(FiguresQuery):
    """Precision by what; default `from` 90 days back."""

    scope = ma.fields.String(load_default=None, validate=ma.validate.OneOf(verdicts.SCOPES))


class AlarmsQuery(FiguresQuery):
    """Default `from` 7 days back, at most 92 days."""

    operators = ma.fields.Integer(
        load_default=None,
        validate=ma.validate.Range(1, 1000),
        metadata={"description": "who reads the alarms at one time; default the site's active operators"},
    )


def _span(query: Mapping[str, Any], now: datetime, usual: timedelta) -> tuple[datetime, datetime]:
    end = int(query.get("to", now.timestamp() * 1000))
    start, end = span_of({"from_": end - usual // timedelta(milliseconds=1), **query}, now)
    return from_ms(start), from_ms(end)


def _page(rows: list[dict[str, Any]], query: Mapping[str, Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """A page of rows that are all here, sorted; None sorts last. Raises Invalid for a name that is no column."""
    for word in reversed([word for word in query["sort"].split(",") if word]):
        name = word.removeprefix("-")
        if name not in names:
            raise Invalid("sort", "unknown", f"one of {', '.join(names)}, with - in front for descending")
        known = [row for row in rows if row[name] is not None]
        rows = [*sorted(known, key=lambda row: row[name], reverse=word.startswith("-")), *(row for row in rows if row[name] is None)]
    return rows[query["offset"] : query["offset"] + query["limit"]]


@blueprint.route("/figures/verdicts")
@blueprint.arguments(VerdictsQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("reports.read")
def verdict_figures(query: dict[str, Any]) -> Response:
    """Precision per detector, alert type, asset class and instrument from the verdicts of closed orders, and repeats within 30 days."""
    at = services()
    start, end = _span(query, at.clock(), USUAL)
    with at.database.transaction() as session:
        rows, repeats = verdicts.figures(session, current_user().site_id, start, end)
    wanted = [row for row in rows if query["scope"] in {None, row["scope"]}]
    if query["export"]:
        tables = [Table("Precision", _VERDICTS, wanted), Table("Repeats within 30 days", _REPEATS, repeats)]
        return download(tables, query["export"], "verdicts")
    shown = _page(wanted, query, ("name", "verdicts", "precision", "repeats"))
    return jsonify({**collection(shown, len(wanted), query), "repeats": repeats, **verdicts.span_body(start, end)})


@blueprint.route("/figures/alarms")
@blueprint.arguments(AlarmsQuery, location="query")
@blueprint.response(200, Collection)
@blueprint.doc(**FILES)
@right("reports.read")
def alarm_quality(query: dict[str, Any]) -> Response:
    """Rate per operator, floods, chattering, stale; `items` are the ten worst with the order that would remove each."""
    at = services()
    start, end = _span(query, at.clock(), timedelta(days=7))
    if end - start > LONGEST_ALARMS:
        raise Invalid("from", "too_long", f"at most {LONGEST_ALARMS.days} days")
    site = current_user().site_id
    with at.database.transaction() as session:
        operators = query["operators"] or alarm_figures.operators_of(session, site)
        found = alarm_figures.figures(session, site, (start, end), operators, at.clock())
    actors = found.pop("actors")
    if query["export"]:
        return download(_alarm_tables(found, actors), query["export"], "alarm-figures")
    shown = _page(actors, query, ("raised", "share"))
    return jsonify({**collection(shown, len(actors), query), **found, **verdicts.span_body(start, end)})


def _alarm_tables(found: dict[str, Any], actors: list[dict[str, Any]]) -> list[Table]:
    rate = [{"name": name.replace("_", " "), "value": value} for name, value in found["rate"].items()]
    counts = [{"name": name, "value": len(found[name])} for name in ("floods", "chattering", "stale")]
    rows = [
        {
            **actor,
            "asset_code": actor["asset"]["code"] if actor["asset"] else "",
            "remedy": actor["order"]["number"] if actor["order"] else actor["proposal"]["title"],
            "why": "" if actor["order"] else actor["proposal"]["why"],
        }
        for actor in actors
    ]
    return [Table("Ten worst alarms", _ACTORS, rows), Table("Figures", _RATE, [*rate, *counts])]
