"""Assets: machines and instrument loops with their tags, states and health; what happened to one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, jsonify
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime import historian
from realtime.events import Reason
from server import bodies
from server.api.blueprint import collection, resource
from server.api.register_filter import RegisterFilter, wanted_of
from server.api.schemas import Body, Collection
from server.api.times import Span, span_of
from server.auth.guard import current_user, right
from server.models.alerts import AlertRecord
from server.models.plant import OperatingPeriod, Tag
from server.models.work import WorkOrder
from server.services import services
from server.store import areas, assets, register
from server.timestamps import from_ms, rfc3339

blueprint = resource("assets", "Machines and instruments")
MOST_EVENTS = 500


class AssetsQuery(RegisterFilter):
    """Which assets."""


@blueprint.route("/assets")
@blueprint.arguments(AssetsQuery, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_assets(query: dict[str, Any]) -> Response:
    """Assets of the caller's site by area and code, with tags, open alerts and the newest order; lighter: /api/register/assets."""
    at, site = services(), current_user().site_id
    with at.database.transaction() as session:
        today = areas.site_day(session, site, at.clock())
        page = register.search_assets(
            session, wanted_of(query, site), today, sort=query["sort"], limit=query["limit"], offset=query["offset"]
        )
        return jsonify(collection(bodies.asset_bodies(session, page.items), page.total, query))


@blueprint.route("/assets/<string(maxlength=64):code>")
@blueprint.response(200, Body)
@right("assets.read")
def get_asset(code: str) -> Response:
    """One asset by its code."""
    with services().database.transaction() as session:
        return jsonify(bodies.asset_body(session, assets.get_asset(session, code, current_user())))


@blueprint.route("/assets/<string(maxlength=64):code>/events")
@blueprint.arguments(Span, location="query")
@blueprint.response(200, Body)
@right("assets.read")
def get_events(query: dict[str, Any], code: str) -> Response:
    """What touched the asset in a span: alerts, orders with their proof, operating states and gaps in its data."""
    at = services()
    start, end = span_of(query, at.clock())
    with at.database.transaction() as session:
        asset = assets.get_asset(session, code, current_user())
        found = _events(session, asset.id, from_ms(start), from_ms(end))
        tags = {row.id: row.name for row in session.execute(select(Tag.id, Tag.name).where(Tag.asset_id == asset.id))}
    with at.database.raw() as connection:
        gaps = historian.gaps(connection, list(tags), start, end)
    found["gaps"] = [{"tag": tags[tag], "from": since, "to": until, "reason": Reason(why).name.lower()} for tag, since, until, why in gaps]
    return jsonify(found)


def _events(session: Session, asset_id: int, start: datetime, end: datetime) -> dict[str, Any]:
    touched = AlertRecord.resolved_at.is_(None) | (AlertRecord.resolved_at > start)
    began = (AlertRecord.raised_at < end) | (AlertRecord.data["first_raised"].astext < rfc3339(end))
    alert_query = select(AlertRecord).where(bodies.concerning(asset_id), began, touched)
    order_query = select(WorkOrder).where(WorkOrder.asset_id == asset_id, WorkOrder.created_at < end, WorkOrder.changed_at > start)
    running = OperatingPeriod.ended_at.is_(None) | (OperatingPeriod.ended_at > start)
    period_query = select(OperatingPeriod).where(OperatingPeriod.asset_id == asset_id, OperatingPeriod.started_at < end, running)
    alerts = session.scalars(alert_query.order_by(AlertRecord.id.desc()).limit(MOST_EVENTS)).all()
    orders = session.scalars(order_query.order_by(WorkOrder.id.desc()).limit(MOST_EVENTS)).all()
    periods = session.scalars(period_query.order_by(OperatingPeriod.started_at.desc()).limit(MOST_EVENTS)).all()
    return {
        "alerts": [row for body in bodies.alert_bodies(session, alerts) for row in _spells(body, rfc3339(start), rfc3339(end))],
        "orders": bodies.order_bodies(session, orders),
        "operating": [_period(row) for row in reversed(periods)],
    }


def _spells(alert: dict[str, Any], start: str, end: str) -> list[dict[str, Any]]:
    """An alert that came back is one row for each time it was there, newest first; all have its id."""
    earlier = [{**alert, **spell, "condition": "returned"} for spell in reversed(alert["data"].get("spells", []))]
    return [row for row in [alert, *earlier] if row["raised_at"] < end and (row is alert or row["returned_at"] > start)]


def _period(row: OperatingPeriod) -> dict[str, Any]:
    return {
        "operating": row.operating,
        "fault_code": row.fault_code,
        "started_at": rfc3339(row.started_at),
        "ended_at": rfc3339(row.ended_at),
    }
