"""The instrument register by REST (S2-1..7, S2-119..122): fields, changes, search and filters."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.services import Services
from server.store import calibration_due
from tests.server.api.conftest import LogIn, Plant

WHOLE = {
    "name": "Discharge pressure",
    "type": "pressure",
    "variable": "Gauge pressure",
    "unit": "bar",
    "range_low": 0.0,
    "range_high": 16.0,
    "nominal": 6.5,
    "location": "Pipe rack 3",
    "accuracy_class": "0.5",
    "criticality": "high",
    "calibration_interval_days": 180,
    "external_ref": "LIMS-44",
}


def made(client: FlaskClient, headers: dict[str, str], plant: Plant, tag: str = "PT-9", **fields: Any) -> Any:
    body = {**WHOLE, "tag": f"{tag}-{plant.asset}", "asset": plant.asset, **fields}
    answer = client.post("/api/instruments", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json


def test_an_instrument_keeps_all_that_identifies_it(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")

    row = made(client, headers, plant)

    record = client.get(f"/api/instruments/{row['id']}", headers=headers).json
    assert {name: record[name] for name in WHOLE} == WHOLE
    assert (record["tag"], record["asset"]["code"], record["area"]["name"]) == (f"PT-9-{plant.asset}", plant.asset, "Utilities")
    assert (record["calibrated_at"], record["calibration_due"]) == (None, None)


def test_a_tag_number_is_unique_until_its_instrument_is_gone(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    row = made(client, headers, plant)
    body = {**WHOLE, "tag": row["tag"], "asset": plant.asset}

    twice = client.post("/api/instruments", json=body, headers=headers)
    gone = client.delete(f"/api/instruments/{row['id']}", headers=headers)
    again = client.post("/api/instruments", json=body, headers=headers)

    assert (twice.status_code, gone.status_code, again.status_code) == (409, 204, 201)
    assert again.json["id"] != row["id"]


def test_an_interval_moves_the_next_calibration_and_an_overdue_one_alerts(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("planner")
    row = made(client, headers, plant, calibrated_at="2026-01-01T00:00:00Z", calibration_interval_days=3650)
    alerts = select(AlertRecord).where(AlertRecord.tag == row["tag"], AlertRecord.type == "calibration_overdue")

    shorter = client.patch(f"/api/instruments/{row['id']}", json={"calibration_interval_days": 1}, headers=headers)

    assert row["calibration_due"].startswith("2035-12-30")
    assert shorter.json["calibration_due"].startswith("2026-01-02")
    with services.database.transaction() as session:
        calibration_due.see_overdue(session, services.clock())
        assert [alert.condition for alert in session.scalars(alerts)] == ["active"]
    overdue = client.get("/api/instruments?due=overdue", headers=headers).json
    assert [item["id"] for item in overdue["items"]] == [row["id"]]
    longer = client.patch(f"/api/instruments/{row['id']}", json={"calibration_interval_days": 3650}, headers=headers)
    assert longer.status_code == 200
    with services.database.transaction() as session:
        assert [alert.condition for alert in session.scalars(alerts)] == ["returned"]
        changes = session.scalars(select(AuditLog).where(AuditLog.thing == "instrument", AuditLog.thing_id == row["id"])).all()
        assert [change.action for change in changes] == ["create", "change", "change"]
        assert changes[1].old is not None
        assert changes[1].old["calibration_interval_days"] == 3650


def test_a_change_of_somebody_who_read_an_older_revision_is_refused(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    row = made(client, headers, plant)
    seen = client.get(f"/api/instruments/{row['id']}", headers=headers).headers["ETag"]

    first = client.patch(f"/api/instruments/{row['id']}", json={"location": "A"}, headers={**headers, "If-Match": seen})
    second = client.patch(f"/api/instruments/{row['id']}", json={"location": "B"}, headers={**headers, "If-Match": seen})

    assert (first.status_code, second.status_code) == (200, 412)
    assert client.get(f"/api/instruments/{row['id']}", headers=headers).json["location"] == "A"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"range_low": 20.0}, 422),
        ({"criticality": "huge"}, 422),
        ({"calibration_interval_days": 0}, 422),
        ({"calibration_interval_days": 1.5}, 422),
        ({"area": "Nowhere"}, 422),
        ({"asset": "nobody"}, 404),
        ({"colour": "red"}, 422),
        ({"nominal": "6"}, 422),
    ],
)
def test_what_no_instrument_can_be_is_refused_and_nothing_changes(
    client: FlaskClient, plant: Plant, bearer: LogIn, fields: dict[str, Any], status: int
) -> None:
    headers = bearer("planner")
    row = made(client, headers, plant)

    answer = client.patch(f"/api/instruments/{row['id']}", json=fields, headers=headers)

    assert answer.status_code == status, answer.text
    assert client.get(f"/api/instruments/{row['id']}", headers=headers).json == row


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": "DISCHARGE rack"}, True),
        ({"search": "lims-44"}, True),
        ({"search": "flow"}, False),
        ({"type": "pressure", "criticality": "high"}, True),
        ({"type": "flow"}, False),
        ({"area": "Utilities"}, True),
        ({"area": "Hall 3"}, False),
        ({"due": "never"}, True),
        ({"due": "overdue"}, False),
        ({"due": "none"}, False),
    ],
)
def test_search_and_filters_find_it(client: FlaskClient, plant: Plant, bearer: LogIn, query: dict[str, str], found: bool) -> None:
    headers = bearer("planner")
    row = made(client, headers, plant)

    answer = client.get("/api/instruments", query_string=query, headers=headers)

    assert (row["id"] in [item["id"] for item in answer.json["items"]]) is found
    assert answer.json["total"] == len(answer.json["items"])


def test_an_own_area_stands_before_the_assets(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    client.post("/api/areas", json={"name": "Tank farm"}, headers=headers)
    row = made(client, headers, plant, area="Tank farm")

    found = client.get("/api/instruments?area=Tank farm", headers=headers).json["items"]
    back = client.patch(f"/api/instruments/{row['id']}", json={"area": None}, headers=headers).json

    assert [item["id"] for item in found] == [row["id"]]
    assert back["area"]["name"] == "Utilities"
