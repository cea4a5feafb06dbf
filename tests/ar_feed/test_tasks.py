"""Reading the feed: lists, tasks, cursors, validators and who sees what."""

from __future__ import annotations

import gzip

import orjson
import pytest
from flask import Flask

from ar_feed.tasks import level_of
from server.models.alerts import AlertRecord
from server.models.plant import Tag
from server.services import Services
from tests.ar_feed.conftest import Headset, op
from tests.ar_feed.plant import FeedPlant, order


def test_root_tells_what_the_server_speaks(app: Flask) -> None:
    answer = app.test_client().get("/ar/v1")

    assert answer.status_code == 200
    assert answer.json["v"] == 1
    assert answer.json["limits"]["ops"] == 50


def test_list_holds_my_active_tasks_most_urgent_first(services: Services, plant: FeedPlant, headset: Headset) -> None:
    low = order(services, plant, "Grease bearings", priority="low")
    urgent = order(services, plant)

    answer = headset.get("/tasks").json

    assert [task["id"] for task in answer["tasks"]] == [urgent, low]
    assert answer["more"] is False
    assert answer["tasks"][0]["asset"] == {"id": plant.asset, "name": "Booster pump", "loc": "Hall 2", "code": plant.asset_code}
    assert (answer["tasks"][0]["pri"], answer["tasks"][0]["state"], answer["tasks"][0]["n_steps"]) == (1, "assigned", 5)


def test_task_carries_steps_dangers_and_live_bindings(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = headset.get(f"/tasks/{order(services, plant)}").json

    assert [step["k"] for step in task["steps"]] == ["confirm", "check", "choice", "part", "measure"]
    assert task["steps"][0]["t"] == f"Stop {plant.asset_code} and lock out its drive."
    assert task["steps"][4]["live"] == ["t1", "t2"]
    assert task["steps"][4]["in"] == {"unit": "mm/s", "lo": 0.0, "hi": 4.5, "dec": 2, "tag": "t1"}
    assert task["tags"]["t1"] == {"label": "Vibration", "unit": "mm/s", "lo": 0.0, "hi": 4.5, "dec": 2}
    assert [danger["sev"] for danger in task["safety"]] == ["danger", "danger", "warning", "warning"]
    assert task["proc"] == {"id": plant.procedure, "ver": 1}


def test_unchanged_list_is_304_though_others_work(services: Services, plant: FeedPlant, headset: Headset) -> None:
    order(services, plant)
    first = headset.get("/tasks")

    again = headset.get("/tasks", If_None_Match=first.headers["ETag"])

    assert first.headers["ETag"].startswith('W/"')
    assert again.status_code == 304
    assert again.data == b""
    assert sum(len(k) + len(v) + 4 for k, v in again.headers if k in {"ETag", "Vary", "Cache-Control", "Content-Language"}) <= 300


def test_answers_name_language_and_what_they_vary_with(headset: Headset) -> None:
    answer = headset.get("/tasks", Accept_Language="fr")

    assert answer.headers["Content-Language"] == "en"
    assert {"Accept-Language", "Accept-Encoding"} <= set(answer.vary)
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_long_answers_are_compressed(services: Services, plant: FeedPlant, headset: Headset) -> None:
    answer = headset.get(f"/tasks/{order(services, plant)}", Accept_Encoding="gzip")

    assert answer.headers["Content-Encoding"] == "gzip"
    assert orjson.loads(gzip.decompress(answer.data))["n_steps"] == 5


def test_cookie_or_nothing_is_401(app: Flask) -> None:
    answer = app.test_client().get("/ar/v1/tasks")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.mimetype == "application/problem+json"


def test_task_of_another_site_is_404(app: Flask, services: Services, plant: FeedPlant) -> None:
    task = order(services, plant)

    foreign = Headset(app.test_client(), plant.foreign_token)

    assert foreign.get(f"/tasks/{task}").status_code == 404
    assert foreign.get(f"/tasks/{task}/live").status_code == 404
    assert foreign.ops(op("start", task))[0]["status"] == 404


def test_colleagues_task_is_readable_by_team_but_not_mine_to_change(app: Flask, services: Services, plant: FeedPlant) -> None:
    task = order(services, plant)
    colleague = Headset(app.test_client(), plant.colleague_token)

    assert colleague.get("/tasks").json["tasks"] == []
    assert [found["id"] for found in colleague.get("/tasks?scope=team").json["tasks"]] == [task]
    assert colleague.ops(op("start", task))[0]["status"] == 403


def test_marker_leads_to_asset_tasks_and_values(services: Services, plant: FeedPlant, headset: Headset) -> None:
    task = order(services, plant)

    answer = headset.get(f"/markers/{plant.marker.lower()}").json

    assert answer["asset"]["code"] == plant.asset_code
    assert [found["id"] for found in answer["tasks"]] == [task]
    assert set(answer["live"]["v"]) == {f"{plant.asset_code}.vibration", f"{plant.asset_code}.temperature"}


def test_wrong_queries_are_refused(headset: Headset) -> None:
    expected = {
        "/tasks?limit=0": 422,
        "/tasks?limit=ten": 422,
        "/tasks?limit=1000": 422,
        "/tasks?scope=all": 422,
        "/tasks?full=yes": 422,
        "/tasks?since=c1&wait=26": 422,
        "/tasks?since=c999999999": 410,
        "/tasks?since=nonsense": 410,
        "/tasks/99999": 404,
        "/tasks/-1": 404,
        "/tasks/abc": 404,
        "/tasks/99999999999999999999": 404,
        "/markers/NOTHING1": 404,
        "/markers/%00": 400,
        "/media/99999": 404,
        "/nothing": 404,
        "/events?task=abc": 422,
        "/events?task=99999": 404,
    }

    answers = {path: headset.get(path) for path in expected}

    assert {path: answer.status_code for path, answer in answers.items()} == expected
    assert {answer.mimetype for answer in answers.values()} == {"application/problem+json"}


def test_wrong_method_is_405_with_what_is_allowed(headset: Headset) -> None:
    answer = headset.get("/ops")

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(("code", "level"), [("high", 5.0), ("rising", 8.0)])
def test_a_limit_of_change_is_no_level_that_values_are_drawn_against(code: str, level: float) -> None:
    assert level_of(AlertRecord(type="rule_violation", code=code, limit=5.0), Tag(high=8.0)) == level
