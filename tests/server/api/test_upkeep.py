"""Plans, meters, calendars, downtime and key figures over REST: made, read, changed, refused, and the same figures everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from server.models.alerts import AlertRecord
from server.models.downtime import Downtime
from server.models.plans import PmOccurrence, PmPlan
from server.models.plant import Asset
from server.rules.asset import Operating
from server.services import Services
from server.store import assets, standstill
from server.timestamps import rfc3339
from tests.server.api.conftest import LogIn, Plant

MONDAY = datetime(2026, 11, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def plan_body(plant: Plant, **other: Any) -> dict[str, Any]:
    return {
        "title": "Grease",
        "assets": [plant.asset],
        "starts_on": "2030-01-01",
        "triggers": [{"kind": "calendar", "rrule": "FREQ=MONTHLY"}],
        "parts": [{"part": "P-0001", "quantity": 2}],
        **other,
    }


def test_a_plan_is_made_once_read_changed_and_ended(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    headers = {**bearer("planner"), "Idempotency-Key": "a plan"}
    made = client.post("/api/plans", json=plan_body(plant), headers=headers)
    again = client.post("/api/plans", json=plan_body(plant), headers=headers)
    assert (made.status_code, again.json["id"]) == (201, made.json["id"]), made.text
    path = made.headers["Location"]

    read = client.get(path, headers=bearer("operator"))
    assert (read.json["assets"][0]["code"], read.json["next_due"]) == (plant.asset, "2030-01-01T07:00:00.000Z")
    changed = client.patch(
        path, json={"title": "Grease both", "months": [4]}, headers={**bearer("planner"), "If-Match": read.headers["ETag"]}
    )
    assert (changed.json["title"], changed.json["next_due"][:10]) == ("Grease both", "2030-04-01")
    stale = client.patch(path, json={"title": "x"}, headers={**bearer("planner"), "If-Match": read.headers["ETag"]})
    assert stale.status_code == 412
    listed = client.get("/api/plans?search=both&sort=-title", headers=bearer("operator"))
    assert [row["id"] for row in listed.json["items"]] == [made.json["id"]]
    skipped = client.post(f"{path}/skip", json={"asset": plant.asset, "reason": "closed"}, headers=bearer("planner"))
    assert (skipped.status_code, skipped.json["state"]) == (201, "skipped")
    assert client.get(f"{path}/forecast", headers=bearer("operator")).json["items"][0]["due"][:10] == "2031-04-01"
    span = {"from": "2031-03-01T00:00:00Z", "to": "2031-05-01T00:00:00Z"}
    ahead = client.get("/api/plans/calendar", query_string=span, headers=bearer("operator")).json["items"]
    assert [(row["due"][:10], row["state"]) for row in ahead if row["plan"]["id"] == made.json["id"]] == [("2031-04-01", "ahead")]
    assert client.delete(path, headers=bearer("planner")).status_code == 204
    assert client.get(path, headers=bearer("operator")).status_code == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"triggers": []}, 422),
        ({"triggers": [{"kind": "calendar", "rrule": "FREQ=SECONDLY"}]}, 422),
        ({"triggers": [{"kind": "run_hours", "every": -5}]}, 422),
        ({"triggers": [{"kind": "calendar", "rrule": "FREQ=DAILY", "every": 5}]}, 422),
        ({"late_days": -1}, 422),
        ({"at": "25:00"}, 422),
        ({"months": [13]}, 422),
        ({"parts": [{"part": "P-1", "quantity": -2}]}, 422),
        ({"assets": ["NONE"]}, 404),
        ({"unknown": 1}, 422),
    ],
    ids=[
        "no trigger",
        "each second",
        "negative",
        "mixed",
        "negative tolerance",
        "no time",
        "no month",
        "negative part",
        "no asset",
        "unknown field",
    ],
)
def test_a_plan_that_cannot_be_is_refused(client: FlaskClient, bearer: LogIn, plant: Plant, change: dict[str, Any], status: int) -> None:
    answer = client.post("/api/plans", json=plan_body(plant, **change), headers=bearer("planner"))

    assert answer.status_code == status, answer.text


def test_a_meter_is_read_by_hand_and_never_runs_back(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    body = {"asset": plant.asset, "kind": "run_hours", "source": "manual", "value": 100}
    made = client.post("/api/meters", json=body, headers=bearer("planner"))
    assert made.status_code == 201, made.text
    path = f"{made.headers['Location']}/readings"
    assert client.post(path, json={"value": 120}, headers=bearer("technician")).status_code == 201
    assert client.post(path, json={"value": 90}, headers=bearer("technician")).status_code == 422
    assert client.post(path, json={"value": 0, "replaced": True}, headers=bearer("technician")).json["total"] == 120

    read = client.get(made.headers["Location"], headers=bearer("operator"))
    assert (read.json["value"], read.json["total"]) == (0, 120)
    assert client.get(path, headers=bearer("operator")).json["total"] == 3
    assert client.post("/api/meters", json={**body, "source": "counter"}, headers=bearer("planner")).status_code == 422
    assert client.post("/api/meters", json=body, headers=bearer("planner")).status_code == 409
    renamed = client.patch(made.headers["Location"], json={"name": "Hours"}, headers=bearer("planner"))
    assert renamed.json["name"] == "Hours"
    assert client.delete(made.headers["Location"], headers=bearer("planner")).status_code == 204


def test_one_calendar_a_site_and_one_an_area(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    body = {
        "name": "Two shifts",
        "weekly": [{"days": [0, 1, 2, 3, 4], "start": "06:00", "end": "22:00"}],
        "days": [{"day": "2026-12-25", "name": "Christmas"}],
    }
    assert (
        client.post("/api/calendars", json={"name": "x", "weekly": [{"days": [0], "shift": "A"}]}, headers=bearer("planner")).status_code
        == 422
    )
    made = client.post("/api/calendars", json=body, headers=bearer("planner"))
    assert made.status_code == 201, made.text
    assert client.post("/api/calendars", json=body, headers=bearer("planner")).status_code == 409
    assert client.post("/api/calendars", json={**body, "area": "Utilities"}, headers=bearer("planner")).status_code == 201
    path = made.headers["Location"]
    changed = client.patch(path, json={"days": []}, headers=bearer("planner"))
    assert (changed.json["days"], changed.json["weekly"]) == ([], body["weekly"])
    assert client.get("/api/calendars?search=two", headers=bearer("operator")).json["total"] == 2
    assert client.delete(path, headers=bearer("planner")).status_code == 204


@pytest.fixture
def stopped(services: Services, plant: Plant) -> int:
    """A week in which the machine failed on Monday from 8 to 10 and stood on Wednesday from 12 to 13; its hour costs 120."""
    with services.database.transaction() as session:
        asset = session.get_one(Asset, plant.asset_id)
        asset.machine_rate, asset.operating = Decimal(120), "unknown"
        told = (
            (Operating.RUNNING, MONDAY),
            (Operating.FAULT, MONDAY + 8 * HOUR),
            (Operating.RUNNING, MONDAY + 10 * HOUR),
            (Operating.STOPPED, MONDAY + 60 * HOUR),
            (Operating.RUNNING, MONDAY + 61 * HOUR),
        )
        for operating, at in told:
            assets.set_operating(session, asset, operating, "7" if operating is Operating.FAULT else None, at)
        standstill.follow(session, MONDAY + 100 * HOUR)
        return session.query(Downtime.id).filter(Downtime.asset_id == plant.asset_id).order_by(Downtime.id.desc()).limit(1).scalar()


def test_people_say_why_a_machine_stood(client: FlaskClient, bearer: LogIn, stopped: int) -> None:
    reason = {"code": "tool", "label": "Change of tools", "category": "planned"}
    assert client.post("/api/downtime-reasons", json=reason, headers=bearer("manager")).status_code == 403
    assert client.post("/api/downtime-reasons", json=reason, headers=bearer("admin")).status_code == 201
    path = f"/api/downtimes/{stopped}"
    said = client.post(f"{path}/classify", json={"reason": "tool", "note": "die 4"}, headers=bearer("operator"))
    assert (said.status_code, said.json["category"], said.json["reason"]["label"]) == (200, "planned", "Change of tools"), said.text
    assert client.post(f"{path}/classify", json={"reason": "none"}, headers=bearer("operator")).status_code == 422
    assert client.post(f"{path}/classify", json={"category": "planned"}, headers=bearer("viewer")).status_code == 403

    halves = client.post(f"{path}/split", json={"at": rfc3339(MONDAY + 60.5 * HOUR)}, headers=bearer("operator"))
    assert (halves.status_code, halves.json["minutes"]) == (201, 30)
    joined = client.post(f"{path}/merge", json={"with": halves.json["id"]}, headers=bearer("operator"))
    assert (joined.status_code, joined.json["minutes"], joined.json["cost"]) == (200, 60, 120.0)
    wrong = client.patch(path, json={"ended_at": rfc3339(MONDAY)}, headers=bearer("operator"))
    assert wrong.status_code == 422
    file = client.get("/api/downtimes?export=csv&category=planned", headers=bearer("operator"))
    assert "Change of tools" in file.data.decode("utf-8-sig")
    assert client.delete(path, headers=bearer("operator")).status_code == 204


def figures(client: FlaskClient, headers: dict[str, str], **query: Any) -> dict[str, Any]:
    span = {"from": rfc3339(MONDAY), "to": rfc3339(MONDAY + 100 * HOUR), **query}
    answer = client.get("/api/kpis", query_string=span, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


@pytest.mark.usefixtures("stopped")
def test_availability_time_between_failures_and_money_come_from_state_bits_alone(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    headers = bearer("manager")
    values = {row["name"]: row["value"] for row in figures(client, headers, asset=plant.asset)["kpis"]}

    assert (values["availability"], values["mtbf"], values["mttr"], values["failures"]) == (97.0, 97 * 3600, 7200, 1)
    assert (values["downtime"], values["unplanned_downtime"], values["unclassified_downtime"]) == (3 * 3600, 2 * 3600, 3600)
    assert (values["downtime_cost"], values["total_cost"]) == (360.0, 360.0)


@pytest.mark.usefixtures("stopped")
def test_availability_counts_planned_time_only(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    body = {"name": "Day", "weekly": [{"days": [0, 1, 2, 3, 4], "start": "08:00", "end": "18:00"}]}  # of Paris: 7 to 17 UTC
    assert client.post("/api/calendars", json=body, headers=bearer("planner")).status_code == 201
    values = {row["name"]: row["value"] for row in figures(client, bearer("manager"), asset=plant.asset)["kpis"]}

    assert values["availability"] == round(100 * (1 - 3 / 40), 2)  # four days of ten hours; the fifth begins after the span


@pytest.mark.usefixtures("stopped")
def test_downtime_is_told_by_area_category_and_machine(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    body = figures(client, bearer("manager"), area="Utilities")

    assert body["downtime_by_area"] == [{"key": "Utilities", "downtime_s": 10800, "unplanned_s": 7200, "n": 2}]
    assert body["downtime_by_fault_category"][0]["key"] == "not said"
    assert body["faults_by_machine"] == [{"asset": plant.asset, "name": "A pump", "failures": 1}]
    assert body["orders_by_status"]["open"] == 0


@pytest.mark.usefixtures("stopped")
def test_a_series_has_a_point_a_week_of_the_site_and_adds_up(client: FlaskClient, bearer: LogIn) -> None:
    span = {"from": rfc3339(MONDAY - 7 * 24 * HOUR), "to": rfc3339(MONDAY + 7 * 24 * HOUR)}
    points = client.get("/api/kpis/downtime", query_string=span, headers=bearer("manager")).json["points"]

    assert [point["from"] for point in points] == [span["from"], "2026-11-08T23:00:00.000Z", "2026-11-15T23:00:00.000Z"]
    assert sum(point["value"] for point in points) == 3 * 3600
    assert client.get("/api/kpis/mood", headers=bearer("manager")).status_code == 404
    assert client.get("/api/kpis/backlog_weeks", headers=bearer("manager")).status_code == 404
    assert client.get("/api/kpis?export=xlsx", headers=bearer("manager")).status_code == 200


def test_pm_compliance_is_what_was_done_within_its_tolerance(client: FlaskClient, services: Services, bearer: LogIn, plant: Plant) -> None:
    made = client.post("/api/plans", json=plan_body(plant), headers=bearer("planner")).json
    with services.database.transaction() as session:
        for n, (state, done) in enumerate([("done", HOUR), ("done", 90 * HOUR), ("missed", None), ("skipped", None)], 1):
            due = MONDAY + n * HOUR
            row = PmOccurrence(
                plan_id=made["id"], asset_id=plant.asset_id, occurrence=n, due=due, cause="calendar", state=state, created_at=due
            )
            row.earliest, row.latest, row.done_at = due - HOUR, due + HOUR, due + done if done else None
            session.add(row)

    values = {row["name"]: row for row in figures(client, bearer("manager"), asset=plant.asset)["kpis"]}

    assert (values["pm_compliance"]["value"], values["pm_compliance"]["n"]) == (33.3, 3)


def test_active_issues_tell_how_they_are_handled_dangers_first(
    client: FlaskClient, services: Services, bearer: LogIn, plant: Plant
) -> None:
    now = datetime.now(UTC)
    with services.database.transaction() as session:
        for n, severity in enumerate(["warning", "critical"]):
            fields = {"severity": severity, "detector": "limits", "origin": "rule", "message": severity, "raised_at": now, "last_at": now}
            session.add(
                AlertRecord(number=f"A-{plant.asset}-{n}", site_id=plant.site, asset_id=plant.asset_id, type="drift", code=str(n), **fields)
            )
    body = client.get("/api/issues", headers=bearer("viewer")).json
    assert (body["total"], body["danger"], body["handling"]["new"]) == (2, 1, 2)
    assert [item["danger"] for item in body["items"]] == [True, False]

    client.post("/api/work-orders/from-alert", json={"alert_id": body["items"][0]["alert"]["id"]}, headers=bearer("manager"))

    after = client.get("/api/issues", headers=bearer("viewer")).json
    assert (after["handling"]["ordered"], after["items"][0]["handling"], after["items"][0]["order"]["status"]) == (1, "ordered", "open")


def test_another_site_sees_none_of_it(client: FlaskClient, services: Services, bearer: LogIn, plant: Plant, stopped: int) -> None:
    made = client.post("/api/plans", json=plan_body(plant), headers=bearer("planner"))
    with services.database.transaction() as session:
        session.get_one(Asset, plant.asset_id).site_id = plant.other_site
        session.get_one(Downtime, stopped).site_id = plant.other_site
        session.get_one(PmPlan, made.json["id"]).site_id = plant.other_site

    assert client.get(f"/api/downtimes/{stopped}", headers=bearer("admin")).status_code == 404
    assert client.get(made.headers["Location"], headers=bearer("admin")).status_code == 404
    assert client.post(f"/api/downtimes/{stopped}/classify", json={"category": "planned"}, headers=bearer("admin")).status_code == 404
    assert client.get("/api/kpis", query_string={"asset": plant.asset}, headers=bearer("admin")).status_code == 404
