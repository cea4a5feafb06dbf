"""Fault reports by QR: the door without a login, its limits, triage, and a conversion that keeps everything (N-1)."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from server.models.people import User
from server.services import Services
from server.store import requests as store
from tests.server.api.conftest import LogIn, Plant

Headers = dict[str, str]
TOLD = {"description": "Oil under the pump\nIt drips on the floor", "severity": "stopped", "name": "Ana", "contact": "ext. 12"}


@pytest.fixture
def planner(bearer: LogIn) -> Headers:
    return bearer("planner")


@pytest.fixture
def token(client: FlaskClient, planner: Headers, plant: Plant) -> str:
    """The token on the label of the plant's asset."""
    answer = client.post(f"/api/assets/{plant.asset}/report-link/rotate", headers=planner)
    assert answer.status_code == 200, answer.text
    return str(answer.json["url"]).rpartition("/")[2]


def told(client: FlaskClient, token: str, **other: Any) -> dict[str, Any]:
    answer = client.post(f"/api/public/requests/{token}", json={**TOLD, **other})
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def photo(colour: str = "red") -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(drawn, "JPEG")
    return drawn.getvalue()


def send_photo(client: FlaskClient, report: dict[str, Any], content: bytes, name: str = "leak.jpg") -> int:
    boundary, body = encode_multipart({"photo": FileStorage(io.BytesIO(content), name)})  # in memory: the client would leave a file open
    return client.post(f"{report['api_url']}/photos", data=body, content_type=f'multipart/form-data; boundary="{boundary}"').status_code


def first(client: FlaskClient, planner: Headers) -> dict[str, Any]:
    """The newest report in the queue."""
    return dict(client.get("/api/requests", headers=planner).json["items"][0])


def test_a_report_without_a_login_is_numbered_and_told_to_the_planners(
    client: FlaskClient, planner: Headers, plant: Plant, token: str
) -> None:
    report = told(client, token)

    assert report["number"].startswith("RQ-")
    assert report["status"] == "received"
    row = first(client, planner)
    assert (row["number"], row["status"], row["asset"]["code"], row["reporter"]) == (report["number"], "new", plant.asset, "Ana")
    notices = client.get("/api/notifications", headers=planner).json["items"]
    assert any(notice["title"].startswith(report["number"]) for notice in notices)


def test_the_conversion_keeps_words_photos_reporter_asset_and_time(client: FlaskClient, planner: Headers, plant: Plant, token: str) -> None:
    report = told(client, token)
    assert send_photo(client, report, photo()) == 201
    row = first(client, planner)

    accepted = client.post(f"/api/requests/{row['id']}/accept", json={}, headers=planner)

    assert accepted.status_code == 200, accepted.text
    number = accepted.json["order"]["number"]
    order = client.get(f"/api/work-orders/{number}", headers=planner).json
    assert (order["asset"]["code"], order["priority"], order["title"]) == (plant.asset, "urgent", "Oil under the pump")
    at = datetime.fromisoformat(report["created_at"]).astimezone(ZoneInfo("Europe/Paris"))
    local = f"{at:%Y-%m-%d at %H:%M}"  # as people of the site say it
    for kept in ("It drips on the floor", report["number"], "Ana", "ext. 12", local):
        assert kept in order["description"]
    assert order["requests"] == [{"id": row["id"], "number": report["number"], "reporter": "Ana"}]
    files = client.get(f"/api/attachments?thing=work_order&id={order['id']}", headers=planner).json["items"]
    assert [file["name"] for file in files] == ["leak.jpg"]
    assert client.get(files[0]["url"], headers=planner).data.startswith(b"\xff\xd8")
    assert client.get(report["api_url"]).json["status"] == "planned"
    assert client.get(report["api_url"]).json["order"] == number


def test_the_reporter_sees_the_work_go_on(client: FlaskClient, bearer: LogIn, planner: Headers, token: str) -> None:
    report, technician = told(client, token), bearer("technician")
    number = client.post(f"/api/requests/{first(client, planner)['id']}/accept", json={}, headers=planner).json["order"]["number"]

    client.post(f"/api/work-orders/{number}/actions/start", headers=technician)
    working = client.get(report["api_url"]).json["status"]
    client.post(f"/api/work-orders/{number}/actions/complete", json={"notes": "New seal"}, headers=technician)

    assert (working, client.get(report["api_url"]).json["status"]) == ("in_work", "repaired")


def test_a_rejection_needs_a_reason_that_the_reporter_reads(client: FlaskClient, planner: Headers, token: str) -> None:
    report = told(client, token)
    row = first(client, planner)

    without = client.post(f"/api/requests/{row['id']}/reject", json={}, headers=planner)
    client.post(f"/api/requests/{row['id']}/reject", json={"reason": "It is condensation"}, headers=planner)
    late = client.post(f"/api/requests/{row['id']}/accept", json={}, headers=planner)

    assert without.status_code == 422
    seen = client.get(report["api_url"]).json
    assert (seen["status"], seen["reason"]) == ("rejected", "It is condensation")
    assert (late.status_code, late.json["code"]) == (409, "wrong_state")


def test_a_duplicate_follows_the_first_report_and_brings_its_photos(client: FlaskClient, planner: Headers, token: str) -> None:
    told(client, token)
    original = first(client, planner)
    again = told(client, token, description="The pump leaks")
    send_photo(client, again, photo("blue"), "floor.png.jpg")
    row = first(client, planner)

    marked = client.post(f"/api/requests/{row['id']}/duplicate", json={"duplicate_of": original["id"]}, headers=planner)
    of_itself = client.post(f"/api/requests/{original['id']}/duplicate", json={"duplicate_of": original["id"]}, headers=planner)
    order = client.post(f"/api/requests/{original['id']}/accept", json={}, headers=planner).json["order"]

    assert marked.json["duplicate_of"]["number"] == original["number"]
    assert of_itself.status_code == 422
    assert client.get(again["api_url"]).json["order"] == order["number"]
    files = client.get(f"/api/attachments?thing=work_order&id={order['id']}", headers=planner).json["items"]
    assert [file["name"] for file in files] == ["floor.png.jpg"]


def test_the_same_sending_twice_is_one_report(client: FlaskClient, planner: Headers, token: str) -> None:
    headers = {"Idempotency-Key": "tap"}

    numbers = {client.post(f"/api/public/requests/{token}", json=TOLD, headers=headers).json["number"] for _ in "12"}

    assert len(numbers) == 1
    assert client.get("/api/requests", headers=planner).json["total"] == 1


def test_a_rotated_or_revoked_label_leads_nowhere(client: FlaskClient, planner: Headers, plant: Plant, token: str) -> None:
    new = client.post(f"/api/assets/{plant.asset}/report-link/rotate", headers=planner).json["url"].rpartition("/")[2]
    old = client.post(f"/api/public/requests/{token}", json=TOLD)
    works = client.post(f"/api/public/requests/{new}", json=TOLD)
    qr = client.get(f"/api/assets/{plant.asset}/report-link/qr.svg", headers=planner)
    client.delete(f"/api/assets/{plant.asset}/report-link", headers=planner)
    gone = client.post(f"/api/public/requests/{new}", json=TOLD)

    assert (old.status_code, works.status_code, gone.status_code) == (404, 201, 404)
    assert (qr.mimetype, b"<svg" in qr.data) == ("image/svg+xml", True)
    assert client.get(f"/api/assets/{plant.asset}/report-link", headers=planner).json["url"] is None


def test_one_address_may_not_flood(client: FlaskClient, token: str) -> None:
    answers = [client.post(f"/api/public/requests/{token}", json=TOLD).status_code for _ in range(8)]

    assert answers == [201] * 6 + [429] * 2


def test_one_label_may_not_be_flooded_from_many_addresses(client: FlaskClient, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PER_LINK", 2)

    answers = [client.post(f"/api/public/requests/{token}", json=TOLD, environ_base={"REMOTE_ADDR": f"10.0.0.{n}"}) for n in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].headers["Retry-After"]


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"<svg onload=alert(1)>", "a.svg", 422),
        (b"<html>", "a.jpg", 415),
        (b"", "a.jpg", 422),
        (b"%PDF-1.4", "a.pdf", 422),
        (b"\xff\xd8" + b"0" * (10 * 2**20), "a.jpg", 413),
    ],
)
def test_only_real_pictures_come_with_a_report(client: FlaskClient, token: str, content: bytes, name: str, status: int) -> None:
    assert send_photo(client, told(client, token), content, name) == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"description": "  "},
        {"description": "x" * 4001},
        {"description": "x", "severity": "awful"},
        {"description": "x", "site_id": 1},
        {"description": "x", "status": "accepted"},
        {"description": 7},
    ],
)
def test_a_wrong_report_is_422(client: FlaskClient, token: str, body: dict[str, Any]) -> None:
    assert client.post(f"/api/public/requests/{token}", json=body).status_code == 422


def test_triage_is_the_planners_and_of_the_own_site(
    client: FlaskClient, services: Services, bearer: LogIn, planner: Headers, plant: Plant, token: str
) -> None:
    told(client, token)
    row, manager = first(client, planner), bearer("manager")

    by_technician = client.post(f"/api/requests/{row['id']}/accept", json={}, headers=bearer("technician"))
    with services.database.transaction() as session:
        session.query(User).filter_by(employee_number=plant.people["manager"]).one().site_id = plant.other_site

    assert by_technician.status_code == 403
    assert client.get(f"/api/requests/{row['id']}", headers=manager).status_code == 404
    assert client.post(f"/api/requests/{row['id']}/accept", json={}, headers=manager).status_code == 404
    assert client.get("/api/requests").status_code == 401
