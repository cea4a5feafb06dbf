"""Alerts: the list, and what people do with one (S2-128..130)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server import bodies
from server.api.blueprint import Page, collection, resource, text
from server.api.schemas import Body, Collection
from server.api.times import Instant
from server.auth.guard import current_user, right
from server.models.alerts import AlertRecord
from server.services import services
from server.store import alerts, storm, watch_list
from server.store.actor import Person

blueprint = resource("alerts", "What is wrong, and who knows")


class AlertsQuery(Page):
    """Which alerts."""

    active = ma.fields.String(load_default="true", validate=ma.validate.OneOf(["true", "false", "all"]))
    asset = ma.fields.String(load_default=None, metadata={"description": "an asset's code"})
    watch = ma.fields.Boolean(load_default=False, metadata={"description": "the watch list instead"})
    suppressed = ma.fields.Boolean(load_default=False, metadata={"description": "what maintenance or a flood holds back instead"})


class Resolution(ma.Schema):
    """What was found and done."""

    notes = text(2000, required=True)
    force = ma.fields.Boolean(
        load_default=False, truthy={True}, falsy={False}, metadata={"description": "a manager's: condition still active"}
    )


class Alerts(Collection):
    """`precision` with `watch=true` only: how often verdicts of the last 90 days said that a detector was right, by its name.

    `flood` with `suppressed=true` only: whether a flood is on now.
    """

    flood = ma.fields.Boolean()
    precision = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Nested(Body))


class Dismissal(ma.Schema):
    """What was looked at."""

    notes = text(2000, required=True)


class Shelving(ma.Schema):
    """Until when, and why."""

    until = Instant(required=True)
    reason = text(500, required=True)


def _changed(change: Callable[[Session, Person, datetime], AlertRecord]) -> Response:
    at = services()
    with at.database.transaction() as session:
        return jsonify(bodies.alert_body(session, change(session, current_user(), at.clock())))


@blueprint.route("/alerts")
@blueprint.arguments(AlertsQuery, location="query")
@blueprint.response(200, Alerts)
@right("alerts.read")
def list_alerts(query: dict[str, Any]) -> Response:
    """Alerts of the caller's site, newest first; the watch list with `precision` by detector, what is held back with `flood`."""
    site = current_user().site_id
    wanted = {name: query[name] for name in ("asset", "sort", "limit", "offset")}
    which: alerts.Which = "suppressed" if query["suppressed"] else "watch" if query["watch"] else "announced"
    active = {"true": True, "false": False, "all": None}[query["active"]]
    with services().database.transaction() as session:
        page = alerts.list_alerts(session, site=site, active=active, which=which, **wanted)
        said = _said(session, site, which)
        return jsonify({**collection(bodies.alert_bodies(session, page.items), page.total, query), **said})


def _said(session: Session, site: int | None, which: alerts.Which) -> dict[str, Any]:
    if which == "watch":
        return {"precision": watch_list.precision(session, site, services().clock())}
    return {"flood": storm.is_on_for(session, site, services().clock())} if which == "suppressed" else {}


@blueprint.route("/alerts/<id:alert_id>")
@blueprint.response(200, Body)
@right("alerts.read")
def get_alert(alert_id: int) -> Response:
    """One alert."""
    with services().database.transaction() as session:
        return jsonify(bodies.alert_body(session, alerts.get_alert(session, alert_id, current_user())))


@blueprint.route("/alerts/<id:alert_id>/acknowledge", methods=["POST"])
@blueprint.response(200, Body)
@right("alerts.acknowledge")
def acknowledge(alert_id: int) -> Response:
    """Say that somebody has seen it."""
    return _changed(lambda session, user, now: alerts.acknowledge(session, alert_id, user, now))


@blueprint.route("/alerts/<id:alert_id>/resolve", methods=["POST"])
@blueprint.arguments(Resolution)
@blueprint.response(200, Body)
@right("alerts.resolve")
def resolve(body: dict[str, Any], alert_id: int) -> Response:
    """End it with notes; 409 while the condition is active."""
    return _changed(lambda session, user, now: alerts.resolve(session, alert_id, user, now, body["notes"], body["force"]))


@blueprint.route("/alerts/<id:alert_id>/shelve", methods=["POST"])
@blueprint.arguments(Shelving)
@blueprint.response(200, Body)
@right("alerts.shelve")
def shelve(body: dict[str, Any], alert_id: int) -> Response:
    """Hide it until a time, with a reason."""
    return _changed(lambda session, user, now: alerts.shelve(session, alert_id, user, now, body["until"], body["reason"]))


@blueprint.route("/alerts/<id:alert_id>/unshelve", methods=["POST"])
@blueprint.response(200, Body)
@right("alerts.shelve")
def unshelve(alert_id: int) -> Response:
    """Show it again."""
    return _changed(lambda session, user, now: alerts.unshelve(session, alert_id, user, now))


@blueprint.route("/alerts/<id:alert_id>/promote", methods=["POST"])
@blueprint.response(200, Body)
@right("alerts.resolve")
def promote(alert_id: int) -> Response:
    """Take a finding off the watch list."""
    return _changed(lambda session, user, now: alerts.promote(session, alert_id, user, now))


@blueprint.route("/alerts/<id:alert_id>/dismiss", methods=["POST"])
@blueprint.arguments(Dismissal)
@blueprint.response(200, Body)
@right("alerts.resolve")
def dismiss(body: dict[str, Any], alert_id: int) -> Response:
    """Nothing was found: a false verdict on an entry of the watch list, which ends once its condition has returned."""
    return _changed(lambda session, user, now: alerts.dismiss(session, alert_id, user, now, body["notes"]))
