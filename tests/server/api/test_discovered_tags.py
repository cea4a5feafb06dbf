"""Discovered tags: listed with their last value, accepted or ignored by a person, never made silently, bounded."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from server.models.plant import DiscoveredTag, Source, Tag
from server.services import Services
from server.store import discovered
from tests.server.api.conftest import LogIn, Plant

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


def source_of(services: Services, plant: Plant) -> str:
    with services.database.transaction() as session:
        return session.scalars(select(Source.name).where(Source.site_id == plant.site)).first() or ""


@pytest.fixture
def found(services: Services, plant: Plant) -> int:
    """The id of one discovered tag, sent twice."""
    name = source_of(services, plant)
    with services.database.transaction() as session:
        for value, minute in ((3.5, 0), (4.5, 1)):
            discovered.note(session, name, f"{plant.asset}.torque", value, NOW.replace(minute=minute))
        return session.scalars(select(DiscoveredTag.id).where(DiscoveredTag.source == name)).one()


def test_it_is_listed_with_its_last_value_and_nothing_is_made(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, found: int
) -> None:
    (row,) = client.get("/api/discovered-tags", headers=bearer("manager")).json["items"]

    assert (row["id"], row["tag"], row["value"], row["seen"], row["state"]) == (found, f"{plant.asset}.torque", 4.5, 2, "new")
    with services.database.transaction() as session:
        assert session.scalar(select(Tag.id).where(Tag.name == row["tag"])) is None


def test_a_person_accepts_it_once(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, found: int) -> None:
    headers = bearer("manager")
    given = {"asset": plant.asset, "unit": "Nm", "low": 0, "high": 40}

    made = client.post(f"/api/discovered-tags/{found}/accept", json=given, headers=headers)
    again = client.post(f"/api/discovered-tags/{found}/accept", json=given, headers=headers)

    assert (made.status_code, made.json["tag"], made.json["unit"], made.json["address"]) == (201, f"{plant.asset}.torque", "Nm", "")
    assert made.json["source"] == source_of(services, plant)
    assert (again.status_code, again.json["code"]) == (409, "decided")
    assert client.get("/api/discovered-tags", headers=headers).json["total"] == 0
    assert client.get(f"/api/discovered-tags/{found}", headers=headers).json["decided_by"] == "Manager"


def test_another_name_needs_the_address(client: FlaskClient, plant: Plant, bearer: LogIn, found: int) -> None:
    headers, at = bearer("manager"), f"/api/discovered-tags/{found}/accept"
    renamed = {"asset": plant.asset, "tag": f"{plant.asset}.moment"}

    refused = client.post(at, json=renamed, headers=headers)
    made = client.post(at, json=renamed | {"address": "machines/x#torque"}, headers=headers)

    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "address")
    assert (made.status_code, made.json["address"]) == (201, "machines/x#torque")


def test_what_is_ignored_is_out_of_the_list_and_can_be_taken_up_again(client: FlaskClient, bearer: LogIn, found: int) -> None:
    headers, at = bearer("manager"), f"/api/discovered-tags/{found}"

    assert client.patch(at, json={"state": "ignored"}, headers=headers).json["state"] == "ignored"
    assert client.get("/api/discovered-tags", headers=headers).json["total"] == 0
    assert client.get("/api/discovered-tags?state=ignored", headers=headers).json["total"] == 1
    assert client.patch(at, json={"state": "new"}, headers=headers).json["state"] == "new"
    assert client.get("/api/discovered-tags", headers=headers).json["total"] == 1


def test_endless_names_of_one_source_fill_no_table(services: Services, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovered, "MOST", 5)
    name = source_of(services, plant)
    with services.database.transaction() as session:
        for n in range(20):
            discovered.note(session, name, f"flood.{n}", n, NOW)
        discovered.note(session, name, "flood.1", 99, NOW.replace(minute=5))
        rows = select(func.count(), func.max(DiscoveredTag.seen)).where(DiscoveredTag.source == name)
        assert tuple(session.execute(rows).one()) == (5, 2)


def test_only_those_who_configure_tags_see_and_decide(client: FlaskClient, bearer: LogIn, found: int) -> None:
    headers = bearer("technician")

    assert client.get("/api/discovered-tags", headers=headers).status_code == 403
    assert client.post(f"/api/discovered-tags/{found}/accept", json={"asset": "X"}, headers=headers).status_code == 403
