"""What the pages of records declare is in the bodies of a real plant: no column and no field that stays empty for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from realtime.settings import Settings
from server.demo.seed import add_people, seed
from server.models.people import User
from server.services import Services
from server.store.notifications import Message, notify
from tests.web.conftest import HASH, PASSWORD, csrf_of
from web.records.spec import Field, Records
from web.records.table import RECORDS

OPTIONAL = ("args.", "config.")  # what a job was asked with, and what a source is told, differ by their kind


def named(body: Any, name: str) -> bool:
    """Whether a body has the dotted name; below an empty value nothing can be missing."""
    for key in name.split("."):
        if body is None:
            return True
        if not isinstance(body, dict) or key not in body:
            return False
        body = body[key]
    return True


def absent(fields: tuple[Field, ...], bodies: list[Any]) -> list[str]:
    """Declared names that no body has."""
    names = [field.name for field in fields if field.kind != "file" and not field.name.startswith(OPTIONAL)]
    return [name for name in names if not any(named(body, name) for body in bodies)]


def missing(client: FlaskClient, one: Records) -> tuple[int, list[str]]:
    """How many rows a resource has here, and which names none of them knows."""
    rows = client.get(one.api, query_string={**one.extra, "limit": 5}).get_json()["items"]
    wrong = [f"{one.path}: column {name}" for name in absent(one.columns, rows)] if rows else []
    if rows and (one.fields or one.read_only or one.panels):
        body = client.get(f"{one.api}/{rows[0][one.key]}").get_json()
        wrong += [f"{one.path}: field {name}" for name in absent((*one.fields, *one.read_only), [body])]
        inside = {panel.inside for panel in one.panels if panel.inside and not panel.api}
        wrong += [f"{one.path}: panel {name}" for name in sorted(inside) if not named(body, name)]
    return len(rows), wrong


def test_every_declared_name_is_in_a_body_of_the_demo_plant(app: Flask, client: FlaskClient, settings: Settings) -> None:
    services: Services = app.extensions["sightline"]
    now = datetime.now(UTC)
    with services.database.transaction() as session:
        site = seed(session, settings, (10102, 14840), now)
        add_people(session, site)
        admin = User(employee_number="names", name="Admin", role="admin", site_id=site.id, password_hash=HASH)
        session.add(admin)
        session.flush()
        notify(session, [admin.id], Message("test", "Something to read"), now)
    token = csrf_of(client.get("/login").text)
    client.post("/login", data={"csrf_token": token, "employee_number": "names", "password": PASSWORD})
    csrf = {"X-CSRFToken": csrf_of(client.get("/account/password").text)}
    made = client.post("/api/work-orders", json={"title": "Look at the coupling", "asset": "M2"}, headers=csrf)
    assert made.status_code == 201, made.text

    found = {one.path: missing(client, one) for one in RECORDS}

    assert [name for _rows, wrong in found.values() for name in wrong] == []
    assert sum(rows > 0 for rows, _wrong in found.values()) > len(RECORDS) // 2
