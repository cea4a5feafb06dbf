"""Lists of work orders: what a query may ask for. Nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from server.errors import Invalid
from server.models.alerts import AlertRecord
from server.models.plant import Asset
from server.models.work import Team, WorkOrder
from server.rules.order_types import DONE
from server.rules.priorities import RANK, parse
from server.rules.work_order import UNVERIFIED, OrderState
from server.store.page import Page, ordering

ACCEPTED_STATUS = {"fixed": OrderState.COMPLETED, "closed": OrderState.VERIFIED}  # words of older systems
BREAKDOWN = "corrective"
SORTS = {
    "id": WorkOrder.id,
    "number": WorkOrder.id,
    "title": func.lower(WorkOrder.title),
    "status": WorkOrder.state,
    "type": WorkOrder.type,
    "priority": case({str(priority): rank for priority, rank in RANK.items()}, value=WorkOrder.priority, else_=len(RANK) + 1),
    "due_at": WorkOrder.due,
    "sla_at": WorkOrder.sla_at,
    "created_at": WorkOrder.created_at,
    "completed_at": WorkOrder.completed_at,
    "external_ref": WorkOrder.external_ref,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which orders; None = any. status: a state, `active` (not verified or cancelled) or `done`; tag: a tag or an asset code."""

    site: int | None
    status: str | None = None
    tag: str | None = None
    asset: str | None = None
    type: str | None = None
    priority: str | None = None
    assigned_to: int | None = None
    team: str | None = None
    parent: str | None = None
    overdue: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None


def list_orders(session: Session, wanted: Wanted, *, now: datetime, limit: int = 50, offset: int = 0, sort: str = "-id") -> Page[WorkOrder]:
    """The orders that are wanted, newest first where nothing else is said; `now` decides which are overdue. Raises Invalid."""
    ids = select(WorkOrder.id).where(*conditions(wanted, now))
    order = ordering(sort, SORTS, "-id")
    total = session.scalar(ids.with_only_columns(func.count(WorkOrder.id))) or 0
    page = ids.order_by(*order).limit(limit).offset(offset)  # ids alone: the rows before the page stay unread
    return Page(session.scalars(select(WorkOrder).where(WorkOrder.id.in_(page)).order_by(*order)).all(), total)


def conditions(wanted: Wanted, now: datetime) -> list[ColumnElement[bool]]:
    """The WHERE of a list; raises Invalid."""
    plain: list[tuple[Any, Any]] = [
        (wanted.site, WorkOrder.site_id),
        (wanted.type, WorkOrder.type),
        (wanted.assigned_to, WorkOrder.assignee_id),
    ]
    found: list[ColumnElement[bool]] = [column == value for value, column in plain if value is not None]
    if wanted.status is not None:
        found.append(WorkOrder.state.in_(states_of(wanted.status)))
    if wanted.priority is not None:
        found.append(WorkOrder.priority == _priority(wanted.priority))
    if wanted.overdue is not None:
        late = WorkOrder.due.is_not(None) & (WorkOrder.due < now) & WorkOrder.state.not_in([str(state) for state in DONE])
        found.append(late if wanted.overdue else ~late)
    if wanted.since is not None:
        found.append(WorkOrder.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(WorkOrder.created_at < wanted.until)
    return found + _related(wanted)


def _related(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.tag is not None:
        alert = select(AlertRecord.id).where(AlertRecord.tag == wanted.tag)
        asset = select(Asset.id).where(Asset.code == wanted.tag)
        found.append(WorkOrder.alert_id.in_(alert) | WorkOrder.asset_id.in_(asset))
    if wanted.asset is not None:
        found.append(WorkOrder.asset_id.in_(select(Asset.id).where(Asset.code == wanted.asset)))
    if wanted.team is not None:
        found.append(WorkOrder.team_id.in_(select(Team.id).where(Team.name == wanted.team)))
    if wanted.parent is not None:
        of_id = int(wanted.parent) if wanted.parent.isascii() and wanted.parent.isdigit() and len(wanted.parent) < 18 else 0
        above = select(WorkOrder.id).where((WorkOrder.number == wanted.parent) | (WorkOrder.id == of_id))
        found.append(WorkOrder.parent_id.in_(above))
    if wanted.search:
        asset = select(Asset.id).where(
            Asset.code.icontains(wanted.search, autoescape=True) | Asset.name.icontains(wanted.search, autoescape=True)
        )
        words = wanted.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        found.append(WorkOrder.searched.like(func.lower(f"%{words}%"), escape="\\") | WorkOrder.asset_id.in_(asset))
    return found


def _priority(raw: str) -> str:
    found = parse(raw)
    if found is None:
        raise Invalid("priority", "unknown", f"one of {', '.join(RANK)}")
    return str(found)


def states_of(status: str) -> list[str]:
    """States that a filter word means; raises Invalid."""
    if status == "active":
        return [str(state) for state in UNVERIFIED]
    if status == "done":
        return [str(OrderState.COMPLETED), str(OrderState.VERIFIED)]
    word = ACCEPTED_STATUS.get(status, status)
    if word not in set(OrderState):
        raise Invalid("status", "unknown", f"one of active, done, {', '.join(OrderState)}")
    return [str(word)]
