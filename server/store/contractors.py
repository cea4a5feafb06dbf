"""Contractor links (N-13): someone from outside sees one order and works on it, under their own name, until the link ends.

Behind each link stands a shadow user whom nobody can sign in as, so that answers, acts and audit rows bear a name. Nothing here commits.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.auth import device_tokens
from server.errors import Conflict, Invalid, NotFound
from server.models.people import ContractorLink, User
from server.models.work import WorkOrder
from server.rules.roles import RESERVED_NAMES, Role
from server.rules.work_order import BEFORE_WORK, FINAL, OrderAction
from server.store import order_acts, order_rows
from server.store.actor import Person, has, need
from server.store.page import Page, ordering, page_of

NO_PASSWORD = "!"  # noqa: S105 - no hash has this form
SORTS = {name: getattr(ContractorLink, name) for name in ("id", "name", "company", "created_at", "expires_at")}
ACTS = frozenset({OrderAction.START, OrderAction.HOLD, OrderAction.RESUME, OrderAction.PROBLEM, OrderAction.COMPLETE})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who from outside gets the link, for how long, and whether they work or only look."""

    name: str
    company: str
    days: int
    may_work: bool


def make(session: Session, order_key: str, wanted: Wanted, by: Person, now: datetime) -> tuple[ContractorLink, str]:
    """A link to a visible order and its secret, which nobody can read again; an order not begun yet becomes the contractor's."""
    need(by, "contractors.write")
    if wanted.name.strip().lower() in RESERVED_NAMES:
        raise Invalid("name", "reserved", "the audit trail keeps this word for what no person did")
    order = order_rows.get_order(session, order_key, by)
    if order.state in FINAL:
        raise Conflict("wrong_state", f"the order is {order.state}", order.state)
    shadow = _shadow(session, wanted, order.site_id, now)
    secret = device_tokens.new_secret(device_tokens.CONTRACT_PREFIX)
    row = ContractorLink(
        site_id=order.site_id,
        order_id=order.id,
        user_id=shadow.id,
        name=wanted.name.strip(),
        company=wanted.company.strip(),
        may_work=wanted.may_work,
        token_hash=device_tokens.digest(secret),
        created_by_id=by.id,
        created_at=now,
        expires_at=now + timedelta(days=wanted.days),
    )
    session.add(row)
    session.flush()
    new = {"order": order.number, "name": shadow.name, "may_work": row.may_work, "expires_at": row.expires_at}
    audit.record(session, audit.Change("create", "contractor_link", row.id, row.site_id, None, new), by, now)
    if wanted.may_work and order.state in BEFORE_WORK and has(by, "orders.assign"):
        order_acts.act(session, order.id, OrderAction.ASSIGN, by, now, assignee_id=shadow.id)
    return row, secret


def _shadow(session: Session, wanted: Wanted, site_id: int, now: datetime) -> User:
    name = f"{wanted.name.strip()} ({wanted.company.strip()})" if wanted.company.strip() else wanted.name.strip()
    row = User(
        employee_number=f"contractor-{secrets.token_hex(8)}",
        name=name[:200],
        role=str(Role.TECHNICIAN),
        site_id=site_id,
        password_hash=NO_PASSWORD,
        contractor=True,
        active=True,
        on_duty=False,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def list_links(session: Session, by: Person, order_id: int | None, page: dict[str, Any]) -> Page[ContractorLink]:
    """Links of the caller's site, or of one order."""
    query = select(ContractorLink).where(ContractorLink.site_id == by.site_id)
    if order_id is not None:
        query = query.where(ContractorLink.order_id == order_id)
    return page_of(session, query, ordering(page["sort"], SORTS, "-id"), page["limit"], page["offset"])


def get_link(session: Session, link_id: int, by: Person) -> ContractorLink:
    """A link of the caller's site; raises NotFound."""
    row = session.get(ContractorLink, link_id)
    if row is None or row.site_id != by.site_id:
        raise NotFound("contractor link", link_id)
    return row


def revoke(session: Session, row: ContractorLink, by: Person, now: datetime) -> None:
    """End a link at once; an order in its hands goes on in the planner's."""
    need(by, "contractors.write")
    if row.revoked_at is not None:
        return
    row.revoked_at = now
    shadow = session.get_one(User, row.user_id)
    shadow.active, shadow.deactivated_at = False, now
    audit.record(
        session, audit.Change("revoke", "contractor_link", row.id, row.site_id, {"revoked_at": None}, {"revoked_at": now}), by, now
    )


def order_of(session: Session, order_id: int | None, holder: Person) -> WorkOrder:
    """The one order of a link's holder."""
    assert order_id is not None
    return order_rows.get_order(session, order_id, holder)
