"""People: listed by those who plan, made and changed by an administrator; deactivated, never deleted (S2-64..70)."""

from __future__ import annotations

import secrets
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.exports import EXPORT, FILES, download
from server.api.schemas import Body, Collection
from server.auth import passwords
from server.auth.guard import current_user, right
from server.auth.session import cut_sockets
from server.export.table import Column, Table
from server.idempotency import once
from server.models.people import User
from server.models.plant import Area
from server.models.work import Team
from server.rules.roles import Role
from server.services import services
from server.store import people
from server.store.related import by_id
from server.timestamps import rfc3339

blueprint = resource("users", "People of the site")

WHOLE = 100_000  # rows of an export
ROLES = [str(role) for role in Role]
LANGUAGE = ma.validate.Regexp(r"[a-z]{2,3}\Z", error="A language code such as en.")
TIMES = ("created_at", "last_login_at", "deactivated_at")
COLUMNS = (
    Column("employee_number", "Employee number"),
    Column("name", "Name"),
    Column("role", "Role"),
    Column("team", "Team"),
    Column("shift", "Shift"),
    Column("skills", "Skills"),
    Column("email", "E-mail"),
    Column("active", "Active"),
    Column("last_login_at", "Last sign-in", "time"),
)


class UsersQuery(Page):
    """Which people."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    role = ma.fields.String(load_default=None, validate=ma.validate.OneOf(ROLES))
    team = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 2**31 - 1))
    active = ma.fields.Boolean(load_default=None)
    skill = text(64, load_default=None)
    export = EXPORT


class UserPatch(ma.Schema):
    """What may change of a person; number, site and password do not change here."""

    name = text(200)
    email = ma.fields.Email(validate=ma.validate.Length(max=200), allow_none=True)
    role = ma.fields.String(validate=ma.validate.OneOf(ROLES))
    team = Whole(low=1, allow_none=True)
    area = Whole(low=1, allow_none=True, metadata={"description": "an operator acknowledges and shelves only there"})
    skills = ma.fields.List(text(64), validate=ma.validate.Length(max=50))
    shift = text(64, allow_none=True, metadata={"description": "name of a shift of the site"})
    language = ma.fields.String(validate=LANGUAGE)
    on_duty = ma.fields.Boolean(truthy={True}, falsy={False})
    active = ma.fields.Boolean(truthy={True}, falsy={False})


class NewUser(ma.Schema):
    """A person; without a password one is made up and shown once."""

    employee_number = text(64, required=True)
    name = text(200, required=True)
    role = ma.fields.String(required=True, validate=ma.validate.OneOf(ROLES))
    password = text(256, load_default=None, allow_none=True, load_only=True)
    email = ma.fields.Email(validate=ma.validate.Length(max=200), load_default=None, allow_none=True)
    site = text(64, load_default=None, allow_none=True, metadata={"description": "code of another site; else the caller's"})
    team = Whole(low=1, load_default=None, allow_none=True)
    area = Whole(low=1, load_default=None, allow_none=True)
    skills = ma.fields.List(text(64), load_default=list, validate=ma.validate.Length(max=50))
    shift = text(64, load_default=None, allow_none=True)
    language = ma.fields.String(load_default="en", validate=LANGUAGE)
    on_duty = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})


class FirstPassword(ma.Schema):
    """A password to be changed at the next login; without one it is made up and shown once."""

    password = text(256, load_default=None, allow_none=True, load_only=True)


def user_bodies(session: Session, rows: list[User]) -> list[dict[str, Any]]:
    """People, in their order."""
    teams = by_id(session, Team, (row.team_id for row in rows))
    areas = by_id(session, Area, (row.area_id for row in rows))
    return [_body(row, teams.get(row.team_id or 0), areas.get(row.area_id or 0)) for row in rows]


def _body(row: User, team: Team | None, area: Area | None) -> dict[str, Any]:
    plain = ("id", "employee_number", "name", "email", "role", "skills", "shift", "language", "active", "on_duty", "must_change_password")
    return {
        **{name: getattr(row, name) for name in plain},
        "site": row.site_id,
        "granted": row.granted,
        "team": {"id": team.id, "name": team.name} if team else None,
        "area": {"id": area.id, "name": area.name} if area else None,
        **{name: rfc3339(getattr(row, name)) for name in TIMES},
        "rev": row.rev,
    }


def _sheet_row(body: dict[str, Any], row: User) -> dict[str, Any]:
    team = body["team"]["name"] if body["team"] else ""
    return {**body, "team": team, "skills": ", ".join(row.skills), "last_login_at": row.last_login_at}


@blueprint.route("/users")
@blueprint.doc(**FILES)
@blueprint.arguments(UsersQuery, location="query")
@blueprint.response(200, Collection)
@right("users.read")
def list_users(query: dict[str, Any]) -> Response:
    """People of the caller's site by employee number."""
    which = people.Which(**{name: query[name] for name in ("search", "role", "team", "active", "skill")})
    page_query = {**query, "limit": WHOLE, "offset": 0} if query["export"] else query
    with services().database.transaction() as session:
        page = people.list_users(session, current_user(), which, page_query)
        bodies = user_bodies(session, list(page.items))
        if query["export"]:
            rows = (_sheet_row(body, row) for body, row in zip(bodies, page.items, strict=True))
            return download(Table("People", COLUMNS, rows), query["export"], "people")
        return jsonify(collection(bodies, page.total, query))


@blueprint.route("/users", methods=["POST"])
@blueprint.arguments(NewUser)
@blueprint.response(201, Body)
@right("users.write")
def create_user(body: dict[str, Any]) -> Response:
    """Make a person, who changes the password at the first login; a made-up one is in `password`, this once."""
    password = _first_password(body.pop("password"), body["employee_number"], body["name"])
    hashed = passwords.hash_password(password.words)

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = people.create_user(session, body, hashed, current_user(), services().clock())
        return user_bodies(session, [row])[0], 201

    answer = once("users", deed)
    made = answer.get_json()
    if password.made_up and "Idempotency-Replayed" not in answer.headers:
        answer.set_data(jsonify({**made, "password": password.words}).get_data())
    answer.headers["Location"] = f"/api/users/{made['id']}"
    answer.headers["Cache-Control"] = "no-store"
    return answer


class _Password:
    """A first password: given, or made up here."""

    def __init__(self, words: str, *, made_up: bool) -> None:
        self.words = words
        self.made_up = made_up


def _first_password(given: str | None, *names: str) -> _Password:
    if given is None:
        return _Password(secrets.token_urlsafe(12), made_up=True)
    passwords.check_strength(given, *names)
    return _Password(given, made_up=False)


@blueprint.route("/users/<id:user_id>")
@blueprint.response(200, Body)
@right("users.read")
def get_user(user_id: int) -> Response:
    """One person."""
    with services().database.transaction() as session:
        return etags.tagged(user_bodies(session, [people.get_user(session, user_id, current_user())])[0])


@blueprint.route("/users/<id:user_id>", methods=["PATCH"])
@blueprint.arguments(UserPatch)
@blueprint.response(200, Body)
@right("users.write")
def change_user(body: dict[str, Any], user_id: int) -> Response:
    """Change a person; another role, area or `active` closes their sockets, so that they come back with what they may see now."""
    return _changed(user_id, body)


@blueprint.route("/users/<id:user_id>", methods=["DELETE"])
@blueprint.response(204)
@right("users.write")
def deactivate_user(user_id: int) -> Response:
    """Deactivate a person: every login, key and socket of theirs ends; what they did stays under their name."""
    _changed(user_id, {"active": False})
    return Response(status=204)


def _changed(user_id: int, body: dict[str, Any]) -> Response:
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        row = people.get_user(session, user_id, caller, lock=True)
        etags.check_match(row.rev)
        must_cut = people.change_user(session, row, body, caller, at.clock())
        answer = etags.tagged(user_bodies(session, [row])[0])
    if must_cut:
        cut_sockets(at.bus, user_id)
    return answer


@blueprint.route("/users/<id:user_id>/password", methods=["POST"])
@blueprint.arguments(FirstPassword)
@blueprint.response(200, Body)
@right("users.write")
def set_password(body: dict[str, Any], user_id: int) -> Response:
    """Give a person a password to be changed at the next login; a made-up one is in `password`, this once. Every login of theirs ends."""
    at, caller = services(), current_user()
    password = _first_password(body["password"])
    hashed = passwords.hash_password(password.words)
    with at.database.transaction() as session:
        row = people.get_user(session, user_id, caller, lock=True)
        people.set_password(session, row, hashed, caller, at.clock())
    cut_sockets(at.bus, user_id)
    answer = jsonify(id=user_id, must_change_password=True, password=password.words if password.made_up else None)
    answer.headers["Cache-Control"] = "no-store"
    return answer
