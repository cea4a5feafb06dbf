"""Faults of the demo plant (S2-146): the API only asks; nothing outside plc/simulator ever reads a fault."""

from __future__ import annotations

import secrets
from typing import Any

import marshmallow as ma
import msgspec
import redis
from flask import Response, jsonify

from realtime.bus import now_ms
from realtime.errors import BusUnavailable
from realtime.events import Command
from server import audit
from server.api.blueprint import Number, resource, text
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.errors import Invalid, NotFound
from server.idempotency import once
from server.plant import plant
from server.services import Services, services

blueprint = resource("simulator", "The demo plant")
KINDS = ("drift", "stuck", "spike", "noise", "over_range", "silence", "fault_code", "source_off", "overheat")
RUNNING = "simulator.faults"  # what the simulator says it does: a JSON list
ASKED = "simulator.asked"  # ids asked for here: a fault may be ended before the simulator has told of it
ASKED_KEPT_S = 86_400


SHOWN = {  # what the simulator can show on a target that is not a plain value
    "a source": {"source_off"},
    "a bit or counter": {"fault_code", "source_off"},
    "a picture": {"overheat", "stuck", "silence", "source_off"},
}


class Fault(ma.Schema):
    """What to break, how, how much and for how long."""

    target = text(200, required=True, metadata={"description": "a tag, an asset's code or a source"})
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(KINDS))
    magnitude = Number(load_default=None, allow_none=True)
    duration_s = Number(load_default=None, allow_none=True, validate=ma.validate.Range(1, 86400))


class FaultId(ma.Schema):
    """The id that ends the fault."""

    id = ma.fields.String()


def _require_demo() -> Services:
    at = services()
    if not at.settings.demo:
        raise NotFound("simulator", "of this instance (start it with DEMO=1)")
    return at


def _check_target(target: str) -> None:
    known = plant()
    site = current_user().site_id
    mine = {asset.id: asset for asset in known.assets.values() if asset.site == site}
    if target in {asset.code for asset in mine.values()}:
        return
    tag = known.tags.get(target)
    if tag is not None and tag.asset in mine:
        return
    if target not in {tag.source for tag in known.tags.values() if tag.asset in mine}:
        raise Invalid("target", "unknown", "is no tag, asset or source of your site")


def _check_kind(target: str, kind: str) -> None:
    """Refuse what the demo plant cannot show, as far as the plant's own tables tell; the simulator lists the rest as refused."""
    known = plant()
    tag = known.tags.get(target)
    class_ = _class_of(target)
    if class_ is not None and kind not in SHOWN[class_]:
        raise Invalid("kind", "not_shown", f"{class_} shows {', '.join(sorted(SHOWN[class_]))}")
    assets = {asset.id for asset in known.assets.values() if asset.code == target} | ({tag.asset} if tag else set())
    mine = [other for other in known.tags.values() if other.asset in assets]
    if kind == "fault_code" and not any(other.role == "fault_code" for other in mine):
        raise Invalid("kind", "not_shown", "only machines that report fault codes show one")
    polled = {source.name for source in known.sources if source.kind == "s7"}
    if kind == "silence" and any(other.source in polled for other in mine):
        raise Invalid("kind", "not_shown", "a polled tag cannot fall silent; switch its source off (source_off)")


def _class_of(target: str) -> str | None:
    known = plant()
    tag = known.tags.get(target)
    if target in {source.name for source in known.sources}:
        return "a source"
    if tag is None:
        return None
    if tag.role is not None:
        return "a bit or counter"
    pictured = known.tags.get(target.rpartition(".")[0]) if tag.virtual else tag
    return "a picture" if pictured is not None and pictured.kind == "frame" else None


def _running(at: Services) -> list[dict[str, Any]]:
    try:
        raw: Any = at.bus.client.get(at.bus.key(RUNNING))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    return msgspec.json.decode(raw, type=list[dict[str, Any]]) if raw else []


def _is_known(at: Services, fault_id: str) -> bool:
    try:
        asked = bool(at.bus.client.sismember(at.bus.key(ASKED), fault_id))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    return asked or fault_id in {fault["id"] for fault in _running(at)}


@blueprint.route("/simulator")
@blueprint.response(200, Body)
@right("overview.read")
def get_simulator() -> Response:
    """Whether this is a demo, the kinds of fault and those that run."""
    at = services()
    return jsonify(demo=at.settings.demo, kinds=KINDS, faults=_running(at) if at.settings.demo else [])


@blueprint.route("/simulator/faults", methods=["POST"])
@blueprint.arguments(Fault)
@blueprint.response(201, FaultId)
@right("simulator.write")
def start_fault(body: dict[str, Any]) -> Response:
    """Break something in the demo plant."""
    at = _require_demo()
    _check_target(body["target"])
    _check_kind(body["target"], body["kind"])

    def deed(session: Any) -> tuple[dict[str, Any], int]:
        now = now_ms()
        until = None if body["duration_s"] is None else now + int(body["duration_s"] * 1000)
        fault = {**body, "id": secrets.token_hex(6), "until_ms": until}
        change = audit.Change("start", "simulator_fault", None, current_user().site_id, None, fault)
        audit.record(session, change, current_user(), at.clock())
        _remember(at, fault["id"])
        at.bus.add_commands([Command(fault["id"], "simulator.fault", now, fault)])
        return {"id": fault["id"]}, 201

    return once("simulator", deed)


def _remember(at: Services, fault_id: str) -> None:
    try:
        at.bus.client.sadd(at.bus.key(ASKED), fault_id)
        at.bus.client.expire(at.bus.key(ASKED), ASKED_KEPT_S)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error


@blueprint.route("/simulator/faults/<string(maxlength=32):fault_id>", methods=["DELETE"])
@blueprint.response(204)
@right("simulator.write")
def end_fault(fault_id: str) -> Response:
    """End a fault."""
    at = _require_demo()
    if not _is_known(at, fault_id):
        raise NotFound("fault", fault_id)
    at.bus.add_commands([Command(secrets.token_hex(6), "simulator.clear", now_ms(), {"id": fault_id})])
    with at.database.transaction() as session:
        change = audit.Change("end", "simulator_fault", None, current_user().site_id, {"id": fault_id}, None)
        audit.record(session, change, current_user(), at.clock())
    return Response(status=204)
