"""How a source and its tags stand, from the real collectors; and changes of tags that never drop the link."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from realtime.bus import now_ms
from realtime.events import Batch
from realtime.history_writer import write_batches
from realtime.settings import Settings
from server.services import Services
from server.store import snapshot
from tests.plc.harness import Plc, Program, environment_of
from tests.server.api.conftest import LogIn, Plant
from tests.waiting import wait_for


@pytest.fixture
def plc() -> Iterator[Plc]:
    server = Plc().start()
    yield server
    server.stop()


@pytest.fixture
def collectors(settings: Settings) -> Iterator[Program]:
    more = {"REDIS_URL": settings.redis_url or "", "BUS_PREFIX": settings.bus_prefix, "DATA_DIR": str(settings.data_dir / "collectors")}
    program = Program(environment_of(**more, MQTT_URL=settings.mqtt_url or "", MQTT_PREFIX=settings.mqtt_prefix))
    yield program
    program.stop()
    sys.stderr.write(program.said)


def publish(services: Services) -> None:
    """What the leader does when it relays config.changed."""
    with services.database.transaction() as session:
        built = snapshot.build(session, services.clock())
    services.bus.publish_config(built)


def status(client: FlaskClient, headers: dict[str, str], source: int) -> dict[str, Any]:
    answer = client.get(f"/api/sources/{source}/status", headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


@pytest.fixture
def made(client: FlaskClient, plant: Plant, bearer: LogIn, plc: Plc) -> dict[str, Any]:
    body = {"name": f"s7-{plant.asset}", "kind": "s7", "config": dict(plc.source().config), "groups": {"normal": 0.2}}
    answer = client.post("/api/sources", json=body, headers=bearer("manager"))
    assert answer.status_code == 201, answer.text
    for name, address, kind in (("good", "DB1,REAL4", "f64"), ("wrong", "DB99,REAL0", "f64"), ("lot", "DB1,S8.10", "text")):
        row = {
            "kind": kind,
            "tag": f"{plant.asset}.{name}",
            "asset": plant.asset,
            "source": body["name"],
            "address": address,
            "group": "normal",
            "unit": "bar" if kind == "f64" else "",
        }
        assert client.post("/api/tags", json=row, headers=bearer("manager")).status_code == 201
    return dict(answer.json)


def test_without_a_collector_it_says_so(client: FlaskClient, made: dict[str, Any], bearer: LogIn) -> None:
    headers = bearer("manager")
    tags = client.get(f"/api/sources/{made['id']}/tags", headers=headers).json

    assert status(client, headers, made["id"])["state"] == "no_collector"
    assert [(row["quality"], row["reason"], row["value"]) for row in tags["items"]] == [("none", "never", None)] * 3
    listed = client.get("/api/sources", headers=headers).json["items"]
    assert [(row["state"], row["rate"]) for row in listed if row["id"] == made["id"]] == [("no_collector", None)]
    client.patch(f"/api/sources/{made['id']}", json={"enabled": False}, headers=headers)
    assert status(client, headers, made["id"])["state"] == "off"
    assert client.get(f"/api/sources/{made['id']}", headers=headers).json["state"] == "off"


def test_each_tag_says_whether_it_is_right_and_changing_tags_keeps_the_link(
    client: FlaskClient, services: Services, plant: Plant, plc: Plc, made: dict[str, Any], bearer: LogIn, collectors: Program
) -> None:
    headers = bearer("manager")
    plc.write(1, 4, ">f", 21.5)
    plc.write(1, 8, ">H", 10 << 8)  # an empty text of at most ten characters
    publish(services)

    def said() -> dict[str, Any]:
        return status(client, headers, made["id"])

    wait_for(lambda: said()["state"] == "live" and said()["collector"]["readings"] > 0, 40, "the live source")
    wait_for(lambda: said()["collector"].get("not_good") == 1, 20, "the wrong tag")
    first = said()["collector"]
    rows = {row["tag"]: row for row in client.get(f"/api/sources/{made['id']}/tags", headers=headers).json["items"]}
    wrong = rows[f"{plant.asset}.wrong"]
    assert (wrong["quality"], wrong["reason"]) == ("bad", "config")
    assert "DB99" in wrong["trouble"]
    (listed,) = [row for row in client.get("/api/sources", headers=headers).json["items"] if row["id"] == made["id"]]
    assert (listed["state"], listed["not_good"], listed["detail"]) == ("live", 1, "")
    assert listed["state_since"] == said()["state_since"]
    assert {"rate", "lag_ms", "reconnects", "overruns", "drops", "pdu"} <= set(first)

    fixed = client.patch(f"/api/tags/{wrong['id']}", json={"address": "DB1,REAL20"}, headers=headers)
    assert fixed.status_code == 200
    publish(services)
    wait_for(lambda: said()["collector"]["not_good"] == 0, 20, "the mended tag")
    client.patch(f"/api/tags/{wrong['id']}", json={"enabled": False}, headers=headers)
    publish(services)
    wait_for(lambda: said()["collector"]["tags"] == 2, 20, "the tag switched off")

    last = said()
    assert (last["collector"]["reconnects"], last["state"], last["collector"]["collector"]["pid"]) == (0, "live", first["collector"]["pid"])
    assert "link opened anew" not in collectors.said
    client.patch(f"/api/sources/{made['id']}", json={"enabled": False}, headers=headers)
    publish(services)
    wait_for(lambda: status(client, headers, made["id"])["collector"] is None, 20, "the source let go")


def test_the_newest_value_of_the_history_is_shown_with_its_age(
    client: FlaskClient, services: Services, made: dict[str, Any], bearer: LogIn
) -> None:
    good, lot, _wrong = client.get(f"/api/sources/{made['id']}/tags", headers=bearer("manager")).json["items"]
    t = now_ms() - 5000
    batch = Batch(
        shard=0,
        received_ms=t,
        source=made["name"],
        ids=np.array([good["id"]], "u4"),
        t=np.array([t]),
        quality=np.zeros(1, "u1"),
        seq=np.zeros(1, "u4"),
        values=np.array([3.25]),
    )
    words = replace(batch, ids=np.array([lot["id"]], "u4"), values=["LOT-42"], kind="text")
    with services.database.raw() as connection:
        write_batches(connection, [batch, words])
        connection.commit()

    row, text, _other = client.get(f"/api/sources/{made['id']}/tags", headers=bearer("manager")).json["items"]

    assert (row["value"], row["quality"], row["reason"]) == (3.25, "good", "none")
    assert 5000 <= row["age_ms"] < 600_000
    assert (text["value"], text["quality"], text["t"]) == ("LOT-42", "good", t)
