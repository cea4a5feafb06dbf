"""What the monitor says of models: damaged ones are an alert, outdated ones are trained anew by themselves, for a person to activate.

Also what judges each asset, for its page. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.errors import DecodeError
from realtime.events import AlertType, Edge, Severity, Signal
from server.job_table import TRAIN
from server.models.alerts import AlertRecord
from server.models.jobs import BackgroundJob
from server.models.ml import Baseline, MLModelVersion
from server.models.plant import Asset, Tag
from server.rules.wording import MODEL_DAMAGED, Subject
from server.store import background, lives, training
from server.store.actor import SYSTEM, Person
from server.store.baselines import CHECKING
from server.store.conditions import Condition
from server.store.page import Page, ordering, page_of
from server.timestamps import from_ms

WORDS = "Model {version} of {asset} is damaged and not used: only rules watch it. Activate another version or train anew"

SORTS = {"asset": Asset.code, "name": Asset.name}


def condition(asset: Asset, signal: Signal) -> Condition:
    """The alert of a damaged model, which returns when a whole one is in force."""
    version, damaged = int(signal.data["version"]), signal.data["state"] == "damaged"
    edge: Edge = "open" if damaged else "close"
    text = WORDS.format(version=version, asset=asset.code)
    return Condition(
        key=f"model:{asset.id}",
        edge=edge,
        site_id=asset.site_id,
        asset_id=asset.id,
        subject=Subject(type=AlertType.DATA_GAP, code=MODEL_DAMAGED, asset=asset.code, text=text),
        detector="system",
        severity=Severity.WARNING,
        t=signal.t,
        t_onset=signal.t,
        data={"version": version, "detail": str(signal.data.get("detail", ""))[:500]},
    )


def mark(session: Session, asset: Asset, signal: Signal) -> None:
    """Keep with the version that it cannot be read, until it is read whole."""
    query = select(MLModelVersion).where(MLModelVersion.asset_id == asset.id, MLModelVersion.version == int(signal.data["version"]))
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None:
        return
    kept = {name: value for name, value in row.metrics.items() if name != training.DAMAGED}
    detail = str(signal.data.get("detail", ""))[:500]
    row.metrics = {**kept, training.DAMAGED: detail} if signal.data["state"] == training.DAMAGED else kept


def asset_of(session: Session, signal: Signal) -> Asset:
    """The asset that a signal is about; raises DecodeError."""
    asset = session.get(Asset, int(signal.data["asset"]))
    if asset is None:
        raise DecodeError(f"signal {signal.name}: asset {signal.data['asset']} is unknown")
    return asset


def outdated(session: Session, asset: Asset, signal: Signal) -> BackgroundJob | None:
    """Mark the version and ask for one of today's basis, unless there is one already or one was refused for that basis."""
    query = select(MLModelVersion).where(MLModelVersion.asset_id == asset.id, MLModelVersion.version == int(signal.data["version"]))
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None or asset.deleted_at is not None:
        return None
    basis = str(signal.data["basis"])
    row.metrics = {**row.metrics, "outdated": str(signal.data.get("detail", ""))}
    made = select(MLModelVersion.id).where(
        MLModelVersion.asset_id == asset.id, MLModelVersion.metrics["baseline_hash"].as_string() == basis
    )
    asked = select(BackgroundJob.id).where(
        BackgroundJob.name == TRAIN,
        BackgroundJob.args["asset"].as_integer() == asset.id,
        BackgroundJob.args["basis"].as_string() == basis,
    )
    if session.scalar(made.limit(1)) is not None or session.scalar(asked.limit(1)) is not None:
        return None
    return training.ask(session, asset, SYSTEM, from_ms(signal.t), basis=basis)


def list_watched(session: Session, user: Person, asked: Mapping[str, Any]) -> Page[Asset]:
    """Assets of the person's site that have a live value to learn from, by code unless asked otherwise. Raises Invalid."""
    live = select(Tag.id).where(Tag.asset_id == Asset.id, Tag.deleted_at.is_(None), Tag.kind == "f64", Tag.role.is_(None))
    query = select(Asset).where(Asset.deleted_at.is_(None), live.exists())
    if user.site_id is not None:
        query = query.where(Asset.site_id == user.site_id)
    if asked["search"]:
        query = query.where(Asset.searched.contains(asked["search"].lower(), autoescape=True))
    return page_of(session, query, [*ordering(asked["sort"], SORTS, "asset"), Asset.id], asked["limit"], asked["offset"])


def bodies(session: Session, rows: Sequence[Asset]) -> list[dict[str, Any]]:
    """What judges each asset, its last training and how many intervals are confirmed."""
    ids = [row.id for row in rows]
    active = {m.asset_id: m for m in session.scalars(select(MLModelVersion).where(MLModelVersion.asset_id.in_(ids), MLModelVersion.active))}
    number = {i: (n, v) for i, n, v in session.execute(_counted(ids))}
    checked = func.count().filter(Baseline.state == CHECKING, BackgroundJob.state.is_distinct_from("failed"))
    confirmed = select(Baseline.asset_id, func.count().filter(Baseline.confirmed), checked)
    confirmed = confirmed.outerjoin(BackgroundJob, BackgroundJob.id == Baseline.job_id).where(Baseline.asset_id.in_(ids))
    marked = {i: (n, open_) for i, n, open_ in session.execute(confirmed.group_by(Baseline.asset_id))}
    asset_arg = BackgroundJob.args["asset"].as_integer()
    newest = select(func.max(BackgroundJob.id)).where(BackgroundJob.name == TRAIN, asset_arg.in_(ids)).group_by(asset_arg)
    jobs = {int(job.args["asset"]): job for job in session.scalars(select(BackgroundJob).where(BackgroundJob.id.in_(newest)))}
    found = [_body(row, active.get(row.id), number.get(row.id), marked.get(row.id, (0, 0)), jobs.get(row.id)) for row in rows]
    damaged, learning = _damaged(session, ids), lives.learned_now(session)
    for body in found:
        body["judged_by"] = "rules" if body["active"] and body["id"] in damaged else body["judged_by"]
        body["under_way"] = "yes" if body["id"] in learning else body["under_way"]
    return found


def _damaged(session: Session, ids: Sequence[int]) -> set[int | None]:
    """The assets whose active model cannot be read."""
    query = select(AlertRecord.asset_id).where(AlertRecord.asset_id.in_(ids), AlertRecord.code == MODEL_DAMAGED)
    return set(session.scalars(query.where(AlertRecord.resolved_at.is_(None), AlertRecord.condition == "active")))


def _counted(ids: Sequence[int]) -> Any:
    query = select(MLModelVersion.asset_id, func.count(), func.max(MLModelVersion.version))
    return query.where(MLModelVersion.asset_id.in_(ids)).group_by(MLModelVersion.asset_id)


def _body(
    row: Asset, active: MLModelVersion | None, versions: tuple[int, int] | None, marked: tuple[int, int], job: BackgroundJob | None
) -> dict[str, Any]:
    judged_by = "version" if active else "own" if marked[0] else "provisional"
    training_open = job is not None and job.state in background.OPEN
    return {
        "id": row.id,
        "code": row.code,
        "name": row.name,
        "judged_by": judged_by,
        "active": None if active is None else training.model_body(active),
        "versions": versions[0] if versions else 0,
        "confirmed": marked[0],
        "checking": marked[1],
        "under_way": "yes" if training_open or marked[1] else "no",
        "training": None if job is None else {**background.body(job), "version": job.args["version"], "steps": f"{job.done} / {job.total}"},
    }
