"""Parts, stores, parts lists and purchases over REST: what each answers, refuses and writes down."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from server.models.people import User
from server.services import Services
from tests.server.api.conftest import LogIn, Plant
from tests.server.export.pdf_words import words

Headers = dict[str, str]


@pytest.fixture
def keeper(bearer: LogIn) -> Headers:
    """The storekeeper."""
    return bearer("storekeeper")


def made(client: FlaskClient, headers: Headers, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"/api/{path}", json=body, headers=headers)
    assert answer.status_code in {200, 201}, answer.text
    return dict(answer.json)


@pytest.fixture
def store(client: FlaskClient, keeper: Headers) -> int:
    return int(made(client, keeper, "stores", {"code": "MAIN", "name": "Main store"})["id"])


@pytest.fixture
def part(client: FlaskClient, keeper: Headers, store: int) -> int:
    """Ten bearings at 12.50, at least 4, at most 20, bought in fives."""
    body = {
        "name": "Bearing 6205",
        "unit_cost": 12.5,
        "minimum": 4,
        "maximum": 20,
        "reorder_quantity": 5,
        "lead_days": 7,
        "supplier": "SKF",
    }
    part = int(made(client, keeper, "parts", body)["id"])
    made(client, keeper, f"parts/{part}/movements", {"store_id": store, "reason": "receipt", "quantity": 10})
    return part


@pytest.fixture
def order(client: FlaskClient, bearer: LogIn, plant: Plant) -> str:
    return str(made(client, bearer("planner"), "work-orders", {"asset": plant.asset, "title": "Change the bearing"})["number"])


def test_a_part_gets_its_number_and_its_stock_by_store(client: FlaskClient, keeper: Headers, part: int) -> None:
    answer = client.get(f"/api/parts/{part}", headers=keeper)

    assert answer.json["number"].startswith("P-00")
    assert answer.headers["ETag"]
    assert {name: answer.json[name] for name in ("on_hand", "reserved", "available", "on_order", "value", "average_cost")} == {
        "on_hand": 10,
        "reserved": 0,
        "available": 10,
        "on_order": 0,
        "value": 125.0,
        "average_cost": 12.5,
    }
    assert [(row["store"]["code"], row["on_hand"]) for row in answer.json["stores"]] == [("MAIN", 10)]


def test_the_list_finds_sorts_and_exports(client: FlaskClient, keeper: Headers, part: int) -> None:
    made(client, keeper, "parts", {"name": "=cmd()", "number": "X-1", "minimum": 1})

    found = client.get("/api/parts?search=6205", headers=keeper).json
    short = client.get("/api/parts?below_minimum=true&sort=-available", headers=keeper).json
    csv = client.get("/api/parts?export=csv", headers=keeper, buffered=True)

    assert [row["name"] for row in found["items"]] == ["Bearing 6205"]
    assert [row["number"] for row in short["items"]] == ["X-1"]
    assert "'=cmd()" in csv.data.decode("utf-8-sig")


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "receipt", "quantity": -1},
        {"reason": "receipt", "quantity": 0},
        {"reason": "receipt", "quantity": "3"},
        {"reason": "receipt", "quantity": 0.0001},
        {"reason": "receipt", "quantity": 1e300},
        {"reason": "theft", "quantity": 1},
        {"reason": "issue", "quantity": 1},  # neither an order nor a word
        {"reason": "adjustment", "quantity": -1},  # no word
        {"reason": "count", "quantity": -1},
        {"reason": "transfer", "quantity": 1},
        {"reason": "receipt", "quantity": 1, "on_hand": 99},
        {"reason": "receipt", "quantity": 1, "unit_cost": -1},
    ],
)
def test_a_wrong_movement_is_422_and_books_nothing(
    client: FlaskClient, keeper: Headers, part: int, store: int, body: dict[str, Any]
) -> None:
    answer = client.post(f"/api/parts/{part}/movements", json={"store_id": store, **body}, headers=keeper)

    assert answer.status_code == 422, answer.text
    assert client.get(f"/api/parts/{part}/movements", headers=keeper).json["total"] == 1


def test_a_technician_issues_to_an_order_that_shows_part_and_cost(
    client: FlaskClient, bearer: LogIn, keeper: Headers, part: int, store: int, order: str
) -> None:
    technician = bearer("technician")
    body = {"store_id": store, "reason": "issue", "quantity": 2, "order": order}

    issued = made(client, technician, f"parts/{part}/movements", body)
    refused = client.post(f"/api/parts/{part}/movements", json={**body, "quantity": 9}, headers=technician)
    receipt = client.post(f"/api/parts/{part}/movements", json={**body, "reason": "receipt", "order": None}, headers=technician)

    assert issued["part"]["on_hand"] == 8
    assert [(row["quantity"], row["order"]["number"]) for row in issued["movements"]] == [(-2, order)]
    assert (refused.status_code, refused.json["code"]) == (409, "not_in_stock")
    assert receipt.status_code == 403
    lines = client.get(f"/api/movements?order={order}", headers=keeper).json
    assert [row["part"]["name"] for row in lines["items"]] == ["Bearing 6205"]
    assert client.get(f"/api/work-orders/{order}", headers=keeper).json["cost"]["parts"] == 25.0


def test_the_printed_order_names_what_the_stores_issued(client: FlaskClient, keeper: Headers, part: int, store: int, order: str) -> None:
    number = client.get(f"/api/parts/{part}", headers=keeper).json["number"]
    made(client, keeper, f"parts/{part}/movements", {"store_id": store, "reason": "issue", "quantity": 2, "order": order})

    sheet = client.get(f"/api/work-orders/{order}/print", headers=keeper)

    assert f"{number} Bearing 6205 2 pcs" in " ".join(words(sheet.data).split())


def test_the_same_issue_twice_with_one_key_is_one(client: FlaskClient, keeper: Headers, part: int, store: int, order: str) -> None:
    body = {"store_id": store, "reason": "issue", "quantity": 2, "order": order}
    headers = {**keeper, "Idempotency-Key": "one"}

    first, second = (client.post(f"/api/parts/{part}/movements", json=body, headers=headers) for _ in "12")

    assert first.json == second.json
    assert client.get(f"/api/parts/{part}", headers=keeper).json["on_hand"] == 8


def test_planned_work_reserves_and_the_minimum_counts_it(
    client: FlaskClient, bearer: LogIn, keeper: Headers, part: int, store: int, order: str
) -> None:
    planned = made(client, keeper, f"parts/{part}/reservations", {"store_id": store, "order": order, "quantity": 7})

    body = client.get(f"/api/parts/{part}", headers=keeper).json
    assert (body["available"], body["below_minimum"]) == (3, True)
    assert [row["id"] for row in client.get(f"/api/reservations?order={order}", headers=keeper).json["items"]] == [planned["id"]]
    proposal = client.get("/api/purchases/proposals", headers=keeper).json["items"]
    assert [(row["quantity"], row["why"]) for row in proposal] == [(20, "available 3 + on order 0 < 4; fill up to 20 in lots of 5")]
    cancelled = client.post(f"/api/work-orders/{order}/actions/cancel", json={"reason": "not now"}, headers=bearer("planner"))
    assert cancelled.status_code == 200
    assert client.get(f"/api/parts/{part}", headers=keeper).json["available"] == 10


def test_a_proposal_becomes_goods_in_the_store(client: FlaskClient, bearer: LogIn, keeper: Headers, part: int, store: int) -> None:
    manager = bearer("manager")
    made(client, keeper, f"parts/{part}/movements", {"store_id": store, "reason": "count", "quantity": 2})

    (proposed,) = made(client, keeper, "purchases/propose", {})["items"]
    again = made(client, keeper, "purchases/propose", {})["items"]
    address = f"purchases/{proposed['id']}"
    requested = made(client, keeper, f"{address}/actions/request", {})
    own = client.post(f"/api/{address}/actions/approve", headers=keeper)
    approved = made(client, manager, f"{address}/actions/approve", {})
    ordered = made(client, keeper, f"{address}/actions/order", {"reference": "SO-1", "expected_on": "2026-12-01"})
    line = proposed["lines"][0]["id"]
    partly = made(client, keeper, f"{address}/receipts", {"store_id": store, "lines": [{"line_id": line, "quantity": 15, "unit_cost": 10}]})
    too_many = client.post(
        f"/api/{address}/receipts", json={"store_id": store, "lines": [{"line_id": line, "quantity": 6}]}, headers=keeper
    )
    received = made(client, keeper, f"{address}/receipts", {"store_id": store, "lines": [{"line_id": line, "quantity": 5}]})

    assert proposed["number"].startswith("PR-")
    assert (proposed["status"], proposed["supplier"], proposed["total"], again) == ("proposed", "SKF", 250.0, [])
    assert requested["requested_by"] == "Storekeeper"
    assert own.status_code == 403
    assert (approved["status"], approved["approved_by"]) == ("approved", "Manager")
    assert (ordered["status"], ordered["reference"], ordered["expected_on"]) == ("ordered", "SO-1", "2026-12-01")
    assert (partly["status"], partly["lines"][0]["received"]) == ("partly_received", 15)
    assert (too_many.status_code, too_many.json["code"]) == (409, "too_many")
    assert received["status"] == "received"
    body = client.get(f"/api/parts/{part}", headers=keeper).json
    assert (body["on_hand"], body["on_order"], body["average_cost"]) == (22, 0, 10.8)  # (2 x 12.5 + 15 x 10 + 5 x 12.5) / 22


def test_nobody_approves_the_own_request_and_nobody_changes_an_approved_one(client: FlaskClient, bearer: LogIn, part: int) -> None:
    manager, admin = bearer("manager"), bearer("admin")
    made_ = made(client, manager, "purchases", {"lines": [{"part_id": part, "quantity": 3}]})

    own = client.post(f"/api/purchases/{made_['id']}/actions/approve", headers=manager)
    made(client, admin, f"purchases/{made_['id']}/actions/approve", {})
    change = client.patch(f"/api/purchases/{made_['id']}", json={"lines": [{"part_id": part, "quantity": 99}]}, headers=manager)
    skip = client.post(f"/api/purchases/{made_['id']}/actions/close", json={"reason": "x"}, headers=manager)

    assert (own.status_code, own.json["detail"]) == (403, "somebody other than the person who asked approves a purchase")
    assert (change.status_code, skip.status_code) == (409, 409)


def test_a_parts_list_joins_the_lines_of_asset_and_class(client: FlaskClient, keeper: Headers, part: int, plant: Plant) -> None:
    line = made(client, keeper, "bom", {"part_id": part, "asset": plant.asset, "quantity": 2, "position": "drive end"})
    both = client.post("/api/bom", json={"part_id": part, "asset": plant.asset, "asset_class": "pump"}, headers=keeper)

    found = client.get(f"/api/bom?asset={plant.asset}", headers=keeper).json["items"]
    changed = client.patch(f"/api/bom/{line['id']}", json={"quantity": 4}, headers=keeper).json
    gone = client.delete(f"/api/bom/{line['id']}", headers=keeper)

    assert [(row["part"]["name"], row["quantity"], row["position"], row["available"]) for row in found] == [
        ("Bearing 6205", 2, "drive end", 10)
    ]
    assert both.status_code == 422
    assert changed["quantity"] == 4
    assert (gone.status_code, client.get(f"/api/bom?asset={plant.asset}", headers=keeper).json["total"]) == (204, 0)


def test_parts_movements_and_parts_lists_are_filtered_by_id(
    client: FlaskClient, keeper: Headers, part: int, store: int, plant: Plant
) -> None:
    made(client, keeper, "bom", {"part_id": part, "asset": plant.asset, "quantity": 2})
    queries = (f"parts?store_id={store}", f"movements?store_id={store}", f"bom?part_id={part}")

    found = [client.get(f"/api/{query}", headers=keeper) for query in (*queries, "bom?class_id=999999", "parts?store_id=0")]

    assert [answer.status_code for answer in found] == [200, 200, 200, 200, 422]
    assert [answer.json["total"] for answer in found[:4]] == [1, 1, 1, 0]


def test_a_stock_take_books_the_difference(client: FlaskClient, keeper: Headers, part: int, store: int) -> None:
    twice = {"lines": [{"part_id": part, "counted": 1}, {"part_id": part, "counted": 2}]}

    refused = client.post(f"/api/stores/{store}/counts", json=twice, headers=keeper)
    rows = made(client, keeper, f"stores/{store}/counts", {"lines": [{"part_id": part, "counted": 9}], "note": "yearly"})["items"]

    assert refused.status_code == 422
    assert [(row["reason"], row["quantity"], row["note"]) for row in rows] == [("count", -1, "yearly")]


def test_use_by_month_and_the_value_in_stock(client: FlaskClient, keeper: Headers, part: int, store: int, order: str) -> None:
    made(client, keeper, f"parts/{part}/movements", {"store_id": store, "reason": "issue", "quantity": 3, "order": order})
    made(client, keeper, f"parts/{part}/movements", {"store_id": store, "reason": "return", "quantity": 1, "order": order})

    use = client.get(f"/api/parts/{part}/usage?months=3", headers=keeper).json

    assert [row["used"] for row in use["months"]] == [0, 0, 2]
    assert client.get("/api/parts/valuation", headers=keeper).json == {"value": 100.0, "parts": 1, "currency": "EUR"}


def test_a_change_based_on_an_old_state_is_refused(client: FlaskClient, keeper: Headers, part: int) -> None:
    tag = client.get(f"/api/parts/{part}", headers=keeper).headers["ETag"]

    first, second = (
        client.patch(f"/api/parts/{part}", json={"name": name}, headers={**keeper, "If-Match": tag}).status_code for name in ("A", "B")
    )

    assert (first, second) == (200, 412)


@pytest.mark.parametrize("body", [{"minimum": 5, "maximum": 3}, {"minimum": -1}, {"unit_cost": -1}, {"name": ""}, {"lead_days": -1}])
def test_a_wrong_part_is_422(client: FlaskClient, keeper: Headers, body: dict[str, Any]) -> None:
    assert client.post("/api/parts", json={"name": "A part", **body}, headers=keeper).status_code == 422


def test_a_number_is_given_once_and_stock_is_not_thrown_away(client: FlaskClient, keeper: Headers, part: int, store: int) -> None:
    number = client.get(f"/api/parts/{part}", headers=keeper).json["number"]

    assert client.post("/api/parts", json={"name": "Another", "number": number}, headers=keeper).status_code == 409
    assert client.delete(f"/api/parts/{part}", headers=keeper).status_code == 409
    assert client.delete(f"/api/stores/{store}", headers=keeper).status_code == 409


def test_another_site_has_its_own_stores(
    client: FlaskClient, services: Services, bearer: LogIn, plant: Plant, part: int, store: int
) -> None:
    stranger = bearer("manager")
    with services.database.transaction() as session:
        session.query(User).filter_by(employee_number=plant.people["manager"]).one().site_id = plant.other_site

    assert client.get("/api/parts", headers=stranger).json["total"] == 0
    for path in (f"parts/{part}", f"stores/{store}", f"parts/{part}/movements", f"parts/{part}/usage", f"parts/{part}/reservations"):
        assert client.get(f"/api/{path}", headers=stranger).status_code == 404, path
    moved = client.post(f"/api/parts/{part}/movements", json={"store_id": store, "reason": "count", "quantity": 0}, headers=stranger)
    assert moved.status_code == 404
