"""The job `readings.export` {tags, from, to}: readings that are too many for an answer, as a CSV file of the job."""

from __future__ import annotations

import tempfile

from sqlalchemy import select

from realtime import settings as settings_module
from server.database import Database
from server.export import files
from server.job_run import running
from server.models.plant import Tag
from server.models.reports import JobFile
from server.reports.jobs import LARGEST
from server.reports.reading_lines import Wanted, lines
from server.reports.render import site_words
from server.timestamps import utc_now


def run(job_id: int) -> None:
    """Make the file in `python -m server.jobs`."""
    settings = settings_module.load()
    settings_module.require(settings, "database_url")
    database = Database(str(settings.database_url), pool_size=2)
    try:
        make(database, job_id)
    finally:
        database.close()


def make(database: Database, job_id: int) -> None:
    """The job's work on a database; raises ValueError where the file grows too large, after noting it in the job's row."""
    with running(database, job_id) as job:
        with database.transaction() as session:
            rows = session.execute(select(Tag.id, Tag.name, Tag.unit, Tag.kind).where(Tag.id.in_(job.args["tags"])).order_by(Tag.name))
            tags = [Wanted(id_, name, unit, kind == "text") for id_, name, unit, kind in rows]
            zone = site_words(session, job.site_id)["zone"]
        content = _content(database, tags, (job.args["from"], job.args["to"]), zone)
        name = "readings.csv"
        with database.transaction() as session:
            session.merge(JobFile(job_id=job_id, name=name, type=files.TYPES["csv"], content=content, created_at=utc_now()))
        job.result = {"type": files.TYPES["csv"], "name": name, "bytes": len(content)}
        job.done = job.total = 1


def _content(database: Database, tags: list[Wanted], span: tuple[int, int], zone: str) -> bytes:
    with tempfile.SpooledTemporaryFile(files.SPOOL_BYTES) as file:
        for piece in lines(database, tags, span, zone):
            file.write(piece)
            if file.tell() > LARGEST:
                raise ValueError("the file is larger than 100 MB; ask for fewer tags or a shorter span")
        file.seek(0)
        return file.read()
