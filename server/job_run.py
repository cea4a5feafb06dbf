"""A background job's row while its function runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from realtime.errors import SightlineError
from server.database import Database
from server.models.jobs import BackgroundJob
from server.timestamps import utc_now


@contextmanager
def running(database: Database, job_id: int) -> Iterator[BackgroundJob]:
    """The job's row, running; done at the end of the block, failed with the reason when it raises."""
    with database.transaction() as session:
        job = session.get_one(BackgroundJob, job_id, with_for_update=True)
        job.state, job.started_at = "running", utc_now()
    state, message = "failed", "the worker ended"
    try:
        yield job
        state, message = "done", ""
    except (ValueError, KeyError, SightlineError) as error:
        message = str(error)
        raise
    finally:
        with database.transaction() as session:
            row = session.get_one(BackgroundJob, job_id, with_for_update=True)
            row.state, row.message, row.finished_at = state, message, utc_now()
            row.result, row.done, row.total = job.result, job.done, job.total
