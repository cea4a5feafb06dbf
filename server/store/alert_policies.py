"""What a site does with an alert of a type on a class of assets: priority, procedure, team, due time. Nothing here commits.

Which row counts for an alert is server/rules/policy.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.plant import AssetClass, Site
from server.models.work import Policy, Procedure, Team
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of

COLUMNS = (
    "alert_type",
    "class_id",
    "opens_order",
    "priority",
    "procedure_id",
    "team_id",
    "auto_assign",
    "due_hours",
    "proof_s",
    "title",
)
SORTS = {"alert_type": Policy.alert_type, "priority": Policy.priority, "due_hours": Policy.due_hours}
FILTERS: dict[str, InstrumentedAttribute[Any]] = {
    "alert_type": Policy.alert_type,
    "priority": Policy.priority,
    "class_id": Policy.class_id,
    "team_id": Policy.team_id,
}


def list_policies(session: Session, user: Person, asked: Mapping[str, Any]) -> Page[Policy]:
    """Policies of the caller's site and those common to all sites."""
    query = select(Policy).where((Policy.site_id == user.site_id) | Policy.site_id.is_(None), Policy.deleted_at.is_(None))
    if asked["search"]:
        query = query.where(Policy.title.icontains(asked["search"], autoescape=True))
    for name, column in FILTERS.items():
        if asked[name] is not None:
            query = query.where(column == asked[name])
    return page_of(session, query, [*ordering(asked["sort"], SORTS, "alert_type"), Policy.id], asked["limit"], asked["offset"])


def get_policy(session: Session, policy_id: int, user: Person, *, lock: bool = False) -> Policy:
    """One that counts at the caller's site, locked until commit where it is to be changed; raises NotFound."""
    row = session.get(Policy, policy_id, with_for_update={"key_share": True} if lock else None)
    if row is None or row.site_id not in {None, user.site_id} or row.deleted_at is not None:
        raise NotFound("alert policy", policy_id)
    return row


def create(session: Session, wanted: Mapping[str, Any], user: Person, now: datetime) -> Policy:
    """A new policy of the caller's site; raises Conflict or Invalid."""
    need(user, "policies.write")
    assert user.site_id is not None
    row = Policy(site_id=user.site_id, **{name: wanted[name] for name in COLUMNS})
    _check(session, row)
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "alert_policy", row.id, row.site_id, None, columns_of(row)), user, now)
    return row


def change(session: Session, row: Policy, wanted: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change what is named; raises Conflict or Invalid. Orders that are open stay as they are."""
    _need_own(row, user)
    old = columns_of(row)
    for name in COLUMNS:
        if name in wanted:
            setattr(row, name, wanted[name])
    _check(session, row)
    row.rev += 1
    audit.record(session, audit.Change("change", "alert_policy", row.id, row.site_id, old, columns_of(row)), user, now)


def remove(session: Session, row: Policy, user: Person, now: datetime) -> None:
    """Take it out of force; raises Conflict."""
    _need_own(row, user)
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "alert_policy", row.id, row.site_id, columns_of(row), None), user, now)


def columns_of(row: Policy) -> dict[str, Any]:
    """What people choose of it."""
    return {name: getattr(row, name) for name in COLUMNS}


def bodies(session: Session, rows: list[Policy]) -> list[dict[str, Any]]:
    """REST bodies, with what classes, procedures and teams are called; `shared`: counts at every site and is changed at none."""
    classes = _named(session, AssetClass.id, AssetClass.label, (row.class_id for row in rows))
    steps = _named(session, Procedure.id, Procedure.title, (row.procedure_id for row in rows))
    teams = _named(session, Team.id, Team.name, (row.team_id for row in rows))
    return [
        {
            "id": row.id,
            "name": row.title or _heading(row, classes.get(row.class_id)),
            **columns_of(row),
            "class": classes.get(row.class_id),
            "procedure": steps.get(row.procedure_id),
            "team": teams.get(row.team_id),
            "shared": row.site_id is None,
            "rev": row.rev,
        }
        for row in rows
    ]


def _named(
    session: Session, key: InstrumentedAttribute[int], name: InstrumentedAttribute[str], wanted: Iterable[int | None]
) -> dict[int | None, dict[str, Any]]:
    """{id: {"id", "name"}}."""
    found = session.execute(select(key, name).where(key.in_({one for one in wanted if one is not None})))
    return {id_: {"id": id_, "name": word} for id_, word in found}


def _heading(row: Policy, asset_class: dict[str, Any] | None) -> str:
    words = row.alert_type.replace("_", " ").capitalize()
    return f"{words}, {asset_class['name']}" if asset_class else words


def _need_own(row: Policy, user: Person) -> None:
    need(user, "policies.write")
    if row.site_id is None:
        raise Conflict("shared", "this policy counts at every site; make one for this site, which goes before it")


def _check(session: Session, row: Policy) -> None:
    with session.no_autoflush:
        asset_class = session.get(AssetClass, row.class_id) if row.class_id is not None else None
        if row.class_id is not None and (asset_class is None or asset_class.deleted_at is not None):
            raise Invalid("class_id", "unknown", f"there is no class {row.class_id}")
        procedure = session.get(Procedure, row.procedure_id) if row.procedure_id is not None else None
        if row.procedure_id is not None and (procedure is None or procedure.site_id not in {None, row.site_id} or not procedure.active):
            raise Invalid("procedure_id", "unknown", f"there is no procedure {row.procedure_id} in use")
        team = session.get(Team, row.team_id) if row.team_id is not None else None
        if row.team_id is not None and (team is None or team.site_id != row.site_id or team.deleted_at is not None):
            raise Invalid("team_id", "unknown", f"there is no team {row.team_id}")
        if row.auto_assign and team is None:
            raise Invalid("team_id", "required", "name the team whose people get the order")
        _refuse_double(session, row)


def _refuse_double(session: Session, row: Policy) -> None:
    session.get_one(Site, row.site_id, with_for_update={"key_share": True})  # of two who make the same one the second is told
    same = select(Policy.id).where(
        Policy.site_id == row.site_id,
        Policy.alert_type == row.alert_type,
        Policy.class_id.is_not_distinct_from(row.class_id),
        Policy.deleted_at.is_(None),
    )
    if any(id_ != row.id for id_ in session.scalars(same)):
        raise Conflict("policy_taken", "the site has a policy for this type and class already; change that one")
