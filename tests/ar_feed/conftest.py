"""The whole app on this module's database, and a feed client as a paired headset."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from realtime.settings import load
from server.services import Services
from tests.ar_feed import plant as feed_plant
from tests.ar_feed.plant import FeedPlant


@pytest.fixture(scope="module")
def app(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One app for the module: it takes seconds to make; every test has a plant of its own."""
    environment = {
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "BUS_PREFIX": f"t{secrets.token_hex(5)}",
        "DATA_DIR": str(tmp_path_factory.mktemp("var")),
    }
    made = create_app(load(environment, None))
    yield made
    services: Services = made.extensions["sightline"]
    services.database.close()
    keys = list(services.bus.client.scan_iter(services.bus.key("*"), count=1000))
    if keys:
        services.bus.client.delete(*keys)
    services.bus.client.close()


@pytest.fixture
def services(app: Flask) -> Services:
    found: Services = app.extensions["sightline"]
    return found


@pytest.fixture
def plant(services: Services) -> FeedPlant:
    return feed_plant.build(services)


class Headset:
    """Requests with a paired token."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(f"/ar/v1{path}", headers={**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})

    def post(self, path: str, **kwargs: Any) -> TestResponse:
        headers = {**self.headers, **kwargs.pop("headers", {})}
        return self.client.post(f"/ar/v1{path}", headers=headers, **kwargs)

    def ops(self, *operations: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.post("/ops", data=json.dumps({"ops": list(operations)}), content_type="application/json")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json["results"]
        return found


def op(kind: str, task: int, **more: Any) -> dict[str, Any]:
    """A well-formed operation."""
    return {"key": str(uuid.uuid4()), "task": task, "k": kind, "at": datetime.now(UTC).isoformat(), "by": "keys", **more}


@pytest.fixture
def headset(app: Flask, plant: FeedPlant) -> Headset:
    return Headset(app.test_client(), plant.token)
