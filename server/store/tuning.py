"""The verdict loop (N-22): false verdicts ask for a replay, what it proves is proposed, a person decides. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server import audit
from server.errors import Conflict, NotFound
from server.job_table import TUNE
from server.models.alerts import AlertRecord
from server.models.jobs import BackgroundJob
from server.models.plant import Asset, Tag, TagLimit
from server.models.tuning import TuningProposal
from server.models.work import WorkOrder
from server.rules.work_order import OrderVerdict
from server.store import background, changes_asked, limits
from server.store.actor import SYSTEM, Person, need, sees_site
from server.store.page import Page, ordering, page_of
from server.timestamps import rfc3339, to_ms

LOOKED_BACK = timedelta(days=90)
EACH = 20  # newest cases of each verdict
ASKED_AT_ONCE = 3
SORTS = {"id": TuningProposal.id, "state": TuningProposal.state, "created_at": TuningProposal.created_at}
TYPES = {AlertType.RULE_VIOLATION: ("high", "low"), AlertType.INSTRUMENT_FAULT: ("stuck",)}


@dataclass(slots=True)
class Cases:
    """Judged alerts of one tag and code, newest first."""

    tag: Tag
    code: str | None
    limit: float | None
    newest_false: datetime | None = None
    rows: list[tuple[int, int, bool]] = field(default_factory=list)

    def add(self, alert: AlertRecord, *, confirmed: bool, completed: datetime) -> None:
        """One more; beyond EACH of a verdict it is left out."""
        if not confirmed and (self.newest_false is None or completed > self.newest_false):
            self.newest_false = completed
        if sum(row[2] == confirmed for row in self.rows) < EACH:
            self.rows.append((to_ms(alert.raised_at), to_ms(alert.returned_at or alert.last_at), confirmed))


def look(session: Session, now: datetime) -> int:
    """Ask for a replay where a false verdict came since the last one of its tag; returns how many were asked for."""
    found = [one for one in _cases(session, now) if one.newest_false is not None]
    if not found:
        return 0
    latest = select(BackgroundJob.args["tag"].as_integer(), BackgroundJob.args["code"].as_string(), func.max(BackgroundJob.created_at))
    query = latest.where(BackgroundJob.name == TUNE).group_by(
        BackgroundJob.args["tag"].as_integer(), BackgroundJob.args["code"].as_string()
    )
    asked_at = {(tag, code): at for tag, code, at in session.execute(query)}
    asked = 0
    for one in found:
        last = asked_at.get((one.tag.id, one.code))
        if asked < ASKED_AT_ONCE and (last is None or (one.newest_false is not None and one.newest_false > last)):
            asked += _ask(session, one, now)
    return asked


def _cases(session: Session, now: datetime) -> list[Cases]:
    query = (
        select(AlertRecord, WorkOrder.verdict, WorkOrder.completed_at, Tag)
        .join(WorkOrder, WorkOrder.alert_id == AlertRecord.id)
        .join(Tag, Tag.name == AlertRecord.tag)
        .where(Tag.deleted_at.is_(None), WorkOrder.completed_at > now - LOOKED_BACK)
        .where(WorkOrder.verdict.in_([str(OrderVerdict.CONFIRMED), str(OrderVerdict.FALSE)]))
        .where(AlertRecord.type.in_([str(type_) for type_ in TYPES]), AlertRecord.code.in_([c for codes in TYPES.values() for c in codes]))
        .order_by(WorkOrder.completed_at.desc(), WorkOrder.id)
        .limit(10_000)
    )
    found: dict[tuple[int, str | None], Cases] = {}
    for alert, verdict, completed, tag in session.execute(query):
        one = found.setdefault((tag.id, alert.code), Cases(tag, alert.code, alert.limit))
        if completed is not None:
            one.add(alert, confirmed=verdict == OrderVerdict.CONFIRMED, completed=completed)
    return list(found.values())


def _ask(session: Session, one: Cases, now: datetime) -> int:
    target = None if one.code == "stuck" else _crossed(session, one)
    if one.code != "stuck" and target is None:
        return 0  # the limit is gone: there is nothing to propose
    asset = session.get_one(Asset, one.tag.asset_id)
    told = None if target is None else {"id": target.id, **limits.values(target)}
    cases = [list(row) for row in one.rows]
    args = {"asset": asset.id, "tag": one.tag.id, "code": one.code, "target": told, "cases": cases}
    background.ask(session, TUNE, args, SYSTEM, now, site_id=asset.site_id)
    return 1


def _crossed(session: Session, one: Cases) -> TagLimit | None:
    """The limit that the newest alert crossed; where it was moved since, the only one of its side."""
    rows = session.scalars(select(TagLimit).where(TagLimit.tag_id == one.tag.id, TagLimit.side == one.code).order_by(TagLimit.id)).all()
    same = [row for row in rows if row.value == one.limit]
    return same[0] if same else rows[0] if len(rows) == 1 else None


def finish(session: Session, job: BackgroundJob, answer: dict[str, Any], at: datetime) -> None:
    """End the job; what it proved replaces the open proposals of the tag and code."""
    job.finished_at = at
    if "refused" in answer:
        job.state, job.message = "failed", str(answer["refused"])
        return
    job.state, job.result = "done", answer
    args = job.args
    tag = session.get_one(Tag, int(args["tag"]))
    for old in _open(session, tag.id, args["code"]):
        old.state, old.decided_at = "withdrawn", at
    said = [row[2] for row in args["cases"]]
    days = LOOKED_BACK.days
    evidence = {"false": said.count(False), "true": said.count(True), "days": days, "reproduced": answer["reproduced"], "job": job.id}
    for one in answer["candidates"]:
        change = _change(tag, args["target"], one["field"], one["to"])
        row = TuningProposal(site_id=job.site_id, asset_id=tag.asset_id, tag_id=tag.id, code=args["code"], change=change)
        row.evidence, row.created_at = evidence, at
        session.add(row)
        session.flush()
        audit.record(session, audit.Change("propose", "tuning_proposal", row.id, row.site_id, None, {"change": change}), SYSTEM, at)


def _change(tag: Tag, target: dict[str, Any] | None, name: str, to: float) -> dict[str, Any]:
    base = {"tag": tag.id, "name": tag.name}
    if target is None:
        return {"kind": "setting", **base, "before": {name: getattr(tag, name)}, "after": {name: to}}
    before = {key: value for key, value in target.items() if key != "id"}
    return {"kind": "limit", **base, "limit": target["id"], "before": before, "after": {**before, name: to}}


def _open(session: Session, tag_id: int, code: str) -> Sequence[TuningProposal]:
    query = select(TuningProposal).where(TuningProposal.tag_id == tag_id, TuningProposal.code == code, TuningProposal.state == "open")
    return session.scalars(query.order_by(TuningProposal.id).with_for_update()).all()


def list_proposals(session: Session, user: Person, asked: Mapping[str, Any]) -> Page[TuningProposal]:
    """Proposals of the person's site, newest first unless asked otherwise. Raises Invalid."""
    query = select(TuningProposal)
    if user.site_id is not None:
        query = query.where(TuningProposal.site_id == user.site_id)
    if asked["state"] is not None:
        query = query.where(TuningProposal.state == asked["state"])
    return page_of(session, query, ordering(asked["sort"], SORTS, "-id"), asked["limit"], asked["offset"])


def get_proposal(session: Session, proposal_id: int, user: Person, *, lock: bool = False) -> TuningProposal:
    """A visible proposal; raises NotFound."""
    row = session.get(TuningProposal, proposal_id, with_for_update={"key_share": True} if lock else None)
    if row is None or not sees_site(user, row.site_id):
        raise NotFound("proposal", proposal_id)
    return row


def accept(session: Session, row: TuningProposal, reason: str, user: Person, now: datetime) -> None:
    """Make the change as by hand; the other proposals of the tag and code are withdrawn. Raises Conflict as `changes_asked.make`."""
    _decide(session, row, "accepted", reason, user, now)
    changes_asked.make(session, row.change, user, now)
    for other in _open(session, row.tag_id, row.code):
        other.state, other.decided_at = "withdrawn", now


def dismiss(session: Session, row: TuningProposal, reason: str, user: Person, now: datetime) -> None:
    """Leave things as they are; proposed again only after another false verdict."""
    _decide(session, row, "dismissed", reason, user, now)


def _decide(session: Session, row: TuningProposal, state: str, reason: str, user: Person, now: datetime) -> None:
    need(user, "tags.write")
    if row.state != "open":
        raise Conflict("decided", f"this proposal is {row.state}", row.state)
    row.state, row.decided_at, row.decided_by, row.reason = state, now, user.name, reason
    session.flush()
    new = {"state": state, "change": row.change, "reason": reason}
    audit.record(session, audit.Change("decide", "tuning_proposal", row.id, row.site_id, {"state": "open"}, new), user, now)


def bodies(session: Session, rows: Sequence[TuningProposal]) -> list[dict[str, Any]]:
    """REST bodies."""
    named = select(Asset.id, Asset.code).where(Asset.id.in_({row.asset_id for row in rows}))
    codes = {id_: code for id_, code in session.execute(named)}  # noqa: C416 - a Row is no pair to dict()
    return [
        {
            "id": row.id,
            "name": changes_asked.words(row.change),
            "asset": codes.get(row.asset_id, ""),
            "tag": row.change["name"],
            "tag_id": row.tag_id,
            "code": row.code,
            "state": row.state,
            "change": row.change,
            "evidence": row.evidence,
            "created_at": rfc3339(row.created_at),
            "decided_at": rfc3339(row.decided_at) if row.decided_at else None,
            "decided_by": row.decided_by,
            "reason": row.reason,
        }
        for row in rows
    ]
