"""The published JSON Schema holds for what the feed really answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from flask import Flask
from jsonschema import Draft202012Validator, ValidationError

from server.services import Services
from tests.ar_feed.conftest import Headset, op
from tests.ar_feed.plant import FeedPlant, order


@pytest.fixture(scope="module")
def published(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/ar/v1/schema")
    assert answer.mimetype == "application/schema+json"
    found: dict[str, Any] = orjson.loads(answer.data)
    Draft202012Validator.check_schema(found)
    return found


def check(published: dict[str, Any], name: str, body: object) -> None:
    Draft202012Validator({**published, "$ref": f"#/$defs/{name}"}).validate(body)


def test_answers_hold_the_schema(published: dict[str, Any], services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)

    check(published, "tasks", headset.get("/tasks").json)
    check(published, "tasks", headset.get("/tasks?full=1").json)
    check(published, "task", headset.get(f"/tasks/{task}").json)
    check(published, "live", headset.get(f"/tasks/{task}/live").json)
    check(published, "problem", headset.get("/tasks/999999").json)
    operations = {"ops": [op("start", task), op("step", task, step="s1"), op("step", task, step="s9")]}
    check(published, "ops", operations)
    check(published, "results", headset.post("/ops", json=operations).json)
    asked = headset.client.post("/ar/v1/pair", json={"kind": "glasses", "name": "HMT-1"})
    check(published, "pairing", asked.json)


@pytest.mark.parametrize("wrong", [{"k": "delete"}, {"task": "1"}, {"note": "a" * 501}, {"by": "telepathy"}, {"media": ["a"]}])
def test_schema_refuses_what_the_server_refuses(published: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(published, "op", {**op("start", 1), **wrong})
