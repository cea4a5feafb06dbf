"""Intervals that a person calls healthy (S2-34): marked, checked by a job, confirmed or refused, withdrawn. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.job_table import CHECK_BASELINE
from server.models.jobs import BackgroundJob
from server.models.ml import Baseline
from server.models.plant import Asset
from server.store import assets, background, snapshot_version
from server.store.actor import SYSTEM, Person, need
from server.store.page import Page, page_of
from server.timestamps import rfc3339, to_ms

SHORTEST, LONGEST = timedelta(minutes=10), timedelta(days=92)
CHECKING, REFUSED, WITHDRAWN = "checking", "refused", "withdrawn"
LOST = "The check did not end; mark the interval again."


def mark(session: Session, asset: Asset, given: Mapping[str, Any], user: Person, now: datetime) -> Baseline:
    """A new interval, to be checked before it counts; raises Invalid, or Conflict where it overlaps one that stands."""
    need(user, "assets.write")
    start, end = given["starts_at"], given["ends_at"]
    if end > now:
        raise Invalid("ends_at", "future", "the interval must be over")
    if end - start < SHORTEST:
        raise Invalid("ends_at", "too_short", "the interval must be 10 minutes at least")
    if end - start > LONGEST:
        raise Invalid("starts_at", "too_long", "the interval may be 92 days at most")
    assets.lock_asset(session, asset.id)
    _refuse_overlap(session, asset, start, end)
    row = Baseline(asset_id=asset.id, starts_at=start, ends_at=end, state=CHECKING, note=given["note"], marked_by=user.name, marked_at=now)
    session.add(row)
    session.flush()
    args = {"asset": asset.id, "baseline": row.id, "start": to_ms(start), "end": to_ms(end)}
    row.job_id = background.ask(session, CHECK_BASELINE, args, user, now, site_id=asset.site_id).id
    _tell(session, row, "mark", asset, user, now)
    return row


def _refuse_overlap(session: Session, asset: Asset, start: datetime, end: datetime) -> None:
    near = select(Baseline, BackgroundJob).outerjoin(BackgroundJob, BackgroundJob.id == Baseline.job_id)
    near = near.where(Baseline.asset_id == asset.id, Baseline.starts_at < end, Baseline.ends_at > start)
    for row, job in session.execute(near):
        if row.confirmed or _state(row, job) == CHECKING:
            raise Conflict("overlaps", f"it overlaps the interval from {rfc3339(row.starts_at)} to {rfc3339(row.ends_at)}")


def finish(session: Session, job: BackgroundJob, verdict: Mapping[str, Any], at: datetime) -> None:
    """End the check with what ml found: confirmed by the person who marked it, or refused with the reasons. Once."""
    row = session.get(Baseline, int(job.args["baseline"]), with_for_update=True)
    job.state, job.finished_at = "done", at
    if row is None or row.state != CHECKING:
        return
    row.verdict = {name: verdict[name] for name in ("reasons", "left_out_s", "readings", "tags")}
    asset = session.get_one(Asset, row.asset_id)
    if row.verdict["reasons"]:
        row.state = REFUSED
    else:
        row.state, row.confirmed, row.confirmed_by, row.confirmed_at = "", True, row.marked_by, at
        snapshot_version.bump(session, at, row.marked_by)
    _tell(session, row, "refuse" if row.state else "confirm", asset, SYSTEM, at)


def withdraw(session: Session, asset: Asset, baseline_id: int, user: Person, now: datetime) -> Baseline:
    """It teaches nothing any more; models of it stay until others are activated. Raises NotFound."""
    need(user, "assets.write")
    row = session.get(Baseline, baseline_id, with_for_update=True)
    if row is None or row.asset_id != asset.id:
        raise NotFound("baseline", baseline_id)
    if row.state != WITHDRAWN:
        row.state, row.confirmed = WITHDRAWN, False
        session.flush()
        _tell(session, row, "withdraw", asset, user, now)
        snapshot_version.bump(session, now, user.name)
    return row


def _tell(session: Session, row: Baseline, act: str, asset: Asset, by: Person, at: datetime) -> None:
    new = {"asset": asset.code, "from": rfc3339(row.starts_at), "to": rfc3339(row.ends_at), "reasons": row.verdict.get("reasons", [])}
    audit.record(session, audit.Change(f"baseline.{act}", "baseline", row.id, asset.site_id, None, new), by, at)


def list_baselines(session: Session, asset: Asset, *, limit: int, offset: int) -> Page[Baseline]:
    """Intervals of the asset, newest first, the withdrawn ones too."""
    return page_of(session, select(Baseline).where(Baseline.asset_id == asset.id), [Baseline.id.desc()], limit, offset)


def _state(row: Baseline, job: BackgroundJob | None) -> str:
    if row.state == CHECKING and job is not None and job.state == "failed":
        return REFUSED  # the check was lost
    return row.state or ("confirmed" if row.confirmed else "provisional")


def bodies(session: Session, rows: list[Baseline]) -> list[dict[str, Any]]:
    """REST bodies; a check that was lost is a refusal with its reason."""
    ids = [row.job_id for row in rows if row.state == CHECKING and row.job_id is not None]
    jobs = {job.id: job for job in session.scalars(select(BackgroundJob).where(BackgroundJob.id.in_(ids)))} if ids else {}
    return [_body(row, jobs.get(row.job_id or 0)) for row in rows]


def _body(row: Baseline, job: BackgroundJob | None) -> dict[str, Any]:
    state = _state(row, job)
    lost = [LOST, job.message] if job is not None and state == REFUSED and row.state == CHECKING else []
    times = {name: rfc3339(getattr(row, name)) for name in ("starts_at", "ends_at", "marked_at", "confirmed_at")}
    return {
        "id": row.id,
        "state": state,
        "note": row.note,
        "marked_by": row.marked_by or row.confirmed_by or "",
        "confirmed_by": row.confirmed_by,
        "hours": round((row.ends_at - row.starts_at).total_seconds() / 3600, 2),
        "reasons": lost or row.verdict.get("reasons", []),
        "left_out_min": round(row.verdict.get("left_out_s", 0) / 60, 1),
        **times,
    }
