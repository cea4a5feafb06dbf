"""The caller's own preference over REST."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from server.models.plant import Area
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

LINE = {"topic": "alert", "area": None, "severity": "critical", "in_app": True, "mail": False}


def body(**other: Any) -> dict[str, Any]:
    return {"choices": [LINE], "quiet_from": "22:00", "quiet_to": "06:00", "critical_passes": False, **other}


def test_until_chosen_the_defaults_of_the_role_are_shown(client: FlaskClient, bearer: LogIn) -> None:
    answer = client.get("/api/me/preferences", headers=bearer("manager"))

    assert answer.status_code == 200
    assert (answer.json["chosen"], answer.json["rev"], answer.json["quiet_from"]) == (False, 0, None)
    assert {"topic": "alert", "area": None, "severity": "critical", "in_app": True, "mail": True} in answer.json["choices"]


def test_a_preference_is_put_read_and_put_again(client: FlaskClient, bearer: LogIn) -> None:
    headers = bearer("technician")

    put = client.put("/api/me/preferences", json=body(), headers=headers)
    got = client.get("/api/me/preferences", headers=headers)
    again = client.put("/api/me/preferences", json=body(choices=[]), headers={**headers, "If-Match": put.headers["ETag"]})
    late = client.put("/api/me/preferences", json=body(), headers={**headers, "If-Match": put.headers["ETag"]})

    assert (put.status_code, put.json) == (200, got.json)
    assert (got.json["chosen"], got.json["choices"], got.json["quiet_to"], got.json["rev"]) == (True, [LINE], "06:00", 1)
    assert (again.status_code, again.json["choices"]) == (200, [])
    assert late.status_code == 412


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_to": None},
        {"quiet_from": "06:00"},
        {"quiet_from": "24:00"},
        {"quiet_from": "6:00"},
        {"choices": [{**LINE, "area": 2**31 - 1}]},
        {"choices": [{**LINE, "severity": "loud"}]},
        {"choices": [{**LINE, "topic": "weather"}]},
        {"choices": [{**LINE, "in_app": "yes"}]},
        {"choices": [{**LINE, "sound": True}]},
        {"choices": [LINE] * 201},
        {"choices": None},
        {"more": 1},
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_is_no_preference_is_refused_and_nothing_stored(client: FlaskClient, bearer: LogIn, wrong: dict[str, Any]) -> None:
    headers = bearer("operator")

    answer = client.put("/api/me/preferences", json=body(**wrong), headers=headers)

    assert answer.status_code == 422
    assert client.get("/api/me/preferences", headers=headers).json["chosen"] is False


def test_an_area_of_another_site_is_unknown(client: FlaskClient, bearer: LogIn, services: Services, plant: Plant) -> None:
    with services.database.transaction() as session:
        far = session.query(Area).filter_by(site_id=plant.other_site).one().id

    answer = client.put("/api/me/preferences", json=body(choices=[{**LINE, "area": far}]), headers=bearer("manager"))

    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "unknown_area")


def test_a_viewer_has_no_bell_and_no_preference(client: FlaskClient, bearer: LogIn) -> None:
    assert client.get("/api/me/preferences", headers=bearer("viewer")).status_code == 403
    assert client.get("/api/me/preferences").status_code == 401
