"""Jobs and report schedules over REST."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from server.models.jobs import BackgroundJob
from server.models.plant import Site
from server.reports import jobs
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

URL = "/api/report-schedules"


def test_a_report_is_asked_for_followed_and_fetched(client: FlaskClient, bearer: LogIn, services: Services) -> None:
    headers = bearer("planner")

    asked = client.post("/api/reports/work-orders/jobs", json={"format": "xlsx"}, headers={**headers, "Idempotency-Key": "j1"})
    twice = client.post("/api/reports/work-orders/jobs", json={"format": "xlsx"}, headers={**headers, "Idempotency-Key": "j1"})
    early = client.get(f"{asked.headers['Location']}/file", headers=headers)
    jobs.make(services.database, asked.json["id"])
    done = client.get(asked.headers["Location"], headers=headers)
    file = client.get(f"{asked.headers['Location']}/file", headers=headers)
    listed = client.get("/api/jobs?status=done&sort=-created_at", headers=headers)

    assert (asked.status_code, asked.json["status"], twice.json["id"]) == (202, "queued", asked.json["id"])
    assert (early.status_code, early.json["code"]) == (409, "no_file")
    assert done.json["status"] == "done"
    assert (file.status_code, file.data[:2]) == (200, b"PK")
    assert file.headers["Content-Disposition"].startswith("attachment; filename=work-orders-")
    assert [job["id"] for job in listed.json["items"]] == [asked.json["id"]]


def test_another_sites_job_is_not_there(client: FlaskClient, bearer: LogIn, services: Services, plant: Plant) -> None:
    with services.database.transaction() as session:
        job = BackgroundJob(name="report.run", queue="server", site_id=plant.other_site, created_by="x", created_at=services.clock())
        session.add(job)
        session.flush()
        assert session.get_one(Site, plant.other_site)
    headers = bearer("manager")

    assert client.get(f"/api/jobs/{job.id}", headers=headers).status_code == 404
    assert client.get(f"/api/jobs/{job.id}/file", headers=headers).status_code == 404
    assert client.get("/api/jobs", headers=headers).json["total"] == 0


def test_an_operator_sees_jobs_but_takes_no_report(client: FlaskClient, bearer: LogIn, services: Services) -> None:
    asked = client.post("/api/reports/parts/jobs", json={"format": "csv"}, headers=bearer("manager"))
    jobs.make(services.database, asked.json["id"])
    headers = bearer("operator")

    assert client.get(asked.headers["Location"], headers=headers).status_code == 200
    assert client.get(f"{asked.headers['Location']}/file", headers=headers).status_code == 403
    assert client.post("/api/reports/parts/jobs", json={"format": "csv"}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("weather", {"format": "csv"}, 404),
        ("parts", {"format": "docx"}, 422),
        ("parts", {}, 422),
        ("parts", {"format": "csv", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 422),
        ("parts", {"format": "csv", "from": "2026-01-02T00:00:00"}, 422),
    ],
)
def test_what_is_no_report_job_is_refused(client: FlaskClient, bearer: LogIn, name: str, body: dict[str, Any], status: int) -> None:
    headers = bearer("manager")

    assert client.post(f"/api/reports/{name}/jobs", json=body, headers=headers).status_code == status
    assert client.get("/api/jobs", headers=headers).json["total"] == 0


@pytest.fixture
def body(plant: Plant) -> dict[str, Any]:
    manager = plant.people["manager"]
    return {"name": "Weekly", "report": "parts", "format": "pdf", "rrule": "FREQ=WEEKLY;BYDAY=MO", "recipients": [manager]}


def test_a_schedule_is_made_read_changed_and_ended(client: FlaskClient, bearer: LogIn, body: dict[str, Any]) -> None:
    headers = bearer("planner")

    made = client.post(URL, json=body, headers=headers)
    got = client.get(made.headers["Location"], headers=headers)
    changed = client.patch(made.headers["Location"], json={"at": "07:30"}, headers={**headers, "If-Match": got.headers["ETag"]})
    late = client.patch(made.headers["Location"], json={"at": "08:30"}, headers={**headers, "If-Match": got.headers["ETag"]})
    listed = client.get(URL, headers=headers)
    ended = client.delete(made.headers["Location"], headers=headers)

    assert (made.status_code, got.json) == (201, made.json)
    assert (made.json["recipient_names"], made.json["span_days"], made.json["active"]) == ("Manager", 7, True)
    assert (changed.json["at"], changed.json["next_at"] != made.json["next_at"], late.status_code) == ("07:30", True, 412)
    assert [row["name"] for row in listed.json["items"]] == ["Weekly"]
    assert (ended.status_code, client.get(made.headers["Location"], headers=headers).status_code) == (204, 404)


@pytest.mark.parametrize(
    "wrong",
    [{"report": "weather"}, {"format": "doc"}, {"rrule": "FREQ=HOURLY"}, {"at": "25:00"}, {"recipients": []}, {"recipients": ["nobody"]}],
    ids=str,
)
def test_a_wrong_schedule_is_refused(client: FlaskClient, bearer: LogIn, body: dict[str, Any], wrong: dict[str, Any]) -> None:
    headers = bearer("manager")

    assert client.post(URL, json={**body, **wrong}, headers=headers).status_code == 422
    assert client.get(URL, headers=headers).json["total"] == 0


def test_a_technician_schedules_nothing(client: FlaskClient, bearer: LogIn, body: dict[str, Any]) -> None:
    assert client.post(URL, json=body, headers=bearer("technician")).status_code == 403
