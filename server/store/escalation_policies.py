"""The policies of escalation: who is told of an unanswered alert after how long. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Invalid, NotFound
from server.models.notifications import EscalationPolicy
from server.models.work import Team
from server.store import people
from server.store.actor import Person
from server.store.page import Page, ordering, page_of

COLUMNS = ("name", "severity", "shift", "after_min", "to_role", "to_team_id", "on_duty", "repeat_min", "rounds", "active")
SORTS = {"name": EscalationPolicy.name, "severity": EscalationPolicy.severity, "after_min": EscalationPolicy.after_min}


def list_policies(session: Session, user: Person, search: str, page: Mapping[str, Any]) -> Page[EscalationPolicy]:
    """Policies of the caller's site."""
    query = select(EscalationPolicy).where(EscalationPolicy.site_id == user.site_id, EscalationPolicy.deleted_at.is_(None))
    if search:
        query = query.where(EscalationPolicy.name.icontains(search, autoescape=True))
    order = [*ordering(page["sort"], SORTS, "after_min"), EscalationPolicy.id]
    return page_of(session, query, order, page["limit"], page["offset"])


def get_policy(session: Session, policy_id: int, user: Person, *, lock: bool = False) -> EscalationPolicy:
    """A policy of the caller's site, locked until commit where it is to be changed; raises NotFound."""
    row = session.get(EscalationPolicy, policy_id, with_for_update={"key_share": True} if lock else None)
    if row is None or row.site_id != user.site_id or row.deleted_at is not None:
        raise NotFound("escalation policy", policy_id)
    return row


def create(session: Session, wanted: Mapping[str, Any], user: Person, now: datetime) -> EscalationPolicy:
    """A new policy of the caller's site."""
    assert user.site_id is not None
    row = EscalationPolicy(site_id=user.site_id, **{name: wanted[name] for name in COLUMNS})
    _check(session, row)
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "escalation_policy", row.id, row.site_id, None, columns_of(row)), user, now)
    return row


def change(session: Session, row: EscalationPolicy, wanted: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change what is named."""
    old = columns_of(row)
    for name in COLUMNS:
        if name in wanted:
            setattr(row, name, wanted[name])
    _check(session, row)
    row.rev += 1
    audit.record(session, audit.Change("change", "escalation_policy", row.id, row.site_id, old, columns_of(row)), user, now)


def remove(session: Session, row: EscalationPolicy, user: Person, now: datetime) -> None:
    """Take it out of force; what it said stays in the log."""
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "escalation_policy", row.id, row.site_id, columns_of(row), None), user, now)


def columns_of(row: EscalationPolicy) -> dict[str, Any]:
    """What people choose of it."""
    return {name: getattr(row, name) for name in COLUMNS}


def bodies(session: Session, rows: list[EscalationPolicy]) -> list[dict[str, Any]]:
    """REST bodies, with the teams' names."""
    teams = session.scalars(select(Team).where(Team.id.in_({row.to_team_id for row in rows})))
    names = {team.id: team.name for team in teams}
    return [{"id": row.id, **columns_of(row), "to_team": names.get(row.to_team_id or 0), "rev": row.rev} for row in rows]


def _check(session: Session, row: EscalationPolicy) -> None:
    if row.to_role and row.to_team_id:
        raise Invalid("to_team_id", "ambiguous", "name a role or a team, not both")
    if row.to_team_id is not None:
        with session.no_autoflush:
            team = session.get(Team, row.to_team_id)
        if team is None or team.site_id != row.site_id or team.deleted_at is not None:
            raise Invalid("to_team_id", "unknown", f"there is no team {row.to_team_id}")
    if row.rounds > 1 and row.repeat_min is None:
        raise Invalid("repeat_min", "required", "say after how many minutes it is told again")
    with session.no_autoflush:
        people.check_shift(session, row.site_id, row.shift)
