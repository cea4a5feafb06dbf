"""Escalation policies over REST."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.server.api.conftest import LogIn

POLICY = {"name": "Second line", "severity": "critical", "after_min": 15, "to_role": "technician", "repeat_min": 10, "rounds": 3}
URL = "/api/escalation-policies"


def test_a_policy_is_made_read_changed_and_taken_away(client: FlaskClient, bearer: LogIn) -> None:
    headers = bearer("manager")

    made = client.post(URL, json=POLICY, headers={**headers, "Idempotency-Key": "p1"})
    twice = client.post(URL, json=POLICY, headers={**headers, "Idempotency-Key": "p1"})
    got = client.get(made.headers["Location"], headers=headers)
    changed = client.patch(made.headers["Location"], json={"after_min": 30}, headers={**headers, "If-Match": got.headers["ETag"]})
    late = client.patch(made.headers["Location"], json={"after_min": 5}, headers={**headers, "If-Match": got.headers["ETag"]})
    listed = client.get(URL, query_string={"search": "LINE", "sort": "-severity"}, headers=headers)
    late_gone = client.delete(made.headers["Location"], headers={**headers, "If-Match": got.headers["ETag"]})
    gone = client.delete(made.headers["Location"], headers={**headers, "If-Match": changed.headers["ETag"]})

    assert (made.status_code, twice.json["id"], got.json) == (201, made.json["id"], made.json)
    assert (changed.status_code, changed.json["after_min"], changed.json["rev"]) == (200, 30, 2)
    assert (late.status_code, late_gone.status_code) == (412, 412)
    assert [row["id"] for row in listed.json["items"]] == [made.json["id"]]
    assert (gone.status_code, client.get(made.headers["Location"], headers=headers).status_code) == (204, 404)


@pytest.mark.parametrize(
    "wrong",
    [
        {"severity": "loud"},
        {"after_min": 0},
        {"after_min": "15"},
        {"repeat_min": None},
        {"to_team_id": 1},
        {"to_role": None, "to_team_id": 2**31},
        {"to_role": "viewer"},
        {"shift": "no such shift"},
        {"rounds": 101},
        {"name": ""},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_no_policy_is_refused(client: FlaskClient, bearer: LogIn, wrong: dict[str, Any]) -> None:
    headers = bearer("manager")

    assert client.post(URL, json={**POLICY, **wrong}, headers=headers).status_code == 422
    assert client.get(URL, headers=headers).json["total"] == 0


def test_a_technician_makes_no_policy(client: FlaskClient, bearer: LogIn) -> None:
    assert client.post(URL, json=POLICY, headers=bearer("technician")).status_code == 403
