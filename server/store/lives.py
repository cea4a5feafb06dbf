"""Remaining life of machines: their lives out of the records, learned by a job of ml, told per asset. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import orjson
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server import audit
from server.job_table import LIVES
from server.models.alerts import AlertRecord
from server.models.downtime import Downtime
from server.models.interventions import FaultTerm, Intervention
from server.models.jobs import BackgroundJob
from server.models.parts import BomLine, StockMovement
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules.downtime import Category
from server.rules.lives import Renewal, WholeLife, cut
from server.rules.order_types import OrderType
from server.rules.work_order import OrderState, OrderVerdict
from server.store import assets, background
from server.store.actor import SYSTEM, Person, need
from server.store.cases import newest_visit
from server.store.diagnoses import INSTRUMENT
from server.store.usage import USED
from server.timestamps import from_ms, rfc3339, to_ms

LEAST_LIVES = 10  # ml refuses fewer; told beforehand so that people need not try
MOST_LIVES = 200  # newest
AGAIN_AFTER = timedelta(hours=20)  # what is left changes with every hour that a machine runs
# a sensor's own fault and a silence are no failure of the machine
FAILURES = [str(t) for t in (AlertType.MACHINE_FAULT, AlertType.RULE_VIOLATION, AlertType.DRIFT, AlertType.ANOMALY)]
DONE = [str(state) for state in (OrderState.COMPLETED, OrderState.VERIFIED)]


def records(session: Session, asset: Asset) -> tuple[list[WholeLife], dict[int, datetime | None]]:
    """The lives of all machines of its class in its site, and when the present life of each began; without a class of it alone."""
    query = select(Asset).where(Asset.site_id == asset.site_id, Asset.deleted_at.is_(None))
    kind = Asset.id == asset.id if asset.class_id is None else Asset.class_id == asset.class_id
    machines = list(session.scalars(query.where(kind).order_by(Asset.id)))
    installed = {
        one.id: None if one.installed_on is None else datetime.combine(one.installed_on, time(), UTC) for one in machines
    }  # fmt: skip
    ids = list(installed)
    lives, began = cut(installed, [*_failures(session, ids), *_planned(session, ids)])
    return lives[-MOST_LIVES:], began


def _failures(session: Session, ids: list[int]) -> Iterator[Renewal]:
    """Closed corrective orders: of an alert that was confirmed, or tied to a standstill that nobody had planned.

    Not where the technician found the instrument itself at fault.
    """
    stood = (
        select(Downtime.work_order_id, func.min(Downtime.started_at).label("since"))
        .where(Downtime.asset_id.in_(ids), Downtime.deleted_at.is_(None), Downtime.category == str(Category.UNPLANNED))
        .group_by(Downtime.work_order_id)
        .subquery()
    )
    query = (
        select(WorkOrder.asset_id, AlertRecord.raised_at, stood.c.since, WorkOrder.completed_at)
        .outerjoin(AlertRecord, AlertRecord.id == WorkOrder.alert_id)
        .outerjoin(stood, stood.c.work_order_id == WorkOrder.id)
        .outerjoin(Intervention, Intervention.id == newest_visit())
        .outerjoin(FaultTerm, FaultTerm.id == Intervention.category_id)
        .where(FaultTerm.code.is_distinct_from(INSTRUMENT))
        .where(WorkOrder.asset_id.in_(ids), WorkOrder.type == str(OrderType.CORRECTIVE), WorkOrder.state.in_(DONE))
        .where(
            WorkOrder.completed_at.is_not(None),
            or_(
                (WorkOrder.verdict == str(OrderVerdict.CONFIRMED)) & AlertRecord.type.in_(FAILURES),
                WorkOrder.alert_id.is_(None) & stood.c.since.is_not(None),
            ),
        )
    )
    for asset_id, raised, since, completed in session.execute(query):
        yield Renewal(asset_id, min(at for at in (raised, since) if at is not None), completed)


def _planned(session: Session, ids: list[int]) -> Iterator[Renewal]:
    """Closed orders of other types that used a part of the machine's own parts list; one that was given back was not used."""
    query = (
        select(WorkOrder.asset_id, WorkOrder.completed_at)
        .join(Asset, Asset.id == WorkOrder.asset_id)
        .join(StockMovement, StockMovement.order_id == WorkOrder.id)
        .join(BomLine, BomLine.part_id == StockMovement.part_id)
        .where(or_(BomLine.asset_id == Asset.id, BomLine.class_id == Asset.class_id))
        .where(WorkOrder.asset_id.in_(ids), WorkOrder.type != str(OrderType.CORRECTIVE), WorkOrder.state.in_(DONE))
        .where(StockMovement.reason.in_(USED))
        .group_by(WorkOrder.id, StockMovement.part_id, BomLine.id)
        .having(func.sum(StockMovement.quantity) < 0)
        .distinct()
    )
    for asset_id, completed in session.execute(query):
        if completed is not None:
            yield Renewal(asset_id, None, completed)


def learned_now(session: Session) -> set[int]:
    """The assets of which a learning is under way."""
    query = select(BackgroundJob.args["machines"]).where(BackgroundJob.name == LIVES, BackgroundJob.state.in_(background.OPEN))
    return {int(id_) for machines in session.scalars(query) for id_ in machines}


def newest_job(session: Session, asset: Asset, state: str | None = None) -> BackgroundJob | None:
    """The last learning that told, or was asked to tell, of this machine."""
    query = select(BackgroundJob).where(BackgroundJob.name == LIVES, BackgroundJob.args["machines"].has_key(str(asset.id)))
    if state is not None:
        query = query.where(BackgroundJob.state == state)
    return session.scalars(query.order_by(BackgroundJob.id.desc()).limit(1)).one_or_none()


def ask(session: Session, asset: Asset, user: Person, now: datetime) -> BackgroundJob:
    """Ask for what is left of every machine of its kind; while one is under way, it is that one. Raises Forbidden.

    Where the records hold the same lives as when a model was learned, that model is asked again instead of a new one.
    """
    need(user, "assets.write")
    lives, began = records(session, asset)
    assets.lock_asset(session, min(began))  # one for all machines of its kind: two who ask at once get one job
    last = newest_job(session, asset)
    if last is not None and background.holds_up(last, now):
        return last
    told = [[one.asset, to_ms(one.began), to_ms(one.ended)] for one in lives]
    machines = {str(id_): None if at is None else to_ms(at) for id_, at in began.items()}
    kept = newest_job(session, asset, "done")
    # after a failed attempt, as of a damaged model, it is learned anew
    same = kept is not None and kept is last and kept.args["lives"] == told and kept.args["machines"].keys() == machines.keys()
    model = kept.result["model"] if kept is not None and same else None
    args = {"asset": asset.id, "lives": told, "machines": machines, "model": model}
    return background.ask(session, LIVES, args, user, now, site_id=asset.site_id)


def finish(session: Session, job: BackgroundJob, answer: dict[str, Any], at: datetime) -> None:
    """End the job with what ml answered: what is left of each machine, or the reason why nobody can say."""
    job.finished_at = at
    if "refused" in answer:
        job.state, job.message = "failed", str(answer["refused"])
        return
    job.state, job.result = "done", orjson.loads(orjson.dumps(answer))
    if job.args["model"] is None:
        new = {"asset": job.args["asset"], "version": answer["model"][1], "lives": answer["lives"], "by": job.created_by}
        audit.record(session, audit.Change("learn", "life_model", job.id, job.site_id, None, new), SYSTEM, at)


def again(session: Session, now: datetime) -> int:
    """Ask anew, once a day, where a model of remaining life was learned; returns how many."""
    kinds = select(func.max(BackgroundJob.id)).where(BackgroundJob.name == LIVES, BackgroundJob.state == "done")
    kinds = kinds.group_by(BackgroundJob.args["asset"].as_integer())
    asked = 0
    for job in session.scalars(select(BackgroundJob).where(BackgroundJob.id.in_(kinds)).order_by(BackgroundJob.id)):
        asset = session.get(Asset, int(job.args["asset"]))
        last = None if asset is None or asset.deleted_at is not None else newest_job(session, asset)
        if asset is not None and last is not None and last.created_at < now - AGAIN_AFTER:
            ask(session, asset, SYSTEM, now)
            asked += 1
    return asked


def body(session: Session, asset: Asset) -> dict[str, Any]:
    """The REST body: one row with what is left, or with the word that stands for it."""
    lives, began = records(session, asset)
    job, done = newest_job(session, asset), newest_job(session, asset, "done")
    row: dict[str, Any] = dict.fromkeys(("left_h", "low_h", "high_h", "more_than_h", "expected", "earliest", "latest", "hours_a_day"))
    row |= dict.fromkeys(("error_h", "learned_from", "version", "judged_at"))
    row |= {"state": "too_few_lives" if len(lives) < LEAST_LIVES else "not_learned", "lives": len(lives), "needed": LEAST_LIVES}
    row["began"] = rfc3339(began.get(asset.id))
    row["why"] = job.message if job is not None and job.state == "failed" else ""
    if done is not None:
        row |= _told(done.result, asset)
    elif job is not None and job.state in background.OPEN:
        row["state"] = "learning"
    return {"asset": asset.code, "remaining_life": [row], "job": None if job is None else background.body(job)}


def _told(result: dict[str, Any], asset: Asset) -> dict[str, Any]:
    found = dict(result["machines"].get(str(asset.id), {"state": "too_little"}))
    at = from_ms(int(result["at"]))
    told: dict[str, Any] = {"judged_at": rfc3339(at), "learned_from": result["lives"], "version": result["model"][1]}
    told["error_h"] = result["error_h"]
    pace = found.get("hours_a_day")
    for name, of in (("expected", "left_h"), ("earliest", "low_h"), ("latest", "high_h")):
        hours = found.get(of)
        told[name] = rfc3339(at + timedelta(days=hours / pace)) if hours is not None and pace else None
    return {**found, **told}
