"""Purchase requests: made by hand or by the reorder rule, moved along their table, received into the ledger. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.parts import Part
from server.models.purchases import Purchase, PurchaseLine
from server.rules import purchase_states, stock
from server.rules.purchase_states import PurchaseAction, PurchaseState
from server.rules.roles import Role
from server.rules.stock import Reason
from server.store import ledger, parts
from server.store.actor import Person, need
from server.store.notifications import Message, notify, people_with
from server.store.numbers import next_number
from server.store.page import Page, ordering, page_of
from server.store.parts import Wanted, matching


@dataclass(frozen=True, slots=True)
class Line:
    """So many of a part; without a cost the part's own counts."""

    part_id: int
    quantity: Decimal
    unit_cost: Decimal | None = None
    why: str = ""


def list_purchases(session: Session, user: Person, wanted: Wanted, state: str | None) -> Page[Purchase]:
    """Purchases of the site, newest first; state: one of the table, or `open`."""
    query = select(Purchase).where(Purchase.site_id == user.site_id)
    if state == "open":
        query = query.where(Purchase.state.in_([str(known) for known in purchase_states.OPEN]))
    elif state is not None:
        query = query.where(Purchase.state == state)
    if wanted.search:
        query = query.where(matching(wanted.search, Purchase.number, Purchase.supplier, Purchase.reference, Purchase.note))
    columns = {
        "id": Purchase.id,
        "number": Purchase.id,
        "supplier": Purchase.supplier,
        "status": Purchase.state,
        "changed_at": Purchase.changed_at,
        "expected_on": Purchase.expected_on,
    }
    return page_of(session, query, ordering(wanted.sort, columns, "-id"), wanted.limit, wanted.offset)


def get_purchase(session: Session, purchase_id: int, user: Person) -> Purchase:
    """A purchase of the caller's site; raises NotFound."""
    return _visible(session.get(Purchase, purchase_id), purchase_id, user)


def lock(session: Session, purchase_id: int, user: Person) -> Purchase:
    """The same, locked until commit."""
    query = select(Purchase).where(Purchase.id == purchase_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    return _visible(session.scalars(query).one_or_none(), purchase_id, user)


def _visible(row: Purchase | None, purchase_id: int, user: Person) -> Purchase:
    if row is None or row.site_id != user.site_id:
        raise NotFound("purchase", purchase_id)
    return row


def lines_of(session: Session, purchase_ids: Sequence[int]) -> list[tuple[PurchaseLine, Part]]:
    """Lines of purchases with their parts, in one query."""
    query = select(PurchaseLine, Part).join(Part, Part.id == PurchaseLine.part_id).where(PurchaseLine.purchase_id.in_(purchase_ids))
    return [(line, part) for line, part in session.execute(query.order_by(PurchaseLine.id))]


def create(session: Session, values: Mapping[str, Any], lines: Sequence[Line], user: Person, now: datetime) -> Purchase:
    """Ask for parts by hand: it starts as requested, in the caller's name. Raises Forbidden, NotFound or Invalid."""
    need(user, "purchases.write")
    row = insert(session, PurchaseState.REQUESTED, values, lines, user, now)
    row.requested_by_id, row.requested_by = user.id, user.name
    _tell_approvers(session, row, user, now)
    return row


def insert(
    session: Session, state: PurchaseState, values: Mapping[str, Any], lines: Sequence[Line], user: Person, now: datetime
) -> Purchase:
    """The row and its lines, with the audit."""
    row = Purchase(
        number=f"PR-{next_number(session, 'purchase')}",
        site_id=user.site_id,
        state=str(state),
        created_by=user.name,
        created_at=now,
        changed_at=now,
        **values,
    )
    session.add(row)
    session.flush()
    told = set_lines(session, row, lines, user)
    new = {"number": row.number, "state": row.state, **values, "lines": told}
    audit.record(session, audit.Change("create", "purchase", row.id, row.site_id, None, new), user, now)
    return row


def set_lines(session: Session, row: Purchase, lines: Sequence[Line], user: Person) -> list[dict[str, Any]]:
    """Replace the lines; returns them as the audit tells them. Raises Invalid for a part named twice, NotFound."""
    ids = [line.part_id for line in lines]
    if len(set(ids)) != len(ids):
        raise Invalid("lines", "twice", "a part stands on two lines")
    known = {part.id: part for part in session.scalars(select(Part).where(Part.id.in_(ids), Part.deleted_at.is_(None)))}
    for part_id in ids:
        if part_id not in known or known[part_id].site_id != row.site_id:
            raise NotFound("part", part_id)
    for old, _part in lines_of(session, [row.id]):
        session.delete(old)
    session.flush()
    for line in lines:
        cost = known[line.part_id].unit_cost if line.unit_cost is None else line.unit_cost
        session.add(PurchaseLine(purchase_id=row.id, part_id=line.part_id, quantity=line.quantity, unit_cost=cost, why=line.why))
    session.flush()
    return [{"part": known[line.part_id].number, "quantity": line.quantity} for line in lines]


def change(session: Session, row: Purchase, values: Mapping[str, Any], lines: Sequence[Line] | None, user: Person, now: datetime) -> None:
    """Correct one that nobody has approved yet; raises Conflict later."""
    need(user, "purchases.write")
    if PurchaseState(row.state) not in purchase_states.EDITABLE:
        raise Conflict("wrong_state", f"{row.number} is {row.state}; cancel it and ask anew", row.state)
    old = {name: getattr(row, name) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    new: dict[str, Any] = dict(values)
    if lines is not None:
        old["lines"] = [{"part": part.number, "quantity": line.quantity} for line, part in lines_of(session, [row.id])]
        new["lines"] = set_lines(session, row, lines, user)
    _settle(session, row, audit.Change("change", "purchase", row.id, row.site_id, old, new), user, now)


def _settle(session: Session, row: Purchase, told: audit.Change, user: Person, now: datetime) -> None:
    row.changed_at = now
    row.rev += 1
    audit.record(session, told, user, now)
    session.flush()


def act(session: Session, row: Purchase, action: PurchaseAction, fields: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Move a locked purchase; raises Forbidden, Conflict or Invalid and then has changed nothing. Receiving has its own door."""
    need(user, purchase_states.right_for(action))
    after = purchase_states.next_state(PurchaseState(row.state), action)
    reason = str(fields.get("reason") or "").strip()
    if action in purchase_states.REASONED and not reason:
        raise Invalid("reason", "required", "a reason in words is wanted")
    if action is PurchaseAction.APPROVE and not purchase_states.may_approve(requester_id=row.requested_by_id, person_id=user.id):
        raise Forbidden("own_request", "somebody other than the person who asked approves a purchase")
    old = {"state": row.state}
    row.state = str(after)
    _note(session, row, action, {**fields, "reason": reason}, user, now)
    _settle(session, row, audit.Change(str(action), "purchase", row.id, row.site_id, old, {"state": row.state, **fields}), user, now)


def _note(session: Session, row: Purchase, action: PurchaseAction, fields: Mapping[str, Any], user: Person, now: datetime) -> None:
    if action in purchase_states.REASONED:
        row.reason = fields["reason"]
    if action is PurchaseAction.REQUEST:
        row.requested_by_id, row.requested_by = user.id, user.name
        _tell_approvers(session, row, user, now)
    if action is PurchaseAction.APPROVE:
        row.approved_by_id, row.approved_by = user.id, user.name
    if action is PurchaseAction.ORDER:
        row.ordered_at, row.reference = now, str(fields.get("reference") or "")
        row.expected_on = fields.get("expected_on") or row.expected_on
    if action in {PurchaseAction.APPROVE, PurchaseAction.REJECT}:
        message = Message("purchase_decided", f"{row.number} {row.state}", row.reason or "", None, None, row.site_id)
        notify(session, [row.requested_by_id], message, now)


def _tell_approvers(session: Session, row: Purchase, user: Person, now: datetime) -> None:
    people = [person for person in people_with(session, row.site_id, Role.MANAGER) if person != user.id]
    notify(session, people, Message("purchase_requested", f"{row.number}: approval wanted", row.supplier, None, None, row.site_id), now)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Goods of one line; without a cost the line's own counts."""

    line_id: int
    quantity: Decimal
    unit_cost: Decimal | None = None


def receive(session: Session, row: Purchase, store_id: int, arrivals: Sequence[Arrival], user: Person, now: datetime) -> None:
    """Take goods of a locked purchase into a store: the ledger and the state follow. More than was ordered is a Conflict."""
    need(user, purchase_states.right_for(PurchaseAction.RECEIVE_PART))
    purchase_states.next_state(PurchaseState(row.state), PurchaseAction.RECEIVE_PART)
    parts.get_store(session, store_id, user)
    lines = {line.id: line for line, _part in lines_of(session, [row.id])}
    if len({arrival.line_id for arrival in arrivals}) != len(arrivals):
        raise Invalid("lines", "twice", "a line is named twice")
    for arrival in arrivals:
        _check_arrival(lines, arrival)
    locked = parts.lock_parts(session, {lines[arrival.line_id].part_id for arrival in arrivals}, user)
    for arrival in sorted(arrivals, key=lambda one: lines[one.line_id].part_id):
        line = lines[arrival.line_id]
        cost = line.unit_cost if arrival.unit_cost is None else arrival.unit_cost
        wish = ledger.Move(
            part_id=line.part_id,
            store_id=store_id,
            reason=Reason.RECEIPT,
            quantity=arrival.quantity,
            unit_cost=cost,
            note=row.number,
            purchase_line_id=line.id,
        )
        ledger.book(session, locked[line.part_id], wish, user, now)
        line.received += arrival.quantity
    is_all = all(line.received >= line.quantity for line in lines.values())
    action = PurchaseAction.RECEIVE_REST if is_all else PurchaseAction.RECEIVE_PART
    old, row.state = {"state": row.state}, str(purchase_states.next_state(PurchaseState(row.state), action))
    new = {"state": row.state, "store": store_id, "lines": [{"line": one.line_id, "quantity": one.quantity} for one in arrivals]}
    _settle(session, row, audit.Change("receive", "purchase", row.id, row.site_id, old, new), user, now)


def _check_arrival(lines: Mapping[int, PurchaseLine], arrival: Arrival) -> None:
    line = lines.get(arrival.line_id)
    if line is None:
        raise Invalid("lines", "unknown", f"line {arrival.line_id} is not of this purchase")
    if line.received + arrival.quantity > line.quantity:
        left = stock.plain(line.quantity - line.received)
        raise Conflict("too_many", f"{left} of line {line.id} are still to come; book more as a receipt of its own")
