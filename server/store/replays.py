"""What-if replays (N-29): asked for as jobs, ended by what ml reports, put in force by a person. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.job_table import REPLAY
from server.models.alerts import AlertRecord
from server.models.jobs import BackgroundJob
from server.models.plant import Asset, Tag, TagLimit
from server.models.work import WorkOrder
from server.rules.what_if import Known, Trust, told
from server.store import background, changes_asked, judged
from server.store.actor import Person, need, sees_site
from server.store.page import Page, ordering, page_of
from server.timestamps import from_ms, rfc3339, to_ms

LONGEST = timedelta(days=31)
OPEN_AT_ONCE = 5  # replays of a site that wait or run
KNOWN = 5000
SORTS = {"id": BackgroundJob.id, "state": BackgroundJob.state, "created_at": BackgroundJob.created_at}


def ask(session: Session, asked: Mapping[str, Any], user: Person, now: datetime) -> BackgroundJob:
    """Ask for a replay of one change over a span; raises NotFound, Invalid, Conflict or Forbidden."""
    need(user, "tags.write")
    start, end = asked["from_"], asked["to"]
    if not timedelta(0) < end - start <= LONGEST or end > now + timedelta(minutes=1):
        raise Invalid("from", "span", f"before `to`, at most {LONGEST.days} days, and not in the future")
    asset, change = changes_asked.read(session, asked, user)
    under_way = (
        select(func.count())
        .where(BackgroundJob.name == REPLAY, BackgroundJob.site_id == asset.site_id, BackgroundJob.state.in_(background.OPEN))
        .where(BackgroundJob.created_at > now - background.LOST_AFTER)
    )
    if (session.scalar(under_way) or 0) >= OPEN_AT_ONCE:
        raise Conflict("busy", f"{OPEN_AT_ONCE} replays of this site wait or run; ask again when one has ended")
    proposal = changes_asked.proposal(session, change)
    args = {"asset": asset.id, "start": to_ms(start), "end": to_ms(end), "proposal": proposal, "change": change}
    return background.ask(session, REPLAY, args, user, now, site_id=asset.site_id)


def finish(session: Session, job: BackgroundJob, answer: dict[str, Any], at: datetime) -> None:
    """End the job with what the engines raised, beside the alerts and verdicts that are known; or with the reason why not."""
    job.finished_at = at
    if "refused" in answer:
        job.state, job.message = "failed", str(answer["refused"])
        return
    asset = session.get_one(Asset, int(job.args["asset"]))
    end = int(job.args["end"])
    known = _known(session, asset, int(job.args["start"]), end)
    job.result = orjson.loads(orjson.dumps(told(answer, known, _trust(session, asset), end)))
    job.state = "done"


def _known(session: Session, asset: Asset, start: int, end: int) -> list[Known]:
    """Alerts of the asset that met the span, newest first."""
    query = (
        select(AlertRecord, WorkOrder.number, func.coalesce(WorkOrder.verdict, case((judged.IS_DISMISSED, judged.DISMISSED))))
        .outerjoin(WorkOrder, WorkOrder.alert_id == AlertRecord.id)
        .where(AlertRecord.asset_id == asset.id, AlertRecord.raised_at < from_ms(end), AlertRecord.last_at >= from_ms(start))
        .order_by(WorkOrder.verdict.is_(None) & ~judged.IS_DISMISSED, AlertRecord.id.desc())
    )
    found = []
    for alert, order, verdict in session.execute(query.limit(KNOWN)):
        first = alert.data.get("first_raised")
        began = datetime.fromisoformat(first) if first else alert.raised_at
        found.append(Known(alert.number, alert.tag, alert.type, to_ms(began), to_ms(alert.returned_at or alert.last_at), order, verdict))
    return found


def _trust(session: Session, asset: Asset) -> Trust:
    loose = select(Tag.name).join(TagLimit, TagLimit.tag_id == Tag.id).where(Tag.asset_id == asset.id, TagLimit.confirmed.is_(False))
    return Trust(judged.of_class(session, asset.class_id), frozenset(session.scalars(loose)))


def get_replay(session: Session, job_id: int, user: Person, *, lock: bool = False) -> BackgroundJob:
    """A visible replay; raises NotFound."""
    job = session.get(BackgroundJob, job_id, with_for_update={"key_share": True} if lock else None)
    if job is None or job.name != REPLAY or not sees_site(user, job.site_id):
        raise NotFound("replay", job_id)
    return job


def list_replays(session: Session, user: Person, asked: Mapping[str, Any]) -> Page[BackgroundJob]:
    """Replays that the person sees, newest first unless asked otherwise. Raises Invalid."""
    query = select(BackgroundJob).where(BackgroundJob.name == REPLAY)
    if user.site_id is not None:
        query = query.where(BackgroundJob.site_id == user.site_id)
    return page_of(session, query, ordering(asked["sort"], SORTS, "-id"), asked["limit"], asked["offset"])


def put_in_force(session: Session, job: BackgroundJob, reason: str, user: Person, now: datetime) -> None:
    """Make the change as a person would by hand: the same checks, the same trail; the replay keeps who, when and why.

    Raises Conflict where the replay has no result, was put in force, or what it would change is no longer as it was replayed.
    """
    if job.state != "done":
        raise Conflict("not_done", "the replay has no result", job.state)
    if "applied" in job.result:
        raise Conflict("applied", "this change was put in force already")
    changes_asked.make(session, job.args["change"], user, now)
    job.result = {**job.result, "applied": {"at": rfc3339(now), "by": user.name, "reason": reason}}
    new = {"change": job.args["change"], "reason": reason}
    audit.record(session, audit.Change("put_in_force", "replay", job.id, job.site_id, None, new), user, now)


def bodies(session: Session, jobs: list[BackgroundJob]) -> list[dict[str, Any]]:
    """REST bodies without the lists of alerts."""
    wanted = select(Asset.id, Asset.code).where(Asset.id.in_({int(job.args["asset"]) for job in jobs}))
    codes = {id_: code for id_, code in session.execute(wanted)}  # noqa: C416 - a Row is no pair to dict()
    return [_body(job, codes.get(int(job.args["asset"]), "")) for job in jobs]


def _body(job: BackgroundJob, asset: str) -> dict[str, Any]:
    change, result = job.args["change"], job.result
    counts = {name: result.get("counts", {}).get(name) for name in ("added", "removed", "kept")}
    outcomes = {name: result.get("outcomes", {}).get(name) for name in ("true_lost", "false_removed", "true_kept", "false_kept")}
    names = ("now", "proposed", "readings", "covered_s", "in_sample", "not_reproduced", "applied", "announced", "watched", "learned")
    return {
        **background.body(job),
        "name": changes_asked.words(change),
        "asset": asset,
        "tag": change.get("name"),
        "kind": change["kind"],
        "change": change,
        "from": rfc3339(from_ms(int(job.args["start"]))),
        "to": rfc3339(from_ms(int(job.args["end"]))),
        "verdict": _verdict(job),
        "counts": counts,
        "outcomes": outcomes,
        **{name: result.get(name) for name in names},
    }


def _verdict(job: BackgroundJob) -> str:
    """One word for lists: what stands in the way of the change, if anything."""
    if job.state != "done":
        return str(job.state)
    if "applied" in job.result:
        return "in_force"
    return "loses_true_alerts" if job.result["outcomes"]["true_lost"] else "ready"


def detail(session: Session, job: BackgroundJob) -> dict[str, Any]:
    """The REST body with the alerts, times as RFC 3339."""
    (found,) = bodies(session, [job])
    return {**found, **{name: [_alert(row) for row in job.result.get(name, [])] for name in ("added", "removed", "kept")}}


def _alert(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: None if row[name] is None else rfc3339(from_ms(int(row[name]))) for name in ("start", "end")}
    return {**row, **times}
