"""Procedures over REST: drafts, faults by step, versions that never change, and what orders get of them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from server.demo.procedures import MACHINE
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

SOUND: list[dict[str, Any]] = [
    {"id": "s1", "k": "confirm", "t": "Lock {asset}", "must": True, "warn": {"sev": "danger", "t": "It may start"}},
    {"id": "s2", "k": "measure", "t": "Pressure", "live": ["{asset}.pressure"], "in": {"lo": 4, "hi": 6, "unit": "bar", "on_hi": "s1"}},
]
LOST = [SOUND[0], {**SOUND[1], "next": "s9"}]


@pytest.fixture
def url(client: FlaskClient, bearer: LogIn, plant: Plant) -> str:
    """A procedure without steps yet."""
    made = client.post("/api/procedures", json={"code": f"P-{plant.asset}", "title": "Look at the pump"}, headers=bearer("planner"))
    assert made.status_code == 201, made.text
    return str(made.headers["Location"])


def publish(client: FlaskClient, headers: dict[str, str], url: str, steps: list[dict[str, Any]], **other: Any) -> Any:
    return client.post(f"{url}/versions", json={"steps": steps, **other}, headers=headers)


def test_a_draft_is_kept_unsound_and_published_sound(client: FlaskClient, bearer: LogIn, url: str) -> None:
    planner = bearer("planner")
    kept = client.put(f"{url}/draft", json={"steps": LOST}, headers=planner)
    assert (kept.status_code, kept.json["sound"]) == (200, False)
    assert kept.json["faults"] == [{"step": "s2", "field": "next", "code": "no_such_step", "detail": "'s9' is no step"}]
    refused = client.post(f"{url}/publish", headers=planner)
    assert (refused.status_code, refused.json["errors"]) == (422, kept.json["faults"])

    client.put(f"{url}/draft", json={"steps": SOUND, "note": "first"}, headers=planner)
    turned = client.post(f"{url}/draft/reorder", json={"order": ["s2", "s1"]}, headers=planner)
    assert [step["id"] for step in turned.json["draft"]["steps"]] == ["s2", "s1"]
    assert client.post(f"{url}/draft/reorder", json={"order": ["s2"]}, headers=planner).status_code == 422
    done = client.post(f"{url}/publish", headers=planner)

    assert (done.status_code, done.json["version"], done.json["note"]) == (201, 1, "first")
    assert [(step["id"], step["n"]) for step in done.json["steps"]] == [("s2", 1), ("s1", 2)]
    shown = client.get(url, headers=bearer("technician")).json
    assert (shown["version"], shown["has_draft"], shown["warnings"][0]["t"]) == (1, False, "It may start")
    assert client.post(f"{url}/publish", headers=planner).status_code == 409


def test_the_validator_names_tags_and_procedures_that_do_not_exist(client: FlaskClient, bearer: LogIn, url: str, plant: Plant) -> None:
    steps = [
        {"id": "a", "k": "measure", "t": "Known", "live": [plant.tag], "in": {"tag": plant.tag}},
        {"id": "b", "k": "measure", "t": "Foreign", "live": [plant.other_tag], "in": {"tag": "NOWHERE"}},
        {"id": "c", "k": "check", "t": "Bolts", "on_fail": {"follow_up": {"title": "Tighten", "procedure": "NONE"}}},
    ]

    found = client.post(f"{url}/validate", json={"steps": steps}, headers=bearer("planner")).json

    named = [(fault["step"], fault["field"], fault["code"]) for fault in found["faults"]]
    assert named == [("b", "in.tag", "unknown_tag"), ("b", "live", "unknown_tag"), ("c", "on_fail", "unknown_procedure")]
    assert client.get(url, headers=bearer("planner")).json["version"] is None


def test_an_order_keeps_the_version_it_was_started_with(client: FlaskClient, bearer: LogIn, url: str, plant: Plant) -> None:
    planner, technician = bearer("planner"), bearer("technician")
    publish(client, planner, url, SOUND)
    new = {"asset": plant.asset, "title": "Look", "procedure": f"P-{plant.asset}"}
    started, waiting = (client.post("/api/work-orders", json=new, headers=planner).json for _ in range(2))
    client.post(f"/api/work-orders/{started['id']}/actions/start", headers=technician)

    second = publish(client, planner, url, [SOUND[0]], note="shorter")

    assert second.json["version"] == 2
    steps = [client.get(f"/api/work-orders/{order['id']}/steps", headers=technician).json["steps"] for order in (started, waiting)]
    assert [len(rows) for rows in steps] == [2, 1]
    assert steps[0][0]["t"] == f"Lock {plant.asset}"
    assert client.get(f"{url}/versions/1", headers=technician).json["steps"][1]["id"] == "s2"
    listed = client.get(f"{url}/versions", headers=technician).json
    assert [(row["version"], row["steps_count"], row["note"]) for row in listed["items"]] == [(2, 1, "shorter"), (1, 2, "")]
    changed = client.get(f"{url}/diff?from=1", headers=technician).json
    assert (changed["to"], [step["id"] for step in changed["removed"]], changed["added"]) == (2, ["s2"], [])
    assert client.get(f"{url}/diff?from=7", headers=technician).status_code == 404


def test_a_retired_procedure_is_given_to_no_new_order(client: FlaskClient, bearer: LogIn, url: str, plant: Plant) -> None:
    planner = bearer("planner")
    publish(client, planner, url, SOUND)
    new = {"asset": plant.asset, "title": "Look", "procedure": f"P-{plant.asset}"}

    assert client.post(f"{url}/retire", headers=planner).json["status"] == "retired"
    assert client.post(f"{url}/retire", headers=planner).status_code == 409
    assert client.post("/api/work-orders", json=new, headers=planner).status_code == 422
    assert client.get("/api/procedures", headers=planner).json["total"] == 0
    assert client.get("/api/procedures?retired=true&search=pump", headers=planner).json["total"] == 1
    assert client.post(f"{url}/restore", headers=planner).json["status"] == "active"
    assert client.post("/api/work-orders", json=new, headers=planner).status_code == 201


def test_who_does_not_write_procedures_reads_them(client: FlaskClient, bearer: LogIn, url: str, plant: Plant, services: Services) -> None:
    technician, planner = bearer("technician"), bearer("planner")
    etag = client.get(url, headers=planner).headers["ETag"]

    assert publish(client, technician, url, SOUND).status_code == 403
    assert client.put(f"{url}/draft", json={"steps": SOUND}, headers=technician).status_code == 403
    assert client.patch(url, json={"title": "Mine"}, headers=technician).status_code == 403
    assert client.patch(url, json={"title": "Look twice"}, headers={**planner, "If-Match": etag}).json["title"] == "Look twice"
    assert client.put(f"{url}/draft", json={"steps": SOUND}, headers={**planner, "If-Match": etag}).status_code == 412
    assert client.post("/api/procedures", json={"code": f"P-{plant.asset}", "title": "x"}, headers=planner).status_code == 409
    assert client.get("/api/procedures?sort=colour", headers=planner).status_code == 422
    assert publish(client, planner, url, SOUND, colour="red").status_code == 422


def test_a_picture_for_the_steps_is_uploaded_and_used(client: FlaskClient, bearer: LogIn, url: str) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), "green").save(picture, "PNG")
    picture.seek(0)

    made = client.post(f"{url}/media", data={"file": (picture, "guard.png"), "alt": "The guard"}, headers=bearer("planner"))

    assert made.status_code == 201, made.text
    assert (made.json["w"], made.json["h"], made.json["alt"]) == (64, 48, "The guard")
    assert client.get(made.json["href"], headers=bearer("technician")).status_code == 200
    steps = [{**SOUND[0], "media": [made.json]}]
    assert publish(client, bearer("planner"), url, steps).json["steps"][0]["media"][0]["id"] == made.json["id"]


def test_a_procedure_of_the_demo_can_be_published_as_it_is(client: FlaskClient, bearer: LogIn, url: str) -> None:
    answer = publish(client, bearer("planner"), url, list(MACHINE.steps), safety=list(MACHINE.safety), lock_out=True)

    assert answer.status_code == 201, answer.text
    assert answer.json["steps"] == list(MACHINE.steps)
