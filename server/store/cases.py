"""Closed orders as cases to learn from: what was found and what it turned out to be, of one asset class of a site. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, select
from sqlalchemy.orm import Session, aliased

from server.models.alerts import AlertRecord
from server.models.interventions import FaultTerm, Intervention
from server.models.plant import Asset, AssetClass
from server.models.work import WorkOrder
from server.rules import fault_kind
from server.rules.fault_kind import Case
from server.rules.taxonomy import DEFAULTS
from server.rules.work_order import OrderState, OrderVerdict

MOST = 500  # the newest; a plant changes
MEASURED = ("moved", "shape")
ENDED = [str(OrderState.COMPLETED), str(OrderState.VERIFIED)]


@dataclass(frozen=True, slots=True)
class Past:
    """One closed order: tag of its alert, what was found, the verdict, and the technician's words for it."""

    tag: str | None
    features: Mapping[str, str]
    code: str
    verdict: str
    category: str | None
    what: str | None

    @property
    def as_kind(self) -> Case | None:
        """What it teaches about the six labels of a signal."""
        label = fault_kind.kind_of_case(fault_kind.kind_by_rules({self.code}).label, self.verdict, self.what)
        return None if label is None else Case(self.features, label)

    @property
    def as_category(self) -> Case | None:
        """What it teaches about fault categories; a false alarm teaches none."""
        known = self.category is not None and self.verdict != OrderVerdict.FALSE
        return Case(self.features, self.category or "") if known else None


def features_of(type_: str, code: str | None, tag: str | None, measured: Mapping[str, Any]) -> dict[str, str]:
    """finding, signal (the last part of the tag: "vibration"), and what was measured of it: moved (alone, together), shape."""
    found = {"finding": code or type_, **({"signal": tag.rpartition(".")[2].lower()} if tag else {})}
    return found | {name: str(measured[name]) for name in MEASURED if measured.get(name)}


def newest_visit() -> ScalarSelect[int]:
    """Id of the newest intervention of the order that the query is about: what it says of the fault counts."""
    visit = select(Intervention.id).where(Intervention.order_id == WorkOrder.id, Intervention.deleted_at.is_(None))
    return visit.order_by(Intervention.id.desc()).limit(1).correlate(WorkOrder).scalar_subquery()


def past_of_class(session: Session, asset: Asset) -> list[Past]:
    """The newest closed alert-born orders with a verdict on assets of this class and site; empty where it has no class."""
    if asset.class_id is None:
        return []
    category, what = aliased(FaultTerm), aliased(FaultTerm)
    said = AlertRecord.data["diagnosis"]["features"]
    query = (
        select(AlertRecord.type, AlertRecord.code, AlertRecord.tag, said, WorkOrder.verdict, category.code, what.code)
        .select_from(WorkOrder)
        .join(AlertRecord, AlertRecord.id == WorkOrder.alert_id)
        .join(Asset, Asset.id == WorkOrder.asset_id)
        .outerjoin(Intervention, Intervention.id == newest_visit())
        .outerjoin(category, category.id == Intervention.category_id)
        .outerjoin(what, what.id == Intervention.what_id)
        .where(Asset.class_id == asset.class_id, WorkOrder.site_id == asset.site_id)
        .where(WorkOrder.verdict.is_not(None), WorkOrder.state.in_(ENDED))
        .order_by(WorkOrder.id.desc())
        .limit(MOST)
    )
    return [
        Past(tag, features_of(type_, code, tag, measured or {}), code or type_, verdict, term, of_what)
        for type_, code, tag, measured, verdict, term, of_what in session.execute(query)
    ]


def category_label(session: Session, site_id: int | None, code: str) -> str:
    """The site's word for a category; the usual one where the site has not written its own."""
    usual = {one.code: one.en for one in DEFAULTS if one.level == "category"}
    own = select(FaultTerm.label).where(FaultTerm.site_id == site_id, FaultTerm.level == "category", FaultTerm.code == code)
    return session.scalar(own.where(FaultTerm.deleted_at.is_(None)).limit(1)) or usual.get(code, code)


def class_name(session: Session, asset: Asset) -> str:
    """What the asset's class is called; empty where it has none."""
    class_ = session.get(AssetClass, asset.class_id) if asset.class_id is not None else None
    return (class_.label or class_.name).lower() if class_ else ""
