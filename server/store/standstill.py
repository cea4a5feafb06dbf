"""Downtime rows follow the machines: opened and closed by what the PLC said, with everything below a machine that stands.

The leader folds each operating period exactly once (`OperatingPeriod.followed`), in the order of time, with the period's own time.
Whoever writes downtime of a site holds that site's lock first; what people do with rows is in downtime_acts. Nothing here commits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from server import audit
from server.models.downtime import Downtime
from server.models.notifications import ABOUT_DOWNTIME
from server.models.people import User
from server.models.plant import Asset, OperatingPeriod
from server.models.work import WorkOrder
from server.rules.asset import Operating
from server.rules.downtime import DOWN, OWN, OpenRow, category_at_start, stands_for
from server.rules.roles import Role
from server.rules.work_order import IN_WORK, OrderState
from server.store.actor import SYSTEM
from server.store.notifications import Message, notify
from server.timestamps import rfc3339

AT_ONCE = 500
ASK_AFTER = timedelta(minutes=2)  # shorter stops ask nobody
LOOKED_BACK = timedelta(days=1)
EVERY_SITE = 0
LOCK = 7_308  # any number that no other advisory lock of two keys has
ENDS_MANUAL = frozenset({Operating.RUNNING, Operating.IDLE})


def lock_site(session: Session, site_id: int) -> None:
    """Hold the site's downtime until commit; taken before any row is read that decides what is written."""
    session.execute(text("SELECT pg_advisory_xact_lock(:kind, :site)"), {"kind": LOCK, "site": site_id})


def follow(session: Session, now: datetime) -> int:
    """Fold the periods that are new; the number folded. For the leader's clock, once a second; a second leader waits and finds none."""
    lock_site(session, EVERY_SITE)
    query = select(OperatingPeriod, Asset).join(Asset, Asset.id == OperatingPeriod.asset_id).where(~OperatingPeriod.followed)
    rows = session.execute(query.order_by(OperatingPeriod.started_at, OperatingPeriod.id).limit(AT_ONCE)).all()
    for site_id in sorted({asset.site_id for _, asset in rows}):
        lock_site(session, site_id)
    follower = _Follower(session, now)
    for period, asset in rows:
        follower.does[asset.id] = Operating(period.operating)
        follower.settle(asset, period.started_at)
    # last, so that whoever closes a period meanwhile is waited for once and waits for nothing of ours
    session.execute(update(OperatingPeriod).where(OperatingPeriod.id.in_([period.id for period, _ in rows])).values(followed=True))
    return len(rows)


def settle_below(session: Session, asset: Asset, at: datetime, now: datetime) -> None:
    """After a person opened or ended a row of a machine: what stands below it. The site is locked."""
    _Follower(session, now).below(asset, at)


@dataclass(slots=True)
class _Follower:
    """One pass over new periods; `does` is what machines do as far as they were folded."""

    session: Session
    now: datetime
    does: dict[int, Operating] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def settle(self, asset: Asset, at: datetime) -> None:
        """Bring the machine's row, and those below it, in line with what it does since `at`."""
        if asset.id in self._seen or asset.deleted_at is not None:
            return  # a tree that bites its tail
        row = open_row(self.session, asset.id)
        operating = self._doing(asset.id)
        own_down = operating in DOWN or (row is not None and row.state == "manual" and operating not in ENDS_MANUAL)
        above = _above(self.session, asset)
        wanted = stands_for(own_down=own_down, above=above, current=OpenRow(row.id, row.cause_id) if row else None)
        if wanted == (None if row is None else row.cause_id or OWN):
            return
        if row is not None:
            close(self.session, row, at, self.now)
        if wanted is not None:
            _open(self.session, asset, operating, wanted or None, at, self.now)
        self.below(asset, at)

    def below(self, asset: Asset, at: datetime) -> None:
        """The machines below it, in turn."""
        self._seen.add(asset.id)
        for child in self.session.scalars(select(Asset).where(Asset.parent_id == asset.id).order_by(Asset.id)).all():
            self.settle(child, at)
        self._seen.discard(asset.id)

    def _doing(self, asset_id: int) -> Operating:
        """A newer period waits for its own turn."""
        if asset_id not in self.does:
            query = select(OperatingPeriod.operating).where(OperatingPeriod.asset_id == asset_id, OperatingPeriod.followed)
            newest = query.order_by(OperatingPeriod.started_at.desc(), OperatingPeriod.id.desc()).limit(1)
            self.does[asset_id] = Operating(self.session.scalar(newest) or Operating.UNKNOWN)
        return self.does[asset_id]


def open_row(session: Session, asset_id: int) -> Downtime | None:
    """The machine's open row."""
    query = select(Downtime).where(Downtime.asset_id == asset_id, Downtime.ended_at.is_(None), Downtime.deleted_at.is_(None))
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def _above(session: Session, asset: Asset) -> int | None:
    parent = open_row(session, asset.parent_id) if asset.parent_id is not None else None
    return None if parent is None else parent.cause_id or parent.id


def _open(session: Session, asset: Asset, operating: Operating, cause: int | None, at: datetime, now: datetime) -> None:
    order = order_at(session, asset.id)
    in_planned_work = order is not None and order.state in IN_WORK and order.type != "corrective"
    ended = session.scalar(select(func.max(Downtime.ended_at)).where(Downtime.asset_id == asset.id, Downtime.deleted_at.is_(None)))
    row = Downtime(
        site_id=asset.site_id,
        asset_id=asset.id,
        cause_id=cause,
        started_at=max(at, ended) if ended else at,
        state="parent" if cause else str(operating),
        fault_code=None if cause else asset.fault_code,
        machine_rate=asset.machine_rate,
    )
    row.category = str(category_at_start(operating, in_planned_work=in_planned_work))
    if cause:
        row.category, row.reason_id = session.execute(select(Downtime.category, Downtime.reason_id).where(Downtime.id == cause)).one()
    session.add(row)
    session.flush()
    new = {"asset": asset.code, "started_at": rfc3339(row.started_at), "state": row.state, "category": row.category, "cause": cause}
    audit.record(session, audit.Change("open", "downtime", row.id, row.site_id, None, new), SYSTEM, now)


def close(session: Session, row: Downtime, at: datetime, now: datetime) -> None:
    """The machine stands no longer since `at`."""
    row.ended_at = max(at, row.started_at)
    row.rev += 1
    session.flush()
    change = audit.Change("close", "downtime", row.id, row.site_id, {"ended_at": None}, {"ended_at": rfc3339(row.ended_at)})
    audit.record(session, change, SYSTEM, now)


def order_at(session: Session, asset_id: int) -> WorkOrder | None:
    """The order that works on the machine now, else the newest corrective one that waits."""
    waiting = [str(state) for state in (OrderState.OPEN, OrderState.ASSIGNED, OrderState.REOPENED)]
    in_work = WorkOrder.state.in_([str(state) for state in IN_WORK])
    query = select(WorkOrder).where(
        WorkOrder.asset_id == asset_id, in_work | (WorkOrder.state.in_(waiting) & (WorkOrder.type == "corrective"))
    )
    return session.scalars(query.order_by(in_work.desc(), WorkOrder.id.desc()).limit(1)).one_or_none()


def tie_orders(session: Session, now: datetime) -> int:
    """Give rows the corrective order that was opened for them, or worked on the machine while it stood; the number tied."""
    worked = (
        select(WorkOrder.id)
        .where(
            WorkOrder.asset_id == Downtime.asset_id,
            WorkOrder.state != str(OrderState.CANCELLED),
            (WorkOrder.type == "corrective") | WorkOrder.started_at.is_not(None),
            func.coalesce(WorkOrder.started_at, WorkOrder.created_at) < func.coalesce(Downtime.ended_at, now) + timedelta(seconds=1),
            WorkOrder.completed_at.is_(None) | (WorkOrder.completed_at > Downtime.started_at),
        )
        .order_by(WorkOrder.id.desc())
        .limit(1)
        .correlate(Downtime)
        .scalar_subquery()
    )
    recent = Downtime.ended_at.is_(None) | (Downtime.ended_at > now - LOOKED_BACK)
    untied = update(Downtime).where(Downtime.work_order_id.is_(None), Downtime.cause_id.is_(None), Downtime.deleted_at.is_(None), recent)
    tied = session.scalars(
        untied.where(worked.is_not(None)).values(work_order_id=worked, rev=Downtime.rev + 1).returning(Downtime.id)
    ).all()
    for row_id in tied:
        row = session.get_one(Downtime, row_id, populate_existing=True)
        new = {"work_order_id": row.work_order_id}
        audit.record(session, audit.Change("tie", "downtime", row.id, row.site_id, {"work_order_id": None}, new), SYSTEM, now)
    return len(tied)


def ask_reasons(session: Session, now: datetime) -> int:
    """Ask the people on duty why a machine stands, once a row and only where it stood for a while; the number asked for."""
    query = select(Downtime, Asset).join(Asset, Asset.id == Downtime.asset_id)
    query = query.where(~Downtime.asked, Downtime.cause_id.is_(None), Downtime.reason_id.is_(None), Downtime.deleted_at.is_(None))
    query = query.where(func.coalesce(Downtime.ended_at, now) - Downtime.started_at >= ASK_AFTER, Downtime.started_at > now - LOOKED_BACK)
    rows = session.execute(query.with_for_update(of=Downtime, skip_locked=True)).all()
    for row, asset in rows:
        row.asked = True
        asked = select(User.id).where(User.site_id == row.site_id, User.active, User.on_duty)
        people = (
            asked.where(User.role == str(Role.TECHNICIAN)),
            asked.where(User.role == str(Role.OPERATOR), User.area_id.is_(None) | (User.area_id == asset.area_id)),
        )
        title = f"{asset.code} stands: why?" if row.ended_at is None else f"{asset.code} stood: why?"
        group = f"{ABOUT_DOWNTIME}{row.id}"
        message = Message("downtime_reason", title, f"since {rfc3339(row.started_at)}", row.work_order_id, site_id=row.site_id, group=group)
        notify(session, [id_ for one in people for id_ in session.scalars(one)], message, now)
    return len(rows)
