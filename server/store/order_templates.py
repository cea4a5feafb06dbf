"""Templates of work orders: kept by planners, used by whoever may open an order. Nothing here commits; deleting marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.order_records import OrderTemplate
from server.models.plant import Asset
from server.models.work import Procedure, Team
from server.rules.order_types import OrderType
from server.rules.priorities import Priority, parse
from server.store.actor import Person, need
from server.store.opening import NewOrder
from server.store.order_edits import procedure_id, team_id
from server.store.page import Page, ordering, page_of
from server.store.related import by_id

PLACE = "{asset}"
LONGEST_TITLE = 200  # characters, as orders take them
PLAIN = ("name", "title", "description", "type", "priority", "estimated_min", "due_hours")
SORTS = {"name": OrderTemplate.name, "type": OrderTemplate.type, "id": OrderTemplate.id}


def list_templates(session: Session, user: Person, *, search: str | None, limit: int, offset: int, sort: str = "") -> Page[OrderTemplate]:
    """Templates of the caller's site by name."""
    query = select(OrderTemplate).where(OrderTemplate.site_id == user.site_id, OrderTemplate.deleted_at.is_(None))
    if search:
        query = query.where(OrderTemplate.name.icontains(search, autoescape=True) | OrderTemplate.title.icontains(search, autoescape=True))
    return page_of(session, query, ordering(sort, SORTS, "name"), limit, offset)


def get(session: Session, template_id: int, user: Person) -> OrderTemplate:
    """A visible template; raises NotFound."""
    row = session.get(OrderTemplate, template_id)
    if row is None or row.deleted_at is not None or row.site_id != user.site_id:
        raise NotFound("template", template_id)
    return row


def create(session: Session, fields: Mapping[str, Any], user: Person, now: datetime) -> OrderTemplate:
    """A new template of the caller's site; raises Forbidden, Conflict or Invalid."""
    need(user, "orders.assign")
    assert user.site_id is not None
    values = _values(session, fields, user)
    _need_free(session, values["name"], user, None)
    row = OrderTemplate(site_id=user.site_id, created_at=now, **values)
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "order_template", row.id, row.site_id, None, values), user, now)
    return row


def change(session: Session, row: OrderTemplate, fields: Mapping[str, Any], user: Person, now: datetime) -> OrderTemplate:
    """Change some of it; raises Forbidden, Conflict or Invalid."""
    need(user, "orders.assign")
    values = _values(session, fields, user)
    if "name" in values:
        _need_free(session, values["name"], user, row.id)
    old = {name: getattr(row, name) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    row.rev += 1
    audit.record(session, audit.Change("edit", "order_template", row.id, row.site_id, old, values), user, now)
    return row


def delete(session: Session, row: OrderTemplate, user: Person, now: datetime) -> None:
    """Nobody starts from it any more; orders made from it stay."""
    need(user, "orders.assign")
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "order_template", row.id, row.site_id, {"name": row.name}, None), user, now)


@dataclass(frozen=True, slots=True)
class Changes:
    """What an order has otherwise than its template."""

    title: str | None = None
    due: datetime | None = None


def as_order(row: OrderTemplate, asset: Asset, changes: Changes, now: datetime, *, proof_s: float | None) -> NewOrder:
    """What an order made from it on an asset starts as; `{asset}` in its words is the asset's code, as in steps."""
    due = now + timedelta(hours=row.due_hours) if row.due_hours is not None else None
    return NewOrder(
        title=(changes.title or row.title).replace(PLACE, asset.code)[:LONGEST_TITLE],
        asset_id=asset.id,
        description=row.description.replace(PLACE, asset.code),
        type=row.type,
        priority=row.priority,
        procedure_id=row.procedure_id,
        team_id=row.team_id,
        due=changes.due or due,
        estimated_min=row.estimated_min,
        proof_s=proof_s,
    )


def bodies(session: Session, rows: list[OrderTemplate]) -> list[dict[str, Any]]:
    """REST bodies."""
    procedures = by_id(session, Procedure, (row.procedure_id for row in rows))
    teams = by_id(session, Team, (row.team_id for row in rows))
    return [_body(row, procedures.get(row.procedure_id or 0), teams.get(row.team_id or 0)) for row in rows]


def _body(row: OrderTemplate, procedure: Procedure | None, team: Team | None) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in PLAIN if name != "estimated_min"}
    return {
        "id": row.id,
        **plain,
        "est_min": row.estimated_min,
        "procedure": {"code": procedure.code, "title": procedure.title} if procedure else None,
        "team": team.name if team else None,
        "rev": row.rev,
    }


def _values(session: Session, fields: Mapping[str, Any], user: Person) -> dict[str, Any]:
    values = dict(fields)
    if "est_min" in values:
        values["estimated_min"] = values.pop("est_min")
    if "procedure" in values:
        code = values.pop("procedure")
        values["procedure_id"] = None if code is None else procedure_id(session, code, user.site_id)
    if "team" in values:
        name = values.pop("team")
        values["team_id"] = None if name is None else team_id(session, name, user.site_id)
    if values.get("type") is not None and values["type"] not in set(OrderType):
        raise Invalid("type", "unknown", f"one of {', '.join(OrderType)}")
    if values.get("priority") is not None:
        found = parse(values["priority"])
        if found is None:
            raise Invalid("priority", "unknown", f"one of {', '.join(Priority)}")
        values["priority"] = str(found)
    return values


def _need_free(session: Session, name: str, user: Person, but: int | None) -> None:
    query = select(OrderTemplate.id).where(OrderTemplate.site_id == user.site_id, OrderTemplate.name == name)
    found = session.scalar(query.where(OrderTemplate.deleted_at.is_(None)))
    if found is not None and found != but:
        raise Conflict("name_taken", f"there is a template {name} already")
