"""Interventions: a technician's visit to a machine for an order (S0-11..16, S0-51..55). Nothing here commits.

Saving one starts the order, with an end it completes it: through the same door as every other act, so the state table, the rights,
the steps and the verdict judge here too, and a refusal leaves no intervention behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.interventions import FaultTerm, Intervention
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules.taxonomy import LEVELS
from server.rules.work_order import OrderAction, OrderState
from server.store import completion, numbers, order_acts, taxonomy
from server.store.actor import Person, has, need
from server.store.order_rows import get_order, lock
from server.store.page import Page, ordering, page_of

AHEAD = timedelta(minutes=5)  # clocks of phones
PLAIN = ("received_at", "ended_at", "comments")
SORTS = {
    "id": Intervention.id,
    "number": Intervention.id,
    "received_at": Intervention.received_at,
    "ended_at": Intervention.ended_at,
    "technician": Intervention.technician,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which interventions; None = any."""

    asset: str | None = None
    order: str | None = None
    technician: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None


def list_interventions(session: Session, wanted: Wanted, user: Person, *, limit: int, offset: int, sort: str = "") -> Page[Intervention]:
    """Interventions of the caller's site, newest first; by machine and by when they were received (S0-25)."""
    return page_of(session, _query(session, wanted, user), ordering(sort, SORTS, "-id"), limit, offset)


def _query(session: Session, wanted: Wanted, user: Person) -> Select[Any]:
    query = select(Intervention).where(Intervention.site_id == user.site_id, Intervention.deleted_at.is_(None))
    if wanted.asset is not None:
        query = query.where(Intervention.asset_id.in_(select(Asset.id).where(Asset.code == wanted.asset)))
    if wanted.order is not None:
        query = query.where(Intervention.order_id == get_order(session, wanted.order, user).id)
    if wanted.technician is not None:
        query = query.where(Intervention.technician_id == wanted.technician)
    if wanted.since is not None:
        query = query.where(Intervention.received_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Intervention.received_at < wanted.until)
    if wanted.search:
        words = (Intervention.number, Intervention.technician, Intervention.comments)
        first, second, third = (column.icontains(wanted.search, autoescape=True) for column in words)
        query = query.where(first | second | third)
    return query


def figures(session: Session, wanted: Wanted, user: Person) -> dict[str, Any]:
    """How many there are by day (UTC), machine and fault category, for charts (S0-26)."""
    found = _query(session, wanted, user).subquery()
    day = func.to_char(func.timezone("UTC", found.c.received_at), "YYYY-MM-DD")
    days = session.execute(select(day, func.count()).group_by(day).order_by(day)).all()
    machines = select(Asset.code, Asset.name, func.count()).join(found, found.c.asset_id == Asset.id).group_by(Asset.code, Asset.name)
    terms = select(FaultTerm.code, FaultTerm.label, func.count()).join(found, found.c.category_id == FaultTerm.id)
    terms = terms.group_by(FaultTerm.code, FaultTerm.label)
    return {
        "days": [{"day": at, "count": count} for at, count in days],
        "machines": [{"code": code, "name": name, "count": count} for code, name, count in session.execute(machines.order_by(Asset.code))],
        "categories": [{"code": code, "label": label, "count": n} for code, label, n in session.execute(terms.order_by(FaultTerm.code))],
    }


def get(session: Session, intervention_id: int, user: Person) -> Intervention:
    """A visible intervention; raises NotFound."""
    row = session.get(Intervention, intervention_id)
    if row is None or row.deleted_at is not None or row.site_id != user.site_id:
        raise NotFound("intervention", intervention_id)
    return row


def create(session: Session, order_key: str, fields: Mapping[str, Any], user: Person, now: datetime) -> Intervention:
    """Save a visit of the caller: the order and its machine go to work, with an end they are fixed. One transaction, or nothing."""
    need(user, "orders.work")
    order = lock(session, get_order(session, order_key, user).id, user)
    assert user.id is not None
    received = fields.get("received_at") or order.created_at
    _check_times(received, fields.get("ended_at"), now)
    terms = {level: fields.get(level) for level in LEVELS}
    taxonomy.checked(session, terms, order.site_id)
    row = Intervention(
        number=f"IV-{numbers.next_number(session, 'intervention')}",
        site_id=order.site_id,
        order_id=order.id,
        asset_id=_machine(session, order, fields.get("asset")),
        technician_id=user.id,
        technician=user.name,
        received_at=received,
        ended_at=fields.get("ended_at"),
        parts=completion.read_parts(fields.get("parts")),
        comments=fields.get("comments") or "",
        created_at=now,
        changed_at=now,
        **{f"{level}_id": id_ for level, id_ in terms.items()},
    )
    session.add(row)
    session.flush()
    _work(session, order, row, fields, user, now)
    new = {"number": row.number, "order": order.number, "received_at": received, "ended_at": row.ended_at, **terms}
    audit.record(session, audit.Change("create", "intervention", row.id, row.site_id, None, new), user, now)
    return row


def _machine(session: Session, order: WorkOrder, code: str | None) -> int:
    """The order's asset, or the part of it that was worked on; raises Invalid for any other."""
    if code is None:
        return order.asset_id
    own = (Asset.id == order.asset_id) | (Asset.parent_id == order.asset_id)
    found = session.scalar(select(Asset.id).where(Asset.code == code, Asset.site_id == order.site_id, Asset.deleted_at.is_(None), own))
    if found is None:
        raise Invalid("asset", "not_of_order", "the order's asset, or a part of it")
    return found


def change(session: Session, row: Intervention, fields: Mapping[str, Any], user: Person, now: datetime) -> Intervention:
    """Correct a visit, or end it; the technician's own, or anybody's with `orders.assign`. An end, once set, stays."""
    if row.technician_id != user.id and not has(user, "orders.assign"):
        raise Forbidden("not_yours", "the intervention is somebody else's")
    if row.ended_at is not None and "ended_at" in fields and fields["ended_at"] != row.ended_at:
        raise Conflict("ended", "the intervention has ended", "ended")
    ends = row.ended_at is None and fields.get("ended_at") is not None
    order = lock(session, row.order_id, user)
    new: dict[str, Any] = {name: fields[name] for name in PLAIN if name in fields}
    new |= {f"{level}_id": fields[level] for level in LEVELS if level in fields}
    new |= {"parts": completion.read_parts(fields["parts"])} if "parts" in fields else {}
    merged = {**{name: getattr(row, name) for name in ("received_at", "ended_at")}, **new}
    _check_times(merged["received_at"], merged["ended_at"], now)
    taxonomy.checked(session, {level: new.get(f"{level}_id", getattr(row, f"{level}_id")) for level in LEVELS}, row.site_id)
    old = {name: getattr(row, name) for name in new}
    for name, value in new.items():
        setattr(row, name, value)
    row.rev += 1
    row.changed_at = now
    if ends:
        _work(session, order, row, fields, user, now)
    audit.record(session, audit.Change("edit", "intervention", row.id, row.site_id, old, new), user, now)
    return row


def _check_times(received: datetime | None, ended: datetime | None, now: datetime) -> None:
    if received is None:
        raise Invalid("received_at", "required", "when was it received")
    if received > now + AHEAD:
        raise Invalid("received_at", "in_future", "this is still to come")
    if ended is not None and ended < received:
        raise Invalid("ended_at", "before_received", "it ended before it was received")
    if ended is not None and ended > now + AHEAD:
        raise Invalid("ended_at", "in_future", "this is still to come")


def _work(session: Session, order: WorkOrder, row: Intervention, fields: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Take the order to where the visit leaves it; every step through the state table."""
    if order.state == OrderState.ON_HOLD:
        order_acts.act(session, order.id, OrderAction.RESUME, user, now)
    elif order.state != OrderState.IN_PROGRESS:
        order_acts.act(session, order.id, OrderAction.START, user, now)
    elif order.assignee_id != user.id:
        raise Forbidden("not_assignee", "the order is somebody else's; take it over first")
    if row.ended_at is None:
        return
    given = {name: fields[name] for name in ("verdict", "actual_minutes", "signature") if fields.get(name) is not None}
    if not row.comments.strip():
        raise Invalid("comments", "required", "say what was found and done")
    order_acts.act(session, order.id, OrderAction.COMPLETE, user, now, notes=row.comments, parts=row.parts, **given)
