"""When tags would reach their limits if they went on as they did: with a band, and a plain "no" where nobody can say."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

import marshmallow as ma
from flask import Response, jsonify, url_for
from sqlalchemy.orm import Session

from realtime.forecasts import Forecast, State, Trendline
from server.api.blueprint import resource
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.idempotency import once
from server.models.plant import Tag, TagLimit
from server.services import services
from server.store import assets, background, forecasts, limits, lives
from server.timestamps import from_ms, rfc3339

blueprint = resource("forecasts", "Time to limit, remaining life")


class LimitForecast(ma.Schema):
    """One limit. The three times are set only where `state` is `expected`; the band is a bootstrap of 90 % (decision 009)."""

    limit = ma.fields.Integer()
    tag = ma.fields.String()
    unit = ma.fields.String()
    side = ma.fields.String(validate=ma.validate.OneOf(["high", "low"]))
    value = ma.fields.Float()
    severity = ma.fields.String()
    state = ma.fields.String(validate=ma.validate.OneOf(list(get_args(State))))
    expected = ma.fields.String(allow_none=True)
    earliest = ma.fields.String(allow_none=True)
    latest = ma.fields.String(allow_none=True)
    level = ma.fields.Float(allow_none=True, metadata={"description": "of the trend, at its newest hour"})
    per_day = ma.fields.Float(allow_none=True, metadata={"description": "what the trend gains a day"})
    span_days = ma.fields.Float(allow_none=True, metadata={"description": "how far back the trend was taken"})
    levels = ma.fields.Integer(metadata={"description": "means that the trend stands on"})


class RemainingLife(ma.Schema):
    """`remaining_life`: one row; its hours and times are set only where `state` is `expected` (docs/monitoring.md). job: the last one."""

    asset = ma.fields.String()
    remaining_life = ma.fields.List(ma.fields.Nested(Body))
    job = ma.fields.Nested(Body, allow_none=True)


class Forecasts(ma.Schema):
    """A forecast a limit, judged now."""

    judged_at = ma.fields.String()
    forecasts = ma.fields.List(ma.fields.Nested(LimitForecast))


@blueprint.route("/tags/<id:tag_id>/forecast")
@blueprint.response(200, Forecasts)
@right("readings.read")
def get_tag_forecast(tag_id: int) -> Response:
    """Time to each limit of a tag, from hourly means of the last 30, 7 and 1 days (since its calibration), with a 90 % band."""
    at = services()
    now = at.clock()
    with at.database.transaction() as session:
        limited = forecasts.limits_of(session, [limits.get_tag(session, tag_id, current_user())], now)
    return jsonify(judged_at=rfc3339(now), forecasts=_told(limited, now))


@blueprint.route("/assets/<string(maxlength=64):code>/forecast")
@blueprint.response(200, Forecasts)
@right("readings.read")
def get_asset_forecast(code: str) -> Response:
    """The same for the limits of the asset's tags (the first 50 that have any), soonest first."""
    at = services()
    now = at.clock()
    with at.database.transaction() as session:
        asset = assets.get_asset(session, code, current_user())
        limited = forecasts.limits_of(session, forecasts.limited_tags(session, asset), now)
    told = sorted(_told(limited, now), key=lambda one: (one["expected"] is None, one["expected"] or ""))
    return jsonify(judged_at=rfc3339(now), forecasts=told)


@blueprint.route("/assets/<string(maxlength=64):code>/remaining-life")
@blueprint.response(200, RemainingLife)
@right("assets.read")
def get_remaining_life(code: str) -> Response:
    """Run hours to the next failure, from the lives of machines of its class in its site, with a 90 % band; else a word why not."""
    at = services()
    with at.database.transaction() as session:
        return jsonify(lives.body(session, assets.get_asset(session, code, current_user())))


@blueprint.route("/assets/<string(maxlength=64):code>/remaining-life", methods=["POST"])
@blueprint.response(202, Body)
@right("assets.write")
def learn_remaining_life(code: str) -> Response:
    """Learn it from the lives on record, for every machine of the class; one that is under way is answered again."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        asset = assets.get_asset(session, code, current_user())
        return background.body(lives.ask(session, asset, current_user(), services().clock())), 202

    answer = once("remaining-life", deed)
    answer.headers["Location"] = url_for("forecasts.get_remaining_life", code=code)
    return answer


def _told(limited: forecasts.Limited, now: datetime) -> list[dict[str, Any]]:
    with services().database.raw() as connection:
        return [_body(*one) for one in forecasts.forecasts(connection, limited, now)]


def _body(row: TagLimit, tag: Tag, found: Forecast, line: Trendline | None) -> dict[str, Any]:
    moments = {name: None if (t := getattr(found, name)) is None else rfc3339(from_ms(t)) for name in ("expected", "earliest", "latest")}
    trend: dict[str, Any] = {"level": None, "per_day": None, "span_days": None, "levels": 0}
    if line is not None:
        trend = {
            "level": line.level,
            "per_day": 24 * line.slope,
            "span_days": round(line.span_ms / forecasts.DAY_MS, 1),
            "levels": line.points,
        }
    own = {"limit": row.id, "tag": tag.name, "unit": tag.unit, "side": row.side, "value": row.value, "severity": row.severity}
    return {**own, "state": found.state, **moments, **trend}
