"""Making backups and knowing of them: by hand, every night, before an upgrade. Rows in `backups`, also of those that failed."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime import settings as settings_module
from realtime.settings import Settings
from server.backup import place
from server.backup.dump import BackupFailed, dump
from server.backup.sealed import load_key
from server.database import Database
from server.job_run import running
from server.models.operations import Backup
from server.store import background
from server.store.actor import SYSTEM
from server.timestamps import rfc3339, utc_now

JOB = "backup.make"


def make(url: str, settings: Settings, reason: str, now: datetime) -> Backup:
    """One backup of the database, its row, and the oldest ones removed beyond BACKUP_KEEP; raises BackupFailed after noting it."""
    name = f"sightline-{now:%Y%m%dT%H%M%SZ}-{reason}{place.SUFFIX}"
    began = time.monotonic()
    row = Backup(at=now, reason=reason, file=name, bytes=0, seconds=0.0, ok=False, message="")
    try:
        row.bytes = dump(url, place.folder(settings) / name, load_key(place.key_path(settings)))
        row.ok = True
    except (BackupFailed, OSError) as error:
        row.message = str(error)[:2000]
        raise BackupFailed(row.message) from error
    finally:
        row.seconds = round(time.monotonic() - began, 3)
        _note(url, row)
    for old in place.listed(settings)[: -settings.backup_keep]:
        old.unlink()
    return row


def _note(url: str, row: Backup) -> None:
    """A database of before the table has no place for the row; the file is there all the same."""
    database = Database(url, pool_size=1)
    try:
        with database.transaction() as session:
            if session.connection().dialect.has_table(session.connection(), Backup.__tablename__):
                session.add(row)
    finally:
        database.close()


def newest(session: Session, now: datetime) -> dict[str, Any] | None:
    """The last backup that succeeded, and whether the last try failed; None before the first."""
    latest = select(Backup.id).order_by(Backup.at.desc(), Backup.id.desc()).limit(1)
    wanted = Backup.id.in_([latest.scalar_subquery(), latest.where(Backup.ok).scalar_subquery()])
    rows = session.scalars(select(Backup).where(wanted).order_by(Backup.at.desc(), Backup.id.desc())).all()
    if not rows:
        return None
    last, row = rows[0], next((one for one in rows if one.ok), None)
    failed = None if last.ok else last.message
    if row is None:
        return {"at": None, "age_s": None, "file": None, "bytes": None, "failed": failed}
    age = (now - row.at).total_seconds()
    return {"at": rfc3339(row.at), "age_s": round(age), "file": row.file, "bytes": row.bytes, "failed": failed}


def ask_when_due(session: Session, now: datetime, hour: int | None) -> bool:
    """Ask for the nightly job in its hour, or as soon as a night was missed; once."""
    return background.ask_nightly(session, JOB, session.scalar(select(func.max(Backup.at))), hour, now)


def nightly(session: Session, now: datetime) -> None:
    """The leader's task."""
    ask_when_due(session, now, settings_module.load().backup_hour)


def run_job(job_id: int) -> None:
    """Job `backup.make`: the nightly backup."""
    settings = settings_module.load()
    settings_module.require(settings, "database_url")
    database = Database(str(settings.database_url), pool_size=1)
    try:
        with running(database, job_id) as job:
            reason = "nightly" if job.created_by == SYSTEM.name else "manual"
            row = make(str(settings.database_url), settings, reason, utc_now())
            job.result = {"file": row.file, "bytes": row.bytes, "seconds": row.seconds}
    finally:
        database.close()
