"""The nightly check of the audit trail: asked for by the leader, run in the background, told to admins when it fails, shown on /health."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime import settings as settings_module
from realtime.events import Severity
from realtime.settings import Settings
from server import audit_check
from server.audit_files import anchors_path, audit_key, head_path, last_anchor, read_anchors, read_head
from server.database import Database
from server.job_run import running
from server.models.jobs import BackgroundJob
from server.rules.notices import Topic
from server.rules.roles import Role
from server.store import background
from server.store.notifications import Message, notify, people_with
from server.timestamps import rfc3339, utc_now

log = logging.getLogger("server.audit")

JOB = "audit.verify"
HOUR = 3  # UTC; after the backup
TOLD = 5  # problems that /health and the message spell out


def nightly(session: Session, now: datetime) -> None:
    """The leader's task: ask for the check in its hour, or as soon as a night was missed; once."""
    newest = _newest(session)
    background.ask_nightly(session, JOB, newest.created_at if newest else None, HOUR, now)


def _newest(session: Session, *states: str) -> BackgroundJob | None:
    query = select(BackgroundJob).where(BackgroundJob.name == JOB)
    if states:
        query = query.where(BackgroundJob.state.in_(states))
    return session.scalar(query.order_by(BackgroundJob.id.desc()).limit(1))


def run_job(job_id: int) -> None:
    """Job `audit.verify`: walk the whole chain and keep what was found as the job's result."""
    settings = settings_module.load()
    settings_module.require(settings, "database_url")
    database = Database(str(settings.database_url), pool_size=1)
    try:
        with running(database, job_id) as job:
            job.result = check(database, settings)
    finally:
        database.close()


def check(database: Database, settings: Settings) -> dict[str, Any]:
    """Verify, and tell every admin when the chain does not hold; `{ok, sealed, unsealed, problems, seconds}`."""
    began, head = time.monotonic(), head_path(settings)
    with database.transaction() as session:
        report = audit_check.verify(session, audit_key(settings), read_head(head), read_anchors(anchors_path(head)))
    if report.problems:
        log.error("the audit trail does not hold: %s; run python -m server.audit verify", report.problems[0])
        with database.transaction() as session:
            _tell_admins(session, report.problems, utc_now())
    counts = {"sealed": report.sealed, "unsealed": report.unsealed, "problems": list(report.problems[:TOLD])}
    return {"ok": not report.problems, **counts, "seconds": round(time.monotonic() - began, 3)}


def _tell_admins(session: Session, problems: tuple[str, ...], now: datetime) -> None:
    words = "; ".join(problems[:TOLD])
    message = Message("audit_broken", "The audit trail does not hold", words, topic=Topic.ESCALATION, severity=Severity.CRITICAL)
    notify(session, people_with(session, None, Role.ADMIN), message, now)


def state(session: Session, settings: Settings, now: datetime) -> dict[str, Any]:
    """For /health: what the last check found and how old it is, and how far the chain was anchored outside the database."""
    last, anchor = _newest(session, "done", "failed"), last_anchor(anchors_path(head_path(settings)))
    found: dict[str, Any] = {"checked_at": None, "age_s": None, "ok": None}
    if last is not None and last.finished_at is not None:
        age = round((now - last.finished_at).total_seconds())
        failed = None if last.state == "done" else last.message
        result = {name: last.result.get(name) for name in ("ok", "sealed", "unsealed", "problems")}
        found = {"checked_at": rfc3339(last.finished_at), "age_s": age, **result, "failed": failed}
    return {**found, "anchor": {"at": rfc3339(anchor.at), "seq": anchor.seq} if anchor else None}
