"""Training of models: asked for as a job, ended by what ml reports, kept as versions (S2-44..47). Nothing here commits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.job_table import TRAIN
from server.models.jobs import BackgroundJob
from server.models.ml import MLModelVersion
from server.models.plant import Asset, Tag
from server.store import assets, background
from server.store.actor import SYSTEM, Person, need, sees_site
from server.store.page import Page, page_of
from server.timestamps import rfc3339

LOST_AFTER = timedelta(days=1)  # what is under way for longer has lost its end and holds up no other
COLUMNS = ("windows", "contamination", "feature_set")  # of ml's description; the rest are metrics


def asset_of(session: Session, name: str, user: Person) -> Asset:
    """The visible asset that a live tag of this name belongs to, or that has it as its code; raises NotFound."""
    live = select(Asset).join(Tag, Tag.asset_id == Asset.id).where(Tag.name == name, Tag.deleted_at.is_(None), Asset.deleted_at.is_(None))
    found = [asset for asset in session.scalars(live) if sees_site(user, asset.site_id)]
    return found[0] if found else assets.get_asset(session, name, user)


def newest_job(session: Session, asset_id: int) -> BackgroundJob | None:
    """The last training that was asked for."""
    query = select(BackgroundJob).where(BackgroundJob.name == TRAIN, BackgroundJob.args["asset"].as_integer() == asset_id)
    return session.scalars(query.order_by(BackgroundJob.id.desc()).limit(1)).one_or_none()


def ask(session: Session, asset: Asset, user: Person, now: datetime) -> BackgroundJob:
    """Ask for the asset's next model version; while one is under way, it is that one. Raises Forbidden."""
    need(user, "assets.write")
    assets.lock_asset(session, asset.id)  # two who ask at once get one version
    last = newest_job(session, asset.id)
    if last is not None and last.state in background.OPEN and last.created_at > now - LOST_AFTER:
        return last
    version = int(last.args["version"]) + 1 if last is not None else 1
    return background.ask(session, TRAIN, {"asset": asset.id, "version": version}, user, now, site_id=asset.site_id)


def finish(session: Session, job: BackgroundJob, model: dict[str, Any], at: datetime) -> None:
    """End the job with what ml answered: a new version, not active, or the reason why there is none."""
    job.finished_at = at
    if "refused" in model:
        job.state, job.message = "failed", str(model["refused"])
        return
    plain: dict[str, Any] = orjson.loads(orjson.dumps(model))  # NaN is null, as jsonb wants it
    version = MLModelVersion(
        asset_id=int(job.args["asset"]),
        version=int(job.args["version"]),
        detector="+".join(plain["detectors"])[:64],
        trained_by=job.created_by,
        trained_at=at,
        **{name: plain[name] for name in COLUMNS},
        metrics={name: value for name, value in plain.items() if name not in COLUMNS},
        active=False,
    )
    session.add(version)
    session.flush()
    job.state, job.result = "done", {"model_version": version.id}
    new = {"asset": version.asset_id, "version": version.version, "by": job.created_by, "job": job.id, "windows": version.windows}
    audit.record(session, audit.Change("train", "ml_model_version", version.id, job.site_id, None, new), SYSTEM, at)


def list_models(session: Session, asset: Asset, *, limit: int, offset: int) -> Page[MLModelVersion]:
    """Versions of the asset's model, newest first."""
    query = select(MLModelVersion).where(MLModelVersion.asset_id == asset.id)
    return page_of(session, query, [MLModelVersion.version.desc()], limit, offset)


def model_body(row: MLModelVersion) -> dict[str, Any]:
    """The REST body of a version."""
    names = ("id", "version", "detector", "trained_by", "windows", "contamination", "feature_set", "metrics", "active")
    return {**{name: getattr(row, name) for name in names}, "trained_at": rfc3339(row.trained_at)}


def job_body(job: BackgroundJob, asset: Asset) -> dict[str, Any]:
    """The REST body of a training."""
    return {**background.body(job), "asset": asset.code, "version": job.args["version"]}
