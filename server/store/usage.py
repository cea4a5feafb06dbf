"""What parts are used for and what is on its way: monthly use from the ledger, open purchase lines, reorder proposals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.parts import Part, StockMovement
from server.models.plant import Site
from server.models.purchases import Purchase, PurchaseLine
from server.rules import purchase_states, reorder, stock
from server.rules.purchase_states import PurchaseState
from server.rules.reorder import Position, Proposal
from server.store import purchases
from server.store.actor import SYSTEM, Actor, Person
from server.store.levels import ZERO, totals_of
from server.store.purchases import Line

USE_MONTHS = 6  # full months that the reorder rule looks back
USED = ("issue", "return")  # a return is use taken back

Used = dict[int, dict[tuple[int, int], Decimal]]


def used_by_month(session: Session, part_ids: Iterable[int], since: datetime, time_zone: str) -> Used:
    """Use of each part by (year, month) of the site's calendar, returns subtracted. One query."""
    month = func.date_trunc("month", func.timezone(time_zone, StockMovement.at))
    query = (
        select(StockMovement.part_id, month, func.sum(-StockMovement.quantity))
        .where(StockMovement.part_id.in_(list(part_ids)), StockMovement.reason.in_(USED), StockMovement.at >= since)
        .group_by(StockMovement.part_id, month)
    )
    found: Used = {}
    for part_id, start, quantity in session.execute(query):
        found.setdefault(part_id, {})[start.year, start.month] = quantity
    return found


def months_before(today: date, months: int, time_zone: str) -> datetime:
    """Start of the first of the last `months` calendar months in the site's time zone."""
    year, month = divmod(today.year * 12 + today.month - months, 12)
    return datetime(year, month + 1, 1, tzinfo=ZoneInfo(time_zone))


def trend(session: Session, part_ids: Sequence[int], site: Site, now: datetime, months: int) -> dict[int, list[tuple[str, Decimal]]]:
    """Monthly use of each part, oldest month first (S0-20)."""
    today = now.astimezone(ZoneInfo(site.time_zone)).date()
    used = used_by_month(session, part_ids, months_before(today, months, site.time_zone), site.time_zone)
    return {part_id: stock.monthly(used.get(part_id, {}), today, months) for part_id in part_ids}


def on_order(session: Session, part_ids: Iterable[int]) -> dict[int, Decimal]:
    """What open purchases, proposals too, still have to bring of each part."""
    still = func.sum(func.greatest(PurchaseLine.quantity - PurchaseLine.received, 0))
    query = (
        select(PurchaseLine.part_id, still)
        .join(Purchase, Purchase.id == PurchaseLine.purchase_id)
        .where(PurchaseLine.part_id.in_(list(part_ids)), Purchase.state.in_([str(state) for state in purchase_states.OPEN]))
        .group_by(PurchaseLine.part_id)
    )
    return {part_id: Decimal(quantity) for part_id, quantity in session.execute(query)}


def proposals(session: Session, site: Site, now: datetime) -> list[tuple[Part, Proposal]]:
    """What the reorder rule would buy for the site now, by supplier and number."""
    query = select(Part).where(Part.site_id == site.id, Part.deleted_at.is_(None), Part.minimum > 0)
    rows = session.scalars(query.order_by(Part.supplier, Part.number)).all()
    ids = [part.id for part in rows]
    levels, coming = totals_of(session, ids), on_order(session, ids)
    use = trend(session, ids, site, now, USE_MONTHS + 1)
    found: list[tuple[Part, Proposal]] = []
    for part in rows:
        level = levels.get(part.id)
        position = Position(
            available=level.available if level else ZERO,
            on_order=coming.get(part.id, ZERO),
            minimum=part.minimum,
            maximum=part.maximum,
            lot=part.reorder_quantity,
            lead_days=part.lead_days,
            monthly_use=max(ZERO, stock.mean_use(quantity for _month, quantity in use[part.id][:-1])),
        )
        proposal = reorder.propose(position)
        if proposal is not None:
            found.append((part, proposal))
    return found


def propose(session: Session, site: Site, user: Person, now: datetime) -> list[Purchase]:
    """Write the rule's proposals down, one a supplier; what is proposed already counts as on its way, so twice adds nothing."""
    session.scalar(select(func.pg_advisory_xact_lock(_LOCK, site.id)))
    by_supplier: dict[str, list[Line]] = {}
    for part, proposal in proposals(session, site, now):
        by_supplier.setdefault(part.supplier, []).append(Line(part.id, proposal.quantity, part.unit_cost, proposal.why))
    return [
        purchases.insert(session, PurchaseState.PROPOSED, {"supplier": supplier, "note": "reorder proposal"}, lines, user, now)
        for supplier, lines in sorted(by_supplier.items())
    ]


_LOCK = 7_163_009  # two proposers of one site follow each other


def propose_everywhere(session: Session, now: datetime) -> int:
    """The leader's task: proposals of every site; returns how many purchases were written."""
    sites = session.scalars(select(Site).where(Site.id.in_(select(Part.site_id).where(Part.minimum > 0))).order_by(Site.id)).all()
    return sum(len(propose(session, site, Actor(None, SYSTEM.name, SYSTEM.role, site.id), now)) for site in sites)
