"""What an edge collector needs beside POST /api/readings: its configuration, its signals, its state and the sources it is lent.

It may speak only of sources, machines and tags of its token's site. A source whose settings say `edge: <name of a token>` is listed to
that token alone, and run by no other collector.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import marshmallow as ma
import msgspec
import redis
from flask import Response, jsonify, request

from realtime.bus import now_ms
from realtime.errors import BusUnavailable
from realtime.events import Signal, SignalName
from realtime.lease import Lease
from realtime.snapshot import Source
from realtime.supervise import HEARTBEAT_KEPT_S
from server import edge_counters
from server.api.blueprint import Whole, resource, text
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.plant import Plant, plant
from server.services import services

blueprint = resource("edge", "Collectors on machines of their own that deliver by HTTP")
LEASE_MS = 15_000
MAX_SIGNALS = 1000
LONGEST_COUNTERS = 400_000  # bytes of JSON; a heartbeat of 500 tags that are not good has 60,000
OLDEST_MS, NEWEST_MS = 30 * 86_400_000, 5 * 60_000
OPERATING = frozenset({"running", "idle", "stopped", "fault", "unknown"})
_REASON = re.compile(r"[a-z0-9_]{1,64}")


class EdgeSignal(ma.Schema):
    """Something an edge observed beside readings; data as on the stream `signals`."""

    name = ma.fields.String(
        required=True, metadata={"description": "source.lost, source.recovered, source.spool, state.observed, tag.discovered"}
    )
    t = Whole(low=0, high=2**53, required=True, metadata={"description": "ms UTC"})
    data = ma.fields.Dict(required=True)


class EdgeSignals(ma.Schema):
    """Signals in order."""

    signals = ma.fields.List(ma.fields.Nested(EdgeSignal), required=True, validate=ma.validate.Length(max=MAX_SIGNALS))


class EdgeStatus(ma.Schema):
    """What one process of an edge says of itself every two seconds."""

    program = ma.fields.String(required=True, validate=ma.validate.Regexp(r"^plc(\.[a-z0-9_]{1,32})?$"))
    holder = text(300, required=True)
    wants = ma.fields.List(text(200), load_default=list, validate=ma.validate.Length(max=1000))
    counters = ma.fields.Dict(load_default=dict)
    refused = ma.fields.List(ma.fields.Dict(), load_default=list, validate=ma.validate.Length(max=1000))


def sources_of(known: Plant, site: int, edge: str) -> dict[str, Source]:
    """Sources with a tag of this site, but those of another edge; by name."""
    fed = {tag.source for tag in known.tags.values() if known.is_of_site(tag, site)}
    return {source.name: source for source in known.sources if source.name in fed and source.config.get("edge") in (None, "", edge)}


@blueprint.route("/edge/config")
@blueprint.response(200, Body)
@right("readings.write")
def edge_config() -> Response:
    """Sources, tags and assets of the token's site for a collector without the bus; ETag by version."""
    known, caller = plant(), current_user()
    assets = [asset for asset in known.assets.values() if asset.site == caller.site_id]
    found = sources_of(known, caller.site_id, caller.name)
    tags = [tag for tag in known.tags.values() if known.is_of_site(tag, caller.site_id) and (tag.source is None or tag.source in found)]
    body = {"version": known.version, "sources": list(found.values()), "tags": tags, "assets": assets}
    answer = Response(msgspec.json.encode(body), mimetype="application/json")
    answer.set_etag(hashlib.sha256(f"{caller.site_id}.{caller.name}.{known.version}".encode()).hexdigest()[:16])
    answer.make_conditional(request)
    return answer


@blueprint.route("/edge/signals", methods=["POST"])
@blueprint.arguments(EdgeSignals)
@blueprint.response(200, Body)
@right("readings.write")
def post_signals(body: dict[str, Any]) -> Response:
    """Take signals, each judged by itself; the same one twice changes nothing."""
    known, caller = plant(), current_user()
    found = sources_of(known, caller.site_id, caller.name)
    taken: list[Signal] = []
    rejected: list[dict[str, Any]] = []
    for i, item in enumerate(body["signals"]):
        try:
            taken.append(_signal(item, found, known, caller.site_id))
        except _Wrong as wrong:
            rejected.append({"i": i, "code": wrong.code})
    services().bus.add_signals(taken)
    return jsonify(accepted=len(taken), rejected=rejected)


class _Wrong(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _signal(item: dict[str, Any], found: dict[str, Source], known: Plant, site: int) -> Signal:
    """A signal made of the keys we know; raises _Wrong."""
    now, data = now_ms(), item["data"]
    if not now - OLDEST_MS <= item["t"] <= now + NEWEST_MS:
        raise _Wrong("clock")
    if item["name"] == SignalName.STATE_OBSERVED:
        return Signal(SignalName.STATE_OBSERVED, item["t"], _state(data, known, site))
    source = data.get("source")
    if not isinstance(source, str) or source not in found:
        raise _Wrong("unknown_source")
    words = {key: str(data.get(key, ""))[:500] for key in ("reason", "detail", "state", "tag") if key in data}
    if item["name"] in {SignalName.SOURCE_LOST, SignalName.SOURCE_RECOVERED}:
        tags = [tag.name for tag in known.tags.values() if tag.source == source]
        return Signal(SignalName(item["name"]), item["t"], {"source": source, "tags": tags, "reason": "", "detail": "", **words})
    if item["name"] == SignalName.SPOOL and words.get("state") in {"ok", "thinning", "dropping", "damaged"}:
        return Signal(SignalName.SPOOL, item["t"], {"source": source, "detail": "", **words})
    if item["name"] == SignalName.TAG_DISCOVERED and words.get("tag"):
        value = data.get("value")
        shown = value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)[:100]
        return Signal(SignalName.TAG_DISCOVERED, item["t"], {"source": source, "tag": words["tag"][:200], "value": shown})
    raise _Wrong("name")


def _state(data: dict[str, Any], known: Plant, site: int) -> dict[str, Any]:
    asset = known.assets.get(data["asset"]) if isinstance(data.get("asset"), int) else None
    if asset is None or asset.site != site:
        raise _Wrong("unknown_asset")
    if data.get("operating") not in OPERATING:
        raise _Wrong("operating")
    code = data.get("fault_code")
    return {"asset": asset.id, "operating": data["operating"], "fault_code": None if code is None else str(code)[:64]}


@blueprint.route("/edge/status", methods=["POST"])
@blueprint.arguments(EdgeStatus)
@blueprint.response(200, Body)
@right("readings.write")
def post_status(body: dict[str, Any]) -> Response:
    """Take an edge's state for /health, keep samples of what it refused, and lend it the sources it wants that nobody else has."""
    caller, bus = current_user(), services().bus
    found = sources_of(plant(), caller.site_id, caller.name)
    counters = edge_counters.read(body["counters"])
    counters["sources"] = {name: state for name, state in counters["sources"].items() if name in found}
    program = f"{body['program']}@{caller.name}"
    told = json.dumps({**counters, "program": program, "at": now_ms()})
    if len(told) > LONGEST_COUNTERS:
        raise Invalid("counters", "too_long", f"at most {LONGEST_COUNTERS} bytes")
    try:
        bus.client.set(bus.key(f"health.{body['program']}.{caller.owner}"), told, ex=HEARTBEAT_KEPT_S)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    bus.add_refused(row for row in map(_refused, body["refused"]) if row["source"] in found)
    holder = f"edge:{caller.owner}:{body['holder']}"
    wanted = [name for name in body["wants"] if name in found and not found[name].config.get("edge")]
    return jsonify(holds=[name for name in wanted if Lease(bus, f"source.{name}", holder, LEASE_MS).hold()])


def _refused(row: dict[str, Any]) -> dict[str, Any]:
    t = row.get("t")
    words = {key: str(row.get(key, ""))[:500] for key in ("source", "topic", "sample")}
    reason = str(row.get("reason", ""))
    is_time = isinstance(t, int) and not isinstance(t, bool)
    return {"t": t if is_time else now_ms(), "reason": reason if _REASON.fullmatch(reason) else "unnamed", **words}
