"""S2-162: the seven steps of the workflow through the API of a running instance, each one's result read back before the next begins.

Set up, data in, an alert, a work order, the technician's acts, what the models learn, the compliance reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from realtime.bus import now_ms
from tests.flow.plant import Person, Plant, Screen
from tests.waiting import wait_for

pytestmark = [pytest.mark.owns_services, pytest.mark.timeout(300)]

TAG = "PT-101"
OVER_RANGE = 99.0  # bar
SETTLED_READINGS = 15  # the monitor lets a tag that it never saw before settle for five seconds


@pytest.fixture(scope="module")
def plant(short_proof_plant: Plant) -> Plant:
    """A demo plant whose proof window fits in a test."""
    return short_proof_plant


@pytest.fixture(scope="module")
def manager(plant: Plant) -> Person:
    """Who runs the plant."""
    return plant.person("1001")


@pytest.fixture(scope="module")
def wall(manager: Person) -> Iterator[Screen]:
    """The manager's screen, with the tag's values settled."""
    screen = manager.screen()
    assert screen.ask("subscribe", {"tags": [TAG]})["ok"]
    wait_for(lambda: len(screen.named("reading.batch")) > SETTLED_READINGS, 60, f"{SETTLED_READINGS} live readings of {TAG}")
    yield screen
    screen.close()


def set_up(manager: Person) -> dict[str, Any]:
    """1: a reference standard, a new live tag on a new asset and the instrument behind it enter the register."""
    standard = manager.post(
        "/api/standards", {"serial": "SEVEN-1", "name": "Pressure calibrator", "certificate": "K-7", "due_at": "2035-01-01T00:00:00Z"}
    )
    put = manager.call("PUT", "/api/tags", json=[{"tag": "PT-700", "asset": "PS-7", "unit": "bar", "low": 1, "high": 9}])
    assert put.status_code == 200, put.text
    instrument = manager.post(
        "/api/instruments",
        {"tag": "PT-700", "asset": "PS-7", "name": "Second pressure", "type": "pressure", "unit": "bar", "range_low": 0, "range_high": 10},
    )
    assert manager.get("/api/instruments", search="PT-700")["items"][0]["id"] == instrument["id"]
    return {"standard": standard["id"], "instrument": instrument["id"]}


def data_in(plant: Plant, manager: Person) -> None:
    """2: a device with a token of its own posts readings; they stand in the history."""
    token = manager.post("/api/tokens", {"name": "edge-7", "kind": "ingest"})["token"]
    t = now_ms()
    rows = [{"tag": "PT-700", "timestamp": t - 1000 * i, "value": 5.0 + i / 10} for i in range(3)]

    def accepted() -> bool:
        answer = requests.post(f"{plant.url}/api/readings", json=rows, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        body = answer.json()
        return answer.status_code == 200 and body["accepted"] + body["duplicate"] == len(rows)

    wait_for(accepted, 20, "a tag made a moment ago to take readings")
    wait_for(
        lambda: len(manager.get("/api/readings", tag="PT-700", **{"from": t - 60_000, "to": t + 1000})["rows"]) == len(rows),
        20,
        "the readings in the history",
    )


def alerted(plant: Plant, manager: Person, wall: Screen) -> dict[str, Any]:
    """3: a reading outside the signal range becomes an alert that says why, and somebody acknowledges it."""
    device = plant.device()
    device.publish(f"readings/{TAG}", {"tag": TAG, "timestamp": now_ms(), "value": OVER_RANGE, "unit": "bar", "seq": 777}).wait_for_publish(
        10
    )
    device.close()
    alert = wall.wait("alert.raised", lambda f: f["data"]["tag"] == TAG and f["data"]["value"] == OVER_RANGE)["data"]
    assert (alert["type"], alert["because"][0]["tag"]) == ("instrument_fault", TAG)
    acknowledged = manager.post(f"/api/alerts/{alert['id']}/acknowledge")
    assert acknowledged["acknowledged_by"] == manager.user["name"]
    return alert


def ordered(plant: Plant, manager: Person, wall: Screen, alert: dict[str, Any]) -> tuple[dict[str, Any], Person]:
    """4: the alert has one order, with a procedure and a person; asking again makes no second one."""
    order = wall.wait("work_order.assigned", lambda f: (f["data"]["alert"] or {}).get("id") == alert["id"])["data"]
    again = manager.call("POST", "/api/work-orders/from-alert", json={"alert_id": alert["id"]})
    assert again.status_code == 409 or again.json()["id"] == order["id"]
    people = {person.user["name"]: person for person in (plant.person("2001"), plant.person("2002"))}
    technician = people[order["assigned_to"]["name"]]
    told = technician.get("/api/notifications")["items"]
    assert any(order["number"] in f"{message}" for message in told)
    return order, technician


def answer_of(step: dict[str, Any]) -> dict[str, Any]:
    """What a technician would answer to a step."""
    if step["k"] == "check":
        return {"option": "pass"}
    if step["k"] == "choice":
        return {"option": step["opt"][0]["k"]}
    if step["k"] == "measure":
        return {"value": 5.0, "unit": step["in"]["unit"]}
    if step["k"] == "scan":
        return {"code": step["in"]["code"]}
    return {"value": {"text": "done", "part": step.get("part", {}).get("qty")}.get(step["k"], True)}


def acted(technician: Person, manager: Person, order: dict[str, Any], wall: Screen) -> None:
    """5: start, every step, complete with a verdict; the signal proves the repair."""
    path = f"/api/work-orders/{order['id']}"
    assert technician.post(f"{path}/actions/start")["status"] == "in_progress"
    for step in technician.get(f"{path}/steps")["steps"]:
        technician.post(f"{path}/steps/{step['id']}", answer_of(step))
    done = technician.post(
        f"{path}/actions/complete", {"notes": "connector was loose, tightened", "verdict": "confirmed", "actual_minutes": 20}
    )
    assert done["status"] == "completed"
    verified = wall.wait("work_order.verified", lambda f: f["id"] == order["id"], timeout_s=60)["data"]
    assert verified["verified_by"] == "signal"
    assert manager.get(f"/api/alerts/{order['alert']['id']}")["order_status"] == "verified"


def learned(manager: Person, order: dict[str, Any]) -> None:
    """6: the verdict counts in the precision of what raised the alert; a new version of the asset's model is trained."""
    verdicts = manager.get("/api/figures/verdicts")
    assert sum(row["confirmed"] for row in verdicts["items"]) >= 1, verdicts
    asked = manager.call("POST", f"/api/ml/train/{TAG}")
    assert asked.status_code == 202, asked.text

    def trained() -> Any:
        job = manager.get(f"/api/ml/models/{TAG}")["job"]
        return job if job and job["status"] in {"done", "failed"} else None

    job = wait_for(trained, 90, "the training to end")
    found = manager.get(f"/api/ml/models/{TAG}")
    assert job["status"] == "done", job
    assert found["items"][0]["trained_by"]
    assert manager.get(f"/api/work-orders/{order['id']}")["verdict"] == "confirmed"


def reported(technician: Person, manager: Person, made: dict[str, Any], order: dict[str, Any]) -> None:
    """7: the calibration that the work called for, its certificate, and the compliance reports as data and as files."""
    record = technician.post(
        "/api/calibrations",
        {
            "instrument": made["instrument"],
            "standard": made["standard"],
            "tolerance_pct": 1.0,
            "as_found": [{"applied": value, "reading": value + 0.01} for value in (0, 2.5, 5, 7.5, 10)],
        },
        status=201,
    )
    assert record["passed"] is True
    certificate = manager.call("GET", f"/api/calibrations/{record['id']}/certificate")
    assert certificate.content.startswith(b"%PDF")
    for name in ("calibration", "maintenance", "health-status", "anomalies", "compliance", "work-orders"):
        report = manager.get(f"/api/reports/{name}")
        assert report["tables"], name
        for form, start in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK"), ("pdf", b"%PDF")):
            file = manager.call("GET", f"/api/reports/{name}", params={"export": form})
            assert (file.status_code, file.content[: len(start)]) == (200, start), (name, form)
    work = manager.get("/api/reports/work-orders", search=order["number"])
    assert order["number"] in str(work["tables"])
    assert "PT-700" in str(manager.get("/api/reports/calibration")["tables"])


def test_the_seven_steps_pass_end_to_end(plant: Plant, manager: Person, wall: Screen) -> None:
    made = set_up(manager)
    data_in(plant, manager)
    alert = alerted(plant, manager, wall)
    order, technician = ordered(plant, manager, wall, alert)
    acted(technician, manager, order, wall)
    learned(manager, order)
    reported(technician, manager, made, order)
