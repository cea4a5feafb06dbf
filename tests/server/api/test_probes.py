"""POST /api/sources/test, browse and preview against the real supervisor of the collectors and a real S7 server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from realtime.settings import Settings
from server import read_now
from server.models.audit import AuditLog
from server.services import Services
from tests.plc.harness import Plc, Program, environment_of, free_port
from tests.server.api.conftest import LogIn, Plant
from tests.waiting import wait_for


@pytest.fixture
def plc() -> Iterator[Plc]:
    server = Plc().start()
    yield server
    server.stop()


@pytest.fixture
def collectors(settings: Settings, services: Services) -> Iterator[Program]:
    """`python -m plc` on this test's bus."""
    more = {"REDIS_URL": settings.redis_url or "", "BUS_PREFIX": settings.bus_prefix, "DATA_DIR": str(settings.data_dir / "collectors")}
    program = Program(environment_of(**more, MQTT_URL=settings.mqtt_url or "", MQTT_PREFIX=settings.mqtt_prefix, PROBE_LOCAL="1"))
    wait_for(lambda: services.bus.client.keys(services.bus.key("health.plc.*")), what="the supervisor's heartbeat")
    yield program
    program.stop()
    sys.stderr.write(program.said)


@pytest.fixture
def made(client: FlaskClient, plant: Plant, bearer: LogIn, plc: Plc) -> dict[str, Any]:
    body = {"name": f"s7-{plant.asset}", "kind": "s7", "config": dict(plc.source().config) | {"password": "hush"}}
    answer = client.post("/api/sources", json=body, headers=bearer("manager"))
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


@pytest.mark.usefixtures("collectors", "plant")
def test_a_device_is_tried_before_it_is_a_source(client: FlaskClient, plc: Plc, bearer: LogIn) -> None:
    headers, config = bearer("manager"), dict(plc.source().config)

    good = client.post("/api/sources/test", json={"kind": "s7", "config": config}, headers=headers)
    bad = client.post("/api/sources/test", json={"kind": "s7", "config": config | {"port": free_port()}}, headers=headers)

    assert (good.status_code, good.json["ok"]) == (200, True), good.text
    assert good.json["limits"]["pdu"] >= 240
    assert (bad.status_code, bad.json["ok"], bad.json["reason"]) == (200, False, "refused")
    assert bad.json["remedy"]


@pytest.mark.usefixtures("collectors")
def test_a_tag_is_read_before_it_is_saved_and_the_look_is_audited(
    client: FlaskClient, services: Services, plc: Plc, made: dict[str, Any], bearer: LogIn
) -> None:
    plc.write(1, 4, ">f", 21.5)

    answer = client.post(
        "/api/sources/preview", json={"source": made["id"], "address": "DB1,REAL4", "unit": "°C"}, headers=bearer("manager")
    )

    assert (answer.status_code, answer.json["ok"], answer.json["value"], answer.json["quality"]) == (200, True, 21.5, "good"), answer.text
    assert {row["order"] for row in answer.json["interpretations"] if row["value"] == 21.5} == {"ABCD"}
    with services.database.transaction() as session:
        row = session.scalars(select(AuditLog).where(AuditLog.action == "probe", AuditLog.thing_id == made["id"])).one()
        assert row.new["tag"]["address"] == "DB1.DBD4:REAL"
        assert "hush" not in repr(row.new)


@pytest.mark.usefixtures("collectors")
def test_a_tag_that_cannot_be_read_is_told_with_the_reason_and_the_remedy(client: FlaskClient, made: dict[str, Any], bearer: LogIn) -> None:
    answer = client.post("/api/sources/preview", json={"source": made["id"], "address": "DB99,REAL4"}, headers=bearer("manager"))

    assert (answer.status_code, answer.json["ok"], answer.json["reason"]) == (200, False, "db_missing"), answer.text
    assert "Program blocks" in answer.json["detail"]


@pytest.mark.usefixtures("collectors", "plant")
def test_what_a_plc_holds_is_browsed(client: FlaskClient, made: dict[str, Any], bearer: LogIn) -> None:
    answer = client.post("/api/sources/browse", json={"source": made["id"]}, headers=bearer("manager"))

    assert answer.status_code == 200
    assert answer.json["ok"] is False or answer.json["branches"], answer.text


@pytest.fixture
def tag(client: FlaskClient, plant: Plant, made: dict[str, Any], bearer: LogIn) -> int:
    row = {"tag": f"{plant.asset}.temperature", "asset": plant.asset, "source": made["name"], "address": "DB1,REAL4", "unit": "°C"}
    return int(client.post("/api/tags", json=row, headers=bearer("manager")).json["id"])


@pytest.mark.usefixtures("collectors")
def test_a_tag_is_read_now(client: FlaskClient, plc: Plc, tag: int, bearer: LogIn) -> None:
    plc.write(1, 4, ">f", 33.5)

    answer = client.post(f"/api/tags/{tag}/read", json={}, headers=bearer("manager"))

    assert (answer.status_code, answer.json["value"], answer.json["quality"]) == (200, 33.5, "good"), answer.text


@pytest.mark.usefixtures("collectors")
def test_a_tag_is_read_now_by_a_job(
    client: FlaskClient, settings: Settings, plc: Plc, tag: int, bearer: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    plc.write(1, 4, ">f", 44.5)
    job = client.post(f"/api/tags/{tag}/read", json={"background": True}, headers=bearer("manager"))
    for key, value in (("DATABASE_URL", settings.database_url), ("REDIS_URL", settings.redis_url), ("BUS_PREFIX", settings.bus_prefix)):
        monkeypatch.setenv(key, value or "")
    monkeypatch.setenv("SIGHTLINE_ENV_FILE", "none")

    read_now.run_job(tag, job.json["id"])

    done = client.get(f"/api/jobs/{job.json['id']}", headers=bearer("manager")).json
    assert (job.status_code, done["status"], done["result"]["value"]) == (202, "done", 44.5)


def test_a_tag_of_no_device_cannot_be_read_now(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    made = client.post("/api/tags", json={"tag": f"{plant.asset}.manual", "asset": plant.asset}, headers=bearer("manager")).json

    assert client.post(f"/api/tags/{made['id']}/read", json={}, headers=bearer("manager")).json["code"] == "no_device"


def test_without_a_collector_it_is_504_at_once(client: FlaskClient, made: dict[str, Any], bearer: LogIn) -> None:
    answer = client.post("/api/sources/test", json={"source": made["id"]}, headers=bearer("manager"))

    assert (answer.status_code, answer.json["code"]) == (504, "no_collector")


@pytest.mark.parametrize(
    ("path", "more", "code"),
    [
        ("test", {"config": {"host": "elsewhere", "password": "***"}}, "secret_again"),
        ("test", {"kind": "opcua"}, "kind"),
        ("test", {"config": {"edge": "hall-2"}}, "edge"),
        ("preview", {"address": "DB1,X0.9"}, "address"),
        ("preview", {"address": "M0.0", "scale_raw": [1, 1], "scale_eng": [0, 1]}, "same"),
    ],
)
def test_what_cannot_be_looked_at_is_said(
    client: FlaskClient, made: dict[str, Any], bearer: LogIn, path: str, more: dict[str, Any], code: str
) -> None:
    answer = client.post(f"/api/sources/{path}", json={"source": made["id"]} | more, headers=bearer("manager"))

    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, code)


def test_only_those_who_configure_may_look(client: FlaskClient, bearer: LogIn) -> None:
    for path in ("test", "browse", "preview"):
        assert client.post(f"/api/sources/{path}", json={"kind": "s7"}, headers=bearer("planner")).status_code == 403
