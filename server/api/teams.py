"""Teams of the site, which share the orders that a policy gives them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Number, Page, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.models.work import Team
from server.services import services
from server.store import teams

blueprint = resource("teams", "Teams of the site")


class TeamsQuery(Page):
    """Which teams."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


class TeamPatch(ma.Schema):
    """What may change of a team."""

    name = text(200)
    shift = text(64, allow_none=True, metadata={"description": "name of a shift of the site"})
    labour_rate = Number(allow_none=True, validate=ma.validate.Range(0, 1_000_000), metadata={"description": "an hour's cost"})


class NewTeam(ma.Schema):
    """A team by its name."""

    name = text(200, required=True)
    shift = text(64, load_default=None, allow_none=True)
    labour_rate = Number(load_default=None, allow_none=True, validate=ma.validate.Range(0, 1_000_000))


def team_bodies(session: Session, rows: list[Team]) -> list[dict[str, Any]]:
    """Teams with their active people, in their order."""
    members = teams.members(session, [row.id for row in rows])
    return [
        {
            "id": row.id,
            "name": row.name,
            "shift": row.shift,
            "labour_rate": None if row.labour_rate is None else float(row.labour_rate),
            "members": members[row.id],
            "rev": row.rev,
        }
        for row in rows
    ]


def _values(body: dict[str, Any]) -> dict[str, Any]:
    rate = body.get("labour_rate")
    return body if rate is None else {**body, "labour_rate": Decimal(str(rate)).quantize(Decimal("0.01"))}


@blueprint.route("/teams")
@blueprint.arguments(TeamsQuery, location="query")
@blueprint.response(200, Collection)
@right("orders.read")
def list_teams(query: dict[str, Any]) -> Response:
    """Teams of the caller's site by name."""
    with services().database.transaction() as session:
        page = teams.list_teams(session, current_user(), query["search"], query)
        return jsonify(collection(team_bodies(session, list(page.items)), page.total, query))


@blueprint.route("/teams", methods=["POST"])
@blueprint.arguments(NewTeam)
@blueprint.response(201, Body)
@right("teams.write")
def create_team(body: dict[str, Any]) -> Response:
    """Make a team; people join it by PATCH of theirs."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = teams.create_team(session, _values(body), current_user(), services().clock())
        return team_bodies(session, [row])[0], 201

    answer = once("teams", deed)
    answer.headers["Location"] = f"/api/teams/{answer.get_json()['id']}"
    return answer


@blueprint.route("/teams/<id:team_id>")
@blueprint.response(200, Body)
@right("orders.read")
def get_team(team_id: int) -> Response:
    """One team."""
    with services().database.transaction() as session:
        return etags.tagged(team_bodies(session, [teams.get_team(session, team_id, current_user())])[0])


@blueprint.route("/teams/<id:team_id>", methods=["PATCH"])
@blueprint.arguments(TeamPatch)
@blueprint.response(200, Body)
@right("teams.write")
def change_team(body: dict[str, Any], team_id: int) -> Response:
    """Change a team."""
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        row = teams.get_team(session, team_id, caller)
        etags.check_match(row.rev)
        teams.change_team(session, row, _values(body), caller, at.clock())
        return etags.tagged(team_bodies(session, [row])[0])


@blueprint.route("/teams/<id:team_id>", methods=["DELETE"])
@blueprint.response(204)
@right("teams.write")
def delete_team(team_id: int) -> Response:
    """Take a team away; 409 while active people are in it. Orders keep its name."""
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        row = teams.get_team(session, team_id, caller)
        etags.check_match(row.rev)
        teams.delete_team(session, row, caller, at.clock())
    return Response(status=204)
