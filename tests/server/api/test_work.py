"""Alerts and orders over REST: the acts, the conflicts, and doing the same thing twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from server.models.alerts import AlertRecord
from server.models.work import Procedure, ProcedureVersion
from server.services import Services
from server.timestamps import rfc3339, to_ms
from tests.server.api.conftest import LogIn, Plant

STEPS = [
    {"id": "s1", "n": 1, "k": "confirm", "t": "Lock the pump", "must": True},
    {"id": "s2", "n": 2, "k": "measure", "t": "Read the pressure", "must": True, "in": {"unit": "bar", "lo": 4, "hi": 6, "dec": 1}},
]


@pytest.fixture
def alert(services: Services, plant: Plant) -> int:
    """An active alert on the plant's tag."""
    now = datetime.now(UTC)
    with services.database.transaction() as session:
        row = AlertRecord(
            number=f"ALERT_{plant.asset}",
            site_id=plant.site,
            asset_id=plant.asset_id,
            tag_id=plant.tag_id,
            tag=plant.tag,
            type="rule_violation",
            severity="critical",
            detector="limits",
            origin="rule",
            message="Pressure above 9 bar",
            raised_at=now,
            last_at=now,
        )
        session.add(row)
        session.flush()
        return row.id


@pytest.fixture
def procedure(services: Services, plant: Plant) -> str:
    """A procedure of two steps."""
    with services.database.transaction() as session:
        row = Procedure(site_id=plant.site, code=f"P-{plant.asset}", title="Look at the pump")
        session.add(row)
        session.flush()
        session.add(ProcedureVersion(procedure_id=row.id, version=1, steps=STEPS))
        return row.code


def do(client: FlaskClient, headers: dict[str, str], order: int, action: str, **fields: Any) -> Any:
    """Take an act on an order."""
    return client.post(f"/api/work-orders/{order}/actions/{action}", json=fields, headers=headers)


def test_an_alert_is_acknowledged_once(client: FlaskClient, bearer: LogIn, alert: int) -> None:
    headers = bearer("technician")

    first = client.post(f"/api/alerts/{alert}/acknowledge", headers=headers)
    again = client.post(f"/api/alerts/{alert}/acknowledge", headers=headers)

    assert (first.status_code, first.json["acknowledged"], first.json["acknowledged_by"]) == (200, True, "Technician")
    assert (again.status_code, again.content_type) == (409, "application/problem+json")
    assert "state" in again.json


def test_an_active_alert_is_not_resolved_and_a_manager_may_force_it(client: FlaskClient, bearer: LogIn, alert: int) -> None:
    body = {"notes": "seal replaced"}

    assert client.post(f"/api/alerts/{alert}/resolve", json=body, headers=bearer("technician")).status_code == 409
    assert client.post(f"/api/alerts/{alert}/resolve", json={"notes": " "}, headers=bearer("technician")).status_code == 422
    forced = client.post(f"/api/alerts/{alert}/resolve", json={**body, "force": True}, headers=bearer("manager"))

    assert forced.status_code == 200
    assert client.get("/api/alerts", headers=bearer("viewer")).json["total"] == 0
    assert client.get("/api/alerts?active=false", headers=bearer("viewer")).json["total"] == 1


def test_an_alert_is_shelved_until_a_time_with_a_reason(client: FlaskClient, bearer: LogIn, alert: int) -> None:
    headers = bearer("technician")
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    shelved = client.post(f"/api/alerts/{alert}/shelve", json={"until": until, "reason": "known, part ordered"}, headers=headers)
    shown = client.post(f"/api/alerts/{alert}/unshelve", headers=headers)

    assert shelved.json["shelved_reason"] == "known, part ordered"
    assert shown.json["shelved_until"] is None
    past = {"until": "2020-01-01T00:00:00Z", "reason": "x"}
    assert client.post(f"/api/alerts/{alert}/shelve", json=past, headers=headers).status_code == 422


def test_the_order_of_an_alert_is_opened_once(client: FlaskClient, bearer: LogIn, alert: int) -> None:
    headers = bearer("manager")

    first = client.post("/api/work-orders/from-alert", json={"alert_id": alert}, headers=headers)
    again = client.post("/api/work-orders/from-alert", json={"alert_id": alert}, headers=headers)

    assert first.status_code == 201
    assert first.headers["Location"] == f"/api/work-orders/{first.json['id']}"
    assert first.json["alert"]["id"] == alert
    assert again.status_code == 409


def test_an_order_is_worked_step_by_step_to_its_end(client: FlaskClient, plant: Plant, bearer: LogIn, procedure: str) -> None:
    manager, technician = bearer("manager"), bearer("technician")
    made = client.post("/api/work-orders", json={"asset": plant.asset, "title": "Look", "procedure": procedure}, headers=manager).json
    order, number = made["id"], made["number"]
    me = client.get("/api/auth/me", headers=technician).json["id"]

    assert do(client, manager, order, "assign", assignee_id=me).json["status"] == "assigned"
    mine = client.get("/api/work-orders?assigned_to=me", headers=technician).json
    assert do(client, technician, order, "start").json["status"] == "in_progress"
    early = client.post(f"/api/work-orders/{number}/steps/s2", json={"value": 5}, headers=technician)
    assert client.post(f"/api/work-orders/{number}/steps/s1", json={"value": True}, headers=technician).json["next"] == "s2"
    wrong = client.post(f"/api/work-orders/{number}/steps/s2", json={"value": "five"}, headers=technician)
    outside = client.post(f"/api/work-orders/{number}/steps/s2", json={"value": 7.5, "unit": "bar"}, headers=technician)
    steps = client.get(f"/api/work-orders/{number}/steps", headers=technician).json["steps"]
    done = do(client, technician, order, "complete", notes="valve was stuck")
    own = do(client, technician, order, "verify")
    verified = do(client, manager, order, "verify")

    assert [row["id"] for row in mine["items"]] == [order]
    assert (early.status_code, wrong.status_code) == (409, 422)
    assert (outside.status_code, outside.json["ok"]) == (200, False)
    assert [step["done"] for step in steps] == [True, True]
    assert (done.json["status"], own.status_code, verified.json["status"]) == ("completed", 403, "verified")


def test_an_act_the_table_does_not_know_changes_nothing(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    manager = bearer("manager")
    order = client.post("/api/work-orders", json={"asset": plant.asset, "title": "Look"}, headers=manager).json["id"]

    refused = do(client, manager, order, "verify")

    assert (refused.status_code, refused.json["state"]) == (409, "open")
    assert do(client, manager, order, "explode").status_code == 404
    assert do(client, manager, order, "hold", reason="x", colour="red").status_code == 422
    assert client.get(f"/api/work-orders/{order}", headers=manager).json["status"] == "open"


def test_patch_takes_the_words_of_older_systems(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    technician = bearer("technician")
    me = client.get("/api/auth/me", headers=technician).json["id"]
    order = client.post("/api/work-orders", json={"tag": plant.tag, "title": "Look"}, headers=technician).json["id"]
    path = f"/api/work-orders/{order}"

    started = client.patch(path, json={"status": "in_progress", "assigned_to": me}, headers=technician)
    held = client.patch(path, json={"status": "on_hold", "reason": "waiting for a part"}, headers=technician)
    resumed = client.patch(path, json={"status": "in_progress"}, headers=technician)
    without_notes = client.patch(path, json={"status": "fixed"}, headers=technician)
    fixed = client.patch(path, json={"status": "fixed", "notes": "replaced"}, headers=technician)

    assert [a.json.get("status") for a in (started, held, resumed)] == ["in_progress", "on_hold", "in_progress"]
    assert (without_notes.status_code, fixed.json["status"]) == (422, "completed")


def test_the_same_idempotency_key_opens_one_order(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = {**bearer("manager"), "Idempotency-Key": "press-once"}
    body = {"asset": plant.asset, "title": "Look"}

    first = client.post("/api/work-orders", json=body, headers=headers)
    again = client.post("/api/work-orders", json=body, headers=headers)
    other = client.post("/api/work-orders", json={**body, "title": "Another"}, headers=headers)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json["id"] == again.json["id"]
    assert other.status_code == 422
    assert client.get("/api/work-orders", headers=headers).json["total"] == 1


def test_another_sites_alert_and_order_are_not_there(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, alert: int
) -> None:
    with services.database.transaction() as session:
        session.get_one(AlertRecord, alert).site_id = plant.other_site

    assert client.get(f"/api/alerts/{alert}", headers=bearer("admin")).status_code == 404
    assert client.post(f"/api/alerts/{alert}/acknowledge", headers=bearer("admin")).status_code == 404


def test_an_asset_shows_its_tags_and_what_happened(client: FlaskClient, plant: Plant, bearer: LogIn, alert: int) -> None:
    headers = bearer("viewer")

    asset = client.get(f"/api/assets/{plant.asset}", headers=headers).json
    events = client.get(f"/api/assets/{plant.asset}/events", headers=headers).json

    assert [tag["name"] for tag in asset["tags"]] == [plant.tag]
    assert [row["id"] for row in events["alerts"]] == [alert]
    assert events["gaps"] == []


def test_an_alert_that_came_back_is_on_the_chart_each_time(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, alert: int
) -> None:
    headers, path = bearer("viewer"), f"/api/assets/{plant.asset}/events"
    now = datetime.now(UTC)
    first, returned = now - timedelta(hours=3), now - timedelta(hours=2)
    with services.database.transaction() as session:
        row = session.get_one(AlertRecord, alert)
        spell = {"raised_at": rfc3339(first), "returned_at": rfc3339(returned)}
        row.data = {"first_raised": spell["raised_at"], "spells": [spell]}

    def raised(start: datetime, end: datetime) -> list[str]:
        query = {"from": to_ms(start), "to": to_ms(end)}
        return [one["raised_at"] for one in client.get(path, query_string=query, headers=headers).json["alerts"]]

    again = raised(now - timedelta(hours=1), now + timedelta(hours=1))
    assert len(again) == 1
    assert raised(now - timedelta(hours=4), now + timedelta(hours=1)) == [*again, rfc3339(first)]
    assert raised(now - timedelta(hours=4), now - timedelta(hours=1)) == [rfc3339(first)]


def test_the_phone_lists_the_same_dangers_as_the_glasses(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    steps = [STEPS[0] | {"warn": {"sev": "danger", "t": "It may start until it is locked"}}, STEPS[1]]
    with services.database.transaction() as session:
        row = Procedure(site_id=plant.site, code=f"D-{plant.asset}", title="Look at the pump")
        session.add(row)
        session.flush()
        session.add(ProcedureVersion(procedure_id=row.id, version=1, steps=steps, safety=[{"id": "d1", "sev": "caution", "t": "Hot"}]))
        code = row.code
    body = {"asset": plant.asset, "title": "Look", "priority": "normal", "procedure": code}
    order = client.post("/api/work-orders", json=body, headers=bearer("manager")).json

    glasses = client.get(f"/ar/v1/tasks/{order['id']}", headers=bearer("technician")).json

    assert [danger["t"] for danger in order["safety"]] == ["It may start until it is locked", "Hot"]
    assert order["safety"] == glasses["safety"]


def test_the_register_takes_an_instrument_and_says_its_status(client: FlaskClient, plant: Plant, bearer: LogIn, alert: int) -> None:
    manager = bearer("manager")
    body = {"tag": plant.tag, "asset": plant.asset, "name": "Discharge pressure", "type": "pressure", "unit": "bar"}

    made = client.post("/api/instruments", json=body, headers=manager)
    status = client.get(f"/api/instruments/{made.json['id']}/status", headers=manager).json

    assert client.post("/api/instruments", json=body, headers=manager).status_code == 409
    assert client.get("/api/instruments?search=Discharge", headers=manager).json["total"] == 1
    assert client.get("/api/instruments?search=%25", headers=manager).json["total"] == 0
    assert (status["rule"]["alert"], status["cusum"]["state"]) == (alert, "ok")
    assert client.delete(f"/api/instruments/{made.json['id']}", headers=manager).status_code == 204
    assert client.get(f"/api/instruments/{made.json['id']}", headers=manager).status_code == 404
