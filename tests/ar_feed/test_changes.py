"""Cursors, long polls and the event stream: what changed since, pushed within the deadline, never twice the same state."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest
from flask import Flask

from ar_feed import push
from realtime.events import Fact, FactName
from server.auth import identity
from server.models.people import User
from server.relay import Relay
from server.services import Services
from server.store import facts, orders
from server.store.actor import SYSTEM
from tests.ar_feed.conftest import Headset, op
from tests.ar_feed.plant import FeedPlant, order


@pytest.fixture
def relayed(services: Services) -> Iterator[None]:
    """The leader's relay, as the worker runs it."""
    stop = threading.Event()
    relay = Relay(services.database, services.bus)

    def run() -> None:
        while not stop.wait(0.05):
            relay.run_once(datetime.now(UTC))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_changes_hold_what_is_new_and_what_is_gone(relayed: None, services: Services, plant: FeedPlant, headset: Headset) -> None:
    cursor = headset.get("/tasks").json["cursor"]
    task = order(services, plant)

    new = headset.get(f"/tasks?since={cursor}&wait=10").json
    with services.database.transaction() as session:
        other = session.query(User).filter(User.site_id == plant.site, User.id != plant.technician).one()
        orders.act(session, task, "assign", SYSTEM, datetime.now(UTC), assignee_id=other.id)
    gone = headset.get(f"/tasks?since={new['cursor']}&wait=10").json

    assert [found["id"] for found in new["tasks"]] == [task]
    assert (gone["tasks"], gone["gone"]) == ([], [task])


def test_long_poll_answers_as_soon_as_a_task_is_assigned(relayed: None, services: Services, plant: FeedPlant, headset: Headset) -> None:
    cursor = headset.get("/tasks").json["cursor"]
    answers: list[tuple[float, list[int]]] = []

    def wait() -> None:
        body = headset.get(f"/tasks?since={cursor}&wait=20").json
        answers.append((time.monotonic(), [found["id"] for found in body["tasks"]]))

    thread = threading.Thread(target=wait)
    thread.start()
    task = order(services, plant)
    assigned = time.monotonic()
    thread.join(20)

    [(answered, found)] = answers
    assert found == [task]
    assert answered - assigned < 10  # it did not sit the 20 s out


def test_quiet_long_poll_ends_with_empty_lists(headset: Headset) -> None:
    cursor = headset.get("/tasks").json["cursor"]

    body = headset.get(f"/tasks?since={cursor}&wait=1").json

    assert (body["tasks"], body["gone"], body["more"]) == ([], [], False)


def test_event_stream_tells_tasks(relayed: None, services: Services, plant: FeedPlant, headset: Headset) -> None:
    answer = headset.client.get("/ar/v1/events", headers=headset.headers, buffered=False)
    stream = answer.iter_encoded()
    first = next(stream).decode()
    task = order(services, plant)

    message = next(stream).decode()

    assert answer.mimetype == "text/event-stream"
    assert "event: ping" in first
    assert "event: task" in message
    assert orjson.loads(message.split("data: ")[1])["tasks"][0]["id"] == task
    answer.close()


def test_socket_bodies_are_those_of_the_feed(app: Flask, services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    Relay(services.database, services.bus).run_once(datetime.now(UTC))
    with app.app_context(), services.database.transaction() as session:
        person = identity.of_user(session.get_one(User, plant.technician), "paired")
        fact = next(fact for fact in reversed(facts.since(session, 0)) if fact.name == "work_order.assigned")

    with app.app_context():
        [(name, body)] = push.ar_events(person, fact)

    assert name == "ar.task"
    assert body["tasks"][0]["id"] == task
    assert body["tasks"][0]["title"] == headset.get("/tasks").json["tasks"][0]["title"]


def test_alarm_is_said_shortly() -> None:
    asset = {"id": 1, "code": "M2", "name": "Booster pump"}
    data = {"severity": "critical", "asset": asset, "title": "Vibration 9.42 mm/s", "order": "WO-1"}
    fact = Fact(1, "2026-11-20T14:06:00Z", FactName.ALERT_RAISED, 7, 1, "system", data)

    assert push.alarm(fact) == {
        "id": 7, "state": "raised", "sev": "critical", "asset": {"id": 1, "code": "M2", "name": "Booster pump"}, "t": "Vibration 9.42 mm/s",
        "order": "WO-1", "at": "2026-11-20T14:06:00Z",
    }  # fmt: skip


def test_finished_task_comes_as_done_with_its_number(relayed: None, services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    walk = [
        op("start", task),
        op("step", task, step="s1"),
        op("step", task, step="s2", opt="pass"),
        op("step", task, step="s3", opt="none"),
    ]
    cursor = headset.get("/tasks").json["cursor"]
    headset.ops(*walk, op("step", task, step="s5", value=2.0, unit="mm/s"), op("finish", task))

    def done() -> bool:
        found = headset.get(f"/tasks?since={cursor}").json["tasks"]
        return bool(found) and found[0]["state"] == "done" and found[0]["number"].startswith("WO-")

    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
    assert headset.get("/tasks").json["tasks"] == []
