"""The test to read first: one reading goes in at the broker, one card comes out on a pair of glasses, each hop asserted.

Then the technician does the work through the feed, a live value is recorded in a step, and the signal itself proves the repair;
and once more with a fault that was not repaired: the order is opened again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from realtime.bus import now_ms
from tests.flow.plant import Person, Plant, Screen
from tests.waiting import wait_for

pytestmark = [pytest.mark.owns_services, pytest.mark.timeout(300)]

TAG = "PT-101"
OVER_RANGE = 99.0  # bar, far outside the transmitter's signal range
SETTLED_READINGS = 15  # one a second
TECHNICIANS = ("2001", "2002")


@dataclass
class Glasses:
    """A paired headset: its token and its socket."""

    person: Person
    token: str
    screen: Screen

    def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """One request of the headset."""
        answer = requests.request(
            method, f"{self.person.plant.url}/ar/v1{path}", headers={"Authorization": f"Bearer {self.token}"}, json=body, timeout=30
        )
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def card(self, task: int, state: str) -> Any:
        """The summary of a task as it was pushed in this state."""

        def pushed(body: Any) -> list[Any]:
            return [card for card in body["tasks"] if (card["id"], card["state"]) == (task, state)]

        return pushed(self.screen.wait("ar.task", lambda body: bool(pushed(body))))[0]

    def do(self, task: int, k: str, **fields: Any) -> Any:
        """One operation; its result must be 200."""
        operation = {"key": str(uuid.uuid4()), "task": task, "k": k, "at": iso(now_ms()), "by": "voice", **fields}
        result = self.call("POST", "/ops", {"ops": [operation]})["results"][0]
        assert result["status"] == 200, result
        return result


def iso(ms: int) -> str:
    """RFC 3339 of ms UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def plant(short_proof_plant: Plant) -> Plant:
    """A demo plant whose proof window fits in a test."""
    return short_proof_plant


@pytest.fixture(scope="module")
def manager(plant: Plant) -> Iterator[tuple[Person, Screen]]:
    """The manager before the wall screen."""
    person = plant.person("1001")
    screen = person.screen()
    answer = screen.ask("subscribe", {"tags": [TAG]})
    assert answer["ok"], answer
    # the monitor lets a tag that it never saw before settle for five seconds
    wait_for(lambda: len(screen.named("reading.batch")) > SETTLED_READINGS, 60, f"{SETTLED_READINGS} live readings of {TAG}")
    yield person, screen
    screen.close()


@pytest.fixture(scope="module")
def glasses(plant: Plant) -> Iterator[dict[str, Glasses]]:
    """A headset for each technician, paired by code as a person would."""
    paired = {}
    for number in TECHNICIANS:
        person = plant.person(number)
        offer = requests.post(f"{plant.url}/ar/v1/pair", json={"kind": "realwear", "name": f"headset {number}"}, timeout=10).json()
        person.post("/api/pair/approve", {"user_code": offer["user_code"]})
        answer = requests.post(f"{plant.url}/ar/v1/pair/token", json={"device_code": offer["device_code"]}, timeout=10)
        assert answer.status_code == 200, answer.text
        token = answer.json()["token"]
        paired[person.user["name"]] = Glasses(person, token, Screen(plant.url, token))
    yield paired
    for one in paired.values():
        one.screen.close()


def send(plant: Plant, value: float, seq: int) -> int:
    """One reading from a sensor; returns its source time."""
    device = plant.device()
    t = now_ms()
    device.publish(f"readings/{TAG}", {"tag": TAG, "timestamp": t, "value": value, "unit": "bar", "seq": seq}).wait_for_publish(10)
    device.close()
    return t


def card_of(plant: Plant, manager: tuple[Person, Screen], glasses: dict[str, Glasses], seq: int) -> tuple[dict[str, Any], Glasses]:
    """Send the reading and follow it hop by hop; returns the order and the glasses that got it."""
    person, screen = manager
    t = send(plant, OVER_RANGE, seq)

    # history: the very reading, by its identity
    rows = wait_for(
        lambda: plant.query(
            "SELECT r.v FROM raw_readings r JOIN tags ON tags.id = r.tag WHERE tags.name = %s AND r.t = %s AND r.seq = %s", TAG, t, seq
        ),
        what="the reading in the history",
    )
    assert rows == [(OVER_RANGE,)]

    # finding -> alert, pushed to the manager, with its reason
    raised = screen.wait("alert.raised", lambda f: f["data"]["tag"] == TAG and f["data"]["value"] == OVER_RANGE)
    alert = raised["data"]
    assert alert["type"] == "instrument_fault"
    assert alert["code"] == "over_range"
    assert alert["because"][0]["tag"] == TAG
    assert person.get(f"/api/alerts/{alert['id']}")["number"] == alert["number"]

    # alert -> order in the same transaction, pushed too; facts come in commit order
    opened = screen.wait("work_order.opened", lambda f: (f["data"]["alert"] or {}).get("id") == alert["id"])
    assert opened["seq"] > raised["seq"]
    assigned = screen.wait("work_order.assigned", lambda f: f["id"] == opened["id"])
    order = assigned["data"]

    # order -> the glasses of the technician who has it, by push
    mine = glasses[order["assigned_to"]["name"]]
    card = mine.card(order["id"], "assigned")
    assert card["asset"]["code"] == TAG
    listed = mine.call("GET", "/tasks")["tasks"]
    assert [task["state"] for task in listed if task["id"] == order["id"]] == ["assigned"]
    return order, mine


def do_the_work(mine: Glasses, task: int) -> list[dict[str, Any]]:
    """Walk the task to its end through the feed; returns the measure steps with what was recorded."""
    mine.do(task, "start")
    body = mine.call("GET", f"/tasks/{task}")
    measured = []
    for step in body["steps"]:
        fields: dict[str, Any] = {"step": step["id"]}
        if step["k"] in ("check",):
            fields["opt"] = "pass"
        elif step["k"] == "measure":
            live = mine.call("GET", f"/tasks/{task}/live")
            key = step["in"].get("tag") or step["live"][0]
            fields |= {"value": live["v"][key][0] if key in live["v"] else 5.0, "unit": step["in"]["unit"]}
            measured.append({"step": step["id"], "value": fields["value"]})
        elif step["k"] == "choice":
            fields["opt"] = step["opt"][0]["k"]
        elif step["k"] == "scan":
            fields["code"] = step["in"]["code"]
        elif step["k"] == "text":
            fields["value"] = "done"
        elif step["k"] == "part":
            fields["value"] = step["part"]["qty"]
        mine.do(task, "step", **fields)
    mine.do(task, "finish", opt="confirmed", note="connector was loose, tightened")
    return measured


def test_one_reading_in_one_card_out_and_the_signal_proves_the_repair(
    plant: Plant, manager: tuple[Person, Screen], glasses: dict[str, Glasses]
) -> None:
    person, screen = manager
    order, mine = card_of(plant, manager, glasses, seq=424242)

    measured = do_the_work(mine, order["id"])

    assert measured, "the procedure has a live measure step"
    verified = screen.wait("work_order.verified", lambda f: f["id"] == order["id"], timeout_s=60)
    assert verified["data"]["verified_by"] == "signal"
    assert verified["data"]["proof"]["state"] == "proved"
    done = mine.card(order["id"], "done")
    assert done["n_done"] == done["n_steps"]
    steps = person.get(f"/api/work-orders/{order['id']}/steps")
    recorded = {step["id"]: step.get("answer") or {} for step in steps["steps"]}
    assert recorded[measured[0]["step"]]["value"] == measured[0]["value"]


def test_a_fault_that_was_not_repaired_opens_the_order_again(
    plant: Plant, manager: tuple[Person, Screen], glasses: dict[str, Glasses]
) -> None:
    person, screen = manager
    fault = person.post("/api/simulator/faults", {"target": "TT-201", "kind": "over_range"}, status=201)
    raised = screen.wait("alert.raised", lambda f: f["data"]["tag"] == "TT-201" and f["data"]["type"] == "instrument_fault")
    assigned = screen.wait("work_order.assigned", lambda f: (f["data"]["alert"] or {}).get("id") == raised["id"])
    mine = glasses[assigned["data"]["assigned_to"]["name"]]

    do_the_work(mine, assigned["id"])

    reopened = screen.wait("work_order.reopened", lambda f: f["id"] == assigned["id"], timeout_s=60)
    assert reopened["data"]["proof"]["state"] == "reopened"
    assert reopened["data"]["proof"]["reason"]
    person.call("DELETE", f"/api/simulator/faults/{fault['id']}")


def test_every_fact_is_there_again_after_a_reconnect(manager: tuple[Person, Screen]) -> None:
    person, screen = manager
    seen = [body["seq"] for name, body, _ in list(screen.events) if isinstance(body, dict) and "seq" in body and "." in name]

    late = person.screen()
    resumed = late.ask("resume", {"since": min(seen) - 1})
    late.close()

    assert resumed["ok"]
    assert set(seen) <= {fact["seq"] for fact in resumed["facts"]}
