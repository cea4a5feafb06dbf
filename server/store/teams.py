"""Teams of a site: named, changed, taken away when nobody is in them. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, NotFound
from server.models.people import User
from server.models.work import Team
from server.store import people
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of

SORTS = {"name": Team.name, "shift": Team.shift}
COLUMNS = ("name", "shift", "labour_rate")


def list_teams(session: Session, user: Person, search: str | None, page: Mapping[str, Any]) -> Page[Any]:
    """Teams of the caller's site."""
    query = select(Team).where(Team.site_id == user.site_id, Team.deleted_at.is_(None))
    if search:
        query = query.where(Team.name.ilike(people.contains(search)))
    return page_of(session, query, ordering(page["sort"], SORTS, "name"), page["limit"], page["offset"])


def members(session: Session, team_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    """Active people by team."""
    found: dict[int, list[dict[str, Any]]] = {team_id: [] for team_id in team_ids}
    query = select(User.team_id, User.id, User.name).where(User.team_id.in_(team_ids), User.active).order_by(User.name)
    for team_id, id_, name in session.execute(query):
        found[team_id or 0].append({"id": id_, "name": name})
    return found


def get_team(session: Session, team_id: int, user: Person) -> Team:
    """A team of the caller's site; raises NotFound."""
    row = session.get(Team, team_id)
    if row is None or row.site_id != user.site_id or row.deleted_at is not None:
        raise NotFound("team", team_id)
    return row


def create_team(session: Session, body: Mapping[str, Any], by: Person, now: datetime) -> Team:
    """A new team; raises Conflict where the site has one of this name."""
    need(by, "teams.write")
    assert by.site_id is not None
    _refuse_double(session, by.site_id, body["name"])
    people.check_shift(session, by.site_id, body["shift"])
    row = Team(site_id=by.site_id, **{name: body[name] for name in COLUMNS})
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "team", row.id, row.site_id, None, _values(row)), by, now)
    return row


def change_team(session: Session, row: Team, body: Mapping[str, Any], by: Person, now: datetime) -> None:
    """Change what the body names."""
    need(by, "teams.write")
    before = _values(row)
    if "name" in body and body["name"].lower() != row.name.lower():
        _refuse_double(session, row.site_id, body["name"])
    people.check_shift(session, row.site_id, body.get("shift"))
    for name in COLUMNS:
        if name in body:
            setattr(row, name, body[name])
    after = _values(row)
    changed = [name for name in COLUMNS if before[name] != after[name]]
    if changed:
        row.rev += 1
        old, new = {name: before[name] for name in changed}, {name: after[name] for name in changed}
        audit.record(session, audit.Change("change", "team", row.id, row.site_id, old, new), by, now)


def delete_team(session: Session, row: Team, by: Person, now: datetime) -> None:
    """Take a team away; raises Conflict while active people are in it."""
    need(by, "teams.write")
    count = session.scalar(select(func.count()).where(User.team_id == row.id, User.active)) or 0
    if count:
        raise Conflict("not_empty", f"{count} people are in the team; give them another one first")
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "team", row.id, row.site_id, {"deleted_at": None}, {"deleted_at": now}), by, now)


def _refuse_double(session: Session, site_id: int, name: str) -> None:
    query = select(Team.id).where(Team.site_id == site_id, func.lower(Team.name) == name.lower(), Team.deleted_at.is_(None))
    if session.scalar(query) is not None:
        raise Conflict("name_taken", f"there is a team {name} already")


def _values(row: Team) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}
