"""Reports that come by mail: their schedules, the leader's task that asks for the job, and the letters with the file.

Occurrences are by the wall clock of the site; one that was missed while nobody led is made up for once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Invalid, NotFound
from server.models.jobs import BackgroundJob
from server.models.people import User
from server.models.plant import Site
from server.models.reports import JobFile, ReportSchedule
from server.rules.due_dates import read_rule
from server.rules.roles import may
from server.store import background, mail
from server.store.actor import Actor, Person
from server.store.mail import Enclosure, Letter
from server.store.page import Page, ordering, page_of
from server.timestamps import rfc3339

COLUMNS = ("name", "report", "format", "rrule", "at", "span_days", "filters", "recipients", "active")
SORTS = {"name": ReportSchedule.name, "report": ReportSchedule.report, "next_at": ReportSchedule.next_at, "id": ReportSchedule.id}
FAR = timedelta(days=366 * 12)  # a leap-day rule has one within eight years
FILES_KEPT = timedelta(days=30)
READER = "reports.read"


def list_schedules(session: Session, user: Person, search: str, page: Mapping[str, Any]) -> Page[ReportSchedule]:
    """Schedules of the caller's site."""
    query = select(ReportSchedule).where(ReportSchedule.site_id == user.site_id, ReportSchedule.deleted_at.is_(None))
    if search:
        query = query.where(ReportSchedule.name.icontains(search, autoescape=True))
    return page_of(session, query, [*ordering(page["sort"], SORTS, "name"), ReportSchedule.id], page["limit"], page["offset"])


def get_schedule(session: Session, schedule_id: int, user: Person) -> ReportSchedule:
    """A schedule of the caller's site; raises NotFound."""
    row = session.get(ReportSchedule, schedule_id)
    if row is None or row.site_id != user.site_id or row.deleted_at is not None:
        raise NotFound("report schedule", schedule_id)
    return row


def create(session: Session, wanted: Mapping[str, Any], user: Person, now: datetime) -> ReportSchedule:
    """A new schedule of the caller's site; its first report is the next one due."""
    assert user.site_id is not None
    chosen = {**wanted, "recipients": _readers(session, user.site_id, wanted["recipients"])}
    row = ReportSchedule(site_id=user.site_id, created_by_id=user.id, created_at=now, **{name: chosen[name] for name in COLUMNS})
    _settle(session, row, now)
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "report_schedule", row.id, row.site_id, None, columns_of(row)), user, now)
    return row


def change(session: Session, row: ReportSchedule, wanted: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change what is named; the next report is reckoned anew."""
    old = columns_of(row)
    for name in COLUMNS:
        if name in wanted:
            setattr(row, name, _readers(session, row.site_id, wanted[name]) if name == "recipients" else wanted[name])
    _settle(session, row, now)
    row.rev += 1
    audit.record(session, audit.Change("change", "report_schedule", row.id, row.site_id, old, columns_of(row)), user, now)


def remove(session: Session, row: ReportSchedule, user: Person, now: datetime) -> None:
    """End it."""
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "report_schedule", row.id, row.site_id, columns_of(row), None), user, now)


def columns_of(row: ReportSchedule) -> dict[str, Any]:
    """What people choose of it."""
    return {name: getattr(row, name) for name in COLUMNS}


def bodies(session: Session, rows: Sequence[ReportSchedule]) -> list[dict[str, Any]]:
    """REST bodies, with the recipients' names."""
    wanted = {user_id for row in rows for user_id in row.recipients}
    people = {user.id: user for user in session.scalars(select(User).where(User.id.in_(wanted)))}
    times = ("next_at", "last_at", "created_at")
    return [
        {
            "id": row.id,
            **columns_of(row),
            "recipients": [people[user_id].employee_number for user_id in row.recipients],
            "recipient_names": ", ".join(people[user_id].name for user_id in row.recipients),
            **{name: rfc3339(getattr(row, name)) for name in times},
            "last_job": row.last_job_id,
            "rev": row.rev,
        }
        for row in rows
    ]


def _settle(session: Session, row: ReportSchedule, now: datetime) -> None:
    """Reckon the next time; raises Invalid for what is no rule."""
    with session.no_autoflush:
        zone = session.get_one(Site, row.site_id).time_zone
    try:
        row.next_at = next_time(row.rrule, time.fromisoformat(row.at), ZoneInfo(zone), after=now)
    except ValueError as error:
        raise Invalid("rrule", "invalid", str(error)) from error


def _readers(session: Session, site_id: int, numbers: Sequence[str]) -> list[int]:
    """Ids of these people; raises Invalid for one who is not of the site or may not read reports."""
    found = session.scalars(select(User).where(User.employee_number.in_(numbers), User.site_id == site_id, User.active))
    ids = {user.employee_number: user.id for user in found if may(user.role_of, READER)}
    unknown = set(numbers) - ids.keys()
    if unknown:
        raise Invalid("recipients", "unknown", f"{min(unknown)} is nobody of this site who may read reports")
    return sorted(ids.values())


def next_time(rule: str, at: time, zone: ZoneInfo, *, after: datetime) -> datetime | None:
    """The first occurrence later than `after`, None when there is none; raises ValueError for what is no rule."""
    local = after.astimezone(zone)
    first = datetime.combine(local.date() - timedelta(days=1), at)  # naive: the wall clock of the site
    for naive in read_rule(rule, first, first + FAR):
        moment = naive.replace(tzinfo=zone).astimezone(UTC)
        if moment > after:
            return moment
    return None


def ask_due(session: Session, now: datetime) -> int:
    """Ask for the job of every schedule whose time has come; the number asked."""
    live = (ReportSchedule.active, ReportSchedule.deleted_at.is_(None), ReportSchedule.next_at <= now)
    due = session.scalars(select(ReportSchedule).where(*live).order_by(ReportSchedule.id).with_for_update(skip_locked=True)).all()
    for row in due:
        zone = ZoneInfo(session.get_one(Site, row.site_id).time_zone)
        until = row.next_at or now
        args = {
            "report": row.report,
            "format": row.format,
            "from": (until - timedelta(days=row.span_days)).isoformat(),
            "to": until.isoformat(),
            "schedule": row.id,
            **{name: value for name, value in row.filters.items() if value},
        }
        owner = Actor(row.created_by_id, f"schedule {row.name}"[:200], None, row.site_id)
        job = background.ask(session, "report.run", args, owner, now)
        row.last_at, row.last_job_id = now, job.id
        row.next_at = next_time(row.rrule, time.fromisoformat(row.at), zone, after=now)
    return len(due)


def deliver(session: Session, job: BackgroundJob, made: JobFile, now: datetime) -> None:
    """Letters with the file to who is to get it today: active people of the site who may read reports and have an address."""
    row = session.get(ReportSchedule, job.args["schedule"]) if job.args.get("schedule") else None
    if row is None or row.deleted_at is not None:
        return
    people = session.scalars(select(User).where(User.id.in_(row.recipients), User.site_id == row.site_id, User.active).order_by(User.id))
    text = f"{row.name}: the report {row.report} from {job.args['from'][:10]} to {job.args['to'][:10]} is attached as {made.name}."
    for person in people:
        if person.email and may(person.role_of, READER):
            enclosure = Enclosure(made.name, made.type, made.content)
            mail.post(session, Letter(f"report:{job.id}:{person.id}", person.email, row.name, text, enclosure=enclosure), now)


def forget_files(session: Session, now: datetime) -> None:
    """Delete the files that jobs made long ago."""
    session.execute(delete(JobFile).where(JobFile.created_at < now - FILES_KEPT))
