"""Reports over REST (S2-137..142 and the others of server/reports/table.py), as JSON, as a file, or as a job for big ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api.blueprint import Whole, resource, text
from server.api.exports import EXPORT, FILES, download
from server.api.schemas import Body
from server.api.times import Instant, Moment
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.export.files import FORMATS
from server.idempotency import once
from server.reports import render
from server.reports.base import Asked, Report
from server.reports.table import REPORTS, report_named
from server.services import services
from server.store import background

blueprint = resource("reports", "What happened, in figures and tables")

USUAL = timedelta(days=30)
LONGEST = timedelta(days=366 * 10)
MOST_ROWS = 20_000  # in a file made while the caller waits; longer ones are a job


class ReportFilters(ma.Schema):
    """The span (the last 30 days where nothing is said) and what part of the plant."""

    from_ = Moment(data_key="from", metadata={"type": "string", "description": "RFC 3339 or epoch; default 30 days before `to`"})
    to = Moment(metadata={"type": "string", "description": "RFC 3339 or epoch; default now"})
    area = text(200, metadata={"description": "name of an area"})
    asset = text(64, metadata={"description": "code of an asset"})
    search = text(100, metadata={"description": "words in the rows"})


class ReportQuery(ReportFilters):
    """A report's query."""

    rows = ma.fields.Integer(load_default=200, validate=ma.validate.Range(1, 1000), metadata={"description": "rows of each table"})
    export = EXPORT


class ReportJob(ma.Schema):
    """What the file is to be."""

    format = ma.fields.String(required=True, validate=ma.validate.OneOf(FORMATS))
    from_ = Instant(data_key="from", load_default=None, allow_none=True)
    to = Instant(load_default=None, allow_none=True)
    area = text(200, load_default=None, allow_none=True)
    asset = text(64, load_default=None, allow_none=True)
    search = text(100, load_default=None, allow_none=True)


class ReportColumn(ma.Schema):
    """A column or figure: `key` in rows and summary."""

    key = ma.fields.String()
    label = ma.fields.String()
    kind = ma.fields.String()
    unit = ma.fields.String()


class ReportTable(ma.Schema):
    """One table; `total` counts the rows that there are."""

    title = ma.fields.String()
    columns = ma.fields.List(ma.fields.Nested(ReportColumn))
    rows = ma.fields.List(ma.fields.Dict())
    total = Whole()


class ReportBody(Body):
    """A report."""

    report = ma.fields.String()
    title = ma.fields.String()
    summary = ma.fields.Dict()
    summary_columns = ma.fields.List(ma.fields.Nested(ReportColumn))
    tables = ma.fields.List(ma.fields.Nested(ReportTable))


@blueprint.route("/reports")
@blueprint.response(200, Body)
@right("reports.read")
def list_reports() -> Response:
    """Which reports there are."""
    return jsonify(items=[{"name": one.name, "title": one.title, "about": one.about} for one in REPORTS.values()], total=len(REPORTS))


def _show(report: Report, query: dict[str, Any]) -> Response:
    at, user = services(), current_user()
    now = at.clock()
    since, until = span(query, now)
    with at.database.transaction() as session:
        asked = Asked(
            site_id=user.site_id,
            since=since,
            until=until,
            now=now,
            area=query.get("area"),
            asset=query.get("asset"),
            search=query.get("search"),
            **render.site_words(session, user.site_id),
        )
        if query["export"] is None:
            return jsonify(render.body(session, report, asked, query["rows"]))
        built = report.build(session, asked)
        if render.rows_of(session, built) > MOST_ROWS:
            raise Invalid("export", "too_large", f"more than {MOST_ROWS} rows: ask for it as a job (POST /api/reports/{report.name}/jobs)")
        return download(render.tables(session, report, built, asked), query["export"], f"{report.name}-{until:%Y-%m-%d}")


def span(query: dict[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """[from, to) of a query in ms, or of a body in times; raises Invalid when they are the wrong way round or too far apart."""
    until, since = _moment(query.get("to")) or now, _moment(query.get("from_"))
    since = since or until - USUAL
    if since >= until:
        raise Invalid("from", "order", "must be before `to`")
    if until - since > LONGEST:
        raise Invalid("from", "too_long", "at most ten years")
    return since, until


def _moment(value: int | datetime | None) -> datetime | None:
    return datetime.fromtimestamp(value / 1000, UTC) if isinstance(value, int) else value


def _route(report: Report) -> None:
    def show(query: dict[str, Any]) -> Response:
        return _show(report, query)

    show.__name__ = report.name.replace("-", "_")
    show.__doc__ = f"{report.about}."
    view = blueprint.response(200, ReportBody)(right("reports.read")(show))
    view = blueprint.doc(**FILES)(blueprint.arguments(ReportQuery, location="query")(view))
    blueprint.route(f"/reports/{report.name}")(view)


for _report in REPORTS.values():
    _route(_report)


@blueprint.route("/reports/<string(maxlength=64):name>/jobs", methods=["POST"])
@blueprint.arguments(ReportJob)
@blueprint.response(202, Body)
@right("reports.read")
def ask(body: dict[str, Any], name: str) -> Response:
    """Have a report's file made in the background; `GET /api/jobs/{id}` tells how far it is."""
    at, user = services(), current_user()
    report = report_named(name)
    now = at.clock()
    since, until = span(body, now)
    filters = {key: body[key] for key in ("area", "asset", "search") if body[key] is not None}
    args = {"report": report.name, "format": body["format"], "from": since.isoformat(), "to": until.isoformat(), **filters}

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return background.body(background.ask(session, "report.run", args, user, now)), 202

    answer = once(f"reports/{report.name}/jobs", deed)
    answer.headers["Location"] = f"/api/jobs/{answer.get_json()['id']}"
    return answer
