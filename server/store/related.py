"""What bodies need around an alert, an order or an asset, fetched in a handful of queries however many rows there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on
from sqlalchemy.orm import Session, aliased

from server.models.alerts import AlertRecord
from server.models.base import Base
from server.models.order_records import OrderLabour
from server.models.people import User
from server.models.plant import Area, Asset, AssetClass, Site, Source, Tag, TagLimit
from server.models.requests import FaultRequest
from server.models.work import Procedure, ProcedureVersion, ProofWindow, StepEvent, Team, WorkOrder
from server.rules.work_order import UNVERIFIED
from server.store import order_hooks

Row = TypeVar("Row", bound=Base)


@dataclass(slots=True)
class Related:
    """Rows by id; what is missing was not needed."""

    assets: dict[int, Asset] = field(default_factory=dict)
    areas: dict[int, Area] = field(default_factory=dict)
    classes: dict[int, AssetClass] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    teams: dict[int, Team] = field(default_factory=dict)
    alerts: dict[int, AlertRecord] = field(default_factory=dict)
    orders: dict[int, WorkOrder] = field(default_factory=dict)
    procedures: dict[int, Procedure] = field(default_factory=dict)
    versions: dict[int, ProcedureVersion] = field(default_factory=dict)  # by version id
    newest: dict[int, ProcedureVersion] = field(default_factory=dict)  # by procedure id
    proofs: dict[int, ProofWindow] = field(default_factory=dict)  # newest by order id
    done: dict[int, int] = field(default_factory=dict)  # answered steps by order id
    first_out: dict[int, int] = field(default_factory=dict)  # oldest open alert by asset id
    labour: dict[int, Decimal] = field(default_factory=dict)  # cost by order id
    labour_min: dict[int, int] = field(default_factory=dict)  # minutes booked by order id
    parts: dict[int, Decimal] = field(default_factory=dict)  # cost by order id
    currencies: dict[int, str] = field(default_factory=dict)  # by site id
    requests: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # fault reports it came from, by order id

    def tag_named(self, name: str | None) -> Tag | None:
        """The tag, where it is one of ours."""
        return self.tags.get(name) if name else None


def by_id(session: Session, model: type[Row], ids: Iterable[int | None]) -> dict[int, Row]:
    """Rows of a table by their ids; None and repetitions are fine."""
    wanted = {id_ for id_ in ids if id_ is not None}
    if not wanted:
        return {}
    return {row.id: row for row in session.scalars(select(model).where(model.id.in_(wanted)))}  # type: ignore[attr-defined]


def of_orders(session: Session, orders: Collection[WorkOrder]) -> Related:
    """Everything that the bodies of these orders mention."""
    related = Related()
    order_ids = [order.id for order in orders]
    if not order_ids:
        return related
    _around_orders(session, related, order_ids)
    _add_versions(session, related, orders)
    newest = select(ProofWindow).where(ProofWindow.order_id.in_(order_ids)).order_by(ProofWindow.id)
    related.proofs = {window.order_id: window for window in session.scalars(newest)}
    related.done = steps_done(session, order_ids)
    return related


def _around_orders(session: Session, related: Related, order_ids: list[int]) -> None:
    """What an order has one of at most, in one query."""
    repeat, parent = aliased(WorkOrder), aliased(WorkOrder)
    booked = (OrderLabour.order_id == WorkOrder.id, OrderLabour.deleted_at.is_(None))
    labour, worked_min = (select(func.sum(one)).where(*booked).scalar_subquery() for one in (OrderLabour.cost, OrderLabour.minutes))
    joined = (
        select(WorkOrder.id, Asset, Area, Site, AlertRecord, Tag, User, Team, Procedure, repeat, parent)
        .add_columns(labour, worked_min, order_hooks.parts_cost(), _reports())
        .join(Asset, Asset.id == WorkOrder.asset_id)
        .join(Site, Site.id == WorkOrder.site_id)
        .outerjoin(Area, Area.id == Asset.area_id)
        .outerjoin(AlertRecord, AlertRecord.id == WorkOrder.alert_id)
        .outerjoin(Tag, Tag.name == AlertRecord.tag)
        .outerjoin(User, User.id == WorkOrder.assignee_id)
        .outerjoin(Team, Team.id == WorkOrder.team_id)
        .outerjoin(Procedure, Procedure.id == WorkOrder.procedure_id)
        .outerjoin(repeat, repeat.id == WorkOrder.repeat_of_id)
        .outerjoin(parent, parent.id == WorkOrder.parent_id)
    )
    keyed: list[dict[int, Any]] = [related.assets, related.areas, related.alerts, related.users, related.teams]
    keyed += [related.procedures, related.orders, related.orders]
    for order_id, asset, area, site, alert, tag, user, team, procedure, *more in session.execute(joined.where(WorkOrder.id.in_(order_ids))):
        earlier, above, worked, minutes, used, reports = more
        for rows, row in zip(keyed, (asset, area, alert, user, team, procedure, earlier, above), strict=True):
            if row is not None:
                rows[row.id] = row
        if tag is not None:
            related.tags[tag.name] = tag
        related.currencies[site.id] = site.currency
        related.requests[order_id] = reports or []
        related.labour_min[order_id] = int(minutes or 0)
        related.labour[order_id], related.parts[order_id] = worked or Decimal(0), used or Decimal(0)


def _reports() -> Any:
    """The fault reports that an order came from, as its body names them."""
    brief = func.jsonb_build_object("id", FaultRequest.id, "number", FaultRequest.number, "reporter", FaultRequest.reporter)
    listed = func.jsonb_agg(aggregate_order_by(brief, FaultRequest.id))
    return select(listed).where(FaultRequest.order_id == WorkOrder.id).correlate(WorkOrder).scalar_subquery()


def _add_versions(session: Session, related: Related, orders: Collection[WorkOrder]) -> None:
    """The pinned version of each order, the newest where none is pinned."""
    pinned = {order.procedure_version_id for order in orders} - {None}
    unpinned = {order.procedure_id for order in orders if order.procedure_version_id is None} - {None}
    if not pinned | unpinned:
        return
    newest = (
        select(ProcedureVersion.id)
        .where(ProcedureVersion.procedure_id.in_(unpinned))
        .ext(distinct_on(ProcedureVersion.procedure_id))
        .order_by(ProcedureVersion.procedure_id, ProcedureVersion.version.desc())
    )
    query = select(ProcedureVersion).where(ProcedureVersion.id.in_(pinned) | ProcedureVersion.id.in_(newest))
    for version in session.scalars(query.order_by(ProcedureVersion.version)):
        related.versions[version.id] = version
        related.newest[version.procedure_id] = version


def of_alerts(session: Session, alerts: Collection[AlertRecord]) -> Related:
    """Everything that the bodies of these alerts mention, in one query."""
    related = Related()
    if not alerts:
        return related
    older = aliased(AlertRecord)
    first = select(func.min(older.id)).where(
        older.asset_id == AlertRecord.asset_id, older.resolved_at.is_(None), older.watch.is_(False), older.condition == "active"
    )
    joined = (
        select(Asset, Area, AssetClass, Tag, WorkOrder, User, first.scalar_subquery())
        .select_from(AlertRecord)
        .outerjoin(Asset, Asset.id == AlertRecord.asset_id)
        .outerjoin(Area, Area.id == Asset.area_id)
        .outerjoin(AssetClass, AssetClass.id == Asset.class_id)
        .outerjoin(Tag, Tag.name == AlertRecord.tag)
        .outerjoin(WorkOrder, WorkOrder.id == AlertRecord.work_order_id)
        .outerjoin(User, User.id == WorkOrder.assignee_id)
        .where(AlertRecord.id.in_([alert.id for alert in alerts]))
    )
    for asset, area, class_, tag, order, user, oldest in session.execute(joined):
        _keep((related.assets, asset), (related.areas, area), (related.classes, class_), (related.orders, order), (related.users, user))
        if tag is not None:
            related.tags[tag.name] = tag
        if asset is not None and oldest is not None:
            related.first_out[asset.id] = oldest
    return related


def _keep(*rows: tuple[dict[int, Any], Any]) -> None:
    """Enter each row that is there under its id."""
    for known, row in rows:
        if row is not None:
            known[row.id] = row


def of_assets(session: Session, assets: Collection[Asset]) -> Related:
    """Areas, classes and newest unverified orders of these assets, with who has them."""
    related = Related(assets={asset.id: asset for asset in assets})
    around = select(Area, AssetClass).select_from(Asset).outerjoin(Area, Area.id == Asset.area_id)
    around = around.outerjoin(AssetClass, AssetClass.id == Asset.class_id).where(Asset.id.in_(related.assets))
    for area, class_ in session.execute(around):
        _keep((related.areas, area), (related.classes, class_))
    newest = (
        select(WorkOrder, User)
        .outerjoin(User, User.id == WorkOrder.assignee_id)
        .where(WorkOrder.asset_id.in_(related.assets), WorkOrder.state.in_([str(s) for s in UNVERIFIED]))
        .order_by(WorkOrder.id)
    )
    for order, user in session.execute(newest):
        related.orders[order.asset_id] = order  # the newest of an asset wins
        _keep((related.users, user))
    return related


def steps_done(session: Session, order_ids: Iterable[int]) -> dict[int, int]:
    """Answered steps by order since it was last reopened: the last event of a step counts."""
    last = (
        select(StepEvent.order_id, StepEvent.kind)
        .join(WorkOrder, WorkOrder.id == StepEvent.order_id)
        .where(StepEvent.order_id.in_(list(order_ids)))
        .where(WorkOrder.reopened_at.is_(None) | (StepEvent.received_at >= WorkOrder.reopened_at))
        .ext(distinct_on(StepEvent.order_id, StepEvent.step_id))
        .order_by(StepEvent.order_id, StepEvent.step_id, StepEvent.id.desc())
        .subquery()
    )
    counts = select(last.c.order_id, func.count()).where(last.c.kind == "answer").group_by(last.c.order_id)
    return {int(row[0]): int(row[1]) for row in session.execute(counts)}


@dataclass(frozen=True, slots=True)
class TagRows:
    """Tags of assets with their limits and source names."""

    tags: dict[int, list[Tag]]
    limits: dict[int, list[TagLimit]]
    sources: dict[int, Source]


def tags_of(session: Session, asset_ids: Iterable[int]) -> TagRows:
    """Live tags by asset, limits by tag, sources by id."""
    tags: dict[int, list[Tag]] = {}
    sources: dict[int, Source] = {}
    live = select(Tag, Source).outerjoin(Source, Source.id == Tag.source_id)
    for tag, source in session.execute(live.where(Tag.asset_id.in_(list(asset_ids)), Tag.deleted_at.is_(None)).order_by(Tag.id)):
        tags.setdefault(tag.asset_id, []).append(tag)
        _keep((sources, source))
    everything = [tag for rows in tags.values() for tag in rows]
    limits: dict[int, list[TagLimit]] = {}
    for limit in session.scalars(select(TagLimit).where(TagLimit.tag_id.in_([tag.id for tag in everything])).order_by(TagLimit.id)):
        limits.setdefault(limit.tag_id, []).append(limit)
    return TagRows(tags, limits, sources)
