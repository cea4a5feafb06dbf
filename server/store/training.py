"""Training of models: asked for as a job, ended by what ml reports, kept as versions (S2-44..47). Nothing here commits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, NotFound
from server.job_table import TRAIN
from server.models.jobs import BackgroundJob
from server.models.ml import MLModelVersion
from server.models.plant import Asset, Tag
from server.store import assets, background, snapshot_version
from server.store.actor import SYSTEM, Person, need, sees_site
from server.store.page import Page, page_of
from server.timestamps import rfc3339

DAMAGED = "damaged"  # in `metrics`: what the monitor met when it last tried to read the version; its state until it reads it whole
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


def ask(session: Session, asset: Asset, user: Person, now: datetime, basis: str | None = None) -> BackgroundJob:
    """Ask for the asset's next model version; while one is under way, it is that one. Raises Forbidden.

    basis: of what it will be made, where the system asks for that reason, so that it asks once.
    """
    need(user, "assets.write")
    assets.lock_asset(session, asset.id)  # two who ask at once get one version
    last = newest_job(session, asset.id)
    if last is not None and background.holds_up(last, now):
        return last
    version = int(last.args["version"]) + 1 if last is not None else 1
    args = {"asset": asset.id, "version": version, **({} if basis is None else {"basis": basis})}
    return background.ask(session, TRAIN, args, user, now, site_id=asset.site_id)


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


def activate(session: Session, model_id: int, user: Person, now: datetime) -> MLModelVersion:
    """Make a kept version the one that judges its asset; a second time changes nothing. Raises NotFound, Forbidden or Conflict."""
    row = _locked(session, model_id, user)
    if DAMAGED in row.metrics:
        raise Conflict("model_damaged", f"version {row.version} is damaged and cannot judge: activate another one or train anew", DAMAGED)
    others = select(MLModelVersion).where(MLModelVersion.asset_id == row.asset_id, MLModelVersion.active, MLModelVersion.id != row.id)
    before = session.scalars(others).all()
    if row.active and not before:
        return row
    for other in before:
        other.active = False
    row.active = True
    _switched(session, row, [other.version for other in before], user, now)
    return row


def deactivate(session: Session, model_id: int, user: Person, now: datetime) -> MLModelVersion:
    """Take it out of judgement: the monitor's own model judges again."""
    row = _locked(session, model_id, user)
    if row.active:
        row.active = False
        _switched(session, row, [row.version], user, now)
    return row


def _locked(session: Session, model_id: int, user: Person) -> MLModelVersion:
    need(user, "assets.write")
    row = session.get(MLModelVersion, model_id)
    asset = session.get(Asset, row.asset_id) if row is not None else None
    if row is None or asset is None or asset.deleted_at is not None or not sees_site(user, asset.site_id):
        raise NotFound("model", model_id)
    assets.lock_asset(session, asset.id)
    session.refresh(row)
    return row


def _switched(session: Session, row: MLModelVersion, before: list[int], user: Person, now: datetime) -> None:
    session.flush()
    site = session.get_one(Asset, row.asset_id).site_id
    new = {"asset": row.asset_id, "active": row.version if row.active else None}
    audit.record(session, audit.Change("activate", "ml_model_version", row.id, site, {"active": before}, new), user, now)
    snapshot_version.bump(session, now, user.name)


def list_models(session: Session, asset: Asset, *, limit: int, offset: int) -> Page[MLModelVersion]:
    """Versions of the asset's model, newest first."""
    query = select(MLModelVersion).where(MLModelVersion.asset_id == asset.id)
    return page_of(session, query, [MLModelVersion.version.desc()], limit, offset)


def model_body(row: MLModelVersion) -> dict[str, Any]:
    """The REST body of a version."""
    names = ("id", "version", "detector", "trained_by", "windows", "contamination", "feature_set", "metrics", "active")
    outdated = row.metrics.get("outdated", "")
    rates = {f"{name}_alarm_pct": _per_cent(row.metrics.get(f"{name}_alarm_rate")) for name in ("in_sample", "left_out")}
    state = DAMAGED if DAMAGED in row.metrics else "active" if row.active else "outdated" if outdated else "kept"
    return {
        **{name: getattr(row, name) for name in names},
        "trained_at": rfc3339(row.trained_at),
        "state": state,
        "outdated": outdated,
        **rates,
    }


def _per_cent(rate: float | None) -> float | None:
    return None if rate is None else round(100 * rate, 3)


def job_body(job: BackgroundJob, asset: Asset) -> dict[str, Any]:
    """The REST body of a training."""
    return {**background.body(job), "asset": asset.code, "version": job.args["version"]}
