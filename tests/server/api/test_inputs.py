"""PLC inputs over HTTP: merged into the last-known state, read back, never open; each is a reading too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from realtime import snapshot
from realtime.bus import READINGS, now_ms
from realtime.codec import decode_batch
from realtime.snapshot import Snapshot
from server.models.plant import Tag
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

Device = Callable[[str], dict[str, str]]


@pytest.fixture
def inputs(services: Services, plant: Plant) -> list[str]:
    """Names of three inputs of the asset, published."""
    names = [f"{plant.asset}.{name}" for name in ("running", "level", "recipe")]
    with services.database.transaction() as session:
        rows = [Tag(asset_id=plant.asset_id, name=name, kind="text" if name.endswith("recipe") else "f64") for name in names]
        session.add_all(rows)
        session.flush()
        ids = [row.id for row in rows]
    known = services.bus.config()
    assert known is not None
    tags = [
        snapshot.Tag(
            id=i, name=name, asset=plant.asset_id, shard=plant.asset_id % 8, unit="", kind="text" if name.endswith("recipe") else "f64"
        )
        for i, name in zip(ids, names, strict=True)
    ]
    services.bus.publish_config(Snapshot(version=2, sources=known.sources, tags=[*known.tags, *tags], assets=known.assets))
    return names


def test_what_is_posted_is_merged_and_read_back(
    client: FlaskClient, plant: Plant, device: Device, bearer: LogIn, inputs: list[str]
) -> None:
    running, level, recipe = inputs
    ingest = device("ingest")

    first = client.post("/api/update-inputs", json={"inputs": {running: True, level: 3.5, recipe: "R-7"}}, headers=ingest)
    second = client.post("/api/update-inputs", json={"inputs": {level: 4.5}}, headers=ingest)
    read = client.get(f"/api/get-inputs?asset={plant.asset}", headers=bearer("technician"))

    assert (first.status_code, first.json["accepted"]) == (200, 3), first.text
    assert {name: row["value"] for name, row in second.json["inputs"].items()} == {level: 4.5}
    assert {name: row["value"] for name, row in read.json["inputs"].items()} == {running: 1.0, level: 4.5, recipe: "R-7"}
    assert all(row["quality"] == "good" and row["age_ms"] < 60_000 for row in read.json["inputs"].values())


def test_each_input_is_a_reading_on_the_bus(client: FlaskClient, services: Services, device: Device, inputs: list[str]) -> None:
    client.post("/api/update-inputs", json={"inputs": {inputs[1]: 3.5}}, headers=device("ingest"))

    entries = [entry for stream in READINGS for entry in services.bus.client.xrange(services.bus.key(stream))]
    assert [float(value) for _, fields in entries for value in decode_batch(fields).values] == [3.5]


def test_an_older_value_does_not_replace_a_newer_one(client: FlaskClient, device: Device, inputs: list[str]) -> None:
    ingest = device("ingest")
    client.post("/api/update-inputs", json={"inputs": {inputs[1]: 2}}, headers=ingest)

    late = client.post("/api/update-inputs", json={"inputs": {inputs[1]: 1}, "timestamp": now_ms() - 60_000}, headers=ingest)

    assert late.json["inputs"][inputs[1]]["value"] == 2.0


def test_a_wrong_input_never_costs_a_good_one_its_place(client: FlaskClient, plant: Plant, device: Device, inputs: list[str]) -> None:
    sent = {inputs[1]: 5, inputs[0]: "on", "nobody": 1, plant.other_tag: 1}

    answer = client.post("/api/update-inputs", json={"inputs": sent}, headers=device("ingest"))

    assert (answer.status_code, answer.json["accepted"]) == (200, 1)
    assert {row["tag"]: row["code"] for row in answer.json["rejected"]} == {
        inputs[0]: "value",
        "nobody": "unknown_tag",
        plant.other_tag: "unknown_tag",
    }


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_every_other_method_is_400(client: FlaskClient, device: Device, method: str) -> None:
    answer = getattr(client, method)("/api/update-inputs", headers=device("ingest"))

    assert (answer.status_code, answer.json["code"]) == (400, "method")


def test_nobody_without_the_right_posts_or_reads(client: FlaskClient, device: Device, bearer: LogIn, inputs: list[str]) -> None:
    body = {"inputs": {inputs[1]: 5}}

    assert client.post("/api/update-inputs", json=body).status_code == 401
    assert client.get("/api/get-inputs").status_code == 401
    assert client.post("/api/update-inputs", json=body, headers=bearer("technician")).status_code == 403
    assert client.get("/api/get-inputs", headers=device("ingest")).status_code == 403
