"""The web application under Flask's test client, on a small plant whose names are hostile."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from realtime.settings import Settings
from server.auth.passwords import hash_password
from server.database import Database
from server.models.people import User
from server.models.plant import Area, Asset, Site, Tag
from server.models.work import WorkOrder
from server.services import Services
from tests.web_app import web_app

PASSWORD = "a long enough secret"
HASH = hash_password(PASSWORD)
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}"


@dataclass(frozen=True)
class Plant:
    """What the pages show: role -> employee number, asset codes and an order of the own site, one of another."""

    people: dict[str, str]
    machine: str
    printer: str
    foreign: str
    order: str
    foreign_order: str


@pytest.fixture
def app(settings: Settings, module_pool: Database) -> Iterator[Flask]:
    yield from web_app(replace(settings, demo=True), module_pool)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def plant(app: Flask) -> Plant:
    mark = secrets.token_hex(3)
    services: Services = app.extensions["sightline"]
    with services.database.transaction() as session:
        site, other = (Site(code=f"W{mark}{n}", name=f"Plant {HOSTILE}") for n in "12")
        session.add_all([site, other])
        session.flush()
        area, far = Area(site_id=site.id, name="Utilities"), Area(site_id=other.id, name="Elsewhere")
        session.add_all([area, far])
        session.flush()
        machine = Asset(site_id=site.id, area_id=area.id, code=f"M{mark}", name=HOSTILE)
        printer = Asset(site_id=site.id, area_id=area.id, code=f"P{mark}", name="Printer")
        foreign = Asset(site_id=other.id, area_id=far.id, code=f"F{mark}", name="Far")
        session.add_all([machine, printer, foreign])
        session.flush()
        session.add(Tag(asset_id=printer.id, name=f"P{mark}.plate", unit="°C", kind="frame"))
        numbers = [f"WO-{mark}{n}" for n in "12"]
        for number, asset in zip(numbers, (machine, foreign), strict=True):
            now = datetime.now(UTC)
            row = WorkOrder(number=number, site_id=asset.site_id, asset_id=asset.id, title=HOSTILE, created_by="test")
            row.created_at = row.changed_at = now
            session.add(row)
        people = {}
        for role in ("admin", "manager", "planner", "storekeeper", "technician", "operator", "viewer"):
            people[role] = f"{role[:4]}-{mark}"
            session.add(
                User(employee_number=people[role], name=f"{role.title()} {HOSTILE}", role=role, site_id=site.id, password_hash=HASH)
            )
        return Plant(people, machine.code, printer.code, foreign.code, *numbers)


def csrf_of(page: str) -> str:
    """The token of a page's form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page[:300]
    return found.group(1)


LogIn = Callable[[str], FlaskClient]


@pytest.fixture
def as_role(client: FlaskClient, plant: Plant) -> LogIn:
    """The client, signed in by the form as a person of the role."""

    def log_in(role: str) -> FlaskClient:
        form = {"csrf_token": csrf_of(client.get("/login").text), "employee_number": plant.people[role], "password": PASSWORD}
        assert client.post("/login", data=form).status_code == 302
        return client

    return log_in
