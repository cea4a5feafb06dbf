"""The bell over REST: the own messages, how many wait, read once."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from server.models.people import User
from server.services import Services
from server.store.notifications import Message, notify
from tests.server.api.conftest import LogIn, Plant


@pytest.fixture
def told(services: Services, plant: Plant) -> None:
    with services.database.transaction() as session:
        people = {role: session.query(User).filter_by(employee_number=plant.people[role]).one().id for role in ("technician", "manager")}
        for n in (1, 2):
            notify(session, [people["technician"]], Message("order_assigned", f"WO-{n}: a job", site_id=plant.site), services.clock())
        notify(session, [people["manager"]], Message("decision_needed", "WO-3"), services.clock())


def test_a_person_sees_the_own_messages_and_how_many_wait(client: FlaskClient, bearer: LogIn, told: None) -> None:
    headers = bearer("technician")

    listed = client.get("/api/notifications", headers=headers).json

    assert [row["title"] for row in listed["items"]] == ["WO-2: a job", "WO-1: a job"]
    assert (listed["total"], listed["unread"], listed["items"][0]["count"]) == (2, 2, 1)
    assert client.get("/api/notifications/count", headers=headers).json == {"unread": 2}


def test_a_message_is_read_once_and_by_its_reader_only(client: FlaskClient, bearer: LogIn, told: None) -> None:
    headers = bearer("technician")
    first = client.get("/api/notifications", headers=headers).json["items"][0]["id"]

    stolen = client.post(f"/api/notifications/{first}/read", headers=bearer("manager"))
    read = client.post(f"/api/notifications/{first}/read", headers=headers).json
    again = client.post(f"/api/notifications/{first}/read", headers=headers).json

    assert stolen.status_code == 404
    assert read["read_at"] == again["read_at"] is not None
    assert client.get("/api/notifications?unread=true", headers=headers).json["total"] == 1
    assert client.get("/api/notifications/count", headers=headers).json == {"unread": 1}
