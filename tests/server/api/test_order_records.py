"""Work orders over REST beyond their acts: lists, plain changes, templates, many at once, time, links, the printed sheet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from server.models.work import Procedure, ProcedureVersion, Team, WorkOrder
from server.services import Services
from server.timestamps import rfc3339
from tests.server.api.conftest import LogIn, Plant
from tests.server.export.pdf_words import words

Headers = dict[str, str]
STEPS = [
    {"id": "s1", "n": 1, "k": "confirm", "t": "Lock the pump", "must": True, "warn": {"sev": "danger", "t": "It may start"}},
    {"id": "s2", "n": 2, "k": "measure", "t": "Read the pressure", "must": False, "in": {"unit": "bar", "lo": 4, "hi": 6}},
]


@pytest.fixture
def opened(client: FlaskClient, bearer: LogIn, plant: Plant) -> Any:
    """Opens an order as the manager."""

    def open_(title: str, **fields: Any) -> dict[str, Any]:
        body = {"asset": plant.asset, "title": title, **fields}
        answer = client.post("/api/work-orders", json=body, headers=bearer("manager"))
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json
        return made

    return open_


@pytest.fixture
def technician(client: FlaskClient, bearer: LogIn) -> int:
    """Id of the technician."""
    found: int = client.get("/api/auth/me", headers=bearer("technician")).json["id"]
    return found


def numbers(client: FlaskClient, headers: Headers, query: str) -> list[str]:
    answer = client.get(f"/api/work-orders?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [row["number"] for row in answer.json["items"]]


def act(client: FlaskClient, headers: Headers, order: dict[str, Any], action: str, **fields: Any) -> Any:
    return client.post(f"/api/work-orders/{order['id']}/actions/{action}", json=fields, headers=headers)


@contextmanager
def counted(services: Services) -> Iterator[list[str]]:
    """Statements that the block sends."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(services.database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(services.database.engine, "before_cursor_execute", note)


def test_a_list_is_filtered_sorted_and_searched(client: FlaskClient, bearer: LogIn, opened: Any, services: Services) -> None:
    late = rfc3339(datetime.now(UTC) - timedelta(hours=1))
    first = opened("Replace the seal", priority="low", external_ref="SAP-4711", due_at=late)
    second = opened("Calibrate it", type="calibration", priority="urgent")
    part = opened("Order the seal", parent=first["number"])
    headers = bearer("technician")

    assert numbers(client, headers, "overdue=true") == [first["number"]]
    assert first["number"] not in numbers(client, headers, "overdue=false")
    assert numbers(client, headers, "type=calibration&priority=urgent") == [second["number"]]
    assert numbers(client, headers, "search=sap-47") == [first["number"]]
    assert numbers(client, headers, f"parent={first['id']}") == [part["number"]]
    assert numbers(client, headers, "sort=priority") == [second["number"], part["number"], first["number"]]
    assert numbers(client, headers, "sort=-priority&limit=1") == [first["number"]]
    assert numbers(client, headers, f"to={late.replace('+', '%2B')}") == []
    assert numbers(client, headers, "asset=nothing") == []
    for wrong in ("sort=colour", "priority=soon", "status=lost", "assigned_to=x", "from=yesterday"):
        assert client.get(f"/api/work-orders?{wrong}", headers=headers).status_code == 422, wrong


def test_orders_are_counted_by_state_and_breakdowns_stand_alone(client: FlaskClient, bearer: LogIn, opened: Any) -> None:
    first, second, round_ = opened("It broke"), opened("It leaks"), opened("Monthly round", type="preventive")
    headers = bearer("technician")
    act(client, headers, first, "start")
    act(client, headers, second, "start")
    act(client, headers, second, "complete", notes="done")

    def total(query: str) -> int:
        return int(client.get(f"/api/work-orders?limit=1&{query}", headers=headers).json["total"])

    states = ("open", "in_progress", "completed", "active", "done")
    assert [total(f"status={state}") for state in states] == [1, 1, 1, 3, 1]
    assert numbers(client, headers, "type=corrective") == [second["number"], first["number"]]
    assert round_["number"] not in numbers(client, headers, "type=corrective&status=active")


def test_what_is_late_says_so(client: FlaskClient, bearer: LogIn, opened: Any, services: Services) -> None:
    order = opened("Replace the seal", due_at=rfc3339(datetime.now(UTC) - timedelta(hours=1)))
    assert (order["overdue"], order["sla_breached"]) == (True, False)

    with services.database.transaction() as session:
        session.get_one(WorkOrder, order["id"]).sla_at = datetime.now(UTC) - timedelta(minutes=1)

    shown = client.get(f"/api/work-orders/{order['number']}", headers=bearer("technician")).json
    assert (shown["overdue"], shown["sla_breached"]) == (True, True)


def test_a_list_of_orders_takes_few_queries_however_long(client: FlaskClient, bearer: LogIn, opened: Any, services: Services) -> None:
    for n in range(12):
        opened(f"Order {n}")
    headers = bearer("technician")
    client.get("/api/work-orders?limit=1", headers=headers)

    with counted(services) as sent:
        assert len(client.get("/api/work-orders", headers=headers).json["items"]) == 12

    assert len(sent) <= 10, sent


def test_the_list_is_exported(client: FlaskClient, bearer: LogIn, opened: Any) -> None:
    order = opened("=1+1 is dangerous")

    answer = client.get("/api/work-orders?export=csv", headers=bearer("manager"))

    assert answer.status_code == 200
    assert order["number"] in answer.text
    assert "'=1+1" in answer.text


def test_a_planner_changes_plain_fields_of_what_was_read(client: FlaskClient, bearer: LogIn, opened: Any) -> None:
    order = opened("Replace the seal")
    url, planner = f"/api/work-orders/{order['id']}", bearer("planner")
    read = client.get(url, headers=planner)
    change = {"title": "Replace both seals", "priority": "high", "est_min": 90, "external_ref": "X-1", "other_cost": 10.5}

    changed = client.patch(url, json=change, headers={**planner, "If-Match": read.headers["ETag"]})
    stale = client.patch(url, json={"title": "Mine"}, headers={**planner, "If-Match": read.headers["ETag"]})

    assert (changed.status_code, changed.json["title"], changed.json["est_min"], changed.json["cost"]["other"]) == (
        200,
        "Replace both seals",
        90,
        10.5,
    )
    assert changed.json["sla_at"] < order["sla_at"]
    assert stale.status_code == 412
    assert client.patch(url, json={"title": "Mine"}, headers=bearer("technician")).status_code == 403
    for wrong in ({"colour": 1}, {"title": ""}, {"type": "party"}, {"team": "nobody"}, {"other_cost": -1}, {"procedure": "none"}):
        assert client.patch(url, json=wrong, headers=planner).status_code == 422, wrong
    assert client.get(url, headers={**planner, "If-None-Match": changed.headers["ETag"]}).status_code == 304


def test_what_is_at_an_end_is_not_changed(client: FlaskClient, bearer: LogIn, opened: Any) -> None:
    order = opened("Replace the seal")
    act(client, bearer("manager"), order, "cancel", reason="twice")

    answer = client.patch(f"/api/work-orders/{order['id']}", json={"title": "Again"}, headers=bearer("manager"))

    assert (answer.status_code, answer.json["state"]) == (409, "cancelled")


def test_many_orders_go_to_one_person_or_none_does(client: FlaskClient, bearer: LogIn, opened: Any, technician: int) -> None:
    first, second, gone = opened("One"), opened("Two"), opened("Three")
    act(client, bearer("manager"), gone, "cancel", reason="twice")
    url, headers = "/api/work-orders/bulk-assign", bearer("planner")

    refused = client.post(url, json={"orders": [first["number"], gone["number"], "WO-0"], "assignee_id": technician}, headers=headers)
    untouched = client.get(f"/api/work-orders/{first['id']}", headers=headers).json
    done = client.post(url, json={"orders": [first["number"], second["number"]], "assignee_id": technician}, headers=headers)

    codes = {row["order"]: row.get("code") for row in refused.json["results"]}
    assert (refused.status_code, codes) == (409, {first["number"]: None, gone["number"]: "wrong_state", "WO-0": "not_found"})
    assert (untouched["status"], untouched["rev"]) == ("open", first["rev"])
    assert (done.status_code, all(row["ok"] for row in done.json["results"])) == (200, True)
    assert len(numbers(client, headers, f"assigned_to={technician}")) == 2
    assert client.post(url, json={"orders": [first["number"]], "assignee_id": technician}, headers=bearer("technician")).status_code == 403


def test_a_template_makes_orders(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    planner = bearer("planner")
    template = {"name": "Monthly round", "title": "Look at it", "type": "inspection", "priority": "low", "est_min": 20, "due_hours": 24}
    made = client.post("/api/order-templates", json=template, headers=planner)
    url = made.headers["Location"]
    assert client.post("/api/order-templates", json=template, headers=planner).status_code == 409
    assert client.post("/api/order-templates", json=template, headers=bearer("technician")).status_code == 403

    order = client.post(f"{url}/orders", json={"asset": plant.asset}, headers=bearer("technician"))

    body = order.json
    assert (order.status_code, body["title"], body["type"], body["priority"], body["est_min"]) == (
        201,
        "Look at it",
        "inspection",
        "low",
        20,
    )
    assert body["due_at"] < body["sla_at"]
    etag = client.get(url, headers=planner).headers["ETag"]
    assert client.patch(url, json={"title": "Look twice"}, headers={**planner, "If-Match": etag}).json["title"] == "Look twice"
    assert client.patch(url, json={"title": "Mine"}, headers={**planner, "If-Match": etag}).status_code == 412
    assert client.delete(url, headers=planner).status_code == 204
    assert client.get(url, headers=planner).status_code == 404
    assert client.get("/api/order-templates", headers=planner).json["total"] == 0


def test_the_words_of_a_template_name_the_asset(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    template = {"name": "Grease it", "title": "Grease {asset}", "description": "Stop {asset} first.", "type": "preventive"}
    url = client.post("/api/order-templates", json=template, headers=bearer("planner")).headers["Location"]

    order = client.post(f"{url}/orders", json={"asset": plant.asset}, headers=bearer("technician")).json

    assert (order["title"], order["description"]) == (f"Grease {plant.asset}", f"Stop {plant.asset} first.")


def test_comments_time_and_links_of_an_order(client: FlaskClient, bearer: LogIn, opened: Any) -> None:
    first, second = opened("One"), opened("Two")
    url, technician = f"/api/work-orders/{first['id']}", bearer("technician")
    assert client.post(f"{url}/labour", json={"minutes": 30, "rate": 50}, headers=technician).status_code == 409
    act(client, technician, first, "start")

    said = client.post(f"{url}/comments", json={"body": "Seal is worn"}, headers=bearer("operator"))
    worked = client.post(f"{url}/labour", json={"minutes": 30, "rate": 50}, headers=technician)
    linked = client.post(f"{url}/links", json={"order": second["number"], "kind": "relates"}, headers=technician)

    assert [answer.status_code for answer in (said, worked, linked)] == [201, 201, 201]
    assert client.get(f"{url}/comments", headers=technician).json["items"][0]["body"] == "Seal is worn"
    time = client.get(f"{url}/labour", headers=technician).json
    assert (time["items"][0]["cost"], time["sum"]) == (25.0, {"minutes": 30, "cost": 25.0})
    shown = client.get(url, headers=technician).json
    assert shown["labour_min"] == 30
    assert (shown["cost"]["labour"], shown["links"][0]["order"]["number"]) == (25.0, second["number"])
    assert client.delete(f"{url}/links/{linked.json['id']}", headers=technician).status_code == 204
    assert client.delete(f"{url}/labour/{worked.json['id']}", headers=technician).status_code == 204
    for path in ("comments", "labour", "links"):
        assert client.get(f"{url}/{path}?sort=nonsense", headers=technician).status_code == 422
    for path, wrong in (
        ("comments", {"body": "  "}),
        ("labour", {"minutes": -1}),
        ("labour", {"minutes": 1, "rate": -5}),
        ("links", {"order": second["number"], "kind": "likes"}),
        ("links", {"order": first["number"], "kind": "relates"}),
    ):
        assert client.post(f"{url}/{path}", json=wrong, headers=technician).status_code == 422, (path, wrong)


def test_the_printed_order_has_safety_steps_parts_and_three_sign_offs(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services, opened: Any
) -> None:
    with services.database.transaction() as session:
        procedure = Procedure(site_id=plant.site, code=f"P-{plant.asset}", title="Look at the pump")
        session.add_all([procedure, Team(site_id=plant.site, name="Mechanics")])
        session.flush()
        session.add(ProcedureVersion(procedure_id=procedure.id, version=1, steps=STEPS, lock_out=True, hazards=["rotating"]))
        code = procedure.code
    order, technician = opened("Replace the seal <b>", procedure=code, team="Mechanics"), bearer("technician")
    act(client, technician, order, "start")
    client.post(f"/api/work-orders/{order['id']}/steps/s1", json={"value": True}, headers=technician)
    signature = {"name": "T. Technician", "strokes": [[[0.1, 0.5], [0.5, 0.2], [0.9, 0.6]]]}
    done = act(client, technician, order, "complete", notes="New seal", parts=[{"sku": "SEAL-9", "qty": 2}], signature=signature)
    assert (done.status_code, done.json["signature"]["name"]) == (200, "T. Technician")

    answer = client.get(f"/api/work-orders/{order['id']}/print", headers=technician)

    text = " ".join(words(answer.data).split())
    assert (answer.status_code, answer.content_type) == (200, "application/pdf")
    for wanted in (
        order["number"],
        "Replace the seal < b >",
        "Permit to work",
        "Barricade set up",
        "REQUIRED",
        "It may start",
        "Lock the pump",
        "done",
        "4 .. 6 bar",
        "SEAL-9",
        "New seal",
        "Supervisor",
        "Operations",
        "T. Technician",
    ):
        assert wanted in text, wanted
    assert "True" not in text


def test_what_hangs_on_an_order_of_another_site_is_not_there(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services, opened: Any
) -> None:
    order = opened("One")
    with services.database.transaction() as session:
        session.get_one(WorkOrder, order["id"]).site_id = plant.other_site
    manager = bearer("manager")
    base = f"/api/work-orders/{order['id']}"

    assert [client.get(f"{base}{path}", headers=manager).status_code for path in ("", "/comments", "/labour", "/links", "/print")] == [
        404
    ] * 5
    assert client.post(f"{base}/comments", json={"body": "x"}, headers=manager).status_code == 404
    assert client.patch(base, json={"title": "x"}, headers=manager).status_code == 404
