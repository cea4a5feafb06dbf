"""How healthy a thing is and why (S2-R11), and what an alert means: kind of fault, sensor or process, what to do (S2-R4, N-28, S3-12)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from server.api.blueprint import resource
from server.auth.guard import current_user, right
from server.rules.fault_kind import FaultKind
from server.rules.health import UNKNOWN, WORDS, Health
from server.rules.triage import Suspect
from server.services import services
from server.store import alerts, assets, diagnoses, health, instruments
from server.timestamps import rfc3339

blueprint = resource("health", "Health with its reasons, and what alerts mean")


class HealthReason(ma.Schema):
    """What took points, in words that name the signal with its figures."""

    points = ma.fields.Integer()
    text = ma.fields.String()
    kind = ma.fields.String(validate=ma.validate.OneOf(["calibration", "rule", "machine", "ml", "drift", "instrument", "work"]))
    tag = ma.fields.String(allow_none=True)
    alert = ma.fields.Integer(allow_none=True)
    value = ma.fields.Float(allow_none=True)


class HealthLine(ma.Schema):
    """One line of the calculation: 100, less each reason, is the score."""

    text = ma.fields.String()
    points = ma.fields.Integer(allow_none=True)


class HealthBody(ma.Schema):
    """score 0..100, null without data; `calculation` adds up to it (never below 0)."""

    score = ma.fields.Integer(allow_none=True)
    word = ma.fields.String(validate=ma.validate.OneOf([word for _, word in WORDS] + [UNKNOWN]))
    reasons = ma.fields.List(ma.fields.Nested(HealthReason))
    calculation = ma.fields.List(ma.fields.Nested(HealthLine))
    judged_at = ma.fields.String()


class InstrumentHealth(HealthBody):
    """Of one instrument."""

    id = ma.fields.Integer()
    tag = ma.fields.String()
    name = ma.fields.String()


class AssetHealth(HealthBody):
    """Of an asset, with its instruments."""

    asset = ma.fields.String()
    instruments = ma.fields.List(ma.fields.Nested(InstrumentHealth))


class Why(ma.Schema):
    """A piece of evidence: positive points for the sensor, negative for the process."""

    points = ma.fields.Integer()
    text = ma.fields.String()


class Guessed(ma.Schema):
    """A label with the method (rules, learned), its share of belief and the cases it was learned from."""

    label = ma.fields.String()
    method = ma.fields.String(validate=ma.validate.OneOf(["rules", "learned"]))
    share = ma.fields.Float(allow_none=True)
    text = ma.fields.String()
    cases = ma.fields.Integer()


class GuessedKind(Guessed):
    """One of the labels of S2-R4."""

    label = ma.fields.String(validate=ma.validate.OneOf([str(kind) for kind in FaultKind]))


class GuessedCategory(Guessed):
    """A category of the site's fault taxonomy, or `unknown`."""

    code = ma.fields.String()


class MeasuredSignal(ma.Schema):
    """Another signal of the machine: the hour before, the newest minute, how many of its spreads it moved, how it follows the alert's."""

    tag = ma.fields.String()
    before = ma.fields.Float()
    now = ma.fields.Float()
    moved = ma.fields.Float()
    follows = ma.fields.Float(allow_none=True)


class Diagnosis(ma.Schema):
    """What an alert means."""

    recommendation = ma.fields.String()
    suspect = ma.fields.String(validate=ma.validate.OneOf([str(suspect) for suspect in Suspect]))
    points = ma.fields.Integer()
    why = ma.fields.List(ma.fields.Nested(Why))
    fault = ma.fields.Nested(GuessedKind)
    category = ma.fields.Nested(GuessedCategory)
    shape = ma.fields.String(allow_none=True)
    signals = ma.fields.List(ma.fields.Nested(MeasuredSignal))
    measured_at = ma.fields.String(allow_none=True)


@blueprint.route("/assets/<string(maxlength=64):code>/health")
@blueprint.response(200, AssetHealth)
@right("assets.read")
def get_asset_health(code: str) -> Response:
    """Score, word and reasons of an asset, judged now, and of each of its instruments."""
    at = services()
    now = at.clock()
    with at.database.transaction() as session:
        asset = assets.get_asset(session, code, current_user())
        devices = health.devices_of(session, asset)
        own, theirs = health.of_asset(session, asset, now), health.of_instruments(session, devices, now)
        listed = [{"id": one.id, "tag": one.tag, "name": one.name, **_body(theirs[one.id], rfc3339(now))} for one in devices]
        return jsonify(asset=asset.code, **_body(own, rfc3339(now)), instruments=listed)


@blueprint.route("/instruments/<id:instrument_id>/health")
@blueprint.response(200, InstrumentHealth)
@right("assets.read")
def get_instrument_health(instrument_id: int) -> Response:
    """Score, word and reasons of an instrument, judged now: alerts on its own tag and its calibration."""
    at = services()
    now = at.clock()
    with at.database.transaction() as session:
        row = instruments.get_instrument(session, instrument_id, current_user())
        own = health.of_instruments(session, [row], now)[row.id]
        return jsonify(id=row.id, tag=row.tag, name=row.name, **_body(own, rfc3339(now)))


@blueprint.route("/alerts/<id:alert_id>/diagnosis")
@blueprint.response(200, Diagnosis)
@right("alerts.read")
def get_diagnosis(alert_id: int) -> Response:
    """Kind of fault, sensor or process with the evidence, what past orders teach, what to do, and what the other signals did."""
    at = services()
    with at.database.transaction() as session:
        alert = alerts.get_alert(session, alert_id, current_user())
        kept = diagnoses.body_of(alert) or diagnoses.shown(diagnoses.judged(session, alert, at.clock()))
        measured = alert.data.get("measured") or {}
        return jsonify({**kept, "shape": measured.get("shape"), "signals": measured.get("others", [])})


def _body(judged: Health, at: str) -> dict[str, Any]:
    return {**health.body(judged), "calculation": health.calculation(judged), "judged_at": at}
