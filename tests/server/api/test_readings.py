"""POST /api/readings: each reading judged by itself; GET: raw rows and trends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg2
import pytest
from flask.testing import FlaskClient

from app import create_app
from realtime.bus import READINGS, Bus
from realtime.codec import decode_batch
from realtime.events import Batch
from realtime.historian import write_batches
from realtime.settings import Settings
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

Device = Callable[[str], dict[str, str]]


def on_the_bus(bus: Bus, shard: int) -> list[Batch]:
    """Batches that reached the shard's stream."""
    return [decode_batch(fields) for _id, fields in bus.client.xrange(bus.key(READINGS[shard]))]


def now_ms() -> int:
    """The time of a reading."""
    return time.time_ns() // 1_000_000


def test_good_readings_reach_the_bus_beside_bad_ones(client: FlaskClient, services: Services, plant: Plant, device: Device) -> None:
    t = now_ms()
    good = {"tag": plant.tag, "timestamp": t, "value": 5.02, "unit": "bar", "seq": 17}
    bad: list[tuple[Any, str]] = [
        (7, "not_an_object"),
        ({**good, "tag": "nobody"}, "unknown_tag"),
        ({**good, "tag": plant.other_tag}, "unknown_tag"),
        ({**good, "tag": {"a": 1}}, "unknown_tag"),
        ({**good, "value": True}, "value"),
        ({**good, "value": "5.02"}, "value"),
        ({**good, "value": None}, "value"),
        ({**good, "timestamp": "yesterday"}, "time"),
        ({**good, "timestamp": "2026-01-05T08:00:00"}, "time"),
        ({**good, "timestamp": t + 3_600_000}, "clock"),
        ({**good, "timestamp": t - 8 * 86_400_000}, "clock"),
        ({**good, "unit": "psi"}, "unit"),
        ({**good, "seq": -1}, "seq"),
        ({**good, "seq": 1.5}, "seq"),
        ({**good, "quality": 9}, "quality"),
        ({**good, "value": 6.0}, "conflict"),
    ]

    answer = client.post("/api/readings", json={"readings": [good, good, *(row for row, _ in bad)]}, headers=device("ingest"))

    assert answer.status_code == 200
    assert (answer.json["accepted"], answer.json["duplicate"]) == (1, 1)
    assert [(row["i"], row["code"]) for row in answer.json["rejected"]] == [(i + 2, code) for i, (_, code) in enumerate(bad)]
    (batch,) = on_the_bus(services.bus, plant.asset_id % 8)
    assert (list(batch.ids), list(batch.t), list(batch.values), list(batch.seq)) == ([plant.tag_id], [t], [5.02], [17])


def test_readings_are_published_live(client: FlaskClient, services: Services, plant: Plant, device: Device) -> None:
    listener = services.bus.client.pubsub()
    listener.subscribe(services.bus.key("live"))
    listener.get_message(timeout=5)

    client.post("/api/readings", json=[{"tag": plant.tag, "timestamp": now_ms(), "value": 1.0}], headers=device("ingest"))

    assert listener.get_message(timeout=5)["type"] == "message"
    listener.close()


def test_ten_thousand_readings_pass_and_one_more_does_not(client: FlaskClient, services: Services, plant: Plant, device: Device) -> None:
    t, headers = now_ms(), device("ingest")
    rows = [{"tag": plant.tag, "timestamp": t - i, "value": i} for i in range(10_001)]

    assert client.post("/api/readings", json=rows[:10_000], headers=headers).json["accepted"] == 10_000
    assert client.post("/api/readings", json=rows, headers=headers).status_code == 422
    assert sum(len(batch) for batch in on_the_bus(services.bus, plant.asset_id % 8)) == 10_000


def test_the_same_idempotency_key_stores_once(client: FlaskClient, services: Services, plant: Plant, device: Device) -> None:
    headers = {**device("ingest"), "Idempotency-Key": "delivery-1"}
    rows = [{"tag": plant.tag, "timestamp": now_ms(), "value": 2.0}]

    first = client.post("/api/readings", json=rows, headers=headers)
    again = client.post("/api/readings", json=rows, headers=headers)
    other = client.post("/api/readings", json=[], headers=headers)

    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json["code"]) == (422, "key_reused")
    assert len(on_the_bus(services.bus, plant.asset_id % 8)) == 1


def test_without_the_bus_the_answer_is_503_and_nothing_is_remembered(
    settings: Settings, client: FlaskClient, plant: Plant, device: Device
) -> None:
    headers = {**device("ingest"), "Idempotency-Key": "delivery-2"}
    rows = [{"tag": plant.tag, "timestamp": now_ms(), "value": 2.0}]
    away = create_app(replace(settings, redis_url="unix:///nowhere/redis.sock"))

    answer = away.test_client().post("/api/readings", json=rows, headers=headers)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert client.post("/api/readings", json=rows, headers=headers).json["accepted"] == 1
    away.extensions["sightline"].database.close()


def test_a_person_without_the_right_cannot_post(client: FlaskClient, bearer: LogIn) -> None:
    assert client.post("/api/readings", json=[], headers=bearer("technician")).status_code == 403


@pytest.fixture
def history(settings: Settings, plant: Plant) -> int:
    """120 readings of the tag, one a second; the time of the first."""
    start = (now_ms() - 600_000) // 60_000 * 60_000
    n = 120
    batch = Batch(
        shard=plant.asset_id % 8,
        received_ms=start,
        source="test",
        ids=np.full(n, plant.tag_id, np.uint32),
        t=start + 1000 * np.arange(n, dtype=np.int64),
        quality=np.zeros(n, np.uint8),
        seq=np.zeros(n, np.uint32),
        values=np.arange(n, dtype=np.float64),
    )
    with psycopg2.connect(str(settings.database_url)) as connection:
        write_batches(connection, [batch])
    connection.close()
    return start


def test_readings_come_back_in_pages(client: FlaskClient, plant: Plant, bearer: LogIn, history: int) -> None:
    headers = bearer("viewer")
    query = f"tag={plant.tag}&from={history}&to={history + 120_000}&limit=100"

    first = client.get(f"/api/readings?{query}", headers=headers).json
    second = client.get(f"/api/readings?{query}&cursor={first['next']}", headers=headers).json

    assert first["unit"] == "bar"
    assert [row[1] for row in first["rows"] + second["rows"]] == [float(i) for i in range(120)]
    assert second["next"] is None


def test_a_trend_keeps_minimum_and_maximum(client: FlaskClient, plant: Plant, bearer: LogIn, history: int) -> None:
    query = f"tag={plant.tag}&from={history}&to={history + 120_000}&points=20"

    found = client.get(f"/api/readings/trends?{query}", headers=bearer("viewer")).json

    assert 0 < len(found["points"]) <= 20
    assert (min(p[1] for p in found["points"]), max(p[3] for p in found["points"])) == (0.0, 119.0)
    assert (found["stats"]["n"], found["stats"]["avg"]) == (120, 59.5)


@pytest.mark.parametrize(
    "query",
    ["", "tag=x&from=5&to=3", "tag={tag}&from=abc", "tag={tag}&points=1e9", "tag={tag}&from=0&to=4000000000", "tag={tag}&limit=1000000000"],
)
@pytest.mark.parametrize("path", ["/api/readings", "/api/readings/trends"])
def test_a_wrong_query_is_a_problem(client: FlaskClient, plant: Plant, bearer: LogIn, path: str, query: str) -> None:
    if ("points" in query and not path.endswith("trends")) or ("limit" in query and path.endswith("trends")):
        query = ""

    answer = client.get(f"{path}?{query.format(tag=plant.tag)}", headers=bearer("viewer"))

    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
