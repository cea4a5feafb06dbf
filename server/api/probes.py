"""Looks at devices before they are configured: does it connect, what does it hold, what does this tag say.

The collectors look, never the web process; ten seconds each, two at once, audited. What the device says is an answer, not an error.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from plc.addressing import kinds
from plc.addressing.errors import AddressError
from realtime import probes
from realtime.probes import NoCollector, ProbeBusy
from realtime.supervise import heartbeats
from server import audit, read_now
from server.api.blueprint import Number, Whole, resource, text
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.idempotency import once
from server.masking import masked, unmasked
from server.problems import Problem, too_many
from server.services import services
from server.store import background, limits, sources

blueprint = resource("probes", "Looking at devices before they are configured")
RETRY_S = 5.0


class Device(ma.Schema):
    """A source that exists (`source`), or one to be; `config` of an existing one may bring its secrets as ***."""

    source = Whole(low=1, high=2**31 - 1, metadata={"description": "id of a source that exists"})
    kind = ma.fields.String(validate=ma.validate.OneOf(kinds.KINDS))
    config = ma.fields.Dict(keys=text(64))


class Path(Device):
    """Where to look."""

    path = text(2000, shortest=0, load_default="", metadata={"description": "of a branch found before; empty = the top"})


class PreviewOf(Device):
    """A tag to be."""

    address = text(500, shortest=0, required=True)
    type = text(40, shortest=0, load_default="", metadata={"description": "for short forms of an address that say none"})
    unit = text(32, shortest=0, load_default="")
    value_kind = ma.fields.String(load_default=None, validate=ma.validate.OneOf(["f64", "text", "frame"]))
    scale_raw = ma.fields.List(Number(), allow_none=True, load_default=None, validate=ma.validate.Length(equal=2))
    scale_eng = ma.fields.List(Number(), allow_none=True, load_default=None, validate=ma.validate.Length(equal=2))
    wire_break = ma.fields.String(allow_none=True, load_default=None, validate=ma.validate.Regexp(r"^[<>]=?-?[0-9]{1,12}(\.[0-9]{1,9})?\Z"))


class ReadNow(ma.Schema):
    """Whether to wait for it."""

    background = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})


@blueprint.route("/sources/test", methods=["POST"])
@blueprint.arguments(Device)
@blueprint.response(200, Body)
@right("sources.write")
def test_source(body: dict[str, Any]) -> Response:
    """Connect once: what the device grants, or `ok: false` with reason, detail and remedy. 504 when no collector answers."""
    return _look("test", _device(body), {})


@blueprint.route("/sources/browse", methods=["POST"])
@blueprint.arguments(Path)
@blueprint.response(200, Body)
@right("sources.write")
def browse_source(body: dict[str, Any]) -> Response:
    """What the device holds below a path."""
    return _look("browse", _device(body), {"path": body["path"]})


@blueprint.route("/sources/preview", methods=["POST"])
@blueprint.arguments(PreviewOf)
@blueprint.response(200, Body)
@right("sources.write")
def preview_tag(body: dict[str, Any]) -> Response:
    """Read one tag as it would be: value, raw, quality, round trip; 16-bit registers under every type and byte order."""
    device = _device(body)
    if body["scale_raw"] and body["scale_raw"][0] == body["scale_raw"][1]:
        raise Invalid("scale_raw", "same", "two different numbers")
    try:
        address = kinds.parsed(device["kind"], body["address"], body["type"] or None)
    except AddressError as error:
        raise Invalid("address", "address", str(error)) from error
    usual = kinds.kinds_of(address)
    kind = body["value_kind"] if body["value_kind"] in usual else usual[0]
    same = {name: body[name] for name in ("unit", "scale_raw", "scale_eng", "wire_break")}
    return _look("preview", device, {"tag": {"name": "preview", "address": address.canonical(), "kind": kind, **same}})


@blueprint.route("/tags/<id:tag_id>/read", methods=["POST"])
@blueprint.arguments(ReadNow)
@blueprint.response(200, Body)
@blueprint.alt_response(202, schema=Body, description="the background job that asks it")
@right("sources.write")
def read_tag(body: dict[str, Any], tag_id: int) -> Response:
    """What the device itself says of this tag now, or a background job (202) that asks it; shown, not stored."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        tag = limits.get_tag(session, tag_id, user)
        request = read_now.request_of(session, tag)
    if not body["background"]:
        return _ask(request, {"id": tag_id, "thing": "tag"})

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return background.body(background.ask(session, read_now.JOB, {"tag": tag_id}, user, at.clock())), 202

    return once("tag-read", deed)


def _device(body: dict[str, Any]) -> dict[str, Any]:
    """Kind and whole configuration, secrets in place."""
    stored: dict[str, Any] = {"id": None, "name": "probe", "kind": body.get("kind", ""), "config": {}}
    if "source" in body:
        with services().database.transaction() as session:
            known = sources.get_source(session, body["source"], current_user())
            stored = {"id": known.id, "name": known.name, "kind": known.kind, "config": dict(known.config)}
    if not stored["kind"]:
        raise Invalid("kind", "required", f"one of {', '.join(kinds.KINDS)}, or the id of a source")
    if body.get("kind", stored["kind"]) != stored["kind"]:
        raise Invalid("kind", "kind", f"the source is of kind {stored['kind']}")
    if "config" in body:
        stored["config"] = unmasked(body["config"], stored["config"])
    if stored["config"].get("edge"):
        raise Invalid(
            "config.edge", "edge", "an edge's devices are looked at on the edge: `python -m plc check`, or the page of its own server"
        )
    return stored


def _look(action: str, device: dict[str, Any], more: dict[str, Any]) -> Response:
    request = {"action": action, "kind": device["kind"], "name": device["name"], "config": device["config"], **more}
    return _ask(request, {"id": device["id"], "thing": "source"})


def _ask(request: dict[str, Any], of: dict[str, Any]) -> Response:
    """Audit the look, then ask the collectors; no transaction is open while they look."""
    at, user = services(), current_user()
    if not any(beat.get("program") == "plc" for beat in heartbeats(at.bus)):
        raise Problem(504, "no_collector", "no collector is running; start `python -m plc` and try again")
    asked = {**request, "config": masked(request["config"])}
    with at.database.transaction() as session:
        audit.record(session, audit.Change("probe", of["thing"], of["id"], user.site_id, None, asked), user, at.clock())
    try:
        return jsonify(probes.ask(at.bus, request))
    except ProbeBusy as error:
        raise too_many("busy", str(error), RETRY_S) from error
    except NoCollector as error:
        raise Problem(504, "no_collector", str(error)) from error
