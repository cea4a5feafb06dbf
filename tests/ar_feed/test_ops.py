"""Operations: done once, in order, each with its status; hostile bodies get the answers of AR_FEED.md 5."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from server.models.people import User
from server.models.work import StepEvent, WorkOrder
from server.services import Services
from server.store import orders
from server.store.actor import SYSTEM
from tests.ar_feed.conftest import Headset, op
from tests.ar_feed.plant import FeedPlant, order

STARTED = ("start",)


def test_task_is_walked_to_its_end_in_one_batch(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)

    results = headset.ops(
        op("start", task),
        op("step", task, step="s1"),
        op("step", task, step="s2", opt="pass"),
        op("step", task, step="s3", opt="worn"),
        op("step", task, step="s4", value=1),
        op("step", task, step="s5", value=2.05, unit="mm/s"),
        op("finish", task),
    )

    assert [result["status"] for result in results] == [200] * 7
    assert [result["next"] for result in results] == [None, "s2", "s3", "s4", "s5", "end", None]
    done = headset.get(f"/tasks/{task}").json
    assert (done["state"], done["n_done"]) == ("done", 5)
    with services.database.transaction() as session:
        assert "Measure vibration at bearing B: 2.05 mm/s" in (session.get_one(WorkOrder, task).notes or "")


def test_same_key_is_done_once_and_answers_the_same(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    start, step = op("start", task), op("step", task, step="s1")

    first = headset.ops(start, step)
    again = headset.ops(start, step)

    assert [result["replayed"] for result in first + again] == [False, False, True, True]
    assert [{**result, "replayed": False} for result in again] == first
    with services.database.transaction() as session:
        assert session.query(StepEvent).filter_by(order_id=task).count() == 1


def test_same_key_with_another_body_is_422(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    start = op("start", task)
    headset.ops(start)

    [result] = headset.ops({**start, "k": "pause"})

    assert (result["status"], result["problem"]["code"]) == (422, "key_reused")


def test_refused_operation_is_remembered_under_its_key(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    early = op("step", task, step="s1")
    first = headset.ops(early)
    headset.ops(op("start", task))

    again = headset.ops(early)

    assert (first[0]["status"], again[0]["status"], again[0]["replayed"]) == (409, 409, True)


def test_failure_stops_its_own_task_only(services: Services, plant: FeedPlant, headset: Headset) -> None:
    one, other = order(services, plant), order(services, plant)

    results = headset.ops(op("start", one), op("step", one, step="nothing"), op("start", other), op("step", one, step="s1"))

    assert [result["status"] for result in results] == [200, 404, 200, 424]


def test_measure_outside_its_range_is_valid_and_not_ok(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    walk = [
        op("start", task),
        op("step", task, step="s1"),
        op("step", task, step="s2", opt="pass"),
        op("step", task, step="s3", opt="none"),
    ]
    headset.ops(*walk)

    [result] = headset.ops(op("step", task, step="s5", value=9.4, unit="mm/s"))

    assert (result["status"], result["ok"], result["next"]) == (200, False, "end")


def test_undo_takes_the_last_answer_back(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    headset.ops(op("start", task), op("step", task, step="s1"))

    [result] = headset.ops(op("undo", task, step="s1"))

    assert (result["status"], result["next"]) == (200, "s1")
    assert headset.get(f"/tasks/{task}").json["steps"][0]["done"] is False


def test_problem_blocks_and_resume_goes_on(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)

    headset.ops(op("start", task), op("problem", task, note="A part is missing"))
    blocked = headset.get(f"/tasks/{task}").json["state"]
    headset.ops(op("resume", task), op("pause", task))

    assert (blocked, headset.get(f"/tasks/{task}").json["state"]) == ("blocked", "paused")


def test_device_clock_off_by_minutes_is_flagged(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    late = (datetime.now(UTC) - timedelta(minutes=20)).isoformat()

    [result] = headset.ops(op("start", task, at=late))

    assert result["status"] == 200
    assert result["skew_s"] == pytest.approx(-1200, abs=30)


def test_steps_in_the_wrong_order_are_409(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    headset.ops(op("start", task))

    [result] = headset.ops(op("step", task, step="s5", value=2.0, unit="mm/s"))

    assert (result["status"], result["problem"]["code"], result["problem"]["state"]) == (409, "earlier_step_missing", "in_progress")


def test_task_given_to_somebody_else_meanwhile_is_409(app: Flask, services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    headset.ops(op("start", task), op("step", task, step="s1"))
    with services.database.transaction() as session:
        colleague = Headset(app.test_client(), plant.colleague_token)
        assert colleague.get(f"/tasks/{task}").status_code == 200
        other = session.query(User).filter(User.site_id == plant.site, User.id != plant.technician).one()
        orders.act(session, task, "assign", SYSTEM, datetime.now(UTC), assignee_id=other.id)

    [result] = headset.ops(op("step", task, step="s2", opt="pass"))

    assert (result["status"], result["problem"]["code"]) == (409, "reassigned")


HOSTILE_RAW: list[tuple[str, bytes, int]] = [
    ("empty", b"", 400),
    ("not json", b"{ops", 400),
    ("bad utf-8", b'{"ops":["\xff"]}', 400),
    ("nan", b'{"ops":[{"value":NaN}]}', 400),
    ("infinity", b'{"ops":[{"value":-Infinity}]}', 400),
    ("huge number", b'{"ops":[{"value":1e999}]}', 400),
    ("same key twice", b'{"ops":[{"k":"start","k":"finish"}]}', 400),
    ("lone surrogate", b'{"ops":[{"note":"\\ud800"}]}', 400),
    ("array on top", b"[]", 400),
    ("null on top", b"null", 400),
    ("text on top", b'"ops"', 400),
    ("number on top", b"5", 400),
    ("nested 100000 deep", b'{"ops":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    ("nested 30 deep", b'{"ops":' + b"[" * 30 + b"]" * 30 + b"}", 400),
    ("no ops", b"{}", 422),
    ("ops is text", b'{"ops":"all"}', 422),
    ("ops is empty", b'{"ops":[]}', 422),
    ("51 ops", b'{"ops":[' + b",".join([b"{}"] * 51) + b"]}", 422),
    ("nul", b'{"ops":[{"note":"\\u0000"}]}', 422),
    ("too large", b'{"ops":["' + b"a" * 300_000 + b'"]}', 413),
]


@pytest.mark.parametrize(("raw", "status"), [(raw, status) for _name, raw, status in HOSTILE_RAW], ids=[row[0] for row in HOSTILE_RAW])
def test_hostile_body_is_a_problem_never_a_failure(headset: Headset, raw: bytes, status: int) -> None:
    answer = headset.post("/ops", data=raw, content_type="application/json")

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["status"] == status


def test_other_content_type_is_415(headset: Headset) -> None:
    assert headset.post("/ops", data=b'{"ops":[{}]}', content_type="text/plain").status_code == 415


FAR = (datetime.now(UTC) + timedelta(days=2)).isoformat()
HOSTILE_OPS: list[tuple[str, dict[str, Any], int]] = [
    ("no key", {"key": None}, 422),
    ("key is no uuid", {"key": "one"}, 422),
    ("key is a number", {"key": 5}, 422),
    ("task is text", {"task": "1"}, 422),
    ("task is true", {"task": True}, 422),
    ("task is negative", {"task": -1}, 422),
    ("task is enormous", {"task": 2**70}, 422),
    ("task is unknown", {"task": 2**40}, 404),
    ("kind is unknown", {"k": "delete"}, 422),
    ("kind is missing", {"k": None}, 422),
    ("step is missing", {"step": None}, 422),
    ("step is unknown", {"step": "s99"}, 404),
    ("step is a number", {"step": 5}, 422),
    ("value is true", {"step": "s5", "value": True, "unit": "mm/s"}, 422),
    ("value is text", {"step": "s5", "value": "2.05", "unit": "mm/s"}, 422),
    ("value is a list", {"step": "s5", "value": [2.05]}, 422),
    ("value is missing", {"step": "s5"}, 422),
    ("value is beyond reason", {"step": "s5", "value": 1e308}, 422),
    ("unit is another", {"step": "s5", "value": 2.05, "unit": "inch/s"}, 422),
    ("note is too long", {"note": "a" * 501}, 422),
    ("note is a number", {"note": 5}, 422),
    ("time is missing", {"at": None}, 422),
    ("time is no time", {"at": "yesterday"}, 422),
    ("time is a number", {"at": 1767600000}, 422),
    ("time has no zone", {"at": "2026-01-05T08:00:00"}, 422),
    ("time is two days ahead", {"at": FAR}, 422),
    ("by is unknown", {"by": "telepathy"}, 422),
    ("media is unknown", {"media": [2**40]}, 404),
    ("media is text", {"media": "1"}, 422),
    ("media is too much", {"media": list(range(1, 20))}, 422),
    ("code too long", {"code": "a" * 300}, 422),
]


@pytest.mark.parametrize(
    ("wrong", "status"), [(wrong, status) for _name, wrong, status in HOSTILE_OPS], ids=[row[0] for row in HOSTILE_OPS]
)
def test_wrong_operation_is_refused_beside_good_ones(
    services: Services, plant: FeedPlant, headset: Headset, wrong: dict[str, Any], status: int
) -> None:
    task, other = order(services, plant), order(services, plant)
    walk = [
        op("start", task),
        op("step", task, step="s1"),
        op("step", task, step="s2", opt="pass"),
        op("step", task, step="s3", opt="none"),
    ]
    headset.ops(*walk)

    results = headset.ops({**op("step", task, step="s5"), **wrong}, op("start", other))

    assert [result["status"] for result in results] == [status, 200]
    assert results[0]["problem"]["status"] == status


@pytest.mark.parametrize("wrong", [None, 5, "op", [], True])
def test_operation_that_is_no_object_is_422(headset: Headset, wrong: object) -> None:
    answer = headset.post("/ops", json={"ops": [wrong]})

    assert answer.status_code == 200
    assert answer.json["results"][0]["status"] == 422


def test_unknown_option_of_a_choice_is_422(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)
    headset.ops(op("start", task), op("step", task, step="s1"), op("step", task, step="s2", opt="pass"))

    [result] = headset.ops(op("step", task, step="s3", opt="broken"))

    assert result["status"] == 422


def test_database_away_is_503_with_a_time_to_wait(headset: Headset, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none", connect_args={"connect_timeout": 1})
    monkeypatch.setattr(services.database, "_session", sessionmaker(nowhere))

    answer = headset.post("/ops", json={"ops": [op("start", 1)]})

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    nowhere.dispose()


def test_keys_of_two_people_do_not_meet(app: Flask, services: Services, plant: FeedPlant, headset: Headset) -> None:
    key = str(uuid.uuid4())
    task = order(services, plant)
    headset.ops({**op("start", task), "key": key})

    [result] = Headset(app.test_client(), plant.colleague_token).ops({**op("pause", task), "key": key})

    assert (result["status"], result["replayed"]) == (403, False)
