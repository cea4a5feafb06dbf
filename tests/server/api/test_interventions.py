"""Interventions over REST: what a technician reports moves order and machine, together or not at all."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select

from server.models.interventions import Intervention
from server.models.plant import Asset
from server.models.work import Procedure, ProcedureVersion
from server.services import Services
from server.timestamps import rfc3339
from tests.server.api.conftest import LogIn, Plant


@pytest.fixture
def order(client: FlaskClient, bearer: LogIn, plant: Plant) -> dict[str, Any]:
    """An open order on the plant's pump."""
    made: dict[str, Any] = client.post("/api/work-orders", json={"asset": plant.asset, "title": "It leaks"}, headers=bearer("manager")).json
    return made


@pytest.fixture
def terms(client: FlaskClient, bearer: LogIn) -> dict[str, int]:
    """Ids of the site's fault terms by code."""
    rows = client.get("/api/fault-terms?limit=200", headers=bearer("technician")).json["items"]
    return {row["code"]: row["id"] for row in rows}


def moment(minutes: int) -> str:
    return rfc3339(datetime.now(UTC) + timedelta(minutes=minutes))


def report(order: dict[str, Any], terms: dict[str, int], **fields: Any) -> dict[str, Any]:
    chosen = {level: terms[code] for level, code in (("category", "fluid"), ("what", "leak"), ("why", "wear"), ("where", "seal"))}
    return {"order": order["number"], **chosen, "received_at": moment(-30), "comments": "Seal replaced", **fields}


def asset(services: Services, plant: Plant) -> str:
    with services.database.transaction() as session:
        return session.get_one(Asset, plant.asset_id).maintenance


def test_saving_a_report_sets_order_and_machine_to_work(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services, order: dict[str, Any], terms: dict[str, int]
) -> None:
    answer = client.post("/api/interventions", json=report(order, terms), headers=bearer("technician"))

    body = answer.json
    assert answer.status_code == 201, answer.text
    assert (body["order"]["status"], body["asset"]["maintenance"], asset(services, plant)) == ("in_progress", "in_work", "in_work")
    assert body["technician"]["name"] == "Technician"
    assert (body["asset"]["code"], body["ended_at"]) == (plant.asset, None)
    assert [body[level]["name"] for level in ("category", "what", "why", "where")] == [
        "Hydraulic or pneumatic",
        "Leak",
        "Wear",
        "Seal or gasket",
    ]
    assert client.get(answer.headers["Location"], headers=bearer("manager")).json["number"] == body["number"]


def test_with_an_end_both_are_fixed(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services, order: dict[str, Any], terms: dict[str, int]
) -> None:
    ended = report(order, terms, ended_at=moment(0), parts=[{"sku": "SEAL-9", "qty": 1}])

    answer = client.post("/api/interventions", json=ended, headers=bearer("technician"))

    assert (answer.status_code, answer.json["order"]["status"], asset(services, plant)) == (201, "completed", "fixed")
    shown = client.get(f"/api/work-orders/{order['id']}", headers=bearer("manager")).json
    assert (shown["notes"], shown["parts"]) == ("Seal replaced", [{"sku": "SEAL-9", "qty": 1}])


def test_a_report_that_is_refused_leaves_nothing_behind(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services, terms: dict[str, int]
) -> None:
    with services.database.transaction() as session:
        procedure = Procedure(site_id=plant.site, code=f"P-{plant.asset}", title="Look at the pump")
        session.add(procedure)
        session.flush()
        must = {"id": "s1", "n": 1, "k": "confirm", "t": "Lock it", "must": True}
        session.add(ProcedureVersion(procedure_id=procedure.id, version=1, steps=[must]))
        code = procedure.code
    new = {"asset": plant.asset, "title": "It leaks", "procedure": code}
    order = client.post("/api/work-orders", json=new, headers=bearer("manager")).json

    answer = client.post("/api/interventions", json=report(order, terms, ended_at=moment(0)), headers=bearer("technician"))

    shown = client.get(f"/api/work-orders/{order['id']}", headers=bearer("manager")).json
    assert (answer.status_code, answer.json["code"]) == (409, "steps_missing")
    assert (shown["status"], shown["rev"], asset(services, plant)) == ("open", order["rev"], "ok")
    with services.database.transaction() as session:
        assert session.scalar(select(func.count(Intervention.id)).where(Intervention.order_id == order["id"])) == 0


def test_what_is_wrong_with_a_report_is_said(client: FlaskClient, bearer: LogIn, order: dict[str, Any], terms: dict[str, int]) -> None:
    technician = bearer("technician")
    for change, field in (
        ({"category": 10**9}, "category"),
        ({"what": terms["tripped"]}, "what"),
        ({"what": terms["wear"]}, "what"),
        ({"received_at": moment(60)}, "received_at"),
        ({"ended_at": moment(-60)}, "ended_at"),
        ({"ended_at": moment(60)}, "ended_at"),
        ({"parts": [{"sku": "x", "qty": -1}]}, "parts"),
        ({"comments": " ", "ended_at": moment(0)}, "comments"),
        ({"technician": 1}, "technician"),
        ({"received_at": "yesterday"}, "received_at"),
    ):
        answer = client.post("/api/interventions", json=report(order, terms, **change), headers=technician)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field), (change, answer.text)
    assert client.post("/api/interventions", json=report({"number": "WO-0"}, terms), headers=technician).status_code == 404
    assert client.post("/api/interventions", json=report(order, terms), headers=bearer("operator")).status_code == 403
    assert client.get(f"/api/work-orders/{order['id']}", headers=technician).json["status"] == "open"


def test_the_order_of_another_is_taken_over_first(client: FlaskClient, bearer: LogIn, order: dict[str, Any], terms: dict[str, int]) -> None:
    url = f"/api/work-orders/{order['id']}/actions"
    client.post(f"{url}/start", headers=bearer("manager"))
    before = client.post("/api/interventions", json=report(order, terms), headers=bearer("technician"))

    client.post(f"{url}/assign", json={}, headers=bearer("technician"))
    after = client.post("/api/interventions", json=report(order, terms), headers=bearer("technician"))

    assert (before.status_code, after.status_code) == (403, 201)


def test_a_visit_is_ended_later_by_its_technician_and_once(
    client: FlaskClient, bearer: LogIn, order: dict[str, Any], terms: dict[str, int]
) -> None:
    made = client.post("/api/interventions", json=report(order, terms, comments=""), headers=bearer("technician"))
    url, technician = made.headers["Location"], bearer("technician")
    etag = client.get(url, headers=technician).headers["ETag"]
    end = {"ended_at": moment(0), "comments": "Seal replaced"}

    assert client.patch(url, json=end, headers=bearer("operator")).status_code == 403
    ended = client.patch(url, json=end, headers={**technician, "If-Match": etag})
    again = client.patch(url, json={"ended_at": moment(-1)}, headers=technician)

    assert (ended.status_code, ended.json["order"]["status"]) == (200, "completed")
    assert again.status_code == 409
    assert client.patch(url, json={"comments": "Seal and spring"}, headers={**technician, "If-Match": etag}).status_code == 412
    assert client.patch(url, json={"comments": "Seal and spring"}, headers=technician).json["comments"] == "Seal and spring"


def test_the_history_is_filtered_by_date_and_machine_and_counted(
    client: FlaskClient, bearer: LogIn, plant: Plant, order: dict[str, Any], terms: dict[str, int]
) -> None:
    technician = bearer("technician")
    made = client.post("/api/interventions", json=report(order, terms), headers=technician).json

    def found(query: str) -> list[str]:
        return [row["number"] for row in client.get(f"/api/interventions?{query}", headers=technician).json["items"]]

    assert found(f"asset={plant.asset}&from={moment(-60)}&to={moment(60)}") == [made["number"]]
    assert found(f"order={order['number']}&search=seal") == [made["number"]]
    assert found(f"to={moment(-60)}") == []
    assert found("asset=elsewhere") == []
    assert client.get("/api/interventions?sort=colour", headers=technician).status_code == 422
    figures = client.get(f"/api/interventions/figures?asset={plant.asset}", headers=technician).json
    assert [row["count"] for row in figures["days"]] == [1]
    assert (figures["machines"][0]["code"], figures["categories"][0]["code"]) == (plant.asset, "fluid")
    assert made["number"] in client.get("/api/interventions?export=csv", headers=technician).text


def test_only_an_admin_edits_the_taxonomy(client: FlaskClient, bearer: LogIn, terms: dict[str, int]) -> None:
    admin = bearer("admin")
    new = {"level": "what", "parent": terms["process"], "code": "foam", "label": "Foam", "labels": {"fr": "Mousse"}}

    assert client.post("/api/fault-terms", json=new, headers=bearer("manager")).status_code == 403
    made = client.post("/api/fault-terms", json=new, headers=admin)
    url = made.headers["Location"]
    assert made.status_code == 201
    assert client.post("/api/fault-terms", json=new, headers=admin).status_code == 409
    assert client.post("/api/fault-terms", json={**new, "code": "x", "parent": terms["wear"]}, headers=admin).status_code == 422
    assert client.get(url, headers={**admin, "Accept-Language": "fr"}).json["name"] == "Mousse"
    under = client.get(f"/api/fault-terms?level=what&under={terms['process']}", headers=admin).json["items"]
    assert "foam" in {row["code"] for row in under}
    assert "leak" not in {row["code"] for row in under}
    assert client.patch(url, json={"label": "Froth"}, headers=admin).json["label"] == "Froth"
    assert client.delete(f"/api/fault-terms/{terms['process']}", headers=admin).status_code == 409
    assert client.delete(url, headers=admin).status_code == 204
    assert client.get(url, headers=admin).status_code == 404


def test_a_word_that_was_deleted_stays_in_the_reports_that_chose_it(
    client: FlaskClient, bearer: LogIn, order: dict[str, Any], terms: dict[str, int]
) -> None:
    made = client.post("/api/interventions", json=report(order, terms), headers=bearer("technician"))

    assert client.delete(f"/api/fault-terms/{terms['seal']}", headers=bearer("admin")).status_code == 204

    assert client.get(made.headers["Location"], headers=bearer("technician")).json["where"]["name"] == "Seal or gasket"
    refused = client.post("/api/interventions", json=report(order, terms), headers=bearer("technician"))
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "where")


def test_photos_hang_on_an_intervention(client: FlaskClient, bearer: LogIn, order: dict[str, Any], terms: dict[str, int]) -> None:
    made = client.post("/api/interventions", json=report(order, terms), headers=bearer("technician")).json
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(picture, "PNG")
    picture.seek(0)
    form = {"thing": "intervention", "id": str(made["id"]), "caption": "The worn seal", "file": (picture, "seal.png")}

    added = client.post("/api/attachments", data=form, headers=bearer("technician"))

    assert added.status_code == 201, added.text
    listed = client.get(f"/api/attachments?thing=intervention&id={made['id']}", headers=bearer("manager")).json["items"]
    assert [(row["name"], row["caption"]) for row in listed] == [("seal.png", "The worn seal")]
    again = {**form, "file": (io.BytesIO(b"x"), "x.png")}
    assert client.post("/api/attachments", data=again, headers=bearer("viewer")).status_code == 403
