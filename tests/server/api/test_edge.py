"""What an edge collector asks of the server: its configuration, signals, state and the sources it is lent."""

from __future__ import annotations

import json
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from realtime.bus import READINGS, SIGNALS
from realtime.codec import decode_batch, decode_signal
from realtime.events import Batch, Quality, Reason, quality_byte
from realtime.snapshot import Asset, Snapshot, Source, Tag
from server.plant import REFRESH_S
from server.services import Services
from server.source_standing import said_of_all
from server.status import look
from tests.server.api.conftest import Plant
from tests.waiting import wait_for

Device = Callable[[str], dict[str, str]]
EDGE = "a ingest device"  # the name of the token that `device` makes


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def edge(client: FlaskClient, services: Services, plant: Plant, device: Device) -> dict[str, str]:
    """Headers of an edge; the plant has a source of its own, one of another edge, one for anybody, and a foreign site's."""
    sources = [
        Source(id=1, name="own", kind="s7", config={"host": "10.0.0.5", "edge": EDGE}),
        Source(id=2, name="others", kind="s7", config={"edge": "line 2"}),
        Source(id=3, name="anybodys", kind="mqtt"),
        Source(id=4, name="foreign", kind="mqtt"),
    ]
    shard = plant.asset_id % 8
    tags = [
        Tag(id=100 + n, name=f"T{n}", asset=plant.asset_id, shard=shard, unit="bar", source=source, **more)
        for n, (source, more) in enumerate(
            [
                ("own", {}),
                ("own", {"kind": "text"}),
                ("own", {"kind": "frame"}),
                ("own", {"virtual": True}),
                ("others", {}),
                ("anybodys", {}),
            ]
        )
    ]
    far = Tag(id=200, name="far", asset=999_999, shard=0, unit="", source="foreign")
    assets = [Asset(id=plant.asset_id, code="A", name="A", site=plant.site), Asset(id=999_999, code="B", name="B", site=plant.other_site)]
    services.bus.publish_config(Snapshot(version=2, sources=sources, tags=[*tags, far], assets=assets))
    headers = device("ingest")
    wait_for(
        lambda: client.get("/api/edge/config", headers=headers).json["version"] == 2, timeout_s=REFRESH_S * 10, what="the configuration"
    )
    return headers


def on_the_bus(services: Services) -> list[Batch]:
    return [decode_batch(fields) for stream in READINGS for _, fields in services.bus.client.xrange(services.bus.key(stream))]


def signals(services: Services) -> list[tuple[str, dict[str, Any]]]:
    found = [decode_signal(fields) for _, fields in services.bus.client.xrange(services.bus.key(SIGNALS))]
    return [(signal.name.value, signal.data) for signal in found]


def test_the_configuration_is_a_plant_snapshot_of_its_own_and_of_free_sources_only(client: FlaskClient, edge: dict[str, str]) -> None:
    answer = client.get("/api/edge/config", headers=edge)

    snapshot = msgspec.json.decode(answer.data, type=Snapshot)
    assert [source.name for source in snapshot.sources] == ["own", "anybodys"]
    assert [tag.name for tag in snapshot.tags] == ["T0", "T1", "T2", "T3", "T5"]
    assert client.get("/api/edge/config", headers={**edge, "If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_signals_of_its_own_site_reach_the_bus_and_no_others(
    client: FlaskClient, services: Services, plant: Plant, edge: dict[str, str]
) -> None:
    t = now_ms()
    good = [
        {"name": "source.lost", "t": t, "data": {"source": "own", "reason": "timeout", "detail": "silent", "tags": ["<forged>"]}},
        {"name": "source.recovered", "t": t, "data": {"source": "own"}},
        {"name": "source.spool", "t": t, "data": {"source": "own", "state": "thinning", "detail": "full"}},
        {"name": "state.observed", "t": t, "data": {"asset": plant.asset_id, "operating": "fault", "fault_code": "17"}},
        {"name": "tag.discovered", "t": t, "data": {"source": "own", "tag": "new", "value": 4.5}},
    ]
    bad = [
        ({"name": "source.lost", "t": t, "data": {"source": "others"}}, "unknown_source"),
        ({"name": "source.lost", "t": t, "data": {"source": "foreign"}}, "unknown_source"),
        ({"name": "source.lost", "t": t, "data": {"source": ["own"]}}, "unknown_source"),
        ({"name": "source.lost", "t": t + 3_600_000, "data": {"source": "own"}}, "clock"),
        ({"name": "job.progress", "t": t, "data": {"source": "own", "job": 5}}, "name"),
        ({"name": "source.spool", "t": t, "data": {"source": "own", "state": "fine"}}, "name"),
        ({"name": "state.observed", "t": t, "data": {"asset": 999_999, "operating": "idle"}}, "unknown_asset"),
        ({"name": "state.observed", "t": t, "data": {"asset": plant.asset_id, "operating": "flying"}}, "operating"),
    ]

    answer = client.post("/api/edge/signals", json={"signals": [*good, *(row for row, _ in bad)]}, headers=edge)

    assert answer.json["accepted"] == 5
    assert [(row["i"], row["code"]) for row in answer.json["rejected"]] == [(5 + n, code) for n, (_, code) in enumerate(bad)]
    assert [name for name, _ in signals(services)] == [row["name"] for row in good]
    lost = signals(services)[0][1]
    assert (lost["source"], lost["reason"], sorted(lost["tags"])) == ("own", "timeout", ["T0", "T1", "T2", "T3"])


def test_an_edges_state_stands_on_health_and_it_is_lent_what_nobody_else_has(
    client: FlaskClient, services: Services, edge: dict[str, str]
) -> None:
    mark = secrets.token_hex(4)
    body = {
        "program": "plc.s7",
        "holder": "edge-1:s7.0",
        "wants": ["anybodys", "own", "others", "nowhere"],
        "counters": {"pid": 7, "sources": {"own": {"state": "live"}, "others": {"state": "lost"}}, "drops": {"clock": 2}},
        "refused": [
            {"t": now_ms(), "source": "own", "reason": "not_json", "topic": "x", "sample": mark},
            {"source": "others", "reason": "no", "sample": "y"},
        ],
    }

    first = client.post("/api/edge/status", json=body, headers=edge)
    second = client.post("/api/edge/status", json={**body, "holder": "another:s7.0"}, headers=edge)

    assert (first.json["holds"], second.json["holds"]) == (["anybodys"], [])
    beats = [json.loads(services.bus.client.get(key)) for key in services.bus.client.scan_iter(services.bus.key("health.plc.s7*"))]
    assert [(beat["program"], list(beat["sources"]), beat["sources"]["own"]["state"]) for beat in beats] == [
        (f"plc.s7@{EDGE}", ["own"], "live")
    ]
    kept = [json.loads(raw) for raw in services.bus.client.lrange(services.bus.key("quarantine"), 0, -1)]
    assert [(row["source"], row["reason"], row["sample"]) for row in kept if mark in row["sample"]] == [("own", "not_json", mark)] * 2
    assert all(row["source"] == "own" for row in kept)


def test_readings_of_every_kind_with_quality_reason_and_what_was_thinned(
    client: FlaskClient, services: Services, edge: dict[str, str]
) -> None:
    t = now_ms()
    picture = {"shape": [1, 2], "dtype": "i2", "scale": 0.1, "offset": 0.0, "unit": "°C", "data": b64encode(bytes(4)).decode()}
    rows = [
        {"tag": "T0", "timestamp": t, "value": 1.5, "seq": 9},
        {"tag": "T0", "timestamp": t + 1, "value": 1.5, "kept": False},
        {"tag": "T0", "timestamp": t + 2, "value": None, "quality": 2, "reason": "comm"},
        {"tag": "T0", "timestamp": t + 3, "value": 1.5, "quality": 1, "reason": "stale"},
        {"tag": "T1", "timestamp": t, "value": "printing"},
        {"tag": "T2", "timestamp": t, "frame": picture},
        {"tag": "T3", "timestamp": t, "value": 2.5},
    ]
    bad = [
        ({"tag": "T0", "timestamp": t, "value": 1.0, "quality": 0, "reason": "comm"}, "reason"),
        ({"tag": "T0", "timestamp": t, "value": 1.0, "quality": 2, "reason": "moon"}, "reason"),
        ({"tag": "T2", "timestamp": t, "frame": {**picture, "shape": [2, 2]}}, "frame"),
        ({"tag": "T2", "timestamp": t, "frame": {**picture, "dtype": "O"}}, "frame"),
        ({"tag": "T2", "timestamp": t, "value": 1.0}, "frame"),
    ]

    answer = client.post("/api/readings", json={"readings": [*rows, *(row for row, _ in bad)], "source": "own"}, headers=edge)

    assert (answer.json["accepted"], [row["code"] for row in answer.json["rejected"]]) == (7, [code for _, code in bad])
    found = {batch.kind: batch for batch in on_the_bus(services)}
    numbers = found["f64"]
    assert numbers.ids.tolist() == [100, 100, 100, 100, 103]
    assert numbers.quality.tolist() == [
        0, 0, quality_byte(Quality.BAD, Reason.COMM), quality_byte(Quality.UNCERTAIN, Reason.STALE), 0
    ]  # fmt: skip
    assert numbers.for_history().t.tolist() == [t, t + 2, t + 3, t]
    assert (found["text"].texts(), found["frame"].frames()[0].shape) == (["printing"], (1, 2))


def test_what_a_collector_computes_is_not_for_any_device(client: FlaskClient, edge: dict[str, str]) -> None:
    row = {"tag": "T3", "timestamp": now_ms(), "value": 2.5}

    assert client.post("/api/readings", json=[row], headers=edge).json["rejected"] == [{"i": 0, "code": "unknown_tag"}]


def test_late_readings_may_be_old_and_are_marked_so(client: FlaskClient, services: Services, edge: dict[str, str]) -> None:
    listener = services.bus.client.pubsub()
    listener.subscribe(services.bus.key("live"))
    listener.get_message(timeout=5)
    old = {"tag": "T0", "timestamp": now_ms() - 8 * 86_400_000, "value": 1.0}

    fresh = client.post("/api/readings", json={"readings": [old]}, headers=edge)
    late = client.post("/api/readings", json={"readings": [old], "flags": ["late"]}, headers=edge)

    assert fresh.json["rejected"] == [{"i": 0, "code": "clock"}]
    assert late.json["accepted"] == 1
    assert [batch.flags for batch in on_the_bus(services)] == [frozenset({"late"})]
    assert listener.get_message(timeout=0.2) is None  # a late value moves no live view
    listener.close()


@pytest.mark.parametrize(
    "envelope", [{"readings": 1}, {}, {"readings": [], "flags": "late"}, {"readings": [], "flags": [1]}, {"readings": [], "source": 5}]
)
def test_a_bad_envelope_is_400(client: FlaskClient, edge: dict[str, str], envelope: dict[str, Any]) -> None:
    assert client.post("/api/readings", json=envelope, headers=edge).status_code == 400


def test_what_is_wrong_with_single_tags_and_what_a_protocol_says_stands_on_health(
    client: FlaskClient, services: Services, edge: dict[str, str]
) -> None:
    said = {"state": "live", "groups": {}, "subscriptions": "normal 1000 ms", "troubles": {"T0": "db_missing: DB9 does not exist"}}

    answer = client.post(
        "/api/edge/status", json={"program": "plc.opcua", "holder": "h", "counters": {"sources": {"own": said}}}, headers=edge
    )

    assert answer.status_code == 200, answer.text
    kept = said_of_all(services.bus)["own"]
    assert {name: kept[name] for name in said} == said


@pytest.mark.parametrize(
    "counters",
    [
        {"sources": {"own": {"state": "fine"}}},
        {"sources": {"own": {"state": "live", "spool": "full"}}},
        {"sources": {"own": {"state": "live", "drops": {"clock": "many"}}}},
        {"sources": []},
        {"readings": -1},
        {"drops": {"x": 1e400}},
    ],
)
def test_a_state_of_wrong_types_is_refused(client: FlaskClient, edge: dict[str, str], counters: dict[str, Any]) -> None:
    answer = client.post("/api/edge/status", json={"program": "plc.s7", "holder": "h", "counters": counters}, headers=edge)

    assert answer.status_code in {400, 422}


def test_a_source_of_an_edge_takes_no_part_in_ready_and_its_full_spool_degrades_health(
    client: FlaskClient, edge: dict[str, str], services: Services
) -> None:
    spool = {"state": "thinning", "fill": 0.98, "thinned": 12}
    state = {"state": "lost", "error": "refused", "spool": spool, "not_good": 1, "pdu": 480, "nested": {"a": 1}}
    body = {"program": "plc.mqtt", "holder": "h", "counters": {"kind": "mqtt", "sources": {"anybodys": state}}}
    assert client.post("/api/edge/status", json=body, headers=edge).status_code == 200

    found = look(services)

    assert found.spools_filling == ["anybodys"]
    assert not [reason for reason in found.not_ready if "anybodys" in reason]
    told = found.sources()["anybodys"]
    assert (told["edge"], told["pdu"], told["spool"]["thinned"], "nested" in told) == (EDGE, 480, 12, False)
