"""The asset register by REST: what is written, searched, moved in the tree and taken out."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from server.models.audit import AuditLog
from server.models.outbox import Outbox
from server.models.plant import Asset, Instrument, Tag
from server.models.work import WorkOrder
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

WHOLE = {
    "name": "Feed pump",
    "area": "Utilities",
    "location": "Hall 2",
    "criticality": "high",
    "make": "KSB",
    "model": "Etanorm 50",
    "serial": "S-77/12",
    "external_ref": "SAP 100234",
    "notes": "Seal kit in store 2",
    "purchase_cost": 12500.5,
    "machine_rate": 340.0,
    "purchased_on": "2020-01-10",
    "installed_on": "2020-02-01",
    "warranty_until": "2022-02-01",
    "expected_life_years": 15.0,
    "expected_life_hours": 60000.0,
    "hours_at_install": 120.0,
    "replacement_cost": 14000.0,
    "replacement_on": "2034-06-01",
    "replacement_reason": "Casing wear",
}


def made(client: FlaskClient, headers: dict[str, str], **fields: Any) -> Any:
    answer = client.post("/api/assets", json={"name": "A thing", **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json


def test_an_asset_keeps_all_that_is_written_about_it(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")

    answer = client.post("/api/assets", json={"code": f"P{plant.asset}", "parent": plant.asset, **WHOLE}, headers=headers)

    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/register/assets/P{plant.asset}"
    record = client.get(answer.headers["Location"], headers=headers).json
    assert {name: record[name] for name in WHOLE if name != "area"} == {name: value for name, value in WHOLE.items() if name != "area"}
    assert (record["area"]["name"], record["parent"]["code"]) == ("Utilities", plant.asset)
    assert record["warranty"]["state"] == "ended"
    with services.database.transaction() as session:
        row = session.scalars(select(AuditLog).where(AuditLog.thing == "asset", AuditLog.thing_id == record["id"])).one()
        assert (row.action, row.new["make"] if row.new else None) == ("create", "KSB")


def test_an_asset_without_a_code_gets_the_next_number(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")

    first, second = made(client, headers)["code"], made(client, headers)["code"]

    assert first.startswith("A-")
    assert int(second[2:]) == int(first[2:]) + 1


def test_a_code_is_taken_once_and_free_again_when_the_asset_is_gone(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    code = made(client, headers, code=f"T{plant.asset}")["code"]

    again = client.post("/api/assets", json={"name": "x", "code": code}, headers=headers)
    gone = client.delete(f"/api/assets/{code}", headers=headers)

    assert (again.status_code, gone.status_code) == (409, 204)
    assert client.get(f"/api/register/assets/{code}", headers=headers).status_code == 404
    assert made(client, headers, code=code)["code"] == code


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"code": "a/b"}, "code"),
        ({"code": ".."}, "code"),
        ({"code": "labels"}, "code"),
        ({"area": "Nowhere"}, "area"),
        ({"class": "no such class"}, "class"),
        ({"parent": "nobody"}, "parent"),
        ({"purchase_cost": -1}, "purchase_cost"),
        ({"purchase_cost": 1.005}, "purchase_cost"),
        ({"purchase_cost": "12"}, "purchase_cost"),
        ({"purchase_cost": 1e300}, "purchase_cost"),
        ({"installed_on": "2026-02-30"}, "installed_on"),
        ({"expected_life_years": 0}, "expected_life_years"),
        ({"criticality": "huge"}, "criticality"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_no_asset_can_be_is_refused_by_field_and_nothing_is_stored(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, fields: dict[str, Any], field: str
) -> None:
    answer = client.post("/api/assets", json={"name": "Odd one", **fields}, headers=bearer("planner"))

    assert answer.status_code == 422, answer.text
    assert answer.json["errors"][0]["field"].removeprefix("json.") == field
    with services.database.transaction() as session:
        assert session.scalars(select(Asset.id).where(Asset.site_id == plant.site, Asset.name == "Odd one")).all() == []


def test_a_change_counts_the_revision_tells_the_pages_and_keeps_old_and_new(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("planner")
    before = client.get(f"/api/register/assets/{plant.asset}", headers=headers)

    answer = client.patch(f"/api/assets/{plant.asset}", json={"make": "Grundfos"}, headers={**headers, "If-Match": before.headers["ETag"]})

    assert (answer.status_code, answer.json["make"], answer.json["rev"]) == (200, "Grundfos", before.json["rev"] + 1)
    stale = client.patch(f"/api/assets/{plant.asset}", json={"make": "x"}, headers={**headers, "If-Match": before.headers["ETag"]})
    assert stale.status_code == 412
    with services.database.transaction() as session:
        row = session.scalars(select(AuditLog).where(AuditLog.thing == "asset", AuditLog.thing_id == plant.asset_id)).one()
        assert (row.old, row.new) == ({"make": ""}, {"make": "Grundfos"})
        told = session.scalars(select(Outbox.name).where(Outbox.thing_id == plant.asset_id)).all()
        assert told == ["asset.state_changed"]


def test_an_asset_cannot_come_below_itself(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    top = made(client, headers)["code"]
    middle = made(client, headers, parent=top)["code"]
    low = made(client, headers, parent=middle)["code"]

    for child in (top, middle, low):
        answer = client.patch(f"/api/assets/{top}", json={"parent": child}, headers=headers)
        assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "cycle")

    tree = client.get(f"/api/assets/{middle}/tree", headers=headers).json
    assert [node["code"] for node in tree["above"]] == [top]
    assert [node["code"] for node in tree["asset"]["children"]] == [low]
    whole = client.get("/api/register/tree", headers=headers).json
    tops = {node["code"]: node["parts"] for area in whole["areas"] for node in area["assets"]}
    assert tops[top] == 1
    assert low not in tops


def test_an_asset_with_parts_or_open_work_stays(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    top = made(client, headers)["code"]
    made(client, headers, parent=top)
    opened = client.post("/api/work-orders", json={"asset": plant.asset, "title": "Look"}, headers=headers)
    assert opened.status_code == 201

    answers = [client.delete(f"/api/assets/{code}", headers=headers) for code in (top, plant.asset)]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(409, "has_children"), (409, "has_orders")]
    with services.database.transaction() as session:
        assert session.scalars(select(WorkOrder.asset_id).where(WorkOrder.asset_id == plant.asset_id)).one()


def test_what_hangs_on_a_deleted_asset_goes_with_it(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    client.post("/api/instruments", json={"tag": plant.tag, "asset": plant.asset, "name": "p", "type": "pressure"}, headers=headers)

    answer = client.delete(f"/api/assets/{plant.asset}", headers=headers)

    assert answer.status_code == 204
    with services.database.transaction() as session:
        assert session.get_one(Tag, plant.tag_id).deleted_at is not None
        assert session.scalars(select(Instrument).where(Instrument.asset_id == plant.asset_id)).one().deleted_at is not None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": "feed KSB"}, True),
        ({"search": "etANorm"}, True),
        ({"search": "s-77/12"}, True),
        ({"search": "100234"}, True),
        ({"search": "feed 100%"}, False),
        ({"search": "f_ed"}, False),
        ({"area": "Utilities", "criticality": "high"}, True),
        ({"area": "Elsewhere"}, False),
        ({"criticality": "low"}, False),
        ({"parent": ""}, False),
        ({"warranty": "ended"}, True),
        ({"warranty": "active"}, False),
    ],
)
def test_search_and_filters_find_it(client: FlaskClient, plant: Plant, bearer: LogIn, query: dict[str, str], found: bool) -> None:
    headers = bearer("planner")
    code = made(client, headers, **{**WHOLE, "code": f"F{plant.asset}", "parent": plant.asset})["code"]

    for path in ("/api/register/assets", "/api/assets"):
        answer = client.get(path, query_string=query, headers=headers)
        assert answer.status_code == 200, answer.text
        assert (code in [row["code"] for row in answer.json["items"]]) is found


def test_a_list_is_sorted_as_asked_and_an_unknown_column_refused(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    for level in ("low", "critical", "high"):
        made(client, headers, criticality=level, make="sorted")

    answer = client.get("/api/register/assets?search=sorted&sort=-criticality,code", headers=headers)
    wrong = client.get("/api/register/assets?sort=colour", headers=headers)

    assert [row["criticality"] for row in answer.json["items"]] == ["critical", "high", "low"]
    assert wrong.status_code == 422


def test_an_overhaul_extends_the_life_and_says_why(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    client.patch(f"/api/assets/{plant.asset}", json={"installed_on": "2020-01-01", "expected_life_years": 10}, headers=headers)
    before = client.get(f"/api/register/assets/{plant.asset}", headers=headers).json["life"]

    answer = client.post(
        f"/api/assets/{plant.asset}/life-extensions", json={"years": 4, "reason": "New bearings and seals"}, headers=headers
    )
    empty = client.post(f"/api/assets/{plant.asset}/life-extensions", json={"reason": "nothing"}, headers=headers)

    assert answer.status_code == 201, answer.text
    assert answer.json["life"]["years_left"] == pytest.approx(before["years_left"] + 4, abs=0.02)
    assert [row["reason"] for row in answer.json["life_extensions"]] == ["New bearings and seals"]
    assert empty.status_code == 422


def test_the_replacement_plan_lists_what_ends_first_with_its_cost(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    worn = made(client, headers, installed_on="2000-01-01", expected_life_years=5, replacement_cost=1000)["code"]
    planned = made(client, headers, replacement_on="2027-03-01", replacement_cost=500.5)["code"]
    made(client, headers, installed_on="2026-01-01", expected_life_years=50, replacement_cost=9)

    answer = client.get("/api/register/replacements?years=3", headers=headers)

    assert [row["code"] for row in answer.json["items"]] == [worn, planned]
    assert answer.json["cost"] == 1500.5


def test_the_list_goes_out_as_a_workbook(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    made(client, headers, code=f"X{plant.asset}", name="=1+1", purchase_cost=10.25)

    answer = client.get("/api/register/assets?export=xlsx", headers=headers, buffered=True)

    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    row = next(row for row in rows if row[0] == f"X{plant.asset}")
    assert row[1] == "'=1+1"
    assert 10.25 in row


def test_areas_are_made_renamed_and_taken_out_only_when_empty(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    area = client.post("/api/areas", json={"name": "Hall 9"}, headers=headers).json

    twice = client.post("/api/areas", json={"name": "Hall 9"}, headers=headers)
    renamed = client.patch(f"/api/areas/{area['id']}", json={"name": "Hall 10"}, headers=headers)
    made(client, headers, area="Hall 10")
    full = client.delete(f"/api/areas/{area['id']}", headers=headers)

    assert (twice.status_code, renamed.json["name"], full.status_code) == (409, "Hall 10", 409)
    empty = client.post("/api/areas", json={"name": "Hall 11"}, headers=headers).json
    assert client.delete(f"/api/areas/{empty['id']}", headers=headers).status_code == 204
    back = client.post("/api/areas", json={"name": "Hall 11"}, headers=headers)
    assert (back.status_code, back.json["id"]) == (201, empty["id"])


def test_a_manager_sets_zone_and_currency_of_the_own_site_only(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")

    answer = client.patch(f"/api/sites/{plant.site}", json={"time_zone": "Africa/Casablanca", "currency": "MAD"}, headers=headers)

    assert (answer.json["time_zone"], answer.json["currency"]) == ("Africa/Casablanca", "MAD")
    assert client.patch(f"/api/sites/{plant.site}", json={"time_zone": "../Paris"}, headers=headers).status_code == 422
    assert client.patch(f"/api/sites/{plant.site}", json={"currency": "euro"}, headers=headers).status_code == 422
    assert client.get(f"/api/sites/{plant.other_site}", headers=headers).status_code == 404
    assert client.patch(f"/api/sites/{plant.site}", json={"name": "x"}, headers=bearer("planner")).status_code == 403


def test_another_sites_assets_do_not_exist(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    with services.database.transaction() as session:
        far = session.scalars(select(Asset.code).where(Asset.site_id == plant.other_site)).one()

    answers = [
        client.get(f"/api/register/assets/{far}", headers=headers),
        client.patch(f"/api/assets/{far}", json={"make": "x"}, headers=headers),
        client.delete(f"/api/assets/{far}", headers=headers),
        client.get(f"/api/assets/{far}/tree", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert far not in [row["code"] for row in client.get("/api/register/assets", headers=headers).json["items"]]
