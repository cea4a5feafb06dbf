"""Logging in, what a token or cookie is worth, and what ends it."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from server.auth import throttle
from server.auth.identity import of_user
from server.models.people import User
from server.services import Services
from tests.server.api.conftest import PASSWORD, LogIn, Plant

NEW = "a brand new secret"


def attempt(client: FlaskClient, number: str, password: str) -> int:
    """Status of one login."""
    return client.post("/api/auth/login", json={"employee_number": number, "password": password}).status_code


def change(services: Services, number: str, **values: object) -> None:
    """Change a person's row behind the server's back."""
    with services.database.transaction() as session:
        session.execute(update(User).where(User.employee_number == number).values(**values))


def csrf(text: str) -> str:
    """The token of a page."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"|name="csrf-token" content="([^"]+)"', text)
    assert found, text[:500]
    return found[1] or found[2]


@pytest.fixture
def browser(client: FlaskClient, plant: Plant) -> FlaskClient:
    """A technician signed in on the page."""
    token = csrf(client.get("/login").text)
    form = {"csrf_token": token, "employee_number": plant.people["technician"], "password": PASSWORD}
    assert client.post("/login", data=form).status_code == 302
    return client


def test_login_answers_a_bearer_token_for_one_shift(client: FlaskClient, plant: Plant) -> None:
    answer = client.post("/api/auth/login", json={"employee_number": plant.people["technician"], "password": PASSWORD})

    assert answer.status_code == 200
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 8 * 3600)
    assert answer.json["user"]["role"] == "technician"
    assert answer.headers["Cache-Control"] == "no-store"


def test_me_names_the_caller_and_the_rights(client: FlaskClient, bearer: LogIn) -> None:
    answer = client.get("/api/auth/me", headers=bearer("viewer"))

    assert "alerts.read" in answer.json["rights"]
    assert "orders.create" not in answer.json["rights"]


def test_a_wrong_password_and_an_unknown_user_look_the_same(client: FlaskClient, plant: Plant) -> None:
    known = client.post("/api/auth/login", json={"employee_number": plant.people["viewer"], "password": "wrong"})
    unknown = client.post("/api/auth/login", json={"employee_number": "nobody", "password": "wrong"})

    assert known.status_code == unknown.status_code == 401
    assert known.json["detail"] == unknown.json["detail"]


def test_the_tenth_try_is_refused_at_the_latest_and_the_right_password_waits_too(client: FlaskClient, plant: Plant) -> None:
    number = plant.people["planner"]

    tries = [attempt(client, number, "wrong") for _ in range(10)]

    assert tries[-1] == 429
    answer = client.post("/api/auth/login", json={"employee_number": number, "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert attempt(client, plant.people["manager"], PASSWORD) == 200


def test_waits_grow_to_fifteen_minutes_and_no_further() -> None:
    waits = [throttle.wait_after(n) for n in range(40)]

    assert waits[: throttle.FREE_TRIES + 1] == [0.0] * (throttle.FREE_TRIES + 1)
    assert waits == sorted(waits)
    assert max(waits) == 900


def test_logout_ends_the_token_for_good(client: FlaskClient, bearer: LogIn) -> None:
    headers, other = bearer("technician"), bearer("technician")
    assert client.post("/api/auth/logout", headers=headers).status_code == 204

    assert client.get("/api/auth/me", headers=headers).status_code == 401
    assert client.get("/api/auth/me", headers=other).status_code == 200


def test_a_deactivated_person_is_out_at_the_next_request(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("technician")

    change(services, plant.people["technician"], active=False)

    assert client.get("/api/auth/me", headers=headers).status_code == 401
    assert attempt(client, plant.people["technician"], PASSWORD) == 401


def test_a_changed_role_counts_at_the_next_request(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")

    change(services, plant.people["manager"], role="viewer")

    assert client.get("/api/sources", headers=headers).status_code == 403


def test_a_new_password_ends_every_login(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("operator")
    body = {"old_password": PASSWORD, "password": NEW}

    assert client.post("/api/auth/password", json={**body, "old_password": "wrong"}, headers=headers).status_code == 422
    assert client.post("/api/auth/password", json={**body, "password": "short"}, headers=headers).status_code == 422
    assert client.post("/api/auth/password", json=body, headers=headers).status_code == 204

    assert client.get("/api/auth/me", headers=headers).status_code == 401
    assert attempt(client, plant.people["operator"], PASSWORD) == 401
    assert attempt(client, plant.people["operator"], NEW) == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer slt_nothing", "bearer null", "Token x"])
def test_a_wrong_authorization_is_401_and_never_falls_back_to_the_cookie(browser: FlaskClient, header: str) -> None:
    answer = browser.get("/api/auth/me", headers={"Authorization": header})

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_cookie_is_http_only_and_same_site(browser: FlaskClient) -> None:
    cookie = browser.get_cookie("sightline_session")

    assert cookie is not None
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")


def test_an_unsafe_call_by_cookie_needs_its_csrf_token(browser: FlaskClient) -> None:
    without = browser.post("/api/notifications/1/read")
    wrong = browser.post("/api/notifications/1/read", headers={"X-CSRFToken": "x"})
    token = csrf(browser.get("/account/password").text)

    right = browser.post("/api/notifications/1/read", headers={"X-CSRFToken": token})

    assert (without.status_code, without.json["code"]) == (400, "csrf")
    assert wrong.status_code == 400
    assert right.status_code == 404


def test_a_foreign_form_cannot_sign_anyone_in(client: FlaskClient, plant: Plant) -> None:
    answer = client.post("/login", data={"employee_number": plant.people["viewer"], "password": PASSWORD})

    assert answer.status_code == 400


def test_signing_out_kills_a_copy_of_the_cookie(app: Flask, browser: FlaskClient) -> None:
    cookie = browser.get_cookie("sightline_session")
    assert cookie is not None
    thief = app.test_client()
    thief.set_cookie("sightline_session", cookie.value)
    assert thief.get("/api/auth/me").status_code == 200

    browser.post("/logout", data={"csrf_token": csrf(browser.get("/account/password").text)})

    assert thief.get("/api/auth/me").status_code == 401


def test_the_first_login_with_a_printed_password_must_change_it(browser: FlaskClient, services: Services, plant: Plant) -> None:
    change(services, plant.people["technician"], must_change_password=True)

    answer = browser.get("/mine")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/account/password")


def test_until_it_is_changed_a_given_password_opens_the_own_account_only(
    app: Flask, client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    change(services, plant.people["admin"], must_change_password=True)
    headers = bearer("admin")

    refused = [client.get("/api/assets", headers=headers), client.post("/api/users", json={}, headers=headers)]

    assert [(answer.status_code, answer.json["code"]) for answer in refused] == [(403, "password_change_needed")] * 2
    assert set(client.get("/api/health", headers=headers).json) == {"status"}
    token = headers["Authorization"].removeprefix("Bearer ")
    assert app.extensions["sightline.doors"].authenticate({}, {"token": token}) is None
    assert client.get("/api/auth/me", headers=headers).json["must_change_password"] is True
    body = {"old_password": PASSWORD, "password": NEW}
    assert client.post("/api/auth/password", json=body, headers=headers).status_code == 204
    answer = client.post("/api/auth/login", json={"employee_number": plant.people["admin"], "password": NEW})
    fresh = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert client.get("/api/assets", headers=fresh).status_code == 200


def test_a_cookie_with_a_given_password_does_not_reach_the_api(browser: FlaskClient, services: Services, plant: Plant) -> None:
    change(services, plant.people["technician"], must_change_password=True)

    assert browser.get("/api/assets").json["code"] == "password_change_needed"


def test_the_password_that_set_up_printed_is_changed_at_the_pages() -> None:
    printed = of_user(User(id=1, employee_number="admin", role="admin", granted=[], session_epoch=0, must_change_password=True))
    given = of_user(User(id=1, employee_number="admin", role="admin", granted=[], session_epoch=1, must_change_password=True))

    assert (printed.is_held_back(by_cookie=False), printed.is_held_back(by_cookie=True)) == (False, True)
    assert given.is_held_back(by_cookie=False)


def test_a_page_sends_a_stranger_to_the_login_and_back(client: FlaskClient) -> None:
    answer = client.get("/orders?status=open")

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/login?next=/orders%3Fstatus%3Dopen"


def test_passwords_are_never_in_the_log_or_the_answer(client: FlaskClient, plant: Plant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    answer = client.post("/api/auth/login", json={"employee_number": plant.people["viewer"], "password": "hunter2hunter2"})

    assert "hunter2" not in caplog.text
    assert "hunter2" not in answer.text


def test_stored_passwords_are_hashes(services: Services, plant: Plant) -> None:
    with services.database.transaction() as session:
        hashes = session.scalars(select(User.password_hash).where(User.employee_number.in_(plant.people.values()))).all()

    assert all(stored.startswith("$argon2id$") for stored in hashes)
