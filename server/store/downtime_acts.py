"""What people do with downtime: say why, split, merge, correct, enter by hand, take out. Every act is audited; nothing commits.

Each act holds the site's downtime lock, so that it meets neither another person nor the machine half way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.downtime import Downtime
from server.models.plant import Asset
from server.rules.downtime import Category, Stretch, overlaps
from server.store import downtimes, order_rows
from server.store.actor import Person, need, sees_site
from server.store.assets import get_asset
from server.store.standstill import lock_site, open_row, settle_below

RIGHT = "downtime.classify"


def locked(session: Session, downtime_id: int, user: Person) -> Downtime:
    """The row as it is now, held with its site until commit; raises NotFound or Forbidden."""
    need(user, RIGHT)
    lock_site(session, downtimes.get(session, downtime_id, user).site_id)
    query = select(Downtime).where(Downtime.id == downtime_id).with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).one()
    if row.deleted_at is not None or not sees_site(user, row.site_id):
        raise NotFound("downtime", downtime_id)
    return row


def classify(session: Session, row: Downtime, fields: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Say what it was for: a reason of the list, or planned or unplanned alone. What stood because of it follows. Raises Invalid."""
    if row.cause_id is not None:
        raise Conflict("caused", "it stood because another machine did; say why that one stood", row.state)
    category, reason = fields.get("category"), None
    if fields.get("reason") is not None:
        reason = _reason(session, fields["reason"], user)
        if category is not None and category != reason.category:
            raise Invalid("category", "contradicts", f"{reason.code} is {reason.category}")
        category = reason.category
    if category not in set(Category):
        raise Invalid("category", "required", f"a reason, or one of {', '.join(Category)}")
    values = {"category": category, "reason_id": reason.id if reason else None}
    if fields.get("note") is not None:
        values["note"] = fields["note"]
    _set(session, row, "classify", values, user, now)
    row.classified_by, row.classified_at, row.asked = user.name, now, True
    follows = update(Downtime).where(Downtime.cause_id == row.id)
    session.execute(follows.values(category=category, reason_id=values["reason_id"], rev=Downtime.rev + 1))


def _reason(session: Session, wanted: int | str, user: Person) -> Any:
    from_list = downtimes.list_reasons(session, user.site_id, None, {"sort": "", "limit": 500, "offset": 0}).items
    found = next((row for row in from_list if wanted in {row.id, row.code}), None)
    if found is None:
        raise Invalid("reason", "unknown", "not in the site's list of reasons")
    return found


def split(session: Session, row: Downtime, at: datetime, user: Person, now: datetime) -> Downtime:
    """Divide it in two at a time inside it; the second part, with the same reason. Raises Invalid."""
    if not row.started_at < at < min(row.ended_at or now, now):
        raise Invalid("at", "out_of_range", "must lie inside the stretch")
    kept = {name: getattr(row, name) for name in _COPIED}
    second = Downtime(**kept, started_at=at, ended_at=row.ended_at)
    _set(session, row, "split", {"ended_at": at}, user, now)
    session.add(second)
    session.flush()
    session.execute(update(Downtime).where(Downtime.cause_id == row.id, Downtime.ended_at.is_(None)).values(cause_id=second.id))
    _note(session, "split", second, None, {"from": row.id, "started_at": at, "ended_at": second.ended_at}, user, now)
    return second


_COPIED = (
    *("site_id", "asset_id", "cause_id", "state", "fault_code", "category", "reason_id", "note", "work_order_id", "machine_rate"),
    *("asked", "classified_by", "classified_at"),
)


def merge(session: Session, row: Downtime, with_id: int, user: Person, now: datetime) -> None:
    """Make it one with the next or former row of the same machine; what lay between counts as standing too. Raises Invalid, Conflict."""
    other = downtimes.get(session, with_id, user)
    if other is row or other.asset_id != row.asset_id or other.cause_id != row.cause_id:
        raise Invalid("with", "not_a_neighbour", "another row of the same machine and cause is wanted")
    first, second = sorted((row, other), key=lambda one: (one.started_at, one.id))
    between = select(Downtime.id).where(Downtime.asset_id == row.asset_id, Downtime.deleted_at.is_(None))
    between = between.where(Downtime.started_at >= first.started_at, Downtime.started_at < second.started_at, Downtime.id != first.id)
    if first.ended_at is None or session.scalar(between.limit(1)) is not None:
        raise Conflict("not_neighbours", "another stretch lies between them")
    start, end = first.started_at, second.ended_at
    _set(session, other, "merge", {"deleted_at": now}, user, now)
    session.execute(update(Downtime).where(Downtime.cause_id == other.id).values(cause_id=row.id))
    _set(session, row, "merge", {"started_at": start, "ended_at": end}, user, now)


def change(session: Session, row: Downtime, fields: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Correct times, note or order. The machine alone ends what it opened; a row entered by hand is ended by hand."""
    values = {name: fields[name] for name in ("started_at", "ended_at", "note") if name in fields}
    if "order" in fields:
        values["work_order_id"] = None if fields["order"] is None else _order(session, row, fields["order"], user)
    start, end = values.get("started_at", row.started_at), values.get("ended_at", row.ended_at)
    if "ended_at" in values and values["ended_at"] != row.ended_at:
        if row.ended_at is None and row.state != "manual":
            raise Conflict("still_standing", "the machine says when it runs again; split the row instead", row.state)
        if end is None:
            raise Invalid("ended_at", "required", "an ended stretch keeps an end")
    _check_times(session, row.asset_id, Stretch(start, end), now, row.id)
    standing = row.ended_at is None
    _set(session, row, "change", values, user, now)
    if standing and end is not None:
        settle_below(session, session.get_one(Asset, row.asset_id), end, now)


def _order(session: Session, row: Downtime, wanted: str, user: Person) -> int:
    order = order_rows.get_order(session, wanted, user)
    if order.asset_id != row.asset_id:
        raise Invalid("order", "other_asset", f"{order.number} is work on another asset")
    return order.id


def create(session: Session, fields: Mapping[str, Any], user: Person, now: datetime) -> Downtime:
    """Enter a stretch by hand, where no bit says it; without an end the machine stands now. Raises NotFound, Invalid, Conflict."""
    need(user, RIGHT)
    asset = get_asset(session, fields["asset"], user)
    lock_site(session, asset.site_id)
    stretch = Stretch(fields["started_at"], fields.get("ended_at"))
    if stretch.end is None and open_row(session, asset.id) is not None:
        raise Conflict("stands_already", f"{asset.code} stands already", "open")
    _check_times(session, asset.id, stretch, now, None)
    row = Downtime(site_id=asset.site_id, asset_id=asset.id, started_at=stretch.start, ended_at=stretch.end, state="manual", asked=True)
    row.machine_rate, row.note = asset.machine_rate, fields.get("note", "")
    session.add(row)
    session.flush()
    _note(session, "create", row, None, {"asset": asset.code, "started_at": row.started_at, "ended_at": row.ended_at}, user, now)
    if fields.get("reason") is not None or fields.get("category") is not None:
        classify(session, row, fields, user, now)
    if row.ended_at is None:
        settle_below(session, asset, row.started_at, now)
    return row


def delete(session: Session, row: Downtime, user: Person, now: datetime) -> None:
    """Take out a row that was none; only a planner or manager, and not while the machine stands."""
    need(user, RIGHT)
    if row.ended_at is None and row.state != "manual":
        raise Conflict("still_standing", "the machine stands now", row.state)
    if row.state != "manual" and row.classified_by not in {None, user.name}:
        raise Forbidden("classified", f"{row.classified_by} said what it was; change it instead")
    standing = row.ended_at is None
    _set(session, row, "delete", {"deleted_at": now}, user, now)
    if standing:
        settle_below(session, session.get_one(Asset, row.asset_id), row.started_at, now)


def _check_times(session: Session, asset_id: int, stretch: Stretch, now: datetime, own_id: int | None) -> None:
    if stretch.start > now:
        raise Invalid("started_at", "in_future", "has not begun yet")
    if stretch.end is not None and not stretch.start < stretch.end <= now:
        raise Invalid("ended_at", "order", "must be after the start and not in the future")
    query = select(Downtime).where(
        Downtime.asset_id == asset_id, Downtime.deleted_at.is_(None), Downtime.ended_at.is_(None) | (Downtime.ended_at > stretch.start)
    )
    for other in session.scalars(query if stretch.end is None else query.where(Downtime.started_at < stretch.end)):
        if other.id != own_id and overlaps(stretch, Stretch(other.started_at, other.ended_at)):
            code = session.get_one(Asset, asset_id).code
            raise Conflict("overlaps", f"{code} stood in that time already (row {other.id})", other.state)


def _set(session: Session, row: Downtime, action: str, values: Mapping[str, Any], user: Person, now: datetime) -> None:
    old = {name: getattr(row, name) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    row.rev += 1
    session.flush()
    _note(session, action, row, old, dict(values), user, now)


def _note(
    session: Session, action: str, row: Downtime, old: Mapping[str, Any] | None, new: Mapping[str, Any], by: Person, now: datetime
) -> None:
    audit.record(session, audit.Change(action, "downtime", row.id, row.site_id, old, new), by, now)
