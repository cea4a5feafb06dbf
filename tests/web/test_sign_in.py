"""Signing in, landing by role, wrong credentials, signing out, the password that must be changed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from server.auth.activity import CookieLogin
from server.models.people import User
from server.services import Services
from tests.web.conftest import PASSWORD, LogIn, Plant, csrf_of

NEW = "quite another secret 7"


def form(client: FlaskClient, number: str, password: str) -> dict[str, str]:
    return {"csrf_token": csrf_of(client.get("/login").text), "employee_number": number, "password": password}


def test_wrong_credentials_show_the_form_again(client: FlaskClient, plant: Plant) -> None:
    answer = client.post("/login", data=form(client, plant.people["manager"], "not the password"))

    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert f'value="{plant.people["manager"]}"' in answer.text
    assert "not the password" not in answer.text


def test_a_form_without_its_token_is_refused(client: FlaskClient, plant: Plant) -> None:
    answer = client.post("/login", data={"employee_number": plant.people["manager"], "password": PASSWORD})

    assert answer.status_code == 400


@pytest.mark.parametrize(("role", "landing"), [("technician", "/mine"), ("manager", None), ("admin", None), ("operator", None)])
def test_landing_is_by_role(as_role: LogIn, role: str, landing: str | None) -> None:
    answer = as_role(role).get("/")

    assert answer.headers.get("Location") == landing
    assert answer.status_code == (302 if landing else 200)


def test_a_technician_may_still_look_at_the_overview(as_role: LogIn) -> None:
    assert as_role("technician").get("/?stay=1").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        ("/alarms", "/alarms"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("/\\elsewhere.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_after_the_sign_in_nobody_is_sent_elsewhere(client: FlaskClient, plant: Plant, wanted: str, goes_to: str) -> None:
    answer = client.post("/login", query_string={"next": wanted}, data=form(client, plant.people["manager"], PASSWORD))

    assert answer.status_code == 302
    assert answer.headers["Location"] == goes_to


def test_signing_out_ends_the_session(as_role: LogIn) -> None:
    client = as_role("manager")

    client.post("/logout", data={"csrf_token": csrf_of(client.get("/alarms").text)})

    assert client.get("/alarms").status_code == 302


def last_seen(app: Flask, minutes_ago: int | None = None) -> datetime:
    """When the only page login here was last used; set back where told."""
    at: Services = app.extensions["sightline"]
    with at.database.transaction() as session:
        row = session.scalars(select(CookieLogin).order_by(CookieLogin.expires_at.desc()).limit(1)).one()
        if minutes_ago is not None:
            row.seen_at = at.clock() - timedelta(minutes=minutes_ago)
        return row.seen_at


def test_an_admin_who_does_nothing_for_half_an_hour_is_signed_out(app: Flask, as_role: LogIn) -> None:
    client = as_role("admin")
    before = last_seen(app, 20)
    assert client.get("/api/alerts").status_code == 200
    asked = last_seen(app)  # what an open page asks by itself is no act
    assert client.get("/alarms").status_code == 200
    opened = last_seen(app)
    last_seen(app, 31)

    answers = client.get("/api/alerts").status_code, client.get("/alarms").status_code

    assert asked == before < opened
    assert answers == (401, 302)


def test_others_stay_signed_in_for_their_shift(app: Flask, as_role: LogIn) -> None:
    client = as_role("manager")
    last_seen(app, 60)

    assert client.get("/alarms").status_code == 200


def change(client: FlaskClient, old: str, new: str, again: str | None = None) -> tuple[int, str]:
    token = csrf_of(client.get("/account/password").text)
    answer = client.post("/account/password", data={"csrf_token": token, "old": old, "new": new, "again": again or new})
    return answer.status_code, answer.text


@pytest.mark.parametrize(("old", "new", "again"), [("wrong", NEW, NEW), (PASSWORD, "short", "short"), (PASSWORD, NEW, NEW + "x")])
def test_a_bad_change_of_password_says_why(as_role: LogIn, old: str, new: str, again: str) -> None:
    status, text = change(as_role("manager"), old, new, again)

    assert status == 422
    assert 'role="alert"' in text


def test_a_printed_password_must_be_changed_before_anything_else(app: Flask, as_role: LogIn, plant: Plant) -> None:
    client = as_role("manager")
    services: Services = app.extensions["sightline"]
    with services.database.transaction() as session:
        session.scalars(select(User).where(User.employee_number == plant.people["manager"])).one().must_change_password = True

    assert client.get("/alarms").headers.get("Location") == "/account/password"
    assert change(client, PASSWORD, NEW)[0] == 200
    assert client.get("/alarms").status_code == 200
