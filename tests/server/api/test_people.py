"""Users and teams: made, changed, deactivated; what that ends; API keys; the audit trail that tells of it."""

from __future__ import annotations

import bcrypt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from server.models.audit import AuditLog
from server.models.people import User
from server.services import Services
from tests.server.api.conftest import PASSWORD, LogIn, Plant

NEW = {"employee_number": "7001", "name": "N. Haddad", "role": "technician"}


def login(client: FlaskClient, number: str, password: str = PASSWORD) -> int:
    return client.post("/api/auth/login", json={"employee_number": number, "password": password}).status_code


@pytest.fixture
def admin(bearer: LogIn) -> dict[str, str]:
    return bearer("admin")


@pytest.fixture
def person(client: FlaskClient, admin: dict[str, str], plant: Plant) -> dict[str, object]:
    """A new technician, with the password that was made up."""
    body = {**NEW, "employee_number": f"7-{plant.asset}", "skills": ["electrical"]}
    made = client.post("/api/users", json=body, headers=admin)
    assert made.status_code == 201, made.text
    return dict(made.json)


def user_id(services: Services, number: str) -> int:
    with services.database.transaction() as session:
        return session.scalars(select(User.id).where(User.employee_number == number)).one()


def test_a_new_person_gets_a_password_once_and_must_change_it(
    client: FlaskClient, admin: dict[str, str], person: dict[str, object]
) -> None:
    number, password = str(person["employee_number"]), str(person["password"])

    read = client.get(f"/api/users/{person['id']}", headers=admin)

    assert login(client, number, password) == 200
    assert (read.json["must_change_password"], read.json["skills"]) == (True, ["electrical"])
    assert "password" not in read.json
    assert read.headers["ETag"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"role": "root"}, 422),
        ({"email": "not an address"}, 422),
        ({"email": "a@b.example\r\nBcc: x@y.example"}, 422),
        ({"name": "System"}, 422),
        ({"employee_number": "signal"}, 422),
        ({"password": "short"}, 422),
        ({"password": "Password12345!"}, 422),
        ({"team": 2**30}, 422),
        ({"shift": "no such"}, 422),
        ({"site": "nowhere"}, 422),
        ({"rights": ["users.write"]}, 422),
        ({"session_epoch": 3}, 422),
        ({"skills": "electrical"}, 422),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else str(value),
)
def test_what_makes_no_person(
    client: FlaskClient, admin: dict[str, str], services: Services, change: dict[str, object], status: int
) -> None:
    answer = client.post("/api/users", json={**NEW, "employee_number": "7002", **change}, headers=admin)

    assert answer.status_code == status, answer.text
    with services.database.transaction() as session:
        assert session.scalar(select(func.count()).where(User.employee_number == "7002")) == 0


def test_a_number_is_given_once_whatever_its_case(client: FlaskClient, admin: dict[str, str], plant: Plant) -> None:
    answer = client.post("/api/users", json={**NEW, "employee_number": plant.people["viewer"].upper()}, headers=admin)

    assert (answer.status_code, answer.json["code"]) == (409, "number_taken")


def test_a_change_is_audited_with_old_and_new(client: FlaskClient, admin: dict[str, str], person: dict[str, object]) -> None:
    changed = client.patch(f"/api/users/{person['id']}", json={"role": "planner", "skills": []}, headers={**admin, "If-Match": '"1-x"'})
    late = client.patch(f"/api/users/{person['id']}", json={"name": "X"}, headers={**admin, "If-Match": '"1-x"'})

    rows = client.get(f"/api/audit?thing=user&thing_id={person['id']}", headers=admin).json["items"]

    assert (changed.status_code, late.status_code) == (200, 412)
    assert [row["action"] for row in rows] == ["change", "create"]
    assert (rows[0]["old"], rows[0]["new"]) == ({"role": "technician", "skills": ["electrical"]}, {"role": "planner", "skills": []})
    assert (rows[0]["actor"], rows[0]["actor_kind"]) == ("Admin", "user")


def test_a_deactivated_person_is_cut_everywhere_and_stays_on_record(
    app: Flask, client: FlaskClient, admin: dict[str, str], bearer: LogIn, services: Services, plant: Plant
) -> None:
    technician = bearer("technician")
    key = client.post("/api/api-keys", json={"name": "k", "scopes": ["orders.read"]}, headers=technician).json["token"]
    socket = app.extensions["socketio"].test_client(app, auth={"token": technician["Authorization"].removeprefix("Bearer ")})
    principal = app.extensions["sightline.doors"].authenticate({}, {"token": key})
    assert socket.is_connected()
    id_ = user_id(services, plant.people["technician"])

    assert client.delete(f"/api/users/{id_}", headers=admin).status_code == 204

    assert client.get("/api/auth/me", headers=technician).status_code == 401
    assert client.get("/api/work-orders", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    assert login(client, plant.people["technician"]) == 401
    with app.app_context():  # what every web process asks of its open sockets each 5 s
        assert not app.extensions["sightline.doors"].still_valid(principal)
    assert client.get(f"/api/users/{id_}", headers=admin).json["active"] is False
    client.patch(f"/api/users/{id_}", json={"active": True}, headers=admin)
    assert client.get("/api/auth/me", headers=technician).status_code == 401  # the old login stays ended
    assert login(client, plant.people["technician"]) == 200


def test_the_last_admin_and_the_own_account_are_kept(client: FlaskClient, admin: dict[str, str], services: Services, plant: Plant) -> None:
    own = user_id(services, plant.people["admin"])

    answers = [
        client.patch(f"/api/users/{own}", json={"role": "viewer"}, headers=admin),
        client.delete(f"/api/users/{own}", headers=admin),
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(409, "own_account")] * 2


def test_an_admin_sets_a_password_and_every_login_ends(
    client: FlaskClient, admin: dict[str, str], bearer: LogIn, services: Services, plant: Plant
) -> None:
    operator = bearer("operator")
    id_ = user_id(services, plant.people["operator"])

    answer = client.post(f"/api/users/{id_}/password", json={}, headers=admin)

    assert client.get("/api/auth/me", headers=operator).status_code == 401
    assert login(client, plant.people["operator"], answer.json["password"]) == 200


@pytest.mark.parametrize("length", [20, 72, 100])
def test_a_bcrypt_hash_is_taken_once_and_hashed_anew(client: FlaskClient, services: Services, plant: Plant, length: int) -> None:
    words = ("a phrase of some length " * 5)[:length]
    stored = bcrypt.hashpw(words.encode()[:72], bcrypt.gensalt(4)).decode()
    number = plant.people["viewer"]
    with services.database.transaction() as session:
        session.execute(update(User).where(User.employee_number == number).values(password_hash=stored))

    assert login(client, number, words[:-1] + "x" if length <= 72 else "x" + words) == 401
    assert login(client, number, words) == 200
    with services.database.transaction() as session:
        assert session.scalars(select(User.password_hash).where(User.employee_number == number)).one().startswith("$argon2id$")
    assert login(client, number, words) == 200


def test_a_refused_login_stands_in_the_audit_trail_without_the_password(client: FlaskClient, services: Services, plant: Plant) -> None:
    login(client, plant.people["planner"], "hunter2hunter2")
    login(client, f"nobody-{plant.asset}", "hunter2hunter2")

    with services.database.transaction() as session:
        rows = session.scalars(select(AuditLog).where(AuditLog.action == "refuse_login").order_by(AuditLog.id.desc()).limit(2)).all()

    assert [(row.actor, row.new and row.new["employee_number"]) for row in rows] == [
        ("nobody", f"nobody-{plant.asset}"),
        ("nobody", plant.people["planner"]),
    ]
    assert "hunter2" not in str([row.new for row in rows])


def test_teams_are_made_filled_and_taken_away_when_empty(
    client: FlaskClient, bearer: LogIn, person: dict[str, object], admin: dict[str, str]
) -> None:
    planner = bearer("planner")
    team = client.post("/api/teams", json={"name": "Night", "labour_rate": 42.5}, headers=planner).json
    client.patch(f"/api/users/{person['id']}", json={"team": team["id"]}, headers=admin)

    read = client.get(f"/api/teams/{team['id']}", headers=planner).json
    full = client.delete(f"/api/teams/{team['id']}", headers=planner)
    twice = client.post("/api/teams", json={"name": "night"}, headers=planner)
    client.patch(f"/api/users/{person['id']}", json={"team": None}, headers=admin)

    assert (read["labour_rate"], [member["name"] for member in read["members"]]) == (42.5, ["N. Haddad"])
    assert (full.status_code, twice.status_code) == (409, 409)
    assert client.delete(f"/api/teams/{team['id']}", headers=planner).status_code == 204
    assert client.get(f"/api/teams/{team['id']}", headers=planner).status_code == 404
    assert client.post("/api/teams", json={"name": "Night"}, headers=planner).status_code == 201


def test_a_key_is_shown_once_narrow_and_revocable(client: FlaskClient, bearer: LogIn) -> None:
    technician = bearer("technician")
    made = client.post("/api/api-keys", json={"name": "scada", "scopes": ["orders.read"], "days": 30}, headers=technician)
    too_wide = client.post("/api/api-keys", json={"name": "x", "scopes": ["users.write"]}, headers=technician)
    key = {"Authorization": f"Bearer {made.json['token']}"}

    assert (made.status_code, too_wide.status_code) == (201, 422)
    assert [client.get(path, headers=key).status_code for path in ("/api/work-orders", "/api/alerts")] == [200, 403]
    listed = client.get("/api/api-keys", headers=technician).json["items"]
    assert [(row["name"], row["scopes"], "token" in row) for row in listed] == [("scada", ["orders.read"], False)]
    assert client.delete(f"/api/api-keys/{made.json['id']}", headers=bearer("operator")).status_code == 404
    assert client.delete(f"/api/api-keys/{made.json['id']}", headers=technician).status_code == 204
    assert client.get("/api/work-orders", headers=key).status_code == 401


def test_people_and_trail_are_filtered_and_exported(client: FlaskClient, admin: dict[str, str], person: dict[str, object]) -> None:
    found = client.get("/api/users?role=technician&skill=electrical&active=true&search=hadd&sort=-name", headers=admin).json
    sheet = client.get("/api/users?export=csv", headers=admin)
    trail = client.get("/api/audit?actor=adm&action=create&from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z", headers=admin).json
    none = client.get("/api/audit?to=2020-01-01T00:00:00Z", headers=admin).json
    pdf = client.get("/api/audit?export=pdf", headers=admin)

    assert [row["id"] for row in found["items"]] == [person["id"]]
    assert "N. Haddad" in sheet.get_data().decode("utf-8-sig")
    assert trail["total"] >= 1
    assert none["total"] == 0
    assert pdf.data.startswith(b"%PDF")
