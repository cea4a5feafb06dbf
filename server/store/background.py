"""Background jobs: asked for in a row, handed to their queue by the leader, so that none is lost between database and Redis."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from realtime.bus import Bus
from realtime.job_worker import enqueue, failure
from server import audit
from server.errors import Invalid, NotFound
from server.job_table import JOBS
from server.models.jobs import BackgroundJob
from server.models.plant import Site
from server.store.actor import SYSTEM, Person, sees_site
from server.store.page import Page, ordering, page_of
from server.timestamps import rfc3339, to_ms

SORTS = {
    "id": BackgroundJob.id,
    "name": BackgroundJob.name,
    "status": BackgroundJob.state,
    "created_at": BackgroundJob.created_at,
    "finished_at": BackgroundJob.finished_at,
}
OPEN = ("queued", "running")
LOST_AFTER = timedelta(days=1)  # what is under way for longer has lost its end and holds up no other
NIGHT_MISSED = timedelta(hours=26)
NOT_AGAIN = timedelta(hours=20)


def ask(session: Session, name: str, args: dict[str, Any], user: Person, now: datetime, *, site_id: int | None = None) -> BackgroundJob:
    """Ask for a job of a site, else of the user's; it starts when the leader hands it out."""
    if name not in JOBS:
        raise Invalid("name", "unknown", f"one of {', '.join(JOBS)}")
    job = BackgroundJob(name=name, queue=JOBS[name].queue, args=args, created_by=user.name, created_at=now)
    job.site_id = user.site_id if site_id is None else site_id
    session.add(job)
    session.flush()
    audit.record(session, audit.Change("ask", "background_job", job.id, job.site_id, None, {"name": name, "args": args}), user, now)
    return job


def ask_nightly(session: Session, name: str, last: datetime | None, hour: int | None, now: datetime) -> bool:
    """Ask for a job in its hour (UTC), or as soon as a night was missed; once. last: when it ran; hour None = never."""
    if hour is None:
        return False
    open_job = select(BackgroundJob.id).where(BackgroundJob.name == name, BackgroundJob.state.in_(OPEN)).limit(1)
    if session.scalar(open_job) is not None:
        return False
    since = last or session.scalar(select(func.min(Site.created_at)))
    if since is None:
        return False
    age = now - since
    due = age > NIGHT_MISSED or (now.hour == hour and (last is None or age > NOT_AGAIN))
    if due:
        ask(session, name, {}, SYSTEM, now)
    return due


def holds_up(job: BackgroundJob, now: datetime) -> bool:
    """Whether it is under way, so that nobody need ask again."""
    return job.state in OPEN and job.created_at > now - LOST_AFTER


def get_job(session: Session, job_id: int, user: Person) -> BackgroundJob:
    """A visible job; raises NotFound."""
    job = session.get(BackgroundJob, job_id)
    if job is None or not sees_site(user, job.site_id):
        raise NotFound("job", job_id)
    return job


def list_jobs(session: Session, user: Person, query: Mapping[str, Any]) -> Page[BackgroundJob]:
    """Jobs that the person sees, newest first."""
    found = select(BackgroundJob)
    if user.site_id is not None:
        found = found.where((BackgroundJob.site_id == user.site_id) | BackgroundJob.site_id.is_(None))
    for column, name in ((BackgroundJob.name, "name"), (BackgroundJob.state, "status")):
        if query.get(name):
            found = found.where(column == query[name])
    order = ordering(query["sort"] or "-id", SORTS, "-id")
    return page_of(session, found.options(defer(BackgroundJob.result)), order, query["limit"], query["offset"])


def hand_out(session: Session, bus: Bus) -> int:
    """Put waiting jobs into their queues, each once however often this runs; raises BusUnavailable."""
    queued = select(BackgroundJob).where(BackgroundJob.state == "queued").order_by(BackgroundJob.id).limit(50)
    queues = sorted({row.queue for row in JOBS.values()})  # each by itself: one without a worker holds up no other
    waiting = [job for queue in queues for job in session.scalars(queued.where(BackgroundJob.queue == queue))]
    for job in waiting:
        row = JOBS[job.name]
        enqueue(bus, row.queue, row.function, _call_id(bus, job), *(job.args[name] for name in row.takes), job.id)
    return len(waiting)


def give_up(session: Session, bus: Bus, now: datetime) -> int:
    """Fail the jobs whose call ended without a word, as when its process was killed; raises BusUnavailable."""
    given_up = 0
    for job in session.scalars(select(BackgroundJob).where(BackgroundJob.state.in_(OPEN)).order_by(BackgroundJob.id).with_for_update()):
        reason = failure(bus, _call_id(bus, job))
        if reason is not None:
            job.state, job.message, job.finished_at = "failed", reason, now
            given_up += 1
    return given_up


def _call_id(bus: Bus, job: BackgroundJob) -> str:
    """The call's name in Redis; with the time, since another database may have had a job of this number."""
    return f"{bus.prefix}-{job.id}-{to_ms(job.created_at)}"


def body(job: BackgroundJob) -> dict[str, Any]:
    """The REST body, without the result's content."""
    names = ("id", "name", "done", "total", "message", "created_by")
    times = {name: rfc3339(getattr(job, name)) for name in ("created_at", "started_at", "finished_at")}
    return {"status": job.state, **{name: getattr(job, name) for name in names}, "args": job.args, **times}
