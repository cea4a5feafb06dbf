"""Time worked on an order: entered afterwards or run by a timer, one running timer a person. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.order_records import OrderLabour
from server.models.people import User
from server.models.work import Team, WorkOrder
from server.rules.work_order import BEFORE_WORK, OrderState
from server.store.actor import Person, has, need
from server.store.order_changes import need_unfinished, told
from server.store.order_rows import lock
from server.store.page import ordering
from server.timestamps import rfc3339

MINUTES_MAX = 60 * 24 * 31
CENT = Decimal("0.01")
SORTS = {"id": OrderLabour.id, "started_at": OrderLabour.started_at, "minutes": OrderLabour.minutes, "cost": OrderLabour.cost}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Work to enter: of whom (None = the caller), how long, at what rate an hour (None = the team's)."""

    person_id: int | None = None
    minutes: int
    rate: float | None = None
    started_at: datetime | None = None
    note: str = ""


def entries(session: Session, order_id: int, sort: str = "") -> list[OrderLabour]:
    """What was entered for an order, oldest first where nothing else is said; raises Invalid."""
    query = select(OrderLabour).where(OrderLabour.order_id == order_id, OrderLabour.deleted_at.is_(None))
    return list(session.scalars(query.order_by(*ordering(sort, SORTS, "id"))))


def enter(session: Session, order_id: int, entry: Entry, user: Person, now: datetime) -> OrderLabour:
    """Enter time that was worked; that of others with `orders.assign`. Raises NotFound, Forbidden, Conflict or Invalid."""
    need(user, "orders.work")
    order = lock(session, order_id, user)
    need_unfinished(order)
    person = _person(session, order, entry.person_id, user)
    begun = entry.started_at or now - timedelta(minutes=entry.minutes)
    if begun > now:
        raise Invalid("started_at", "in_future", "work is entered after it was done")
    rate = _rate(session, person, entry.rate)
    row = OrderLabour(
        order_id=order.id,
        user_id=person.id,
        minutes=entry.minutes,
        rate=rate,
        cost=cost_of(entry.minutes, rate),
        note=entry.note,
        started_at=begun,
        ended_at=begun + timedelta(minutes=entry.minutes),
        entered_by=user.name,
    )
    return _added(session, order, row, user, now)


def start(session: Session, order_id: int, user: Person, now: datetime) -> OrderLabour:
    """Start the caller's timer; raises Conflict where one is running or the order is not in work."""
    need(user, "orders.work")
    order = lock(session, order_id, user)
    if order.state != OrderState.IN_PROGRESS:
        raise Conflict("wrong_state", f"time runs while the order is in progress, it is {order.state}", order.state)
    person = _person(session, order, None, user)
    session.execute(select(User.id).where(User.id == person.id).with_for_update())  # two taps at once start one timer
    if running(session, person.id) is not None:
        raise Conflict("timer_running", "another timer of yours is running; stop it first", order.state)
    row = OrderLabour(
        order_id=order.id, user_id=person.id, rate=_rate(session, person, None), cost=Decimal(0), started_at=now, entered_by=user.name
    )
    return _added(session, order, row, user, now)


def stop(session: Session, order_id: int, user: Person, now: datetime) -> OrderLabour:
    """Stop the caller's timer on the order; raises Conflict where none runs."""
    order = lock(session, order_id, user)
    row = running(session, user.id) if user.id is not None else None
    if row is None or row.order_id != order.id:
        raise Conflict("no_timer", "no timer of yours runs on this order", order.state)
    _close(row, now)
    told(session, order, "labour", ({"id": row.id, "minutes": None}, {"id": row.id, "minutes": row.minutes, "cost": row.cost}), user, now)
    return row


def running(session: Session, user_id: int) -> OrderLabour | None:
    """The timer of a person that runs."""
    query = select(OrderLabour).where(OrderLabour.user_id == user_id, OrderLabour.minutes.is_(None), OrderLabour.deleted_at.is_(None))
    return session.scalars(query).one_or_none()


def stop_all(session: Session, order_id: int, now: datetime) -> None:
    """The order leaves work: what still runs on it ends."""
    query = select(OrderLabour).where(OrderLabour.order_id == order_id, OrderLabour.minutes.is_(None), OrderLabour.deleted_at.is_(None))
    for row in session.scalars(query):
        _close(row, now)
    session.flush()


def minutes_on(session: Session, order_id: int) -> int | None:
    """Minutes entered for the order; None where nobody entered any."""
    query = select(func.sum(OrderLabour.minutes)).where(OrderLabour.order_id == order_id, OrderLabour.deleted_at.is_(None))
    return session.scalar(query)


def remove(session: Session, order_id: int, labour_id: int, user: Person, now: datetime) -> None:
    """Take an entry back: one's own, or any with `orders.assign`."""
    order = lock(session, order_id, user)
    need_unfinished(order)
    row = session.get(OrderLabour, labour_id)
    if row is None or row.order_id != order.id or row.deleted_at is not None:
        raise NotFound("labour entry", labour_id)
    if row.user_id != user.id:
        need(user, "orders.assign")
    row.deleted_at = now
    row.rev += 1
    told(session, order, "labour", ({"id": row.id, "minutes": row.minutes, "cost": row.cost}, {"id": row.id, "deleted": True}), user, now)


def cost_of(minutes: int, rate: Decimal) -> Decimal:
    """Minutes at a rate an hour, to the cent."""
    return (rate * minutes / 60).quantize(CENT, ROUND_HALF_UP)


def _close(row: OrderLabour, now: datetime) -> None:
    row.minutes = min(MINUTES_MAX, max(0, round((now - row.started_at).total_seconds() / 60)))
    row.ended_at, row.cost = now, cost_of(row.minutes, row.rate)
    row.rev += 1


def _added(session: Session, order: WorkOrder, row: OrderLabour, user: Person, now: datetime) -> OrderLabour:
    if OrderState(order.state) in BEFORE_WORK:
        raise Conflict("wrong_state", f"nobody has worked on it yet, it is {order.state}", order.state)
    session.add(row)
    session.flush()
    new = {"id": row.id, "user": row.user_id, "minutes": row.minutes, "rate": row.rate, "cost": row.cost}
    told(session, order, "labour", (None, new), user, now)
    return row


def _person(session: Session, order: WorkOrder, person_id: int | None, user: Person) -> User:
    wanted = user.id if person_id is None else person_id
    person = session.get(User, wanted) if wanted is not None else None
    if person is None or person.site_id != order.site_id:
        raise Invalid("person", "unknown", "not a person of this site")
    if person.id != user.id and not has(user, "orders.assign"):
        raise Forbidden("no_right", "time of others is entered by a planner or manager")
    return person


def _rate(session: Session, person: User, given: float | None) -> Decimal:
    if given is not None:
        return Decimal(str(given)).quantize(CENT, ROUND_HALF_UP)
    team = session.get(Team, person.team_id) if person.team_id is not None else None
    return team.labour_rate if team is not None and team.labour_rate is not None else Decimal(0)


def body(row: OrderLabour, names: dict[int, str]) -> dict[str, Any]:
    """The REST body; names: of people by id."""
    return {
        "id": row.id,
        "order": row.order_id,
        "person": {"id": row.user_id, "name": names.get(row.user_id, "")},
        "minutes": row.minutes,
        "running": row.minutes is None,
        "rate": float(row.rate),
        "cost": float(row.cost),
        "note": row.note,
        "started_at": rfc3339(row.started_at),
        "ended_at": rfc3339(row.ended_at),
        "entered_by": row.entered_by,
        "rev": row.rev,
    }
