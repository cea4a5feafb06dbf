"""One reading of a tag now, from the device itself: for a view that waits, and as a background job (S0-49). Shown, never stored.

The collectors look, by the same bounded way as a preview; it takes a connection of its own for as long as the look lasts.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from realtime import probes
from realtime import settings as settings_module
from realtime.bus import Bus, connect
from server.database import Database
from server.errors import Conflict
from server.job_run import running
from server.models.plant import Source, Tag

JOB = "tag.read"


def request_of(session: Session, tag: Tag) -> dict[str, Any]:
    """What the collectors are asked; raises Conflict for a tag that no device answers for."""
    source = session.get(Source, tag.source_id) if tag.source_id is not None else None
    if source is None or tag.virtual or tag.deleted_at is not None:
        raise Conflict("no_device", f"{tag.name} comes from no device that can be asked")
    if source.config.get("edge"):
        raise Conflict("edge", f"{tag.name} is read by an edge; ask there")
    same = ("name", "unit", "address", "kind", "scale_raw", "scale_eng", "wire_break", "range_low", "range_high")
    asked = {name: getattr(tag, name) for name in same}
    return {"action": "preview", "kind": source.kind, "name": source.name, "config": dict(source.config), "tag": asked}


def run_job(tag_id: int, job_id: int) -> None:
    """Job `tag.read`: what the device says, as the job's result; a device that does not answer is a result too."""
    settings = settings_module.load()
    settings_module.require(settings, "database_url", "redis_url")
    database = Database(str(settings.database_url), pool_size=1)
    try:
        with running(database, job_id) as job:
            with database.transaction() as session:
                request = request_of(session, session.get_one(Tag, tag_id))
            job.result = probes.ask(Bus(connect(str(settings.redis_url)), settings.bus_prefix), request)
            job.done = job.total = 1
    finally:
        database.close()
