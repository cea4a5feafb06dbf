"""What a class brings to a site beside tags: procedures, PM plans and the parts list. Made once a site, then people's own.

Each is written through its own store; what is there already is never changed from here, but a plan takes on further assets.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.parts import BomLine, Part
from server.models.plans import PmPlan, PmPlanAsset
from server.models.plant import Asset, AssetClass
from server.models.work import Procedure
from server.rules.class_application import Change
from server.store import parts, plans, procedure_edits
from server.store.actor import Person
from server.store.areas import site_day


def series_of(class_: AssetClass, key: str) -> str:
    """The mark of a plan that came from a class."""
    return f"class:{class_.name}:{key}"[:64]


def changes(session: Session, class_: AssetClass, assets: Collection[Asset], user: Person) -> list[Change]:
    """What the site does not have yet; `keep` = a part of the list that the store does not know by that name."""
    return [*_procedures(session, class_, user), *_plans(session, class_, assets, user), *_bom(session, class_, user)]


def _procedures(session: Session, class_: AssetClass, user: Person) -> list[Change]:
    wanted = {row["code"]: row for row in class_.settings.get("procedures") or []}
    known = session.scalars(select(Procedure.code).where(Procedure.site_id == user.site_id, Procedure.code.in_(wanted)))
    missing = wanted.keys() - set(known)
    return [Change("add", "procedure", code, new=wanted[code]["title"]) for code in sorted(missing)]


def _plans(session: Session, class_: AssetClass, assets: Collection[Asset], user: Person) -> list[Change]:
    wanted = {series_of(class_, row["key"]): row for row in class_.settings.get("plans") or []}
    query = select(PmPlan).where(PmPlan.site_id == user.site_id, PmPlan.series.in_(wanted), PmPlan.deleted_at.is_(None))
    known = {plan.series: plan for plan in session.scalars(query.order_by(PmPlan.id))}
    on = _on_plans(session, [plan.id for plan in known.values()])
    found = []
    for series, row in wanted.items():
        plan = known.get(series)
        there = on.get(plan.id, set()) if plan else set()
        further = sorted(asset.code for asset in assets if asset.id not in there)
        if plan is None:
            found.append(Change("add", "plan", series, "title", new=row["title"]))
        if further:
            found.append(Change("add", "plan", series, "assets", new=further))
    return found


def _on_plans(session: Session, plan_ids: Sequence[int]) -> dict[int, set[int]]:
    """Every asset that is or was on each plan: one that a person took out stays out."""
    found: dict[int, set[int]] = {}
    for plan, asset in session.execute(select(PmPlanAsset.plan_id, PmPlanAsset.asset_id).where(PmPlanAsset.plan_id.in_(plan_ids))):
        found.setdefault(plan, set()).add(asset)
    return found


def _bom(session: Session, class_: AssetClass, user: Person) -> list[Change]:
    wanted = {row["part"]: row for row in class_.settings.get("bom") or []}
    query = select(Part).where(Part.site_id == user.site_id, Part.name.in_(wanted), Part.deleted_at.is_(None))
    known = {part.name: part for part in session.scalars(query.order_by(Part.id.desc()))}
    lines = select(BomLine.part_id).where(BomLine.class_id == class_.id, BomLine.site_id == user.site_id, BomLine.deleted_at.is_(None))
    listed = set(session.scalars(lines))
    found = [
        Change("add", "part", name, new=float(row["quantity"]))
        for name, row in wanted.items()
        if name in known and known[name].id not in listed
    ]
    return found + [Change("keep", "part", name, old="not in the store") for name in wanted if name not in known]


def make(session: Session, class_: AssetClass, wanted: Sequence[Change], user: Person, now: datetime) -> None:
    """Make what `changes` listed, procedures before the plans that name them."""
    for change in wanted:
        if change.act == "add" and change.kind == "procedure":
            _make_procedure(session, class_, change.thing, user, now)
    for change in wanted:
        if change.act == "add" and change.kind == "part":
            _make_line(session, class_, change.thing, user, now)
        if change.kind == "plan" and change.field == "assets":
            _put_on_plan(session, class_, change, user, now)


def _make_procedure(session: Session, class_: AssetClass, code: str, user: Person, now: datetime) -> None:
    row = next(row for row in class_.settings["procedures"] if row["code"] == code)
    made = procedure_edits.create(session, {"code": code, "title": row["title"], "class_": class_.name}, user, now)
    document = {name: value for name, value in row.items() if name not in {"code", "title"}}
    procedure_edits.publish(session, made, document, user, now)


def _put_on_plan(session: Session, class_: AssetClass, change: Change, user: Person, now: datetime) -> None:
    query = select(PmPlan).where(PmPlan.site_id == user.site_id, PmPlan.series == change.thing, PmPlan.deleted_at.is_(None))
    plan = session.scalars(query.order_by(PmPlan.id)).first()
    if plan is not None:
        on = select(Asset.code).join(PmPlanAsset, PmPlanAsset.asset_id == Asset.id)
        there = session.scalars(on.where(PmPlanAsset.plan_id == plan.id, PmPlanAsset.ended_at.is_(None), Asset.deleted_at.is_(None)))
        plans.change(session, plan, {"assets": [*there, *change.new]}, user, now)
        return
    row = next(row for row in class_.settings["plans"] if series_of(class_, row["key"]) == change.thing)
    frame = {"series": change.thing, "assets": change.new, "starts_on": site_day(session, user.site_id, now)}
    plans.create(session, {**_plan_fields(row), **frame}, user, now)


def _plan_fields(row: dict[str, Any]) -> dict[str, Any]:
    trigger = {"kind": row["kind"], **({"rrule": row["rrule"]} if row["kind"] == "calendar" else {"every": float(row["every"])})}
    named = {"procedure": row["procedure"]} if row.get("procedure") else {}
    return {"title": row["title"], "estimated_min": row.get("estimated_min"), "triggers": [trigger], **named}


def _make_line(session: Session, class_: AssetClass, name: str, user: Person, now: datetime) -> None:
    row = next(row for row in class_.settings["bom"] if row["part"] == name)
    query = select(Part.id).where(Part.site_id == user.site_id, Part.name == name, Part.deleted_at.is_(None)).order_by(Part.id)
    values = {"asset_class": class_.name, "part_id": session.scalars(query).first(), "quantity": row["quantity"]}
    parts.create_bom_line(session, {**values, "position": row.get("position", "")}, user, now)
