"""Planned-production calendars of a site and its areas, and the patterns that the figures reckon with. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete as sql_delete
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.calendar import CalendarDay, WorkCalendar
from server.models.plans import PmPlan, PmPlanAsset
from server.models.plant import Area, Site
from server.rules.calendar import ALWAYS, Pattern, Window
from server.store.actor import Person, need, sees_site
from server.store.page import Page, ordering, page_of
from server.store.related import by_id


@dataclass(frozen=True, slots=True)
class SiteTime:
    """A site's zone and patterns: an area's own, else the site's; a site without a calendar produces around the clock."""

    zone: ZoneInfo
    site: Pattern = ALWAYS
    areas: Mapping[int, Pattern] = field(default_factory=dict)

    def pattern(self, area_id: int | None) -> Pattern:
        """What holds in this area."""
        return self.site if area_id is None else self.areas.get(area_id, self.site)


def site_time(session: Session, site_id: int) -> SiteTime:
    """The calendars in force at a site."""
    own = (WorkCalendar.site_id == Site.id) & WorkCalendar.deleted_at.is_(None)
    query = select(Site, WorkCalendar, CalendarDay).outerjoin(WorkCalendar, own)
    query = query.outerjoin(CalendarDay, CalendarDay.calendar_id == WorkCalendar.id).where(Site.id == site_id)
    rows: dict[int, WorkCalendar] = {}
    days: dict[int, dict[date, Sequence[Window]]] = {}
    found = session.execute(query).all()
    site = found[0][0]
    for _, row, day in found:
        if row is not None:
            rows[row.id] = row
        if day is not None:
            days.setdefault(row.id, {})[day.day] = [_window(window) for window in day.windows]
    patterns = {row.area_id: Pattern(weekly(row.weekly, site.shifts), days.get(row.id, {})) for row in rows.values()}
    areas = {area: pattern for area, pattern in patterns.items() if area is not None}
    return SiteTime(ZoneInfo(site.time_zone), patterns.get(None, ALWAYS), areas)


def weekly(entries: Sequence[Mapping[str, Any]], shifts: Sequence[Mapping[str, Any]]) -> dict[int, list[Window]]:
    """Windows by weekday; a shift that the site no longer has plans nothing."""
    named = {shift["name"]: shift for shift in shifts}
    found: dict[int, list[Window]] = {}
    for entry in entries:
        hours = named.get(entry["shift"]) if entry.get("shift") else entry
        for day in entry["days"] if hours else ():
            found.setdefault(day, []).append(_window(hours))
    return found


def _window(hours: Any) -> Window:
    return Window(time.fromisoformat(hours["start"]), time.fromisoformat(hours["end"]))


def list_calendars(session: Session, site: int | None, search: str | None, page: Mapping[str, Any]) -> Page[WorkCalendar]:
    """Calendars by name."""
    query = select(WorkCalendar).where(WorkCalendar.deleted_at.is_(None))
    if site is not None:
        query = query.where(WorkCalendar.site_id == site)
    if search:
        query = query.where(WorkCalendar.name.icontains(search, autoescape=True))
    columns = {"name": WorkCalendar.name, "id": WorkCalendar.id}
    return page_of(session, query, ordering(page["sort"] or "name", columns, "id"), page["limit"], page["offset"])


def get(session: Session, calendar_id: int, user: Person) -> WorkCalendar:
    """A visible calendar; raises NotFound."""
    row = session.get(WorkCalendar, calendar_id)
    if row is None or row.deleted_at is not None or not sees_site(user, row.site_id):
        raise NotFound("calendar", calendar_id)
    return row


def create(session: Session, fields: Mapping[str, Any], user: Person, now: datetime) -> WorkCalendar:
    """A calendar of the site, or of one area; raises Invalid or, where there is one already, Conflict."""
    need(user, "calendar.write")
    if user.site_id is None:
        raise Invalid("site", "required", "a calendar belongs to a site")
    row = WorkCalendar(site_id=user.site_id, name=fields["name"], area_id=_area(session, user.site_id, fields.get("area")))
    _check_free(session, row)
    row.weekly = _checked(session, row.site_id, fields.get("weekly", []))
    session.add(row)
    session.flush()
    _set_days(session, row, fields.get("days", []))
    _forget_due(session, row.site_id)
    audit.record(session, audit.Change("create", "calendar", row.id, row.site_id, None, fields), user, now)
    return row


def change(session: Session, row: WorkCalendar, fields: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change name, area, week or days; what is not named stays."""
    need(user, "calendar.write")
    old = {name: value for name, value in bodies(session, [row])[0].items() if name in fields}
    row.name = fields.get("name", row.name)
    if "area" in fields:
        row.area_id = _area(session, row.site_id, fields["area"])
        _check_free(session, row)
    if "weekly" in fields:
        row.weekly = _checked(session, row.site_id, fields["weekly"])
    if "days" in fields:
        _set_days(session, row, fields["days"])
    row.rev += 1
    session.flush()
    _forget_due(session, row.site_id)
    audit.record(session, audit.Change("change", "calendar", row.id, row.site_id, old, fields), user, now)


def delete(session: Session, row: WorkCalendar, user: Person, now: datetime) -> None:
    """Take it out; the site's, else the clock around, holds."""
    need(user, "calendar.write")
    row.deleted_at = now
    row.rev += 1
    _forget_due(session, row.site_id)
    audit.record(session, audit.Change("delete", "calendar", row.id, row.site_id, {"deleted_at": None}, {"deleted_at": now}), user, now)


def _forget_due(session: Session, site_id: int) -> None:
    """Days without production move due dates: the leader reckons them anew."""
    of_site = select(PmPlan.id).where(PmPlan.site_id == site_id)
    session.execute(update(PmPlanAsset).where(PmPlanAsset.plan_id.in_(of_site)).values(next_due=None))


def _area(session: Session, site_id: int, name: str | None) -> int | None:
    if name is None:
        return None
    found = session.scalar(select(Area.id).where(Area.site_id == site_id, Area.name == name, Area.deleted_at.is_(None)))
    if found is None:
        raise Invalid("area", "unknown", f"there is no area {name}")
    return found


def _check_free(session: Session, row: WorkCalendar) -> None:
    with session.no_autoflush:
        taken = select(WorkCalendar.id).where(WorkCalendar.site_id == row.site_id, WorkCalendar.deleted_at.is_(None))
        found = session.scalar(
            taken.where(WorkCalendar.area_id.is_not_distinct_from(row.area_id), WorkCalendar.id.is_distinct_from(row.id))
        )
    if found is not None:
        raise Conflict("calendar_taken", "there is a calendar for it already", str(found))


def _checked(session: Session, site_id: int, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    shifts = {shift["name"] for shift in session.get_one(Site, site_id).shifts}
    for entry in entries:
        if ("shift" in entry) == ("start" in entry and "end" in entry):
            raise Invalid("weekly", "hours", "each entry has a start and an end, or a shift")
        if "shift" in entry and entry["shift"] not in shifts:
            raise Invalid("weekly", "unknown", f"the site has no shift {entry['shift']}")
    return [dict(entry) for entry in entries]


def _set_days(session: Session, row: WorkCalendar, days: Sequence[Mapping[str, Any]]) -> None:
    if len({day["day"] for day in days}) != len(days):
        raise Invalid("days", "twice", "a day stands in the list once")
    session.execute(sql_delete(CalendarDay).where(CalendarDay.calendar_id == row.id))
    for day in days:
        session.add(CalendarDay(calendar_id=row.id, day=day["day"], name=day.get("name", ""), windows=list(day.get("windows", []))))
    session.flush()


def bodies(session: Session, rows: Sequence[WorkCalendar]) -> list[dict[str, Any]]:
    """REST bodies, in their order."""
    areas = by_id(session, Area, (row.area_id for row in rows))
    days: dict[int, list[dict[str, Any]]] = {}
    for day in session.scalars(select(CalendarDay).where(CalendarDay.calendar_id.in_([row.id for row in rows])).order_by(CalendarDay.day)):
        days.setdefault(day.calendar_id, []).append({"day": day.day.isoformat(), "name": day.name, "windows": day.windows})
    return [
        {
            "id": row.id,
            "name": row.name,
            "area": areas[row.area_id].name if row.area_id else None,
            "weekly": row.weekly,
            "days": days.get(row.id, []),
            "rev": row.rev,
        }
        for row in rows
    ]
