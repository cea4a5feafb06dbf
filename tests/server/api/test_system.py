"""Health, metrics, facts, the simulator's door, device tokens, and what happens when a service is away."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app import create_app
from realtime.bus import COMMANDS, FINDINGS, READINGS, SIGNALS
from realtime.codec import decode_command
from realtime.consumer import Consumer
from realtime.events import Fact, FactName
from realtime.settings import Settings
from realtime.supervise import Heartbeat
from server.doors import FACT_RIGHTS
from server.models.outbox import Outbox
from server.models.plant import Source
from server.rules.roles import ALL_RIGHTS
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

Device = Callable[[str], dict[str, str]]


def emit(services: Services, plant: Plant, seq: int, site: int | None = None, **data: Any) -> None:
    """A numbered fact, as the relay leaves it in the outbox."""
    body = {"site": site or plant.site, **data}
    with services.database.transaction() as session:
        row = Outbox(name="alert.raised", thing_id=seq, rev=1, by="x", site_id=body["site"], data=body, at=datetime.now(UTC), seq=seq)
        session.add(row)


@pytest.fixture
def numbered(services: Services, plant: Plant) -> int:
    """The number before this test's facts."""
    with services.database.transaction() as session:
        newest = session.query(Outbox.seq).filter(Outbox.seq.is_not(None)).order_by(Outbox.seq.desc()).first()
    return int(newest[0]) if newest else 0


def test_anyone_learns_the_word_and_only_those_with_the_right_learn_more(client: FlaskClient, bearer: LogIn) -> None:
    anyone = client.get("/health")
    manager = client.get("/api/health", headers=bearer("manager"))

    assert list(anyone.json) == ["status"]
    assert manager.json["database"] is True
    assert "streams" in manager.json
    assert manager.json["mail"].keys() == {"configured", "due", "oldest_s", "retrying", "failed", "error"}
    assert manager.json["mail"]["configured"] is False
    assert client.get("/health", headers={"Authorization": "Bearer old"}).status_code == 200


def test_ready_says_what_is_missing_and_then_that_nothing_is(client: FlaskClient, services: Services) -> None:
    before = client.get("/ready")
    for stream in (*READINGS, FINDINGS, SIGNALS):
        for group in ("history", "monitor") if stream in READINGS else ("worker",):
            Consumer(services.bus, [stream], group).ensure_groups()
    for program in ("recorder", "monitor", "worker", "plc"):
        Heartbeat(services.bus, program).beat()
    after = client.get("/ready")

    assert before.status_code == 503
    assert "no recorder is running" in before.json["reasons"]
    assert (after.status_code, after.json["reasons"]) == (200, [])


def test_ready_waits_for_the_brokers(client: FlaskClient, services: Services) -> None:
    Heartbeat(services.bus, "plc.mqtt").beat(kind="mqtt", sources={"plant-mqtt": {"state": "connecting", "error": ""}})

    assert "not subscribed: plant-mqtt" in client.get("/ready").json["reasons"]


def test_metrics_are_what_the_programs_say(client: FlaskClient, services: Services, bearer: LogIn) -> None:
    Heartbeat(services.bus, "recorder").beat(stored=42, drops={"clock": 3})

    answer = client.get("/metrics", headers=bearer("manager"))

    assert client.get("/metrics").status_code == 401
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert f'sightline_stored{{key="",pid="{os.getpid()}",program="recorder"}} 42.0' in answer.text
    assert f'sightline_drops{{key="clock",pid="{os.getpid()}",program="recorder"}} 3.0' in answer.text
    assert 'sightline_up{dependency="database"} 1.0' in answer.text


def test_an_api_key_reads_metrics_until_it_is_revoked(client: FlaskClient, bearer: LogIn) -> None:
    manager = bearer("manager")
    made = client.post("/api/tokens", json={"kind": "api", "name": "prometheus"}, headers=manager)
    key = {"Authorization": f"Bearer {made.json['token']}"}

    assert client.get("/metrics", headers=key).status_code == 200
    assert made.json["token"] not in client.get("/api/tokens", headers=manager).text
    assert client.delete(f"/api/tokens/{made.json['id']}", headers=manager).status_code == 204
    assert client.get("/metrics", headers=key).status_code == 401


def test_an_ingest_token_made_over_rest_posts_readings(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    made = client.post("/api/tokens", json={"kind": "ingest", "name": "edge 1", "days": 30}, headers=bearer("manager"))
    headers = {"Authorization": f"Bearer {made.json['token']}"}

    assert client.post("/api/readings", json=[], headers=headers).json["accepted"] == 0
    config = client.get("/api/edge/config", headers=headers)
    assert [tag["name"] for tag in config.json["tags"]] == [plant.tag]
    assert client.get("/api/edge/config", headers={**headers, "If-None-Match": config.headers["ETag"]}).status_code == 304


def test_facts_come_in_order_and_only_of_the_own_site(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, numbered: int
) -> None:
    headers = bearer("viewer")
    for n in (1, 2, 3):
        emit(services, plant, numbered + n, plant.other_site if n == 2 else None)

    answer = client.get(f"/api/facts?since={numbered}", headers=headers).json

    assert [fact["seq"] for fact in answer["facts"]] == [numbered + 1, numbered + 3]
    assert answer["seq"] == numbered + 3
    assert client.get("/api/facts", headers=headers).json == {"seq": numbered + 3, "facts": []}
    assert client.get(f"/api/facts?since={numbered + 9}", headers=headers).status_code == 410


def test_facts_are_told_only_to_those_who_may_read_what_they_are_about() -> None:
    needed = {name.split(".")[0] for name in FactName}

    assert needed == set(FACT_RIGHTS)
    assert set(FACT_RIGHTS.values()) <= ALL_RIGHTS


def test_a_viewer_is_not_told_of_orders(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, numbered: int) -> None:
    emit(services, plant, numbered + 1)
    with services.database.transaction() as session:
        session.query(Outbox).filter_by(seq=numbered + 1).update({"name": "work_order.opened"})

    assert client.get(f"/api/facts?since={numbered}", headers=bearer("viewer")).json["facts"] == []
    assert len(client.get(f"/api/facts?since={numbered}", headers=bearer("technician")).json["facts"]) == 1


def test_a_held_request_answers_when_a_fact_comes(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, numbered: int
) -> None:
    headers = bearer("viewer")
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(client.get(f"/api/facts?since={numbered}&wait=20", headers=headers)))
    asking.start()

    emit(services, plant, numbered + 1)
    while asking.is_alive():  # the relay's wake-up, as often as needed: the request may not wait yet
        services.bus.add_facts([Fact(numbered + 1, "2026-01-01T00:00:00Z", FactName.ALERT_RAISED, 1, 1, "x", {})])
        asking.join(0.05)

    assert [fact["seq"] for fact in answers[0].json["facts"]] == [numbered + 1]


def test_a_fault_is_a_command_on_the_bus_and_its_id_ends_it(settings: Settings, plant: Plant) -> None:
    demo = create_app(replace(settings, demo=True))
    client, services = demo.test_client(), demo.extensions["sightline"]
    login = client.post("/api/auth/login", json={"employee_number": plant.people["technician"], "password": "a long enough secret"})
    headers = {"Authorization": f"Bearer {login.json['access_token']}"}

    made = client.post("/api/simulator/faults", json={"target": plant.tag, "kind": "drift", "magnitude": 7.5}, headers=headers)
    ended = client.delete(f"/api/simulator/faults/{made.json['id']}", headers=headers)
    unknown = client.delete("/api/simulator/faults/none", headers=headers)
    foreign = client.post("/api/simulator/faults", json={"target": plant.other_tag, "kind": "drift"}, headers=headers)

    commands = [decode_command(fields) for _id, fields in services.bus.client.xrange(services.bus.key(COMMANDS))]
    hidden = [client.post("/api/simulator/faults", json=body, headers=headers) for body in not_shown(services, plant)]
    assert [(one.status_code, one.json["errors"][0]["field"]) for one in hidden] == [(422, "kind")] * 3
    assert (made.status_code, ended.status_code, unknown.status_code, foreign.status_code) == (201, 204, 404, 422)
    assert [(c.name, c.data["id"]) for c in commands] == [("simulator.fault", made.json["id"]), ("simulator.clear", made.json["id"])]
    assert (commands[0].data["target"], commands[0].data["kind"], commands[0].data["magnitude"]) == (plant.tag, "drift", 7.5)
    services.database.close()
    services.bus.client.close()


def not_shown(services: Services, plant: Plant) -> list[dict[str, str]]:
    """Faults that the demo plant's own tables refuse."""
    with services.database.transaction() as session:
        source = session.scalars(select(Source.name).where(Source.site_id == plant.site)).one()
    return [
        {"target": source, "kind": "drift"},
        {"target": plant.asset, "kind": "fault_code"},
        {"target": plant.tag, "kind": "fault_code"},
    ]


def test_outside_a_demo_there_is_no_simulator(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    answer = client.post("/api/simulator/faults", json={"target": plant.tag, "kind": "drift"}, headers=bearer("technician"))

    assert answer.status_code == 404
    assert client.get("/api/simulator", headers=bearer("viewer")).json["demo"] is False


def test_without_the_database_every_door_answers_503(settings: Settings, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    away = create_app(replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none"))
    client = away.test_client()

    answers = [
        client.get("/api/alerts", headers=headers),
        client.post("/api/auth/login", json={"employee_number": "x", "password": "y"}),
        client.get("/api/readings?tag=x", headers=headers),
    ]

    for answer in answers:
        assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
        assert answer.headers["Retry-After"] == "5"
    assert client.get("/live").status_code == 200
    assert client.get("/ready").status_code == 503
    assert client.get("/health").json == {"status": "down"}
    away.extensions["sightline"].bus.client.close()


def test_without_the_bus_people_still_log_in_and_read(settings: Settings, plant: Plant) -> None:
    away = create_app(replace(settings, redis_url="unix:///nowhere/redis.sock"))
    client = away.test_client()

    login = client.post("/api/auth/login", json={"employee_number": plant.people["viewer"], "password": "a long enough secret"})
    headers = {"Authorization": f"Bearer {login.json['access_token']}"}

    assert client.get("/api/alerts", headers=headers).status_code == 200
    assert client.get("/api/facts", headers=headers).status_code == 200
    assert client.get("/health").json == {"status": "down"}
    away.extensions["sightline"].database.close()


def test_every_answer_carries_the_security_headers(client: FlaskClient) -> None:
    for path in ("/login", "/api/nothing", "/live", "/api/docs"):
        headers = client.get(path).headers
        assert "script-src 'self' 'nonce-" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Access-Control-Allow-Origin" not in headers


def test_a_nonce_is_used_once(client: FlaskClient) -> None:
    one, two = (client.get("/login").headers["Content-Security-Policy"] for _ in range(2))

    assert one != two


def test_the_overview_figures_answer_for_an_empty_site(client: FlaskClient, bearer: LogIn) -> None:
    answer = client.get("/api/dashboard/summary", headers=bearer("viewer"))

    assert answer.status_code == 200
    assert answer.json["orders"]["open"] == 0
