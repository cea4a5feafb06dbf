"""kill -9 of every program and service, each once under 200 readings/s at QoS 1: nothing lost, nothing double, all back.

Judged by a loss checker: numbered readings, of which the broker acknowledged every one, compared with the history.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest
import requests

from realtime.bus import now_ms
from tests.flow.plant import Device, Person, Plant
from tests.waiting import wait_for

pytestmark = [pytest.mark.owns_services, pytest.mark.timeout(600)]

TAGS = [f"KT-{n}" for n in range(10)]
RATE = 200
LIMIT = 1e9  # the load's values stay below it; one reading of the alarm test goes above

VICTIMS: dict[str, tuple[str, ...]] = {
    "collector": ("-m plc", "mqtt"),
    "recorder": ("-m realtime",),
    "monitor": ("-m ml ",),
    "worker": ("server.worker",),
    "web": ("app.py",),
    "valkey": ("valkey-server",),
    "postgres": ("postgres", "-D"),
}


class Load:
    """Numbered readings at a steady rate until stopped; `sent` holds what the broker acknowledged."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(10 / RATE):
            batch = []
            for tag in TAGS:
                body = {"tag": tag, "timestamp": now_ms(), "value": float(self.sent), "seq": self.sent + 1}
                batch.append(self.device.publish(f"readings/{tag}", body))
                self.sent += 1
            for message in batch:
                message.wait_for_publish(60)

    def stop(self) -> int:
        """End; the number of acknowledged readings."""
        self._stop.set()
        self._thread.join(120)
        assert not self._thread.is_alive()
        return self.sent


@pytest.fixture(scope="module")
def admin(plant: Plant) -> Person:
    """Who made the tags of the load."""
    person = plant.person("admin")
    tags = [{"tag": tag, "unit": "1", "low": 0, "high": LIMIT, "asset": "KT", "source": "plant-mqtt", "period_s": 0.05} for tag in TAGS]
    answer = person.call("PUT", "/api/tags", json=tags)
    assert answer.status_code == 200, answer.text
    return person


@pytest.fixture(scope="module")
def load(plant: Plant, admin: Person) -> Iterator[Load]:
    """The load, once the collector knows its tags."""
    device = plant.device("loss-checker")

    def known() -> bool:
        device.publish("readings/KT-0", {"tag": "KT-0", "timestamp": now_ms(), "value": 0.5, "seq": 0}).wait_for_publish(10)
        return bool(admin.get("/api/readings", tag="KT-0", **{"from": now_ms() - 3_600_000, "to": now_ms() + 1000})["rows"])

    wait_for(known, timeout_s=30, what="the collector to know KT-0", every_s=0.5)
    running = Load(device)
    yield running
    running.stop()
    device.close()


@pytest.fixture(scope="module")
def standing_fault(plant: Plant, admin: Person) -> str:
    """A tag that is over range before the first kill and stays so; its alert and order are there."""
    admin.post("/api/simulator/faults", {"target": "PT-101", "kind": "over_range"}, status=201)
    find = "SELECT o.id FROM work_orders o JOIN alert_records a ON a.id = o.alert_id WHERE a.code = 'over_range'"
    wait_for(lambda: plant.query(find), 60, "the order of the standing fault", every_s=0.2)
    return "PT-101"


def stored(plant: Plant) -> tuple[int, int]:
    """Rows of the load in the history, and how many of them are distinct."""
    rows = plant.query(
        "SELECT count(*), count(DISTINCT (r.tag, r.seq)) FROM raw_readings r JOIN tags t ON t.id = r.tag "
        "WHERE t.name = ANY(%s) AND r.seq > 0",
        TAGS,
    )
    return int(rows[0][0]), int(rows[0][1])


def is_ready(plant: Plant) -> bool:
    """True when the instance says so."""
    try:
        return requests.get(f"{plant.url}/ready", timeout=2).status_code == 200
    except requests.RequestException:
        return False


@pytest.mark.parametrize("victim", VICTIMS)
def test_readings_go_on_after_kill_9(plant: Plant, load: Load, standing_fault: str, victim: str) -> None:
    pid = plant.pid_of(*VICTIMS[victim])
    before = load.sent

    os.kill(pid, signal.SIGKILL)

    wait_for(lambda: any(all(w in line for w in VICTIMS[victim]) and p != pid for p, line in plant.children()), 30, f"a new {victim}")
    wait_for(lambda: is_ready(plant), 30, f"readiness after the kill of {victim}", every_s=0.1)
    # what was sent after the kill arrives: the way is whole again
    mark = load.sent
    assert mark > before
    wait_for(lambda: stored_up_to(plant) >= mark, 30, f"readings stored after the kill of {victim}", every_s=0.2)


def stored_up_to(plant: Plant) -> int:
    """Highest number of the load in the history; 0 while the database is away."""
    rows = plant.query("SELECT coalesce(max(r.seq), 0) FROM raw_readings r JOIN tags t ON t.id = r.tag WHERE t.name = ANY(%s)", TAGS)
    return int(rows[0][0])


def test_every_acknowledged_reading_is_stored_once(plant: Plant, load: Load) -> None:
    sent = load.stop()

    wait_for(lambda: stored(plant)[0] >= sent, 60, f"{sent} readings in the history, not {stored(plant)}", every_s=0.5)

    assert stored(plant) == (sent, sent)


def test_the_fault_that_lasted_through_it_all_is_one_alert_and_one_order(plant: Plant, load: Load, standing_fault: str) -> None:
    alerts = plant.query(
        "SELECT a.id FROM alert_records a JOIN tags t ON t.id = a.tag_id WHERE t.name = %s AND a.code = 'over_range'", standing_fault
    )
    orders = plant.query(
        "SELECT o.id FROM work_orders o JOIN alert_records a ON a.id = o.alert_id JOIN tags t ON t.id = a.tag_id WHERE t.name = %s",
        standing_fault,
    )
    open_twice = plant.query(
        "SELECT asset_id, tag_id, type, code FROM alert_records WHERE resolved_at IS NULL AND condition = 'active' "
        "GROUP BY 1, 2, 3, 4 HAVING count(*) > 1"
    )

    assert (len(alerts), len(orders), open_twice) == (1, 1, [])
