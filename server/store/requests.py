"""Fault reports: taken in from anyone with the link, triaged by a planner, turned into work with everything they hold (N-1).

Nothing here commits; how often one may report is bounded here by the link and in server/flood.py by the address.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.plant import Asset, Site
from server.models.requests import FaultRequest, ReportLink
from server.models.work import WorkOrder
from server.problems import too_many
from server.rules import request_states
from server.rules.request_states import PRIORITY, Feel, RequestAction, RequestState
from server.rules.roles import Role
from server.rules.wording import TITLE_MAX
from server.rules.work_order import OrderState
from server.store import attachments, orders
from server.store.actor import Actor, Person, need
from server.store.attachments import Upload
from server.store.notifications import Message, notify, people_with
from server.store.numbers import next_number
from server.store.page import Page, ordering, page_of
from server.store.parts import Wanted, matching

REPORTER = "fault report"  # who did it, where nobody signed in
PER_LINK = 30
PER_LINK_WITHIN = timedelta(hours=1)
PHOTOS_MAX = 5
PHOTO_ENDINGS = ("jpg", "jpeg", "png", "webp")


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody in front of a machine has to say; `key` tells one sending from another."""

    words: str
    severity: Feel
    reporter: str
    contact: str
    key: str


def file_report(session: Session, link: ReportLink, asset: Asset, report: Report, now: datetime) -> FaultRequest:
    """Take a report in and tell the planners; the same key again is the same report. Raises Problem 429 when the link is flooded."""
    session.scalar(select(func.pg_advisory_xact_lock(_LOCK, link.id)))
    known = by_key(session, link, report.key)
    if known is not None:
        return known
    recent = select(func.count()).select_from(FaultRequest).where(FaultRequest.link_id == link.id)
    if (session.scalar(recent.where(FaultRequest.created_at > now - PER_LINK_WITHIN)) or 0) >= PER_LINK:
        raise too_many("too_many_requests", "this machine was reported very often within the hour; call maintenance", 600)
    row = FaultRequest(
        number=f"RQ-{next_number(session, 'request')}",
        site_id=asset.site_id,
        asset_id=asset.id,
        link_id=link.id,
        key=report.key,
        status_token=secrets.token_urlsafe(16),
        state=str(RequestState.NEW),
        words=report.words.strip(),
        severity=str(report.severity),
        reporter=report.reporter.strip(),
        contact=report.contact.strip(),
        created_at=now,
    )
    session.add(row)
    session.flush()
    new = {"number": row.number, "asset": asset.code, "severity": row.severity, "words": row.words, "reporter": row.reporter}
    audit.record(session, audit.Change("create", "request", row.id, row.site_id, None, new), reporter_of(row), now)
    people = people_with(session, row.site_id, Role.PLANNER, Role.MANAGER)
    message = Message("request_new", f"{row.number}: {asset.code} {asset.name}"[:200], row.words[:500], None, None, row.site_id)
    notify(session, people, message, now)
    return row


def by_key(session: Session, link: ReportLink, key: str) -> FaultRequest | None:
    """What was sent with the key before."""
    return session.scalar(select(FaultRequest).where(FaultRequest.link_id == link.id, FaultRequest.key == key))


_LOCK = 7_163_010  # reports through one link follow each other


def reporter_of(row: FaultRequest) -> Actor:
    """Who acts on behalf of a person without an account: no rights at all."""
    return Actor(None, REPORTER, None, row.site_id)


def add_photo(session: Session, row: FaultRequest, upload: Upload, now: datetime) -> None:
    """A picture with a report that nobody has looked at yet; raises Conflict, Invalid, or Problem 413 or 415 for what is no picture."""
    if row.state != RequestState.NEW:
        raise Conflict("wrong_state", f"{row.number} is {row.state}", row.state)
    if upload.name.rpartition(".")[2].lower() not in PHOTO_ENDINGS:
        raise Invalid("photo", "not_a_photo", "a JPEG, PNG or WebP picture")
    if len(attachments.of(session, "request", row.id)) >= PHOTOS_MAX:
        raise Invalid("photo", "too_many", f"{PHOTOS_MAX} pictures at most")
    attachments.attach(session, upload, "request", row.id, row.site_id, reporter_of(row), now)


@dataclass(frozen=True, slots=True)
class Status:
    """What a reporter may know: nothing of people, notes or other reports."""

    row: FaultRequest
    asset: Asset
    progress: str
    order: WorkOrder | None


def status_of(session: Session, status_token: str) -> Status:
    """State of a report by its secret address; that of the first one for a duplicate. Raises NotFound."""
    row = session.scalar(select(FaultRequest).where(FaultRequest.status_token == status_token))
    if row is None:
        raise NotFound("report at this", "address")
    told = row
    if row.duplicate_of_id is not None:
        told = session.get_one(FaultRequest, row.duplicate_of_id)
    order = session.get(WorkOrder, told.order_id) if told.order_id is not None else None
    progress = request_states.progress(RequestState(told.state), OrderState(order.state) if order else None)
    return Status(row, session.get_one(Asset, row.asset_id), progress, order)


def list_requests(session: Session, user: Person, wanted: Wanted, *, state: str | None, asset: str | None) -> Page[FaultRequest]:
    """Reports of the site, newest first."""
    query = select(FaultRequest).where(FaultRequest.site_id == user.site_id)
    if state is not None:
        query = query.where(FaultRequest.state == state)
    if asset is not None:
        query = query.where(FaultRequest.asset_id.in_(select(Asset.id).where(Asset.code == asset)))
    if wanted.search:
        query = query.where(matching(wanted.search, FaultRequest.number, FaultRequest.words, FaultRequest.reporter, FaultRequest.contact))
    columns = {
        "id": FaultRequest.id,
        "number": FaultRequest.id,
        "created_at": FaultRequest.created_at,
        "status": FaultRequest.state,
        "severity": FaultRequest.severity,
    }
    return page_of(session, query, ordering(wanted.sort, columns, "-id"), wanted.limit, wanted.offset)


def get_request(session: Session, request_id: int, user: Person) -> FaultRequest:
    """A report of the caller's site; raises NotFound."""
    row = session.get(FaultRequest, request_id)
    if row is None or row.site_id != user.site_id:
        raise NotFound("request", request_id)
    return row


def lock(session: Session, request_id: int, user: Person) -> FaultRequest:
    """The same, locked until commit."""
    get_request(session, request_id, user)
    query = select(FaultRequest).where(FaultRequest.id == request_id)
    return session.scalars(query.with_for_update(key_share=True).execution_options(populate_existing=True)).one()


def lock_for_reporter(session: Session, row: FaultRequest) -> FaultRequest:
    """A report of somebody who holds its secret address, locked until commit."""
    session.refresh(row, with_for_update={"key_share": True})
    return row


@dataclass(frozen=True, slots=True)
class Wish:
    """How the order of an accepted report should start; None = from the report."""

    title: str | None = None
    priority: str | None = None
    proof_s: float | None = None


def accept(session: Session, row: FaultRequest, wish: Wish, user: Person, now: datetime) -> WorkOrder:
    """Open the order of a locked report: its words, reporter, time, asset and pictures go with it, each links to the other."""
    need(user, "requests.triage")
    after = request_states.next_state(RequestState(row.state), RequestAction.ACCEPT)
    title = (wish.title or row.words.splitlines()[0]).strip()[:TITLE_MAX]
    priority = wish.priority or PRIORITY[Feel(row.severity)]
    new = orders.NewOrder(
        title=title,
        asset_id=row.asset_id,
        description=_told(row, session.get_one(Site, row.site_id).time_zone),
        priority=priority,
        proof_s=wish.proof_s,
    )
    order = orders.create_order(session, new, user, now)
    same = select(FaultRequest).where(FaultRequest.duplicate_of_id == row.id).order_by(FaultRequest.id)
    for source in [row, *session.scalars(same)]:
        attachments.copy_to(session, ("request", source.id), ("work_order", order.id), user, now)
        source.order_id = order.id
    _triaged(session, row, after, user, now, {"order": order.number})
    return order


def _told(row: FaultRequest, time_zone: str) -> str:
    at = row.created_at.astimezone(ZoneInfo(time_zone))
    who = ", ".join(word for word in (row.reporter, row.contact) if word) or "somebody without a name"
    return f"{row.words}\n\n{row.number}, reported by {who} on {at:%Y-%m-%d at %H:%M}"


def reject(session: Session, row: FaultRequest, reason: str, user: Person, now: datetime) -> None:
    """Nothing is done about a locked report; its reporter reads why."""
    need(user, "requests.triage")
    after = request_states.next_state(RequestState(row.state), RequestAction.REJECT)
    row.reason = reason.strip()
    _triaged(session, row, after, user, now, {"reason": row.reason})


def mark_duplicate(session: Session, row: FaultRequest, of_id: int, user: Person, now: datetime) -> None:
    """A locked report tells what another one of the same asset told before; its pictures go to that one's order."""
    need(user, "requests.triage")
    after = request_states.next_state(RequestState(row.state), RequestAction.DUPLICATE)
    first = get_request(session, of_id, user)
    if first.id == row.id or first.asset_id != row.asset_id or first.state == RequestState.DUPLICATE:
        raise Invalid("duplicate_of", "no_original", "another report of the same machine that is no duplicate itself")
    row.duplicate_of_id = first.id
    if first.order_id is not None:
        row.order_id = first.order_id
        attachments.copy_to(session, ("request", row.id), ("work_order", first.order_id), user, now)
    _triaged(session, row, after, user, now, {"duplicate_of": first.number})


def _triaged(session: Session, row: FaultRequest, after: RequestState, user: Person, now: datetime, told: dict[str, str]) -> None:
    old, row.state = {"state": row.state}, str(after)
    row.triaged_by, row.triaged_by_id, row.triaged_at = user.name, user.id, now
    row.rev += 1
    audit.record(session, audit.Change(str(after), "request", row.id, row.site_id, old, {"state": row.state, **told}), user, now)
    session.flush()
