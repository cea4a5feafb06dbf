"""Pairing: a headset gets a token without anybody typing a password into it, and codes cannot be guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from ar_feed.glasses import STATIC
from server.auth.principal import Principal
from server.models.feed import DeviceToken, Pairing
from server.models.people import User
from server.pairing import WRONG_TRIES, Decision, decide
from server.problems import Problem
from server.services import Services
from tests.ar_feed.conftest import Headset
from tests.ar_feed.plant import FeedPlant


@pytest.fixture
def client(app: Flask, services: Services) -> FlaskClient:
    for key in services.bus.client.scan_iter(services.bus.key("flood.*")):
        services.bus.client.delete(key)
    return app.test_client()


@pytest.fixture
def person(services: Services, plant: FeedPlant) -> Principal:
    with services.database.transaction() as session:
        user = session.get_one(User, plant.technician)
        return Principal(user.id, user.name, user.role, frozenset(), user.site_id, "user")


def ask(client: FlaskClient) -> dict[str, str]:
    answer = client.post("/ar/v1/pair", json={"kind": "glasses", "name": "HMT-1 of hall 2"})
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json
    return found


def poll(client: FlaskClient, services: Services, code: str):
    with services.database.transaction() as session:
        session.query(Pairing).update({Pairing.polled_at: datetime.now(UTC) - timedelta(seconds=5)})
    return client.post("/ar/v1/pair/token", json={"device_code": code})


def test_approved_device_gets_one_token_that_works(client: FlaskClient, app: Flask, services: Services, person: Principal) -> None:
    asked = ask(client)
    assert re.fullmatch(r"[BCDFGHJ-NP-TV-XZ]{4}-[BCDFGHJ-NP-TV-XZ]{4}", asked["user_code"])
    waiting = poll(client, services, asked["device_code"])

    seen = decide(services, asked["user_code"].lower(), person, Decision.LOOK)
    decide(services, asked["user_code"], person, Decision.APPROVE)
    granted = poll(client, services, asked["device_code"])

    assert (waiting.status_code, waiting.json["error"]) == (400, "authorization_pending")
    assert seen.name == "HMT-1 of hall 2"
    assert granted.status_code == 200
    assert granted.json["user"]["id"] == person.id
    assert granted.headers["Cache-Control"] == "no-store"
    assert Headset(app.test_client(), granted.json["token"]).get("/tasks").status_code == 200
    assert poll(client, services, asked["device_code"]).json["error"] == "expired_token"


def test_token_is_stored_hashed_and_opens_nothing_but_the_feed(
    client: FlaskClient, services: Services, person: Principal
) -> None:  # fmt: skip
    asked = ask(client)
    decide(services, asked["user_code"], person, Decision.APPROVE)
    token = poll(client, services, asked["device_code"]).json["token"]

    with services.database.transaction() as session:
        assert session.query(DeviceToken).filter_by(token_hash=token).count() == 0
    assert client.get("/api/work-orders", headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_denied_device_is_told(client: FlaskClient, services: Services, person: Principal) -> None:
    asked = ask(client)
    decide(services, asked["user_code"], person, Decision.DENY)

    assert poll(client, services, asked["device_code"]).json["error"] == "access_denied"


def test_device_that_polls_too_fast_is_slowed(client: FlaskClient, services: Services) -> None:
    asked = ask(client)
    poll(client, services, asked["device_code"])

    assert client.post("/ar/v1/pair/token", json={"device_code": asked["device_code"]}).json["error"] == "slow_down"


def test_code_ends_after_ten_minutes(client: FlaskClient, services: Services) -> None:
    asked = ask(client)
    with services.database.transaction() as session:
        session.query(Pairing).update({Pairing.expires_at: datetime.now(UTC) - timedelta(seconds=1)})

    assert poll(client, services, asked["device_code"]).json["error"] == "expired_token"


def test_five_wrong_codes_lock_the_person(client: FlaskClient, services: Services, person: Principal) -> None:
    asked = ask(client)
    for _ in range(WRONG_TRIES):
        with pytest.raises(Exception, match="not found"):
            decide(services, "BCDF-GHJK", person, Decision.APPROVE)

    with pytest.raises(Problem) as refused:
        decide(services, asked["user_code"], person, Decision.APPROVE)

    assert (refused.value.status, refused.value.code) == (429, "locked")
    assert int(refused.value.headers["Retry-After"]) > 0


def test_revoked_and_expired_tokens_are_401(app: Flask, services: Services, plant: FeedPlant, headset: Headset) -> None:
    assert headset.get("/tasks").status_code == 200
    with services.database.transaction() as session:
        session.query(DeviceToken).filter_by(user_id=plant.technician).update({DeviceToken.revoked_at: datetime.now(UTC)})

    assert headset.get("/tasks").status_code == 401
    assert Headset(app.test_client(), "slt_made-up").get("/tasks").status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ([], 400),
        ({"kind": "glasses"}, 422),
        ({"kind": "toaster", "name": "x"}, 422),
        ({"kind": 5, "name": "x"}, 422),
        ({"kind": "glasses", "name": "x" * 61}, 422),
        ({"kind": "glasses", "name": " "}, 422),
    ],
)
def test_wrong_requests_are_refused(client: FlaskClient, body: object, status: int) -> None:
    assert client.post("/ar/v1/pair", json=body).status_code == status


def test_flood_of_requests_is_429(client: FlaskClient) -> None:
    answers = [client.post("/ar/v1/pair", json={"kind": "glasses", "name": "x"}) for _ in range(22)]

    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_qr_is_of_our_own_address(client: FlaskClient) -> None:
    assert client.get("/glasses/qr.svg?code=KWMT-PLRD").mimetype == "image/svg+xml"
    assert client.get("/glasses/qr.svg?code=http://other").status_code == 422


def test_first_load_of_the_client_is_small_and_cacheable(client: FlaskClient) -> None:
    page = client.get("/glasses").text
    version = re.findall(r"/glasses/([0-9a-f]{12})/js/main.js", page)[0]
    names = [path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.suffix in {".js", ".css"}]

    answers = [client.get(f"/glasses/{version}/{name}", headers={"Accept-Encoding": "gzip"}) for name in names]

    assert {answer.status_code for answer in answers} == {200}
    assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)
    socket_io = 13_000  # gzipped, served by web/libraries.py
    assert sum(len(answer.data) for answer in answers) + len(page) + socket_io <= 60_000
    assert client.get(f"/glasses/{version}/../glasses.py").status_code == 404
    assert client.get(f"/glasses/{version}/%2e%2e/glasses.py").status_code == 404
