"""Forgotten passwords: a mailed token for one use and 30 minutes, and no answer that tells who exists."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from server.auth import reset
from server.models.mail import MailOutbox
from server.models.people import PasswordReset, User
from server.services import Services
from tests.server.api.conftest import PASSWORD, LogIn, Plant
from tests.server.api.test_login import attempt, csrf

NEW = "pumps hum before dawn"


@pytest.fixture
def address(services: Services, plant: Plant) -> str:
    """The viewer's address."""
    mail = f"{plant.asset}@plant.example"
    with services.database.transaction() as session:
        session.execute(update(User).where(User.employee_number == plant.people["viewer"]).values(email=mail))
    return mail


def mailed(services: Services, to: str) -> list[str]:
    """Tokens that were mailed, oldest first."""
    with services.database.transaction() as session:
        texts = session.scalars(select(MailOutbox.text).where(MailOutbox.recipient == to).order_by(MailOutbox.id)).all()
    return [found[1] for text in texts if (found := re.search(r"type this code:\n(\S+)", text) or re.search(r"token=(\S+)", text))]


def ask(client: FlaskClient, who: str) -> int:
    return client.post("/api/auth/password-reset", json={"who": who}).status_code


def finish(client: FlaskClient, token: str, password: str = NEW) -> int:
    return client.post("/api/auth/password-reset/confirm", json={"token": token, "password": password}).status_code


def test_the_mailed_token_sets_a_password_once_and_ends_every_login(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, address: str
) -> None:
    viewer = bearer("viewer")
    assert ask(client, plant.people["viewer"]) == 202
    (token,) = mailed(services, address)

    assert finish(client, token, "short") == 422
    assert finish(client, token) == 204
    assert finish(client, token) == 422
    assert client.get("/api/auth/me", headers=viewer).status_code == 401
    assert attempt(client, plant.people["viewer"], PASSWORD) == 401
    assert attempt(client, plant.people["viewer"], NEW) == 200


def test_the_answer_is_the_same_for_nobody_and_nothing_is_mailed(client: FlaskClient, services: Services, address: str) -> None:
    known = client.post("/api/auth/password-reset", json={"who": address.upper()})
    unknown = client.post("/api/auth/password-reset", json={"who": f"x{address}"})

    assert (known.status_code, known.data) == (unknown.status_code, unknown.data) == (202, b"")
    assert len(mailed(services, address)) == 1
    assert mailed(services, f"x{address}") == []


def test_a_newer_mail_ends_the_older_and_time_ends_both(client: FlaskClient, services: Services, address: str) -> None:
    ask(client, address)
    ask(client, address)
    older, newer = mailed(services, address)

    assert finish(client, older) == 422
    with services.database.transaction() as session:
        session.execute(update(PasswordReset).values(expires_at=PasswordReset.created_at - timedelta(seconds=1)))
    assert finish(client, newer) == 422


def test_asking_is_limited_for_known_and_unknown_alike(client: FlaskClient, address: str) -> None:
    answers = {who: [ask(client, who) for _ in range(reset.PER_PERSON + 1)] for who in (address, f"x{address}")}

    assert list(answers.values()) == [[202] * reset.PER_PERSON + [429]] * 2


def test_tokens_are_stored_hashed_and_deactivated_people_get_none(
    client: FlaskClient, services: Services, plant: Plant, address: str
) -> None:
    ask(client, address)
    (token,) = mailed(services, address)
    with services.database.transaction() as session:
        hashes = session.scalars(select(PasswordReset.token_hash)).all()
        session.execute(update(User).where(User.email == address).values(active=False))

    assert token not in hashes
    assert finish(client, token) == 422
    ask(client, address)
    assert len(mailed(services, address)) == 1


def test_the_page_leads_from_the_login_to_a_new_password(client: FlaskClient, services: Services, plant: Plant, address: str) -> None:
    assert "/account/reset" in client.get("/login").text
    form = client.get("/account/reset").text
    asked = client.post("/account/reset", data={"csrf_token": csrf(form), "who": address})
    (token,) = mailed(services, address)
    form = client.get(f"/account/reset?token={token}").text
    data = {"csrf_token": csrf(form), "token": token, "new": NEW, "again": NEW}

    differs = client.post("/account/reset", data={**data, "again": "other"})
    done = client.post("/account/reset", data=data)

    assert (asked.status_code, differs.status_code, done.status_code) == (200, 422, 200)
    assert attempt(client, plant.people["viewer"], NEW) == 200


def test_the_mail_does_not_lead_where_the_host_header_says(client: FlaskClient, services: Services, address: str) -> None:
    client.post("/api/auth/password-reset", json={"who": address}, headers={"Host": "evil.example"})

    with services.database.transaction() as session:
        text = session.scalars(select(MailOutbox.text).where(MailOutbox.recipient == address)).one()
    assert "evil" not in text
