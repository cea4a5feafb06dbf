"""The job `report.run` {report, format, from, to, area?, asset?, search?, schedule?}: a report's file, mailed where a schedule asked.

It runs in `python -m server.jobs`; what a report says is decided in its own module.
"""

from __future__ import annotations

import tempfile
from datetime import datetime

from sqlalchemy.orm import Session

from realtime import settings as settings_module
from server.database import Database
from server.export import files
from server.job_run import running
from server.models.jobs import BackgroundJob
from server.models.reports import JobFile
from server.reports import render
from server.reports.base import Asked, Report
from server.reports.table import report_named
from server.store import report_schedules
from server.timestamps import utc_now

STATEMENT_S = 600  # a job may ask more of the database than a request
LARGEST = 100_000_000  # bytes; a file lives in one row


def run(job_id: int) -> None:
    """Make the file, keep it with the job, put it into the outbox for who is to get it."""
    settings = settings_module.load()
    settings_module.require(settings, "database_url")
    database = Database(str(settings.database_url), pool_size=1)
    try:
        make(database, job_id)
    finally:
        database.close()


def make(database: Database, job_id: int) -> None:
    """The job's work on a database; raises what makes it fail, after noting it in the job's row."""
    with running(database, job_id) as job:
        report, kind = report_named(job.args["report"]), job.args["format"]
        with database.transaction() as session:
            session.connection().exec_driver_sql(f"SET LOCAL statement_timeout = '{STATEMENT_S}s'")
            session.connection().exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '300s'")
            asked = asked_of(session, job)
            content = _file(session, report, asked, kind)
        name = f"{report.name}-{asked.until:%Y-%m-%d}.{kind}"
        with database.transaction() as session:
            made = JobFile(job_id=job_id, name=name, type=files.TYPES[kind], content=content, created_at=utc_now())
            session.merge(made)  # a job that was handed out again makes its file anew
            report_schedules.deliver(session, job, made, utc_now())
        job.result = {"type": files.TYPES[kind], "name": name, "bytes": len(content)}
        job.done = job.total = 1


def asked_of(session: Session, job: BackgroundJob) -> Asked:
    """What the job's arguments ask for."""
    args = job.args
    return Asked(
        site_id=job.site_id,
        since=datetime.fromisoformat(args["from"]),
        until=datetime.fromisoformat(args["to"]),
        now=utc_now(),
        area=args.get("area"),
        asset=args.get("asset"),
        search=args.get("search"),
        **render.site_words(session, job.site_id),
    )


def _file(session: Session, report: Report, asked: Asked, kind: str) -> bytes:
    built = report.build(session, asked)
    with tempfile.SpooledTemporaryFile(files.SPOOL_BYTES) as file:
        files.write(render.tables(session, report, built, asked), kind, file)
        if file.tell() > LARGEST:
            raise ValueError("the file is larger than 100 MB; ask for a shorter span or filter it")
        file.seek(0)
        return file.read()
